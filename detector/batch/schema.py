"""What a part file holds: its columns (schema version 1), and rows ↔ bytes.

The version grows when a column changes its meaning or goes, not when one is added.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from detector.batch.choices import PartFormat
from detector.batch.records import Record, printable
from detector.errors import ConfigError
from detector.quotes import Quotation, quotation_of
from detector.spans import Span
from detector.techniques import NAMES, technique
from detector.writers.json import dumps

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the part files."""

    name: str
    type: pa.DataType
    description: str


_SPAN = pa.struct(
    [
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("technique", pa.string()),
        ("family", pa.string()),
        ("confidence", pa.float64()),
        ("quote", pa.string()),
        ("in_quote", pa.bool_()),
        ("speaker", pa.string()),
    ]
)
COLUMNS = (
    Column("id", pa.string(), "the value of the id column, else source:row; not necessarily unique"),
    Column("source", pa.string(), "the file, URL or data set as given; source and row name a document uniquely"),
    Column("row", pa.int64(), "from 1 in the source: the line of JSONL, the record elsewhere, 1 for a text file"),
    Column("text_hash", pa.string(), "sha256: and the digest of the text in UTF-8"),
    Column("n_characters", pa.int64(), "length of the text in Unicode code points"),
    Column(
        "n_characters_read",
        pa.int64(),
        "how many of them the model has seen: all, or 0 of a text that --language-guard skip left out",
    ),
    Column("n_words", pa.int64(), "runs of characters between white space"),
    Column(
        "language",
        pa.string(),
        "of the text, such as en; null where it is too short or too mixed to tell, or with --language-guard off",
    ),
    Column("n_spans", pa.int32(), "number of spans"),
    Column(
        "spans",
        pa.list_(pa.field("element", _SPAN)),  # as Parquet calls it
        "in reading order: start and end (code points, end not included), technique and family (slugs), confidence "
        "(calibrated probability, four digits), quote (the characters; U+FFFD for a lone surrogate), in_quote (whether "
        "it lies in somebody's quoted or reported words), speaker (of those words; null where nobody is named)",
    ),
    Column("counts", pa.struct([(name, pa.int32()) for name in NAMES]), "number of spans by technique"),
    Column(
        "rates",
        pa.struct([(name, pa.float64()) for name in NAMES]),
        "spans per 1,000 words by technique, four digits; null for a text without words, or left out for its language",
    ),
    Column("model_hash", pa.string(), "sha256: of the model folder"),
    Column("settings_hash", pa.string(), "sha256: of the settings in manifest.json"),
)
NAMES_TAKEN = frozenset(column.name for column in COLUMNS)


def check_kept(keep: Iterable[str]) -> tuple[str, ...]:
    """The kept columns, each once; raises ConfigError for a name that another column has.

    Names in capitals count as the same, because to SQL they are.
    """
    names = tuple(dict.fromkeys(keep))
    taken = {name.casefold(): "the part files have a column" for name in NAMES_TAKEN}
    for name in names:
        if other := taken.get(name.casefold()):
            raise ConfigError(f"--keep {name}: {other} of that name: rename it in the corpus")
        taken[name.casefold()] = f"{name!r:.60} is kept, too, and is a column"
    return names


def arrow_schema(keep: Sequence[str]) -> pa.Schema:
    """The schema of the part files with these kept columns, all of them strings."""
    own = [pa.field(column.name, column.type) for column in COLUMNS]
    return pa.schema([*own, *(pa.field(name, pa.string()) for name in keep)])


def describe() -> dict[str, Any]:
    """The schema in JSON types."""
    columns = [{"name": c.name, "type": str(c.type), "description": c.description} for c in COLUMNS]
    kept = {"name": "(each --keep column)", "type": "string", "description": "its value in the corpus; null if absent"}
    return {"schema_version": SCHEMA_VERSION, "columns": [*columns, kept]}


def make_row(
    record: Record,
    spans: Sequence[Span],
    *,
    quoted: Sequence[Quotation] = (),
    language: str | None = None,
    n_read: int,
    hashes: Mapping[str, str],
    keep: Sequence[str],
) -> dict[str, Any]:
    """The row of a document with the spans found in it.

    ``quoted`` are the quotations in its text, in order. ``hashes`` are ``model_hash`` and ``settings_hash``.
    """
    text = record.text or ""
    n_words = len(text.split())
    counts = Counter(span.technique for span in spans)
    measured = n_words > 0 and n_read == len(text)
    return {
        "id": record.id,
        "source": record.source,
        "row": record.row,
        "text_hash": record.text_hash,
        "n_characters": len(text),
        "n_characters_read": n_read,
        "n_words": n_words,
        "language": language,
        "n_spans": len(spans),
        "spans": [_span_row(span, text, quotation_of(span, quoted)) for span in spans],
        "counts": {name: counts[name] for name in NAMES},
        "rates": {name: round(1000 * counts[name] / n_words, 4) if measured else None for name in NAMES},
        **hashes,
        **dict(zip(keep, record.kept, strict=True)),
    }


def encode(rows: Sequence[Mapping[str, Any]], *, format: PartFormat, keep: Sequence[str]) -> bytes:
    """The bytes of a part file; the same rows give the same bytes."""
    if format == PartFormat.JSONL:
        return "".join(dumps(row) + "\n" for row in rows).encode()
    version = {"rhetoric_detector": json.dumps({"schema_version": SCHEMA_VERSION})}
    table = pa.Table.from_pylist(list(rows), schema=arrow_schema(keep).with_metadata(version))
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _span_row(span: Span, text: str, quotation: Quotation | None) -> dict[str, Any]:
    return {
        "start": span.start,
        "end": span.end,
        "technique": span.technique,
        "family": technique(span.technique).family,
        "confidence": round(span.confidence, 4),
        "quote": printable(text[span.start : span.end]),
        "in_quote": quotation is not None,
        "speaker": printable(quotation.speaker) if quotation and quotation.speaker else None,
    }
