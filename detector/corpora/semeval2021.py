"""SemEval-2021 Task 6, subtask 2: a JSON list of memes' texts with ``id``, ``text`` and ``labels``.

A row of ``labels`` has ``start``, ``end``, ``technique`` and ``text_fragment``, the quote.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from detector.corpora.corpus import BadRecord, Corpus, Problems, checked_id, checked_span, decoded, slug_in
from detector.spans import Document, Span
from detector.techniques import Inventory, inventory

_INVENTORY = "semeval-2021"
_KEYS = ("id", "text", "labels")
_SPACES = (" ", "\t", "\r", "\n")


def read_semeval2021(files: Path | Sequence[Path], *, skip_bad: bool = False, named: bool = True) -> Corpus:
    """The corpus in one file or several, in order; an object may lack ``labels``, further keys are kept.

    Labels that need not be ``named`` may lack their technique.

    Raises CorpusError for the first bad record; with ``skip_bad`` those are left out and listed in
    ``Corpus.skipped``. A place is the line where the text's object begins.
    """
    problems, known = Problems(skip_bad=skip_bad), inventory(_INVENTORY)
    documents: dict[str, Document] = {}
    for path in [files] if isinstance(files, Path) else files:
        for place, item in _items(path, problems):
            try:
                document = _document(item, documents)
            except BadRecord as problem:
                problems.add(place, problem)
                continue
            spans = _spans(place, item.get("labels", []), document.text, known, problems, named=named)
            documents[document.id] = document.with_spans(spans)
    return Corpus("semeval2021", tuple(documents.values()), known, problems.skipped)


def write_semeval2021(path: Path, documents: Iterable[Document]) -> None:
    """Writes the documents, in order, in that task's own format; techniques that it cannot name are left out."""
    known = inventory(_INVENTORY)
    items = [
        {"id": document.id, "text": document.text, "labels": list(_labels(document, known))} for document in documents
    ]
    # ASCII only: the task's own scorer opens files in whatever encoding its machine prefers.
    path.write_text(json.dumps(items, indent=4) + "\n", encoding="utf-8", newline="")


def _labels(document: Document, known: Inventory) -> Iterator[dict[str, Any]]:
    for span in document.spans:
        technique = known.foreign(span.technique)
        if technique is not None:
            quote = document.quote(span)
            yield {"start": span.start, "end": span.end, "technique": technique, "text_fragment": quote}


def _document(item: object, seen: Iterable[str]) -> Document:
    if not isinstance(item, dict):
        raise BadRecord(f"must be an object with id, text and labels, not {str(item)[:40]!r}")
    for key in ("id", "text"):
        if key not in item:
            raise BadRecord(f"has no {key!r}; its keys are {', '.join(item) or 'none'}")
    if not isinstance(item["text"], str):
        raise BadRecord(f"the text must be a string, not {str(item['text'])[:40]!r}")
    meta = {key: value for key, value in item.items() if key not in _KEYS}
    return Document(checked_id(item["id"], seen), item["text"], meta=meta)


def _spans(
    place: str, labels: object, text: str, known: Inventory, problems: Problems, *, named: bool
) -> Iterator[Span]:
    needed = {"start", "end", *(["technique"] if named else [])}
    if not isinstance(labels, list):
        problems.add(place, f"labels must be a list, not {str(labels)[:40]!r}")
        return
    for label in labels:
        try:
            if not isinstance(label, dict) or not needed.issubset(label):
                raise BadRecord(f"a row of labels has technique, start and end, unlike {str(label)[:80]}")
            yield checked_span(slug_in(label, known, named=named), label["start"], label["end"], text)
        except BadRecord as problem:
            problems.add(place, problem)


def _items(path: Path, problems: Problems) -> Iterator[tuple[str, Any]]:
    """The place and value of each item of the file's list; what follows broken JSON is lost."""
    try:
        text = decoded(path, "utf-8-sig")
    except BadRecord as problem:
        problems.add(path, problem)
        return
    line, last = 1, 0
    try:
        for at, item in _list_items(text):
            line, last = line + text.count("\n", last, at), at
            yield f"{path}:{line}", item
    except json.JSONDecodeError as error:
        problems.add(f"{path}:{error.lineno}", f"is not a JSON list ({error.msg})")
    except (ValueError, RecursionError):
        problems.add(f"{path}:{line}", "is not JSON (a number too long or nested too deeply)")


def _list_items(text: str) -> Iterator[tuple[int, Any]]:
    """The position and value of each item of a JSON list: read one by one, for ``json.loads`` tells no positions."""
    decoder = json.JSONDecoder()
    at = _expect(text, _skip_space(text, 0), "[")
    closed = text.startswith("]", at)
    while not closed:
        item, end = decoder.raw_decode(text, at)
        yield at, item
        end = _skip_space(text, end)
        closed = text.startswith("]", end)
        at = end if closed else _expect(text, end, ",")
    if _expect(text, at, "]") != len(text):
        raise json.JSONDecodeError("Extra data after the list", text, at)


def _expect(text: str, at: int, mark: str) -> int:
    """The position behind a punctuation mark and the space after it."""
    if not text.startswith(mark, at):
        raise json.JSONDecodeError(f"Expecting {mark!r}", text, at)
    return _skip_space(text, at + 1)


def _skip_space(text: str, at: int) -> int:
    while text[at : at + 1] in _SPACES:
        at += 1
    return at
