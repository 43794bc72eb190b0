"""``detector summarize``: a folder of ``detector score`` in, rates per 1,000 words out."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detector.batch.choices import TableFormat
from detector.cli import streams
from detector.cli.score import column_names
from detector.cli.streams import say
from detector.errors import ConfigError
from detector.report.results import UNFINISHED
from detector.report.visible import visible
from detector.report.wording import counted
from detector.writers.table import csv_line

if TYPE_CHECKING:
    from detector.batch.summary import Difference, Overview, Rate

QUOTE_WIDTH = 60


def command(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A folder of `detector score`.", show_default=False)],
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN,…", help="Group by kept columns, or by month (may be repeated).", show_default=False
        ),
    ] = None,
    date_column: Annotated[str, typer.Option(metavar="COLUMN", help="Where the month is taken from.")] = "date",
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="COLUMN=A COLUMN=B", help="The difference of two groups.", show_default=False),
    ] = None,
    format: Annotated[
        TableFormat | None,
        typer.Option(
            "--format", "-f", help="What to write; by default what the suffix of FILE means.", show_default="table"
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to a file; Parquet needs one.", show_default=False),
    ] = None,
    examples: Annotated[int, typer.Option(min=0, metavar="N", help="How many of the strongest quotes to show.")] = 3,
    resamples: Annotated[int, typer.Option(min=100, metavar="N", help="Draws of the bootstrap.")] = 1000,
) -> None:
    """Show how often each family and technique occurs per 1,000 words, with 95 % bootstrap intervals.

    The intervals say how much documents differ, not how often the detector is wrong.
    """
    from detector.batch.summary import MONTH, Question, Results, as_table, summarize
    from detector.batch.summary import compare as compare_groups

    if compare and by:
        raise ConfigError("--compare and --by: give one of them")
    format = format or _by_suffix(output)
    if format == TableFormat.PARQUET and output in (None, "-"):
        raise ConfigError("--format parquet: is no text: name a file with --output")
    groups = tuple(dict.fromkeys(column_names(by or [])))
    question = Question(groups, date_column, n_examples=examples, n_resamples=resamples)
    results = Results(folder)
    overview = results.overview()
    warn(folder, overview)
    rows: Sequence[Rate] | Sequence[Difference]
    rows = compare_groups(results, *compare, question) if compare else summarize(results, question)
    n_undated, example = results.undated(date_column) if MONTH in groups else (0, "")
    if n_undated:
        unread = (
            f"{counted(n_undated, 'document')} with a {date_column} that is no date, such as {visible(example)!r:.60}"
        )
        say(f"warning: {folder}: {unread}: write 2024-01-31")
    with streams.output(output) as write:
        if format == TableFormat.PARQUET:
            write(to_parquet(as_table(rows, groups)))
        elif format == TableFormat.CSV:
            write(to_csv(as_table(rows, groups)))
        else:
            write("".join(f"{line}\n" for line in to_lines(rows, overview, groups, compare)))


def _by_suffix(output: str | None) -> TableFormat:
    """The format that the suffix of the output means."""
    suffix = os.path.splitext(output or "")[1].lower()
    if suffix in streams.NOT_WRITTEN:
        raise ConfigError(f"--output {output}: {suffix} files are not written: take .csv, .parquet or .txt")
    return {".csv": TableFormat.CSV, ".parquet": TableFormat.PARQUET}.get(suffix, TableFormat.TABLE)


def warn(folder: str, overview: Overview) -> None:
    """Says on standard error what a reader of the numbers should know."""
    if not overview.finished:
        say(f"{folder}: {UNFINISHED}")
    if overview.n_errors:
        say(f"{folder}: {counted(overview.n_errors, 'document')} could not be read and not counted (errors.jsonl)")
    if overview.n_duplicate_ids:
        doubled = counted(overview.n_duplicate_ids, "document")
        say(f"{folder}: {doubled} with an id that another has too; all are counted")


def to_lines(
    rows: Sequence[Any], overview: Overview, by: Sequence[str], compared: tuple[str, str] | None
) -> Iterator[str]:
    """The lines of the table for people."""
    sizes = ((overview.n_documents, "document"), (overview.n_words, "word"), (overview.n_spans, "span"))
    yield ", ".join(counted(n, noun) for n, noun in sizes) + "."
    if compared:
        names = f"A: {visible(compared[0])}, B: {visible(compared[1])}"
        yield f"Spans per 1,000 words, {names}; A - B with its 95 % interval."
        yield from _difference_lines(rows)
        return
    yield "Spans per 1,000 words with their 95 % interval."
    for group, members in groupby(rows, key=lambda row: row.group):
        some = list(members)
        if by:
            name = ", ".join(f"{c}: {visible(v)}" for c, v in zip(by, group, strict=True))
            yield ""
            yield f"{name} ({counted(some[0].n_documents, 'document')}, {counted(some[0].n_words, 'word')})"
        yield from _rate_lines(some)


def _rate_lines(rows: Sequence[Rate]) -> Iterator[str]:
    for kind, members in groupby(rows, key=lambda row: row.kind):
        yield ""
        yield f"{kind:34} {'spans':>9} {'rate':>8}   interval"
        for row in sorted(members, key=lambda row: (-(row.rate or 0), row.name)):
            yield f"{row.name:34} {row.n_spans:>9,} {_number(row.rate):>8}   {_range(row.low, row.high)}"
            if kind == "technique":
                for e in row.examples:
                    yield f"    {e.confidence:.2f} “{_short(e.quote)}” ({visible(e.id)})"


def _difference_lines(rows: Sequence[Difference]) -> Iterator[str]:
    for kind, members in groupby(rows, key=lambda row: row.kind):
        yield ""
        yield f"{kind:34} {'A':>8} {'B':>8} {'A - B':>8}   interval"
        for row in sorted(members, key=lambda row: (-abs(row.difference or 0), row.name)):
            numbers = " ".join(f"{_number(x):>8}" for x in (row.rate_a, row.rate_b, row.difference))
            yield f"{row.name:34} {numbers}   {_range(row.low, row.high)}"


def to_csv(table: Any) -> str:
    """The table as CSV with a header; lists are JSON."""
    rows = (
        [json.dumps(v, ensure_ascii=False) if isinstance(v, list) else v for v in row.values()]
        for row in table.to_pylist()
    )
    return "".join(map(csv_line, [table.column_names, *rows]))


def to_parquet(table: Any) -> bytes:
    """The table as a Parquet file."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _range(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.2f} to {high:.2f}"


def _short(quote: str) -> str:
    line = visible(" ".join(quote.split()))
    return line if len(line) <= QUOTE_WIDTH else line[: QUOTE_WIDTH - 1] + "…"
