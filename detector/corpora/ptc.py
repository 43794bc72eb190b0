"""The layout of the Propaganda Techniques Corpus: a folder of articles and their labels, tab-separated.

``articleNNN.txt`` is the text of article NNN. Its labels are in ``articleNNN.labels`` (with any words between the
dots), or all labels are in one file. A row is ``id, technique, start, end``, or without the technique
``id, start, end``; a technique ``?`` is one that is still to be named. Submissions to the tasks have the same rows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from detector.corpora.corpus import (
    UNNAMED,
    BadRecord,
    Corpus,
    Problems,
    checked_span,
    closest_inventory,
    decoded,
    lines_of,
    slug_of,
)
from detector.errors import CorpusError
from detector.metrics import NamedRange, named_ranges
from detector.spans import Document, Span, merge_ranges
from detector.techniques import Inventory

_ARTICLE = re.compile(r"article(?P<id>[^.]+)\.txt")
_LABELS = re.compile(r"article(?P<id>[^.]+)(\.[^.]+)*\.labels")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
_NOT_IN_ROW = "\0\t\r\n"
_NOT_IN_FILE_NAME = "\0\t\r\n./\\"


def read_ptc(articles: Path, labels: Path, *, spelling: Inventory | None = None, skip_bad: bool = False) -> Corpus:
    """The corpus in a folder of articles and a folder, or one file, of labels; articles in the order of their files.

    The inventory, of 14, 18 or 19 names, is the smallest that knows the names in use, unless ``spelling`` states it.
    An article may have no labels. Raises CorpusError for the first bad file or row; with ``skip_bad`` those are left
    out and listed in ``Corpus.skipped``.
    """
    problems = Problems(skip_bad=skip_bad)
    texts = _texts(articles, problems)
    rows = list(_rows(labels, texts, problems))
    known = spelling or closest_inventory(row.technique for row in rows)
    spans: dict[str, list[Span]] = {id: [] for id in texts}
    for row in rows:
        text = texts[row.id]
        if text is None:  # the article itself was a problem and has been reported
            continue
        try:
            spans[row.id].append(_span(row, text, known))
        except BadRecord as problem:
            problems.add(row.place, problem)
    documents = (Document(id, text).with_spans(spans[id]) for id, text in texts.items() if text is not None)
    return Corpus("ptc", tuple(documents), known, problems.skipped)


def read_articles(folder: Path, *, skip_bad: bool = False) -> Corpus:
    """The articles of a folder without spans, in the order of their files; see `read_ptc`."""
    problems = Problems(skip_bad=skip_bad)
    documents = (Document(id, text) for id, text in _texts(folder, problems).items() if text is not None)
    return Corpus("ptc", tuple(documents), closest_inventory(()), problems.skipped)


def write_si(path: Path, documents: Iterable[Document]) -> None:
    """Writes a submission to SI: ``id, start, end``, spans that share a character merged, techniques ignored."""
    rows = [
        (document.id, start, end)
        for document in _by_id(documents)
        for start, end in merge_ranges((span.start, span.end) for span in document.spans)
    ]
    _write(path, rows)


def write_flc(path: Path, documents: Iterable[Document], inventory: Inventory) -> None:
    """Writes a submission to FLC: ``id, technique, start, end``, merged within a technique.

    Spans that the inventory cannot name are left out.
    """
    rows = []
    for document in _by_id(documents):
        ranges: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for name, start, end in named_ranges(document, inventory):
            ranges[name].append((start, end))
        rows += _rows_of(document.id, ((name, *merged) for name in ranges for merged in merge_ranges(ranges[name])))
    _write(path, rows)


def write_tc(path: Path, documents: Iterable[Document], inventory: Inventory) -> None:
    """Writes the technique of every span, none merged: ``id, technique, start, end``.

    Spans that the inventory cannot name are left out.
    """
    _write(path, [row for d in _by_id(documents) for row in _rows_of(d.id, named_ranges(d, inventory))])


def write_labels(folder: Path, documents: Iterable[Document], inventory: Inventory) -> None:
    """Writes a labels file for each document, as the training part has them; the folder is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for document in _by_id(documents, forbidden=_NOT_IN_FILE_NAME):
        rows = _rows_of(document.id, named_ranges(document, inventory))
        _write(folder / f"article{document.id}.task-flc-tc.labels", rows)


