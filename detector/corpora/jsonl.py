"""Our own JSONL: one object a line with ``id``, ``text``, ``spans`` and any further keys, which are kept.

A span has ``technique``, ``start``, ``end`` and, where it is not certain, ``confidence``. CheckThat! 2024 Task 3 comes
in this form with SemEval-2023 spellings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from detector.corpora.corpus import (
    BadRecord,
    Corpus,
    Problems,
    checked_id,
    checked_span,
    closest_inventory,
    lines_of,
    slug_in,
)
from detector.spans import Document, Span
from detector.techniques import Inventory, inventory

_KEYS = ("id", "text", "spans")


def read_jsonl(
    paths: Path | Iterable[Path],
    *,
    name: str = "jsonl",
    spelling: Inventory | None = None,
    skip_bad: bool = False,
    named: bool = True,
) -> Corpus:
    """The corpus in JSONL files; techniques in our slugs or in one inventory's spelling, found from the names in use.

    ``spelling`` states that inventory instead. A row may lack ``spans``, and if they need not be ``named``, a span its
    technique; blank lines are ignored. Raises CorpusError
    for the first bad row or span; with ``skip_bad`` those are left out and listed in ``Corpus.skipped``.
    """
    problems = Problems(skip_bad=skip_bad)
    rows = [row for path in ([paths] if isinstance(paths, Path) else paths) for row in _rows(path, problems)]
    spans = [span for _, row in rows for span in row["spans"] if isinstance(span, dict)]
    names = [span.get("technique") for span in spans if named or span.get("technique") not in (None, "", "?")]
    known = spelling or (closest_inventory(names) if names else inventory("detector"))
    if known.name == "ptc-19" and spelling is None:  # the same spelling; nothing says that this corpus stops at 19
        known = inventory("semeval-2023")
    documents: dict[str, Document] = {}
    for place, row in rows:
        try:
            id = checked_id(row["id"], documents)
        except BadRecord as problem:
            problems.add(place, problem)
            continue
        meta = {key: value for key, value in row.items() if key not in _KEYS}
        document = Document(id, row["text"], meta=meta)
        documents[id] = document.with_spans(_spans(place, row, known, problems, named=named))
    return Corpus(name, tuple(documents.values()), known, problems.skipped)


def write_jsonl(path: Path, documents: Iterable[Document], *, with_text: bool = True) -> None:
    """Writes a row for each document, in order; ``with_text=False`` leaves out the text and further keys."""
    with path.open("w", encoding="utf-8", newline="") as file:
        for document in documents:
            meta = {key: value for key, value in document.meta.items() if key not in _KEYS}
            text = {"text": document.text, **meta} if with_text else {}
            row = {"id": document.id, **text, "spans": [_span_row(span) for span in document.spans]}
            file.write(_one_line(row) + "\n")


def _rows(path: Path, problems: Problems) -> Iterator[tuple[str, dict[str, Any]]]:
    """The place and object of each line that has the right keys."""
    for place, line in lines_of(path, problems):
        try:
            yield place, _row(line)
        except BadRecord as problem:
            problems.add(place, problem)


def _row(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise BadRecord(f"is not JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError):
        raise BadRecord("is not JSON (a number too long or nested too deeply)") from None
    if not isinstance(row, dict):
        raise BadRecord(f"must be an object with id, text and spans, not {line[:40]!r}")
    for key in ("id", "text"):
        if key not in row:
            raise BadRecord(f"has no {key!r}; its keys are {', '.join(row) or 'none'}")
    if not isinstance(row["text"], str):
        raise BadRecord(f"the text must be a string, not {str(row['text'])[:40]!r}")
    spans = row.get("spans", [])
    if not isinstance(spans, list):
        raise BadRecord(f"spans must be a list, not {str(spans)[:40]!r}")
    return {**row, "spans": spans}


def _spans(place: str, row: Mapping[str, Any], known: Inventory, problems: Problems, *, named: bool) -> Iterator[Span]:
    for span in row["spans"]:
        try:
            yield _span(span, row["text"], known, named=named)
        except BadRecord as problem:
            problems.add(place, problem)


def _span(row: object, text: str, known: Inventory, *, named: bool) -> Span:
    if not isinstance(row, dict) or not {"start", "end", *(["technique"] if named else [])}.issubset(row):
        raise BadRecord(f"a span has technique, start and end, unlike {str(row)[:80]}")
    span = checked_span(slug_in(row, known, named=named), row["start"], row["end"], text)
    confidence = row.get("confidence", 1.0)
    if type(confidence) not in (int, float) or not 0 <= confidence <= 1:
        raise BadRecord(f"the confidence {confidence!r} must be a number from 0 to 1")
    return replace(span, confidence=float(confidence))


def _span_row(span: Span) -> dict[str, Any]:
    certain = {"technique": span.technique, "start": span.start, "end": span.end}
    return certain if span.confidence == 1.0 else {**certain, "confidence": span.confidence}


def _one_line(row: Mapping[str, Any]) -> str:
    """The row as JSON, readable where UTF-8 can hold it: half a surrogate pair it cannot."""
    line = json.dumps(row, ensure_ascii=False)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(row)
    return line
