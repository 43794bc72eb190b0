"""Rates over the part files of a run, with bootstrap intervals: DuckDB reads and groups, one pass, bounded memory.

The interval of a rate comes from drawing the documents anew. Each document gets a Poisson(1) weight in each of the
resamples (which is what drawing as many documents as there are amounts to, without holding them), so a rate's
interval reflects how much documents differ from each other, not only how many words were counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detector.batch.results import part_names, read_manifest
from detector.batch.schema import NAMES_TAKEN, arrow_schema
from detector.batch.sources import file_system, is_url
from detector.batch.store import open_store
from detector.errors import ConfigError, InputError
from detector.techniques import NAMES, families

Floats = npt.NDArray[np.float64]

MONTH = "month"
MAX_GROUPS = 2000
NO_VALUE = "(none)"
_BATCH = 1024
_SURPLUS = 8  # how many times more examples are fetched than shown, because the same words may come from copies
_MOST_FETCHED = 999_999  # DuckDB refuses to fetch more of the largest
_POISSON_STEPS = 1 << 16


@dataclass(frozen=True, slots=True)
class Question:
    """What to summarise: groups by these columns (``month`` is taken from ``date_column``), how many examples each."""

    by: tuple[str, ...] = ()
    date_column: str = "date"
    n_examples: int = 3
    n_resamples: int = 1000
    level: float = 0.95
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """A span that the detector was sure of."""

    quote: str
    confidence: float
    id: str


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a measure (all, a family, a technique) occurs in a group of documents.

    ``rate`` is spans per 1,000 words with the interval ``[low, high]``; both are None for fewer than two documents.
    """

    group: tuple[str, ...]
    kind: str
    name: str
    n_documents: int
    n_words: int
    n_spans: int
    rate: float | None
    low: float | None
    high: float | None
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """The rate of a measure in two groups, and the first less the second with its interval."""

    kind: str
    name: str
    rate_a: float | None
    rate_b: float | None
    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Overview:
    """What a folder holds as a whole; ``finished`` is False where its run has not come to the end."""

    n_documents: int
    n_words: int
    n_spans: int
    n_errors: int
    n_duplicate_ids: int
    finished: bool


@dataclass(slots=True)
class _Sums:
    """Sums of a group: columns are the counts of `NAMES` and, last, words; ``drawn`` has a row a resample."""

    n_documents: int
    plain: Floats
    drawn: Floats


@dataclass(frozen=True, slots=True)
class Measure:
    """A sum over techniques: ``columns`` index `NAMES`."""

    kind: str
    name: str
    columns: list[int]


