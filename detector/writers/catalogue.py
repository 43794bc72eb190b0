"""The formats by name: what each holds, how it is written and, where that is possible, read back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.corpora import Corpus, read_jsonl, read_semeval2021, write_jsonl, write_semeval2021
from detector.errors import ConfigError, CorpusError, DetectorError, InputError
from detector.spans import Document
from detector.techniques import inventory
from detector.writers import (
    brat,
    conll,
    label_studio,
    lines,
    parquet,
    ptc,
    sarif,
    spacy,
    table,
    web_annotation,
)
from detector.writers.carried import Texts, checked_document, reading
from detector.writers.json import annotation, dumps, read_annotation
from detector.writers.provenance import Provenance

Pieces = Callable[[Iterable[Document], Provenance], Iterator[bytes]]
ToPath = Callable[[Path, Iterable[Document], Provenance], None]


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format. ``pieces`` makes the bytes of one file; ``to_path`` writes to a path (a folder, if ``folder``).

    ``holds``: which of text, confidence, meta and why (the words that carried a finding) survive; ``inventory`` names
    the techniques, where not all of them can be named. ``read_with`` reads a format without texts, given these;
    ``stated`` finds what a file says of how its findings came about, as the JSON of annotate has it; ``files`` names
    those of a document in a folder.
    """

    name: str
    suffixes: tuple[str, ...] = ()
    pieces: Pieces | None = None
    to_path: ToPath | None = None
    read: Callable[[Path], Iterator[Document] | Iterator[Document | InputError]] | None = None
    read_with: Callable[[Path, Texts | None], Iterator[Document]] | None = None
    stated: Callable[[Path], Sequence[Mapping[str, Any]]] | None = None
    files: Callable[[Document], Sequence[str]] = lambda document: ()
    holds: frozenset[str] = frozenset()
    inventory: str | None = None
    folder: bool = False
    binary: bool = False

    def names(self, technique: str) -> bool:
        """Whether there is a name in it for a technique, or for joined ones."""
        return self.inventory is None or inventory(self.inventory).foreign(technique) is not None


def write_jsonl_annotations(documents: Iterable[Document], provenance: Provenance) -> Iterator[bytes]:
    """The JSON of each document on a line of its own."""
    for document in documents:
        yield (dumps(annotation(document, provenance)) + "\n").encode()


def write_json_annotations(documents: Iterable[Document], provenance: Provenance) -> Iterator[bytes]:
    """The JSON of one document, indented; of several, each on a line of its own."""
    waiting = iter(documents)
    first, second = next(waiting, None), next(waiting, None)
    if first is not None and second is None:
        yield (dumps(annotation(first, provenance), indent=2) + "\n").encode()
    elif first is not None and second is not None:
        yield from write_jsonl_annotations([first, second], provenance)
        yield from write_jsonl_annotations(waiting, provenance)


def read_annotations(path: Path) -> Iterator[Document]:
    """The documents of a file that holds one annotation, a list of them, or one a line."""
    with reading(path, "JSON that annotate wrote"):
        for number, record in enumerate(_annotations(path), start=1):
            try:
                yield read_annotation(record)
            except DetectorError as error:
                raise type(error)(f"{path}: document {number}: {error}") from None


def _annotations(path: Path) -> list[Any]:
    text = path.read_bytes().decode("utf-8-sig")
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return list(_lines(path, text))
    return value if isinstance(value, list) else [value]


def _lines(path: Path, text: str) -> Iterator[Any]:
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            if line.strip():
                yield json.loads(line)
        except ValueError as error:
            raise CorpusError(f"{path}:{number}: is not JSON ({error}): write it with annotate --format json") from None


def _corpus(corpus: Corpus) -> Iterator[Document | InputError]:
    """The documents of a corpus, and then an error for each row or span that is left out."""
    yield from corpus.documents
    yield from map(InputError, corpus.skipped)