def write_articles(folder: Path, documents: Iterable[Document]) -> None:
    """Writes the text of each document, as it is, to its ``articleNNN.txt``; the folder is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for document in _by_id(documents, forbidden=_NOT_IN_FILE_NAME):
        try:
            data = document.text.encode("utf-8")
        except UnicodeEncodeError as error:
            where = f"{document.id!a}: character {error.start}"
            raise CorpusError(f"{where} is half of a surrogate pair, which UTF-8 cannot hold: correct it") from None
        (folder / f"article{document.id}.txt").write_bytes(data)


# -- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    place: str
    id: str
    technique: str
    start: int
    end: int


def _texts(folder: Path, problems: Problems) -> dict[str, str | None]:
    """Article id → text, or None for an article that cannot be decoded."""
    texts: dict[str, str | None] = {}
    for id, path in _files(folder, _ARTICLE, "articleNNN.txt"):
        try:
            texts[id] = decoded(path)
        except BadRecord as problem:
            texts[id] = None
            problems.add(path, problem)
    return texts


def _files(folder: Path, pattern: re.Pattern[str], example: str) -> list[tuple[str, Path]]:
    """The id and path of each file whose name fits; raises CorpusError where there is none."""
    if not folder.is_dir():
        rule = "is a file where a folder is expected" if folder.exists() else "no such folder"
        raise CorpusError(f"{folder}: {rule}; name the folder that holds the files {example}")
    files = [(match["id"], path) for path in sorted(folder.iterdir()) if (match := pattern.fullmatch(path.name))]
    if not files:
        raise CorpusError(f"{folder}: no file in it is called {example}; name the folder that holds these files")
    return files


def _rows(labels: Path, texts: Mapping[str, str | None], problems: Problems) -> Iterator[_Row]:
    """The rows of all labels files, or of the one, that belong to an article."""
    if not labels.is_dir():
        yield from _file_rows(labels, texts, problems)
        return
    read: dict[str, Path] = {}
    for id, path in _files(labels, _LABELS, "articleNNN.labels"):
        if id not in texts:
            problems.add(path, f"there is no article{id}.txt that these labels belong to")
        elif id in read:
            problems.add(path, f"article {id} has labels already, in {read[id].name}")
        else:
            read[id] = path
            yield from _file_rows(path, {id: texts[id]}, problems)


def _file_rows(path: Path, texts: Mapping[str, str | None], problems: Problems) -> Iterator[_Row]:
    for place, line in lines_of(path, problems):
        try:
            yield _row(place, line, texts)
        except BadRecord as problem:
            problems.add(place, problem)


def _row(place: str, line: str, texts: Mapping[str, str | None]) -> _Row:
    match line.rstrip().split("\t"):
        case [id, technique, start, end]:
            pass
        case [id, start, end]:
            technique = UNNAMED
        case columns:
            raise BadRecord(
                f"has {len(columns)} tab-separated columns, not 4 (id, technique, start, end) or 3 (no technique)"
            )
    if id not in texts:
        others = f"; these are the labels of article {next(iter(texts))}" if len(texts) == 1 else ""
        raise BadRecord(f"there is no article{id}.txt that this row belongs to{others}")
    for offset in (start, end):
        if not _WHOLE_NUMBER.fullmatch(offset):
            raise BadRecord(f"the offset {offset!r} must be a whole number")
    return _Row(place, id, UNNAMED if technique == "?" else technique, int(start), int(end))


def _span(row: _Row, text: str, known: Inventory) -> Span:
    technique = slug_of(row.technique, known) if row.technique != UNNAMED else UNNAMED
    return checked_span(technique, row.start, row.end, text)


# -- writing ---------------------------------------------------------------------------------------------------------


def _by_id(documents: Iterable[Document], *, forbidden: str = _NOT_IN_ROW) -> list[Document]:
    """The documents by id, which must be fit for this layout."""
    ordered = sorted(documents, key=lambda document: document.id)
    for document in ordered:
        id, halves = document.id, any("\ud800" <= character <= "\udfff" for character in document.id)
        if not id or halves or any(character in forbidden for character in id):
            rule = f"has none of {forbidden!r} and no half of a surrogate pair"
            raise CorpusError(f"document {id!r}: an id in this layout {rule}; rename it")
    return ordered


def _rows_of(id: str, spans: Iterable[NamedRange]) -> list[tuple[str, str, int, int]]:
    """The rows of a document's spans, by start."""
    return [(id, name, start, end) for start, end, name in sorted((start, end, name) for name, start, end in spans)]


def _write(path: Path, rows: Iterable[tuple[str | int, ...]]) -> None:
    lines = ("\t".join(map(str, row)) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8", newline="")