class Results:
    """The part files in a folder as one table, ``results``, of a DuckDB connection.

    Documents that were left out for their language are not in it: nothing is known of what is in them.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.store = open_store(folder)
        self.manifest = read_manifest(self.store, folder)
        self.keep: tuple[str, ...] = tuple(self.manifest["settings"]["keep"])
        self.connection = duckdb.connect()
        self.connection.execute("SET threads = 1; SET autoinstall_known_extensions = false;")
        self._open()

    def overview(self) -> Overview:
        """What the folder holds."""
        row = self.fetch("SELECT count(*), sum(n_words), sum(n_spans), count(*) - count(DISTINCT id) FROM results")[0]
        n_errors = int(self.manifest["n_errors"])
        finished = bool(self.manifest["finished"])
        return Overview(row[0], int(row[1] or 0), int(row[2] or 0), n_errors, row[3], finished)

    def undated(self, date_column: str) -> tuple[int, str]:
        """How many documents have a date that cannot be read, and one of these dates."""
        if MONTH in self.keep:
            return 0, ""
        date = self.expression(date_column, date_column="")
        unread = f"TRY_CAST({_whole_date(date)} AS TIMESTAMP) IS NULL AND {date} <> '{NO_VALUE}'"
        n_undated, example = self.fetch(f"SELECT count(*), min({date}) FROM results WHERE {unread}")[0]
        return n_undated, example or ""

    def fetch(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query; raises InputError where a part file cannot be read."""
        try:
            return self.connection.execute(query, list(parameters)).fetchall()
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise self.damaged(str(error)) from None

    def batches(self, query: str, parameters: Sequence[Any] = ()) -> Iterator[pa.RecordBatch]:
        """The rows of a query as record batches, in the order of the corpus."""
        try:
            yield from self.connection.sql(query, params=list(parameters)).to_arrow_reader(_BATCH)
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise self.damaged(str(error)) from None

    def expression(self, column: str, *, date_column: str) -> str:
        """SQL for the value of a column to group by. Raises ConfigError for one that was not kept."""
        if column == MONTH and MONTH not in self.keep:
            date = self.expression(date_column, date_column="")
            return f"coalesce(strftime(TRY_CAST({_whole_date(date)} AS TIMESTAMP), '%Y-%m'), '{NO_VALUE}')"
        if column not in (*self.keep, "source"):
            kept = ", ".join((*self.keep, "source"))
            way_out = "choose one of these" if column.casefold() in NAMES_TAKEN else f"score with --keep {column}"
            raise ConfigError(f"no column {column!r} in {self.folder} to group by (there are {kept}): {way_out}")
        return f"coalesce(nullif({_identifier(column)}, ''), '{NO_VALUE}')"

    def _open(self) -> None:
        names = part_names(self.store)
        if not names:
            raise InputError(f"{self.folder}: holds no part file yet: run `detector score` again")
        if is_url(self.folder):
            self.connection.register_filesystem(file_system(self.folder)[0])
        # A folder called outlet=A says nothing of what is in the files.
        options = "hive_partitioning=false"
        files = ", ".join(_string(f"{self.folder.rstrip('/')}/{name}") for name in names)
        if names[0].endswith(".jsonl"):
            columns = ", ".join(f"{_identifier(f.name)}: {_string(_sql_type(f.type))}" for f in arrow_schema(self.keep))
            options += f", format='newline_delimited', columns={{{columns}}}, maximum_object_size=1000000000"
            table = f"read_json([{files}], {options})"
        else:
            table = f"read_parquet([{files}], {options})"
        try:
            self.connection.execute(
                f"CREATE VIEW results AS SELECT * FROM {table} WHERE n_characters_read = n_characters"
            )
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise self.damaged(str(error)) from None

    def damaged(self, reason: str) -> InputError:
        """The error of a folder whose part files are not as they were written."""
        first = (reason.splitlines() or [""])[0][:200]
        return InputError(f"{self.folder}: a part file cannot be read ({first}): run `detector score` again to mend it")


def summarize(results: Results, question: Question) -> list[Rate]:
    """The rates of all measures in all groups: groups by name, measures from all to families to techniques."""
    expressions = [results.expression(c, date_column=question.date_column) for c in question.by]
    sums = _accumulate(results, expressions, question)
    examples = _examples(results, expressions, question)
    return [_rate(g, m, sums[g], question, examples) for g in sorted(sums) for m in measures()]


def compare(results: Results, a: str, b: str, question: Question) -> list[Difference]:
    """The rates of all measures in two groups such as ``outlet=A`` and ``outlet=B``, and their differences.

    Raises ConfigError for anything that is not COLUMN=VALUE twice with one column, InputError for a value that no
    document has.
    """
    (column, value_a), (column_b, value_b) = _parse_side(a), _parse_side(b)
    if column != column_b or value_a == value_b:
        raise ConfigError(f"--compare {a} {b}: name two values of one column, such as outlet=A outlet=B")
    expression = results.expression(column, date_column=question.date_column)
    sums = _accumulate(results, [expression], question, where=f"{expression} IN (?, ?)", parameters=(value_a, value_b))
    for value in (value_a, value_b):
        if (value,) not in sums:
            raise InputError(f"--compare {column}={value}: no document in {results.folder} has this value")
    return [_difference(m, sums[value_a,], sums[value_b,], question) for m in measures()]


def measures() -> list[Measure]:
    """What rates are given of: all techniques, each family, each technique."""
    position = {name: i for i, name in enumerate(NAMES)}
    return [
        Measure("all", "all", list(range(len(NAMES)))),
        *(Measure("family", f.name, [position[t] for t in f.techniques]) for f in families()),
        *(Measure("technique", name, [i]) for name, i in position.items()),
    ]


