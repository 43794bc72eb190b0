"""CSV: a row a finding, for spreadsheets. It holds no texts: reading it back needs them.

Columns: ``id``, ``start`` and ``end`` (code points), ``technique``, ``title``, ``code``, ``family``, ``confidence``,
``line``, ``column``, ``place``, ``in_quote`` (``true`` or ``false``), ``speaker``, ``quote``. UTF-8, lines end in
``\\n``, a value with a comma, a quotation mark or a line end stands in quotation marks (RFC 4180).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from detector.errors import CorpusError
from detector.spans import Document, Span
from detector.writers.carried import Texts, checked, reading, text_of
from detector.writers.json import span_records
from detector.writers.provenance import Provenance

COLUMNS = (
    *("id", "start", "end", "technique", "title", "code", "family", "confidence", "line", "column", "place"),
    *("in_quote", "speaker", "quote"),
)


def write_csv(documents: Iterable[Document], provenance: Provenance) -> Iterator[bytes]:
    """The table, piece by piece: its head, then the rows of each document."""
    yield _rows([COLUMNS])
    for document in documents:
        rows = [{**record, "id": document.id} for record in span_records(document)]
        if rows:
            yield _rows([[_cell(row[column]) for column in COLUMNS] for row in rows])


def read_csv(path: Path, texts: Texts | None = None) -> Iterator[Document]:
    """The documents of ``texts``, in their order, with the spans of the table; those without a row, too.

    Equal rows, as of a document that was written twice, are one span.
    """
    spans: dict[str, dict[Span, None]] = {}
    with reading(path, "a CSV table of findings"), path.open(encoding="utf-8-sig", newline="") as file:
        for row in _rows_of(file):
            id, place = row["id"], f"{path}: a row of {row['id']!r:.60}"
            document = text_of(id, texts, place=place)
            span = checked(
                int(row["start"]),
                int(row["end"]),
                row["technique"],
                document.text,
                place=place,
                confidence=float(row["confidence"]),
            )
            if document.quote(span) != row["quote"]:
                raise CorpusError(f"{place}: [{span.start}, {span.end}) is not its quote: the text is another one")
            spans.setdefault(id, {})[span] = None
    yield from (document.with_spans(spans.get(id, ())) for id, document in (texts or {}).items())


def _rows_of(file: TextIO) -> Iterator[dict[str, str]]:
    try:
        reader = csv.DictReader(file, strict=True)
        if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
            raise ValueError(f"it has no column {missing[0]}")
        yield from reader
    except csv.Error as error:
        raise ValueError(error) from None


def _rows(rows: Iterable[Iterable[object]]) -> bytes:
    return "".join(map(csv_line, rows)).encode("utf-8", "replace")


def csv_line(row: Iterable[object]) -> str:
    """A row of CSV; a value with any kind of line end in it stands in quotation marks."""
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerow(row)  # what ends a line is quoted: of "\n" alone, no "\r"
    return written.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
