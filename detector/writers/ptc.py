"""The files of the propaganda-techniques tasks: submission rows, and the corpus itself as a folder.

A row is ``id, technique, start, end``, tab-separated, offsets in code points. In a submission, spans of one technique
that share characters are merged, the id of ``…/article123.txt`` is ``123``, and techniques are named as the corpus of
14 names does; those that it cannot name are left out. The folder has ``articleID.txt`` and its labels, in our names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from detector.corpora import read_ptc, write_articles, write_labels
from detector.metrics import named_ranges
from detector.spans import Document, merge_ranges
from detector.techniques import inventory
from detector.writers.brat import file_name
from detector.writers.carried import claim
from detector.writers.provenance import Provenance

SUBMISSION = "ptc-14"
_ARTICLE = re.compile(r"(?:^|[/\\!])article([^./\\!]+)\.[^./\\!]*$")


def write_ptc_rows(documents: Iterable[Document], provenance: Provenance) -> Iterator[bytes]:
    """The rows of a submission, a piece a document. Raises InputError where two texts would get one id."""
    known = inventory(SUBMISSION)
    taken: dict[str, str] = {}
    for document in documents:
        ranges: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for name, start, end in named_ranges(document, known):
            ranges[name].append((start, end))
        claim(taken, _id(document), document)
        rows = sorted((start, end, name) for name, found in ranges.items() for start, end in merge_ranges(found))
        lines = (f"{_id(document)}\t{name}\t{start}\t{end}\n" for start, end, name in rows)
        yield "".join(lines).encode("utf-8", "replace")  # an id may hold half a surrogate pair


def write_ptc_folder(folder: Path, documents: Iterable[Document], provenance: Provenance) -> None:
    """Writes articles and labels into one folder.

    An id becomes one that an article can have: that of ``article123.txt`` is ``123``, others are percent-encoded.
    Raises InputError where two texts would get one.
    """
    kept: list[Document] = []
    taken: dict[str, str] = {}
    for document in documents:
        id = _file_id(document)
        claim(taken, id, document)
        kept.append(replace(document, id=id))
    write_articles(folder, kept)
    write_labels(folder, kept, inventory("detector"))


def ptc_files(document: Document) -> tuple[str, ...]:
    """The name of a document's article."""
    return (f"article{_file_id(document)}.txt",)


def _file_id(document: Document) -> str:
    return file_name(_id(document)).replace(".", "%2E")


def read_ptc_folder(folder: Path) -> Iterator[Document]:
    """The articles of a folder with the labels in it."""
    for document in read_ptc(folder, folder).documents:
        yield replace(document, id=unquote(document.id, errors="surrogatepass"))


def _id(document: Document) -> str:
    found = _ARTICLE.search(document.id)
    return found[1] if found else re.sub(r"[\t\r\n]", " ", document.id)
