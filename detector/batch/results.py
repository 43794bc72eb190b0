"""Part files → the documents with the spans found in them, for whoever shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from detector.batch.run import MANIFEST
from detector.batch.store import Store, open_store
from detector.errors import InputError
from detector.selection import Selection
from detector.spans import Document, Span
from detector.writers.provenance import Provenance


def read_documents(folder: str) -> Iterator[tuple[Document, Provenance]]:
    """The documents of a folder of `detector score`, part after part; the kept columns are their ``meta``.

    The texts must have been kept (``--keep text``), because part files hold quotes only. Documents that were left out
    for their language do not come, because nothing is known of what is in them. Raises InputError.
    """
    store = open_store(folder)
    manifest = read_manifest(store, folder)
    settings = manifest["settings"]
    text_column = settings["text_column"]
    if text_column not in settings["keep"]:
        raise InputError(f"{folder}: holds no texts: score into a new folder with --keep {text_column}")
    selection = Selection.from_json(settings)
    provenance = Provenance(
        version=settings["version"],
        model_name=settings["model_name"],
        model_hash=settings["model_hash"],
        strictness=settings["strictness"],
        min_confidence=selection.min_confidence,
        only=selection.only,
        ignore=selection.ignore,
        precision=manifest.get("model", {}).get("precision"),
        chosen=selection.chosen(),
    )
    for name in part_names(store):
        for row in _read_part(store, name, folder):
            document = _document(row, text_column, settings["keep"])
            if document.n_read == len(document.text):
                yield document, provenance


def read_manifest(store: Store, folder: str) -> dict[str, Any]:
    """The manifest of a folder; raises InputError where there is none."""
    data = store.read(MANIFEST)
    try:
        manifest: dict[str, Any] = json.loads(data or b"")
        manifest["settings"]["keep"], manifest["finished"], manifest["n_errors"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{folder}: is no folder of `detector score` ({MANIFEST}): name its --out folder") from None
    return manifest


def part_names(store: Store) -> list[str]:
    """The part files in a store, in order."""
    return [name for name in store.names() if name.startswith("part-") and name.endswith((".parquet", ".jsonl"))]


def _read_part(store: Store, name: str, folder: str) -> Iterator[Mapping[str, Any]]:
    data = store.read(name) or b""
    try:
        if name.endswith(".jsonl"):
            yield from map(json.loads, data.splitlines())
        else:
            yield from pq.read_table(pa.BufferReader(data)).to_pylist()
    except (ValueError, pa.ArrowException) as error:
        raise InputError(f"{folder}/{name}: cannot be read ({error}): run `detector score` again to mend it") from None


def _document(row: Mapping[str, Any], text_column: str, keep: list[str]) -> Document:
    spans = tuple(Span(s["start"], s["end"], s["technique"], s["confidence"]) for s in row["spans"])
    meta = {name: row[name] for name in ("source", *keep) if name != text_column and row[name] is not None}
    return Document(row["id"], row[text_column] or "", spans, meta, row["n_characters_read"])