def _accumulate(
    results: Results,
    expressions: Sequence[str],
    question: Question,
    *,
    where: str = "true",
    parameters: Sequence[Any] = (),
) -> dict[tuple[str, ...], _Sums]:
    """The sums of each group, in one pass."""
    groups = ", ".join(f"{e} AS g{i}" for i, e in enumerate(expressions))
    counts = ", ".join(f"counts.{_identifier(name)}" for name in NAMES)
    query = f"SELECT {groups}{',' if groups else ''} {counts}, n_words FROM results WHERE {where}"
    generator, table = np.random.default_rng(question.seed), poisson_table()
    sums: dict[tuple[str, ...], _Sums] = {}
    for batch in results.batches(query, parameters):
        n, width = batch.num_rows, len(NAMES) + 1
        columns = (batch.column(len(expressions) + i) for i in range(width))
        values = np.stack([column.to_numpy(zero_copy_only=False) for column in columns], axis=1).astype(np.float64)
        if np.isnan(values).any():
            raise results.damaged("a count is missing")
        # One draw a document and resample, in the order of the corpus: batches and groups do not change it.
        weights = table[generator.integers(0, _POISSON_STEPS, size=(n, question.n_resamples), dtype=np.uint16)]
        keys = list(zip(*(batch.column(i).to_pylist() for i in range(len(expressions))), strict=True)) or [()] * n
        for key, rows in _positions(keys).items():
            _add(sums, key, values[rows], weights[rows])
        if len(sums) > MAX_GROUPS:
            by = ", ".join(question.by)
            raise ConfigError(f"--by {by}: makes more than {MAX_GROUPS} groups: choose a coarser column")
    return sums


def _add(
    sums: dict[tuple[str, ...], _Sums], key: tuple[str, ...], values: Floats, weights: npt.NDArray[np.int8]
) -> None:
    width = values.shape[1]
    group = sums.setdefault(key, _Sums(0, np.zeros(width), np.zeros((weights.shape[1], width))))
    group.n_documents += len(values)
    group.plain += values.sum(axis=0)
    group.drawn += weights.T.astype(np.float64) @ values


def poisson_table() -> npt.NDArray[np.int8]:
    """A table of 65,536 values that hold k as often as a Poisson variable of mean 1 is k: drawing from it is fast."""
    shares = [math.exp(-1) / math.factorial(k) for k in range(10)]
    edges = np.round(np.cumsum(shares) * _POISSON_STEPS).astype(np.int64)
    return np.searchsorted(edges, np.arange(_POISSON_STEPS), side="right").astype(np.int8)


def _rate(
    group: tuple[str, ...],
    measure: Measure,
    sums: _Sums,
    question: Question,
    examples: Mapping[tuple[tuple[str, ...], str], tuple[Example, ...]],
) -> Rate:
    low, high = _interval(_per_thousand(sums.drawn, measure), sums.n_documents, question.level)
    return Rate(
        group=group,
        kind=measure.kind,
        name=measure.name,
        n_documents=sums.n_documents,
        n_words=int(sums.plain[-1]),
        n_spans=int(sums.plain[measure.columns].sum()),
        rate=_rounded(_per_thousand(sums.plain[None, :], measure)[0]),
        low=low,
        high=high,
        examples=_strongest([examples.get((group, NAMES[i]), ()) for i in measure.columns], question.n_examples),
    )


def _difference(measure: Measure, a: _Sums, b: _Sums, question: Question) -> Difference:
    plain_a, plain_b = (_per_thousand(s.plain[None, :], measure)[0] for s in (a, b))
    drawn = _per_thousand(a.drawn, measure) - _per_thousand(b.drawn, measure)
    low, high = _interval(drawn, min(a.n_documents, b.n_documents), question.level)
    rate_a, rate_b, difference = (_rounded(x) for x in (plain_a, plain_b, plain_a - plain_b))
    return Difference(measure.kind, measure.name, rate_a, rate_b, difference, low, high)


def _per_thousand(sums: Floats, measure: Measure) -> Floats:
    """Spans per 1,000 words of each row; not a number where there are no words."""
    words = sums[:, -1]
    rates: Floats = 1000 * sums[:, measure.columns].sum(axis=1) / np.where(words > 0, words, np.nan)
    return rates


