"""brat standoff: a folder with a ``.txt`` and a ``.ann`` a document, and ``annotation.conf``, which brat needs.

Offsets are code points. A span over several lines is written in fragments, because brat wants none to hold a line end.
The type of a span is our slug, joined ones with ``_``; the confidence is a note (``#1 AnnotatorNotes T1``). A file is
named after the id, with ``%2F`` for a slash and the like.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from detector.errors import CorpusError, InputError
from detector.spans import Document, Span
from detector.techniques import NAMES
from detector.writers.carried import checked, claim, reading, refuse, utf8
from detector.writers.provenance import Provenance

_NOTE = "confidence "
_CONFIDENCE = re.compile(rf"#\d+\tAnnotatorNotes (T\d+)\t{_NOTE}([\d.e-]+)")
_LONGEST_NAME = 240
_BREAKS = re.compile("[\r\n]+")
_ENTITIES = "[entities]\n"
_CONF = "[relations]\n\n[events]\n\n[attributes]\n"


def write_brat(folder: Path, documents: Iterable[Document], provenance: Provenance) -> None:
    """Writes a folder that brat can open, made if need be; raises InputError for a span that cannot be written.

    Other annotations that a document has there already may be somebody's work: it is passed over, and the InputError
    that tells comes when the rest is written. What ``annotation.conf`` says already stays, too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    types = dict.fromkeys(NAMES)
    taken: dict[str, str] = {}
    kept: list[str] = []
    for document in documents:
        base = file_name(document.id)
        claim(taken, base, document)
        text, lines = (utf8(part, place=document.id) for part in (document.text, "".join(_lines(document))))
        if _has_others(folder / f"{base}.ann", lines):
            kept.append(f"{base}.ann")
            continue
        (folder / f"{base}.txt").write_bytes(text)
        (folder / f"{base}.ann").write_bytes(lines)
        types |= dict.fromkeys(_type(span.technique) for span in document.spans)
    _write_conf(folder / "annotation.conf", types)
    if kept:
        more = f" and {len(kept) - 1:,} more" if kept[1:] else ""
        raise InputError(
            f"{folder}: {kept[0]}{more} there has other annotations, perhaps a person's, and stays as it is: "
            "name another folder"
        )


def _has_others(file: Path, lines: bytes) -> bool:
    """Whether annotations are in a file, and others than in these lines, whatever their confidence."""
    there = file.read_bytes() if file.exists() else b""
    return bool(there.strip()) and _without_confidences(there) != _without_confidences(lines)


def _without_confidences(data: bytes) -> list[str]:
    lines = (line.rstrip("\r") for line in data.decode("utf-8-sig", "replace").split("\n"))
    return [line for line in lines if line and not _CONFIDENCE.fullmatch(line)]


def _write_conf(file: Path, types: Iterable[str]) -> None:
    """Writes what brat needs to know, or adds the types that a file lacks which is there already."""
    there = file.read_text(encoding="utf-8", errors="surrogateescape") if file.exists() else f"{_ENTITIES}\n{_CONF}"
    known = {line.strip() for line in there.splitlines()}
    lacking = "".join(f"{type}\n" for type in types if type not in known)
    before, _, after = there.partition(_ENTITIES) if _ENTITIES in there else ("", "", f"\n{there}")
    file.write_text(f"{before}{_ENTITIES}{lacking}{after}", encoding="utf-8", errors="surrogateescape")


def brat_files(document: Document) -> tuple[str, ...]:
    """The names of a document's files."""
    return tuple(f"{file_name(document.id)}.{suffix}" for suffix in ("txt", "ann"))


def read_brat(folder: Path) -> Iterator[Document]:
    """The documents of a brat folder, by file name. Fragments with only space between them are one span.

    Events, relations, attributes and other notes are not read. Raises CorpusError for a wrong line.
    """
    files = sorted(folder.glob("*.ann"))
    if not files:
        raise CorpusError(f"{folder}: no .ann file in it: name the folder with the .txt and .ann files")
    for file in files:
        with reading(file, "brat standoff"):
            text = file.with_suffix("").with_name(file.name.removesuffix(".ann") + ".txt").read_bytes().decode("utf-8")
            lines = file.read_bytes().decode("utf-8-sig").split("\n")
            yield Document(unquote(file.name.removesuffix(".ann"), errors="surrogatepass"), text).with_spans(
                _spans(lines, text, file)
            )


def file_name(id: str) -> str:
    """The id as the name of a file on any system, and no hidden one, from which `unquote` gives it back.

    A long one is cut, and ends in a hash of the id. Raises InputError for an empty one.

    >>> file_name("news/a b.txt")
    'news%2Fa%20b.txt'
    """
    name = _quoted(id)
    if not name:
        raise InputError("'': this id is no name for a file (it is empty): name the document")
    if len(name) > _LONGEST_NAME:
        digest, kept = hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:16], id[:_LONGEST_NAME]
        while len(_quoted(kept)) > _LONGEST_NAME - 17:
            kept = kept[:-1]
        name = f"{_quoted(kept)}~{digest}"
    return name


def _quoted(id: str) -> str:
    name = quote(id.encode("utf-8", "surrogatepass"), safe="@=+,()'!~")
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _lines(document: Document) -> Iterator[str]:
    for number, span in enumerate(document.spans, start=1):
        fragments = list(_fragments(document, span))
        where = ";".join(f"{start} {end}" for start, end in fragments)
        shown = " ".join(document.text[start:end] for start, end in fragments)
        yield f"T{number}\t{_type(span.technique)} {where}\t{' '.join(shown.splitlines())}\n"
        if span.confidence != 1.0:
            yield f"#{number}\tAnnotatorNotes T{number}\t{_NOTE}{span.confidence!r}\n"


def _fragments(document: Document, span: Span) -> Iterator[tuple[int, int]]:
    """The parts of a span between line ends."""
    quote = document.quote(span)
    if not quote or quote[0] in "\r\n" or quote[-1] in "\r\n":
        raise refuse(document, span, "is empty, or begins or ends with a line end, which brat does not allow")
    at = 0
    for gap in _BREAKS.finditer(quote):
        yield span.start + at, span.start + gap.start()
        at = gap.end()
    yield span.start + at, span.end


def _spans(lines: Iterable[str], text: str, file: Path) -> list[Span]:
    stated: dict[str, list[tuple[int, int, str]]] = {}
    confidences: dict[str, float] = {}
    for number, line in enumerate(lines, start=1):
        place = f"{file}:{number}"
        if line.startswith("T"):
            key, middle, *_ = line.rstrip("\r").split("\t")
            name, _, where = middle.partition(" ")
            parts = [(int(a), int(b)) for a, b in (part.split() for part in where.split(";"))]
            stated[key] = [(*part, _technique(name)) for part in _joined(parts, text)]
            for start, end, technique in stated[key]:
                checked(start, end, technique, text, place=place)
        elif line.startswith("#") and (found := _CONFIDENCE.fullmatch(line.rstrip("\r"))):
            confidences[found[1]] = float(found[2])
    return [
        checked(start, end, technique, text, place=str(file), confidence=confidences.get(key, 1.0))
        for key, parts in stated.items()
        for start, end, technique in parts
    ]


def _joined(parts: list[tuple[int, int]], text: str) -> list[tuple[int, int]]:
    joined = [parts[0]]
    for start, end in parts[1:]:
        if not text[joined[-1][1] : start].strip():
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _type(technique: str) -> str:
    return technique.replace("+", "_")


def _technique(name: str) -> str:
    joined = name.replace("_", "+")
    return joined if set(joined.split("+")).issubset(NAMES) else name
