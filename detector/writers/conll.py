"""CoNLL, IOB2: a token a line, a column a technique, so that techniques may overlap.

The columns are named in the first line, as in CoNLL-U Plus: ``START`` and ``END`` (code points), ``FORM`` (the token,
not first, because one may be ``#``), then the techniques, each with ``B-``, ``I-`` or ``O``. A document begins with
``# newdoc id`` and ``# text`` (both as JSON strings). An empty line stands for a line end, but not inside a span: no
sentence begins with ``I-``. Tokens are words and single marks, cut wherever a span begins or ends. Confidences are not
in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from detector.spans import Document, Span
from detector.techniques import NAMES
from detector.writers.carried import checked, reading, refuse
from detector.writers.json import dumps
from detector.writers.provenance import Provenance

_TOKEN = re.compile(r"\w+|[^\w\s]")
_COLUMNS, _DOCUMENT, _TEXT = "# global.columns = ", "# newdoc id = ", "# text = "


def write_conll(documents: Iterable[Document], provenance: Provenance) -> Iterator[bytes]:
    """The columns' names, then each document; raises InputError for a span that the columns cannot hold."""
    kept = list(documents)
    names = (*NAMES, *sorted({s.technique for d in kept for s in d.spans}.difference(NAMES)))
    yield (_COLUMNS + " ".join(["START", "END", "FORM", *names]) + "\n").encode()
    for document in kept:
        yield _document(document, names).encode("utf-8", "replace")


def read_conll(path: Path) -> Iterator[Document]:
    """The documents of a file that `write_conll` made; raises CorpusError for another one."""
    names: list[str] = []
    id, text, rows = "", "", list[tuple[int, int, list[str]]]()
    open_document = False
    with reading(path, "CoNLL with the columns of this program"):
        for line in path.read_bytes().decode("utf-8").split("\n"):
            if line.startswith(_COLUMNS):
                names = line.removeprefix(_COLUMNS).split(" ")[3:]
            elif line.startswith(_DOCUMENT):
                if open_document:
                    yield _read_document(id, text, rows, names, path)
                id, text, rows, open_document = json.loads(line.removeprefix(_DOCUMENT)), "", [], True
            elif line.startswith(_TEXT):
                text = json.loads(line.removeprefix(_TEXT))
            elif line:
                start, end, _, *marks = line.split("\t")
                rows.append((int(start), int(end), marks))
        if not names:
            raise ValueError("the first line does not name the columns")
        if open_document:
            yield _read_document(id, text, rows, names, path)


def tokens(text: str, spans: Iterable[Span]) -> Iterator[tuple[int, int]]:
    """The ranges of the tokens of a text: words and marks, cut where a span begins or ends.

    >>> [("e-mails"[a:b]) for a, b in tokens("e-mails", [Span(2, 6, "doubt")])]
    ['e', '-', 'mail', 's']
    """
    edges = sorted({edge for span in spans for edge in (span.start, span.end)})
    at = 0
    for found in _TOKEN.finditer(text):
        start, end = found.span()
        while at < len(edges) and edges[at] <= start:
            at += 1
        while at < len(edges) and edges[at] < end:
            yield start, edges[at]
            start, at = edges[at], at + 1
        yield start, end


def refuse_spaced(document: Document, format: str) -> None:
    """Raises InputError for a span that is empty or begins or ends with white space: no token does."""
    for span in document.spans:
        quote = document.quote(span)
        if not quote or quote[0].isspace() or quote[-1].isspace():
            raise refuse(
                document, span, f"is empty, or begins or ends with white space, which no token of {format} does"
            )


def _document(document: Document, names: Sequence[str]) -> str:
    refuse_spaced(document, "CoNLL")
    columns = [_column(document, name) for name in names]
    lines = [_DOCUMENT + dumps(document.id), _TEXT + dumps(document.text)]
    last = 0
    for start, end in tokens(document.text, document.spans):
        marks = [_mark(column, name, start) for column, name in zip(columns, names, strict=True)]
        if "\n" in document.text[last:start] and last and not any(mark.startswith("I-") for mark in marks):
            lines.append("")
        lines.append("\t".join([str(start), str(end), document.text[start:end], *marks]))
        last = end
    return "\n".join([*lines, "", ""])


def _column(document: Document, name: str) -> list[Span]:
    """The spans of one technique in order; raises InputError where two of them overlap."""
    column = sorted(span for span in document.spans if span.technique == name)
    for first, second in pairwise(column):
        if second.start < first.end:
            raise refuse(document, second, "overlaps another of its technique, which one column cannot hold")
    return column


def _mark(column: list[Span], name: str, start: int) -> str:
    while column and column[0].end <= start:
        column.pop(0)
    if not column or column[0].start > start:
        return "O"
    return f"{'B' if column[0].start == start else 'I'}-{name}"


def _read_document(
    id: str, text: str, rows: Iterable[tuple[int, int, list[str]]], names: Sequence[str], path: Path
) -> Document:
    open_spans: dict[str, tuple[int, int]] = {}
    spans: list[Span] = []
    for start, end, marks in rows:
        for name, mark in zip(names, marks, strict=True):
            if mark.startswith("I-") and name in open_spans:
                open_spans[name] = (open_spans[name][0], end)
                continue
            if name in open_spans:
                spans.append(checked(*open_spans.pop(name), name, text, place=f"{path}: {id!r:.60}"))
            if mark != "O":
                open_spans[name] = (start, end)
    spans += [checked(*edges, name, text, place=f"{path}: {id!r:.60}") for name, edges in open_spans.items()]
    return Document(id, text).with_spans(spans)
