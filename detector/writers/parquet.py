"""Parquet: a row a document, its spans a list of structs with the fields of the JSON's spans.

Tool, model and settings are in the file's metadata, under ``rhetoric-detector``, as JSON; ``meta`` is JSON, too.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from detector.spans import Document, text_hash
from detector.writers.carried import checked, reading, utf8
from detector.writers.json import SCHEMA_VERSION, span_records
from detector.writers.provenance import Provenance

_ROWS_AT_ONCE = 500


def write_parquet(documents: Iterable[Document], provenance: Provenance) -> Iterator[bytes]:
    """The bytes of one file, written in groups of rows."""
    import pyarrow.parquet as pq

    sink, schema = io.BytesIO(), _schema(provenance)
    with pq.ParquetWriter(sink, schema) as writer:
        for rows in _groups(documents):
            writer.write_table(_table(rows, schema))
    yield sink.getvalue()


def read_parquet(path: Path) -> Iterator[Document]:
    """The documents of a file that `write_parquet` made; raises CorpusError for another one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with reading(path, "Parquet with the columns of this program"):
        try:
            rows = pq.read_table(path).to_pylist()
        except pa.ArrowException as error:
            raise ValueError(error) from None
        for row in rows:
            place = f"{path}: {row['id']!r:.60}"
            spans = [
                checked(s["start"], s["end"], s["technique"], row["text"], place=place, confidence=s["confidence"])
                for s in row["spans"]
            ]
            document = Document(row["id"], row["text"], meta=json.loads(row["meta"]))
            yield document.with_spans(spans, n_read=row["n_characters_read"])


def stated_in(path: Path) -> Mapping[str, Any]:
    """What the file's metadata say of tool, model and settings."""
    import pyarrow.parquet as pq

    found: Mapping[str, Any] = json.loads(pq.read_schema(path).metadata[b"rhetoric-detector"])
    return found


def _groups(documents: Iterable[Document]) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for document in documents:
        rows.append(_row(document))
        if len(rows) == _ROWS_AT_ONCE:
            yield rows
            rows = []
    if rows:
        yield rows


def _row(document: Document) -> dict[str, Any]:
    utf8(document.text, place=document.id)
    return {
        "id": document.id.encode("utf-8", "replace").decode(),  # the name of a file may hold half a surrogate pair
        "text": document.text,
        "text_hash": text_hash(document.text),
        "n_characters": len(document.text),
        "n_characters_read": document.n_read,
        "meta": json.dumps(dict(document.meta), default=str),
        "spans": span_records(document),
    }


def _table(rows: list[dict[str, Any]], schema: Any) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=schema)


def _schema(provenance: Provenance) -> Any:
    import pyarrow as pa

    names = {"start": pa.int64(), "end": pa.int64(), "confidence": pa.float64(), "line": pa.int64()}
    names |= {"column": pa.int64(), "in_quote": pa.bool_()}
    order = ("start", "end", "quote", "technique", "title", "code", "family", "confidence", "line", "column")
    span = pa.struct([(key, names.get(key, pa.string())) for key in (*order, "place", "in_quote", "speaker")])
    about = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "rhetoric-detector", "version": provenance.version},
        "model": dict(provenance.model()),
        "settings": dict(provenance.settings()),
    }
    columns = [("id", pa.string()), ("text", pa.string()), ("text_hash", pa.string()), ("n_characters", pa.int64())]
    columns += [("n_characters_read", pa.int64()), ("meta", pa.string()), ("spans", pa.list_(span))]
    return pa.schema(columns, metadata={"rhetoric-detector": json.dumps(about)})
