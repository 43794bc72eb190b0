"""A corpus → `Record`, one after another: the stream that everything else in this package works on.

A record that cannot be read is a record too, with a `Failure` in the place of its text, so that nothing is dropped
without a trace and later records keep their places. A file that breaks off (a damaged archive, a quote that is never
closed) ends with such a record; the next file goes on.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from detector.batch.sources import Kind, Source, find_sources
from detector.errors import InputError
from detector.readers.text import read_bytes
from detector.spans import text_hash

MAX_RECORD = 256 * 1024 * 1024
"""Bytes of a text file or a line of JSONL, and characters of a field of CSV, that are read at most: what bounds the
memory that a packed bomb, a file without line ends, or an open quote can take."""

_PIECE = 65_536
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    ArithmeticError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    csv.Error,
    pa.ArrowException,
    InputError,
)


class ColumnError(InputError):
    """A table that lacks a column that was asked for."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record could not be read or scored. ``kind`` is one of column, text, record, file and scoring."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Record:
    """One document of a corpus: ``row`` counts from 1 in its ``source`` (lines of JSONL, records elsewhere).

    ``text`` is None where ``failure`` says why. ``kept`` are the values of the kept columns, in their order.
    """

    source: str
    row: int
    id: str
    text: str | None
    kept: tuple[str | None, ...] = ()
    failure: Failure | None = None
    text_hash: str | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.text is not None:
            object.__setattr__(self, "text_hash", text_hash(self.text))


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns are the text, the id and those carried along.

    Without an ``id`` column a record is called by its value of ``id`` where that is not empty, else ``source:row``.
    """

    text: str = "text"
    id: str | None = None
    keep: tuple[str, ...] = ()


@dataclass(slots=True)
class Meter:
    """How many bytes of the corpus have been read; ``here`` tells it of the file in hand."""

    done: int = 0
    here: Callable[[], int] = field(default=lambda: 0)

    def position(self) -> int:
        """Bytes so far."""
        return self.done + self.here()

    @contextmanager
    def watching(self, raw: BinaryIO) -> Iterator[None]:
        """A context in which ``raw`` is the file in hand."""
        self.here = raw.tell
        try:
            yield
        finally:
            self.here = lambda: 0  # a closed file cannot tell

    def next_file(self, size: int) -> None:
        """Counts a file of this size as read."""
        self.done += size
        self.here = lambda: 0


def read_records(
    corpus: Sequence[str],
    columns: Columns,
    *,
    split: str | None = None,
    stdin: BinaryIO | None = None,
    meter: Meter | None = None,
) -> Iterator[Record]:
    """The documents of a corpus in order, streamed. Raises InputError for a path that is not there."""
    meter = meter or Meter()
    for source in find_sources(corpus):
        yield from _source_records(source, columns, split=split, stdin=stdin, meter=meter)
        meter.next_file(source.size)


def _source_records(
    source: Source, columns: Columns, *, split: str | None, stdin: BinaryIO | None, meter: Meter
) -> Iterator[Record]:
    if source.kind == Kind.DATASET:
        yield from _guarded(source.name, lambda: _dataset_rows(source.name, split, columns), errors=(Exception,))
    elif source.kind == Kind.ZIP:
        yield from _zip_records(source, columns, meter)
    elif source.kind == Kind.PARQUET:
        yield from _guarded(source.name, lambda: _parquet_rows(source, columns, meter))
    else:
        yield from _guarded(source.name, lambda: _opened_rows(source, columns, stdin, meter))


def _opened_rows(source: Source, columns: Columns, stdin: BinaryIO | None, meter: Meter) -> Iterator[Record]:
    if source.kind == Kind.STANDARD_INPUT:
        yield from _stream_rows(stdin or io.BytesIO(), source, columns)
        return
    with source.open() as raw, meter.watching(raw), decompressed(raw, source.compression) as stream:
        yield from _stream_rows(stream, source, columns)


def _guarded(
    name: str, rows: Callable[[], Iterator[Record]], *, errors: tuple[type[Exception], ...] = _UNREADABLE
) -> Iterator[Record]:
    """The rows; where reading fails, a last record that says why."""
    last = 0
    try:
        for record in rows():
            yield record
            last = record.row
    except errors as error:
        kind = "column" if isinstance(error, ColumnError) else "file"
        yield failed(name, last + 1, kind, f"{name}: {_reason(error)}")


def failed(source: str, row: int, kind: str, message: str, *, id: str | None = None) -> Record:
    """The record of something that could not be read."""
    name = printable(source)
    return Record(name, row, id or f"{name}:{row}", None, failure=Failure(kind, printable(" ".join(message.split()))))


def decompressed(raw: BinaryIO, compression: str | None) -> BinaryIO:
    """The bytes inside a ``gz`` or ``zst`` stream, or the stream itself."""
    if compression == "gz":
        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
    if compression == "zst":
        return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd"))
    return raw


def _stream_rows(stream: BinaryIO, source: Source, columns: Columns) -> Iterator[Record]:
    if source.kind == Kind.TEXT:
        yield _text_record(stream, source.name, columns)
    elif source.kind in (Kind.CSV, Kind.TSV):
        yield from _csv_rows(stream, source.name, columns, delimiter="," if source.kind == Kind.CSV else "\t")
    else:
        yield from _jsonl_rows(stream, source.name, columns)


def _text_record(stream: BinaryIO, name: str, columns: Columns) -> Record:
    """A whole file as one document, called by its path."""
    data = stream.read(MAX_RECORD + 1)
    if len(data) > MAX_RECORD:
        raise InputError(f"holds more than {MAX_RECORD:,} bytes: split it")
    document = read_bytes(data, id=name)
    return _record(name, 1, {"text": document.text, columns.text: document.text, columns.id or "id": name}, columns)


def _jsonl_rows(stream: BinaryIO, name: str, columns: Columns) -> Iterator[Record]:
    for number, line in enumerate(_lines(stream), start=1):
        if line is None:
            yield failed(name, number, "record", f"{name}:{number}: has more than {MAX_RECORD:,} bytes: split it")
            continue
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except (ValueError, RecursionError) as error:
            yield failed(name, number, "record", f"{name}:{number}: is not JSON ({error}): one object a line")
            continue
        if isinstance(value, dict):
            yield _record(name, number, value, columns)
        else:
            what = type(value).__name__
            yield failed(name, number, "record", f"{name}:{number}: holds a {what}, not an object: one object a line")


def _lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """The lines; None in the place of one that is too long, which is passed over without being held."""
    while line := stream.readline(MAX_RECORD + 1):
        if len(line) <= MAX_RECORD:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(_PIECE)
        yield None


def _csv_rows(stream: BinaryIO, name: str, columns: Columns, *, delimiter: str) -> Iterator[Record]:
    csv.field_size_limit(MAX_RECORD)
    # Bytes that are no UTF-8 become lone surrogates, which `_record` finds: one bad row does not end the file.
    with io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        header = next((row for row in rows if row), None)
        if header is None:
            return
        _check_columns(header, columns, name)
        for number, (first_line, row) in enumerate(_csv_fields(rows), start=1):
            if isinstance(row, csv.Error):
                yield failed(name, number, "record", _csv_complaint(name, first_line, rows.line_num, row))
            elif len(row) != len(header):
                rule = f"{len(row)} fields where the header has {len(header)}: put fields with a delimiter in quotes"
                yield failed(name, number, "record", f"{name}: line {first_line}: {rule}")
            else:
                values, line = dict(zip(header, row, strict=True)), f"{name}: line {first_line}"
                yield _record(name, number, values, columns, undecoded_at=line)


def _csv_fields(rows: Any) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """The records of a CSV reader with the line each begins on; an error in the place of a record that is none."""
    while True:
        first_line = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield first_line, error
            continue
        if row is None:
            return
        if row:  # an empty line is no record
            yield first_line, row


def _csv_complaint(name: str, first: int, last: int, error: csv.Error) -> str:
    lines = f"line {first}" if last <= first else f"lines {first} to {last}"
    return f"{name}: {lines}: not read ({error}): close the quote that is open there, and double quotes inside fields"


def _parquet_rows(source: Source, columns: Columns, meter: Meter) -> Iterator[Record]:
    with source.open() as raw, pq.ParquetFile(raw, pre_buffer=False) as table:
        schema = table.schema_arrow
        _check_columns(schema.names, columns, source.name)
        if not _holds_text(schema.field(columns.text).type):
            kind = schema.field(columns.text).type
            raise ColumnError(f"column {columns.text!r} holds {kind}, not text: choose with --text-column")
        wanted = [n for n in dict.fromkeys((columns.text, columns.id or "id", *columns.keep)) if n in schema.names]
        total = max(1, table.metadata.num_rows)
        row = 0
        for batch in table.iter_batches(batch_size=64, columns=wanted, use_threads=False):
            for i in range(batch.num_rows):
                row += 1
                yield _parquet_record(source.name, row, batch, i, columns)
            read = row
            meter.here = lambda read=read: source.size * read // total  # type: ignore[misc]


def _parquet_record(name: str, row: int, batch: pa.RecordBatch, i: int, columns: Columns) -> Record:
    try:
        values = {column: batch.column(column)[i].as_py() for column in batch.schema.names}
    except (ValueError, ArithmeticError, KeyError, pa.ArrowException) as error:  # KeyError: an unknown time zone
        return failed(name, row, "record", f"{name}:{row}: a value cannot be read ({error}): mend the record")
    return _record(name, row, values, columns)


def _holds_text(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(inner)
        or pa.types.is_large_string(inner)
        or pa.types.is_string_view(inner)
        or pa.types.is_null(inner)
    )


def _zip_records(source: Source, columns: Columns, meter: Meter) -> Iterator[Record]:
    """The files of an archive in its order; each fails by itself."""
    try:
        with source.open() as raw, meter.watching(raw), zipfile.ZipFile(raw) as archive:
            for member in archive.infolist():
                inner = Source.inside(source, member.filename)
                if inner is not None and not member.is_dir():
                    yield from _guarded(inner.name, lambda m=member, s=inner: _member_rows(archive, m, s, columns))  # type: ignore[misc]
    except _UNREADABLE as error:
        yield failed(source.name, 1, "file", f"{source.name}: {_reason(error)}")


def _member_rows(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, source: Source, columns: Columns
) -> Iterator[Record]:
    if source.kind == Kind.PARQUET:
        raise InputError("a Parquet file inside an archive is not read: unpack it")
    with archive.open(member) as raw, decompressed(raw, source.compression) as stream:  # type: ignore[arg-type]
        yield from _stream_rows(stream, source, columns)


def _dataset_rows(name: str, split: str | None, columns: Columns) -> Iterator[Record]:
    from detector.batch.hub import open_dataset

    for number, values in enumerate(open_dataset(name, split=split), start=1):
        if number == 1:
            _check_columns(list(values), columns, name)
        yield _record(name, number, values, columns)


def _check_columns(names: Sequence[str], columns: Columns, place: str) -> None:
    id = columns.id or ("id" if "id" in names else None)
    wanted = {"--text-column": (columns.text,), "--id-column": (id,), "--keep": columns.keep}
    for option, values in wanted.items():
        for value in values:
            if value is not None and value not in names:
                there = ", ".join(names[:12])
                raise ColumnError(f"no column {value!r} (the columns are {there}): choose with {option}")
            if value is not None and names.count(value) > 1:
                raise ColumnError(f"{names.count(value)} columns are called {value!r}: rename all but one")


def _record(name: str, row: int, values: Mapping[str, Any], columns: Columns, *, undecoded_at: str = "") -> Record:
    """The record of a row's values, or the failure to be one; ``undecoded_at`` names the place of a row of CSV."""
    source = printable(name)
    own_id = _as_text(values.get(columns.id or "id"))
    id = printable(own_id) if own_id else f"{source}:{row}"
    text, place = values.get(columns.text), undecoded_at or f"{name}:{row}"
    if columns.text not in values:
        return failed(name, row, "column", f"{place}: no {columns.text!r} in it: choose with --text-column", id=id)
    if columns.id is not None and not own_id:
        return failed(name, row, "record", f"{place}: no id in {columns.id!r}: give it one, or leave --id-column out")
    if not isinstance(text, str):
        what = "null" if text is None else f"a {type(text).__name__}"
        return failed(name, row, "text", f"{place}: the text is {what}: give a string", id=id)
    if undecoded_at and any("\udc80" <= c <= "\udcff" for v in values.values() if not v.isascii() for c in v):
        return failed(name, row, "record", f"{place}: is not valid UTF-8: save the file as UTF-8", id=id)
    kept = tuple(_as_text(values.get(column)) for column in columns.keep)
    return Record(source, row, id, text, tuple(None if v is None else printable(v) for v in kept))


def _as_text(value: Any) -> str | None:
    """A value of any type as the one type that kept columns have in every part."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bool | int | float | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def printable(text: str) -> str:
    """The text with U+FFFD in the place of lone surrogates, which neither Parquet nor UTF-8 can hold."""
    if text.isascii():
        return text
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)


def _reason(error: Exception) -> str:
    if isinstance(error, InputError):
        return str(error)
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"cannot be read to its end ({text or type(error).__name__}): mend or replace the file"
