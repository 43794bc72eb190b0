"""Part files → the documents with the spans found in them, for whoever shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from detector.batch.run import MANIFEST
from detector.batch.schema import arrow_schema
from detector.batch.store import Store, open_store
from detector.errors import InputError, TechniqueError
from detector.selection import Selection
from detector.spans import Document, Span
from detector.techniques import members
from detector.writers.provenance import Provenance

_NOT_AS_WRITTEN = (ValueError, KeyError, TypeError, AttributeError, OSError, OverflowError, RecursionError)


def read_documents(folder: str) -> Iterator[tuple[Document, Provenance] | InputError]:
    """The documents of a folder of `detector score`, part after part; the kept columns are their ``meta``.

    The texts must have been kept (``--keep text``), because part files hold quotes only. Documents that were left out
    for their language do not come, because nothing is known of what is in them. An error stands in the place of a part
    that cannot be read, and of a document that is not as it was written. Raises InputError for the folder as a whole.
    """
    store = open_store(folder)
    manifest = read_manifest(store, folder)
    provenance = _provenance(manifest, folder)
    keep, text_column = manifest["settings"]["keep"], str(manifest["settings"].get("text_column"))
    if text_column not in keep:
        raise InputError(f"{folder}: holds no texts: score into a new folder with --keep {text_column}")
    for name in part_names(store):
        try:
            rows = _read_part(store, name, folder, keep)
        except InputError as error:
            yield error
            continue
        for row in rows:
            try:
                document = _document(row, text_column, keep, f"{folder}/{name}")
            except InputError as error:
                yield error
                continue
            if document.n_read == len(document.text):
                yield document, provenance


def read_manifest(store: Store, folder: str) -> dict[str, Any]:
    """The manifest of a folder; raises InputError where there is none."""
    data = store.read(MANIFEST)
    try:
        manifest: dict[str, Any] = json.loads(data or b"")
        keep = manifest["settings"]["keep"]
        json.dumps(manifest, ensure_ascii=False).encode()  # fails for half a surrogate pair
        if len(set(keep)) < len(keep) or not all(isinstance(name, str) for name in keep):
            raise ValueError(keep)
        manifest["finished"], int(manifest["n_errors"])
    except _NOT_AS_WRITTEN:
        raise _no_run(folder) from None
    return manifest


def part_names(store: Store) -> list[str]:
    """The part files in a store, in order."""
    return [name for name in store.names() if name.startswith("part-") and name.endswith((".parquet", ".jsonl"))]


def _provenance(manifest: Mapping[str, Any], folder: str) -> Provenance:
    settings = manifest["settings"]
    try:
        selection = Selection.from_json(settings)
        precision = manifest.get("model", {}).get("precision")
        return Provenance(
            version=str(settings["version"]),
            model_name=str(settings["model_name"]),
            model_hash=str(settings["model_hash"]),
            strictness=str(settings["strictness"]),
            min_confidence=selection.min_confidence,
            only=selection.only,
            ignore=selection.ignore,
            precision=None if precision is None else float(precision),
            chosen=selection.chosen(),
        )
    except _NOT_AS_WRITTEN:
        raise _no_run(folder) from None


def _no_run(folder: str) -> InputError:
    return InputError(f"{folder}: is no folder of `detector score` ({MANIFEST}): name its --out folder")


def _read_part(store: Store, name: str, folder: str, keep: list[str]) -> list[dict[str, Any]]:
    """The rows of a part file, each value of the type that its column has."""
    data = store.read(name) or b""
    try:
        schema = arrow_schema(keep)
        if name.endswith(".jsonl"):
            table = pa.Table.from_pylist([json.loads(line) for line in data.splitlines()], schema=schema)
        else:
            table = pq.read_table(pa.BufferReader(data)).select(schema.names).cast(schema)
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows
    except (*_NOT_AS_WRITTEN, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}/{name}: cannot be read ({reason}): run `detector score` again to mend it") from None


def _document(row: Mapping[str, Any], text_column: str, keep: list[str], place: str) -> Document:
    meta = {name: row[name] for name in ("source", *keep) if name != text_column and row[name] is not None}
    try:
        spans = tuple(_span(s) for s in row["spans"])
    except (AttributeError, TypeError, TechniqueError) as error:
        raise InputError(f"{place}: a finding is not as written ({error}): run `detector score` again") from None
    return Document(row["id"] or "", row[text_column] or "", spans, meta, row["n_characters_read"])


def _span(row: Mapping[str, Any]) -> Span:
    members(row["technique"])  # raises for a technique that no inventory knows
    if None in (row["start"], row["end"], row["confidence"]):
        raise TypeError("it lacks its place or its confidence")
    return Span(row["start"], row["end"], row["technique"], row["confidence"])