_CONFIDENCE, _TEXT = frozenset(["confidence"]), frozenset(["text"])
_MOST = _TEXT | _CONFIDENCE | {"meta"}
_ALL = _MOST | {"why"}
FORMATS = {
    one.name: one
    for one in (
        FileFormat(
            "json", (".json",), pieces=write_json_annotations, read=read_annotations, stated=_annotations, holds=_ALL
        ),
        FileFormat(
            "jsonl",
            (".jsonl", ".ndjson"),
            pieces=write_jsonl_annotations,
            read=read_annotations,
            stated=_annotations,
            holds=_ALL,
        ),
        FileFormat("csv", (".csv",), pieces=table.write_csv, read_with=table.read_csv, holds=_CONFIDENCE),
        FileFormat(
            "parquet",
            (".parquet",),
            pieces=parquet.write_parquet,
            read=parquet.read_parquet,
            stated=lambda path: [parquet.stated_in(path)],
            holds=_MOST,
            binary=True,
        ),
        FileFormat("line", pieces=lines.write_lines, holds=_CONFIDENCE),
        FileFormat("github", pieces=lines.write_github, holds=_CONFIDENCE),
        FileFormat(
            "sarif",
            (".sarif",),
            pieces=sarif.write_sarif,
            read=sarif.read_sarif,
            stated=lambda path: [sarif.stated_in(path)],
            holds=_MOST,
        ),
        FileFormat(
            "brat",
            to_path=brat.write_brat,
            files=brat.brat_files,
            read=brat.read_brat,
            holds=_TEXT | _CONFIDENCE,
            folder=True,
        ),
        FileFormat(
            "label-studio", pieces=label_studio.write_label_studio, read=label_studio.read_label_studio, holds=_MOST
        ),
        FileFormat(
            "conll",
            (".conll", ".iob", ".iob2"),
            pieces=conll.write_conll,
            read=conll.read_conll,
            holds=_TEXT,
        ),
        FileFormat("spacy", (".spacy",), pieces=spacy.write_docbin, read=spacy.read_docbin, holds=_MOST, binary=True),
        FileFormat(
            "web-annotation",
            (".jsonld",),
            pieces=web_annotation.write_web_annotation,
            read_with=web_annotation.read_web_annotation,
            holds=_CONFIDENCE,
        ),
        FileFormat("ptc", (".tsv", ".ptc"), pieces=ptc.write_ptc_rows, inventory=ptc.SUBMISSION),
        FileFormat(
            "ptc-corpus",
            to_path=ptc.write_ptc_folder,
            files=ptc.ptc_files,
            read=ptc.read_ptc_folder,
            holds=_TEXT,
            inventory="detector",
            folder=True,
        ),
        FileFormat(
            "corpus",
            to_path=lambda path, documents, _: write_jsonl(path, documents),
            read=lambda path: _corpus(read_jsonl(path, skip_bad=True)),
            holds=_MOST,
        ),
        FileFormat(
            "semeval2021",
            to_path=lambda path, documents, _: write_semeval2021(path, documents),
            read=lambda path: _corpus(read_semeval2021(path, skip_bad=True)),
            holds=_TEXT,
            inventory="semeval-2021",
        ),
    )
}
"""All formats by name: what ``--format`` and ``convert`` take."""

READABLE = tuple(one.name for one in FORMATS.values() if one.read or one.read_with)


def format_of_output(path: str) -> FileFormat | None:
    """The format that the suffix of a file to be written means; None where it means none."""
    suffix = Path(path).suffix.lower()
    return next((one for one in FORMATS.values() if suffix and suffix in one.suffixes), None)


def format_of_input(path: Path) -> FileFormat:
    """The format of a file or folder, by what is in it. Raises ConfigError where it cannot be told."""
    if os.path.isdir(path):
        name = "brat" if any(path.glob("*.ann")) else "ptc-corpus" if any(path.glob("article*.txt")) else ""
    elif not os.path.exists(path):
        raise InputError(f"{path}: there is no such file or folder: check the spelling")
    else:
        by_suffix = format_of_output(str(path))
        json_like = path.suffix.lower() in (".json", ".jsonl", ".ndjson") or (not by_suffix and _begins_json(path))
        name = _json_format(path) if json_like else by_suffix.name if by_suffix else ""
    if not name:
        raise ConfigError(f"{path}: its format cannot be told: name it with --from ({', '.join(READABLE)})")
    return FORMATS[name]


def _begins_json(path: Path) -> bool:
    with reading(path, "JSON"), path.open("rb") as file:
        return file.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def _json_format(path: Path) -> str:
    """The format of a JSON or JSONL file, by the keys of its first object."""
    with reading(path, "JSON"):
        text = path.read_bytes().decode("utf-8-sig")
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            lines = (line for line in text.split("\n") if line.strip())
            value = json.loads(next(lines, "{}"))
        first = (value[0] if value else {}) if isinstance(value, list) else value
        if not isinstance(first, dict):
            raise CorpusError(f"{path}: holds no objects: name a file that annotate or a tool for annotation wrote")
    known = {
        "runs": "sarif",
        "schema_version": "json",
        "@context": "web-annotation",
        "data": "label-studio",
        "labels": "semeval2021",
        "spans": "corpus",
    }
    return next((name for key, name in known.items() if key in first), "")


def read_format(format: FileFormat, path: Path, texts: Texts | None = None) -> Iterator[Document | InputError]:
    """The documents of a file in this format, and an error for each part of it that was left out.

    Raises ConfigError for a format that cannot be read back.
    """
    if format.read is not None:
        return (one if isinstance(one, InputError) else checked_document(one) for one in format.read(path))
    if format.read_with is not None:
        return map(checked_document, format.read_with(path, texts))
    raise ConfigError(f"{path}: {format.name} cannot be read back: convert from {', '.join(READABLE)}")