def _interval(drawn: Floats, n_documents: int, level: float) -> tuple[float | None, float | None]:
    """The middle ``level`` of the drawn values; nothing for fewer than two documents, which cannot differ."""
    values = drawn[~np.isnan(drawn)]
    if n_documents < 2 or not len(values):
        return None, None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return _rounded(low), _rounded(high)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def _examples(
    results: Results, expressions: Sequence[str], question: Question
) -> dict[tuple[tuple[str, ...], str], tuple[Example, ...]]:
    """The spans of highest confidence by group and technique; the same words count once."""
    if not question.n_examples:
        return {}
    groups = "".join(f"{e} AS g{i}, " for i, e in enumerate(expressions))
    keys = "".join(f"g{i}, " for i in range(len(expressions)))
    query = (
        f"WITH found AS (SELECT {groups} id, unnest(spans) AS s FROM results) "
        f"SELECT {keys} s.technique, max_by({{'q': s.quote, 'c': s.confidence, 'id': id}}, s.confidence, ?) "
        f"FROM found GROUP BY {keys} s.technique"
    )
    rows = results.fetch(query, [min(question.n_examples * _SURPLUS, _MOST_FETCHED)])
    if any(found is None or None in (name, *(x[part] for x in found for part in x)) for *_, name, found in rows):
        raise results.damaged("a finding lacks its quote, its technique or its confidence")
    return {
        (tuple(key), name): _strongest([[Example(x["q"], x["c"], x["id"]) for x in found]], question.n_examples)
        for *key, name, found in rows
    }


def _strongest(found: Iterable[Iterable[Example]], n: int) -> tuple[Example, ...]:
    """The ``n`` examples of highest confidence, each wording once."""
    by_words: dict[str, Example] = {}
    for example in sorted((e for some in found for e in some), key=lambda e: (-e.confidence, e.id, e.quote)):
        by_words.setdefault(example.quote.casefold(), example)
    return tuple(by_words.values())[:n]


def _positions(keys: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], list[int]]:
    places: dict[tuple[str, ...], list[int]] = {}
    for i, key in enumerate(keys):
        places.setdefault(key, []).append(i)
    return places


def _parse_side(given: str) -> tuple[str, str]:
    column, equals, value = given.partition("=")
    if not (column and equals):
        raise ConfigError(f"--compare {given}: give COLUMN=VALUE, such as outlet=A")
    return column, value


def as_table(rows: Sequence[Rate] | Sequence[Difference], by: Sequence[str]) -> pa.Table:
    """The rows as an Arrow table: a column for each of ``by``, then the fields of the rows.

    A column of ``by`` that is called as a field is, such as ``kind``, becomes ``by_kind``.
    """
    by = [f"by_{name}" if name in Rate.__dataclass_fields__ else name for name in by]
    records = []
    for row in rows:
        record = {name: getattr(row, name) for name in row.__dataclass_fields__ if name != "group"}
        if isinstance(row, Rate):
            record["examples"] = [{"quote": e.quote, "confidence": e.confidence, "id": e.id} for e in row.examples]
            record = dict(zip(by, row.group, strict=True)) | record
        records.append(record)
    return pa.Table.from_pylist(records, schema=_table_schema(rows, by))


def _table_schema(rows: Sequence[Rate] | Sequence[Difference], by: Sequence[str]) -> pa.Schema:
    rate = ("rate", "low", "high")
    if rows and isinstance(rows[0], Difference):
        numbers = ("rate_a", "rate_b", "difference", "low", "high")
        return pa.schema([("kind", pa.string()), ("name", pa.string()), *((n, pa.float64()) for n in numbers)])
    example = pa.struct([("quote", pa.string()), ("confidence", pa.float64()), ("id", pa.string())])
    return pa.schema(
        [
            *((name, pa.string()) for name in (*by, "kind", "name")),
            *((name, pa.int64()) for name in ("n_documents", "n_words", "n_spans")),
            *((name, pa.float64()) for name in rate),
            ("examples", pa.list_(example)),
        ]
    )


def _whole_date(date: str) -> str:
    """SQL for a date as DuckDB reads it, also of one without marks (``20240105``) or without a day (``2024-01``)."""
    marked = rf"regexp_replace(trim({date}), '^(\d{{4}})(\d\d)(\d\d)(T.*)?$', '\1-\2-\3')"
    return rf"regexp_replace({marked}, '^(\d{{4}}-\d\d)$', '\1-01')"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _sql_type(kind: pa.DataType) -> str:
    """DuckDB's name for a type of the schema."""
    if pa.types.is_struct(kind):
        return "STRUCT(" + ", ".join(f"{_identifier(f.name)} {_sql_type(f.type)}" for f in kind) + ")"
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    return {
        pa.string(): "VARCHAR",
        pa.bool_(): "BOOLEAN",
        pa.int64(): "BIGINT",
        pa.int32(): "INTEGER",
        pa.float64(): "DOUBLE",
    }[kind]
