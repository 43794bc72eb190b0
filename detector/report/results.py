"""Documents with their findings back from files: of `annotate --format json` (an object, or one a line), of `score`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from detector.errors import InputError, TechniqueError
from detector.quotes import Quotation, document_quotations, quotation_of
from detector.report.findings import STATED, Stated
from detector.spans import Document, Span
from detector.writers.carried import checked_document
from detector.writers.json import read_annotation, read_provenance
from detector.writers.provenance import Provenance

SUFFIXES = (".json", ".jsonl", ".ndjson")
UNFINISHED = "the run is not finished: these are the parts there are"
_SCORED = "manifest.json"  # what `score` writes beside its part files
Result = tuple[Document, Provenance]


def is_scored(folder: str | Path) -> bool:
    """Whether `detector score` wrote this folder."""
    return (Path(folder) / _SCORED).is_file()


def read_scored(folder: str | Path) -> Iterator[Result | InputError]:
    """Every document in a folder of `detector score`; an error stands in the place of what cannot be read.

    Raises InputError where it kept no texts.
    """
    from detector.batch.results import read_documents  # brings pyarrow along, so it waits until here

    for found in read_documents(str(folder)):
        if isinstance(found, InputError):
            yield found
            continue
        try:
            yield _checked(found[0]), found[1]
        except InputError as error:
            yield error


def is_unfinished(folder: str | Path) -> bool:
    """Whether a run of `detector score` has not come to its end, so that its folder holds a part of the corpus."""
    from detector.batch.results import read_manifest
    from detector.batch.store import open_store

    return not read_manifest(open_store(str(folder)), str(folder))["finished"]


_BEGINNING = re.compile(rb'\s*(?:\[\s*)?\{\s*"schema_version"')


def is_result(path: str | Path) -> bool:
    """Whether a file is JSON by its name, and so no article."""
    return Path(path).suffix.lower() in SUFFIXES


def result_files(folder: str | Path) -> list[Path]:
    """The JSON and JSONL files in a folder and in those inside it, by name."""
    return sorted(path for path in Path(folder).rglob("*") if is_result(path) and path.is_file())


def holds_results(file: Path) -> bool:
    """Whether the first thing in a file that can be read is what annotate writes, or would be if it were whole."""
    record = next((record for _, record in _records(file) if not isinstance(record, InputError)), None)
    return isinstance(record, dict) and "schema_version" in record


def begins_result(head: bytes) -> bool:
    """Whether these first bytes are those of JSON that annotate wrote."""
    return bool(_BEGINNING.match(head))


def read_result_file(file: str | Path, *, stdin: BinaryIO | None = None) -> Iterator[Result | InputError]:
    """The annotated documents of one file, or of ``stdin``: of an object, of a list of them, or of one object a line.

    An error stands in the place of each that is not as it was written, and of a file that is no such JSON.
    """
    for place, record in _records(Path(file), stdin):
        if isinstance(record, InputError):
            yield record
        elif not isinstance(record, dict):
            yield InputError(f"{place}: is no object that annotate --format json wrote: annotate the text again")
        else:
            try:
                yield _result(record)
            except (InputError, TechniqueError) as error:
                yield InputError(f"{place}: {error}")


def _result(record: dict[str, Any]) -> Result:
    document = _checked(read_annotation(record))
    return _as_stated(document, record["spans"]), read_provenance(record)


def _as_stated(document: Document, records: list[Mapping[str, Any]]) -> Document:
    """The document with what its file says of quotations, where the rules of this version would say otherwise."""
    found = document_quotations(document)
    stated = Stated()
    for span, record in zip(document.spans, records, strict=True):
        if "in_quote" in record:
            stated[span] = _stated_quotation(span, record)
    if all(_told(quotation_of(span, found)) == _told(quotation) for span, quotation in stated.items()):
        return document
    return replace(document, meta={**document.meta, STATED: stated})


def _stated_quotation(span: Span, record: Mapping[str, Any]) -> Quotation | None:
    in_quote, speaker = record["in_quote"], record.get("speaker")
    if not isinstance(in_quote, bool) or not isinstance(speaker, str | None):
        raise InputError(f"in_quote {in_quote!r:.40} or speaker {speaker!r:.40} is not as written: annotate again")
    return Quotation(span.start, span.end, "stated", speaker) if in_quote else None


def _told(quotation: Quotation | None) -> tuple[bool, str | None]:
    """What a finding tells of its quotation."""
    return quotation is not None, quotation.speaker if quotation else None


def _checked(document: Document) -> Document:
    """The document, if its spans lie in its text and what its meta says of places can be read; else InputError."""
    n_characters = len(document.text)
    if not all(0 <= span.start <= span.end <= n_characters and 0 <= span.confidence <= 1 for span in document.spans):
        raise InputError(f"{document.id}: a span is not in the text, or its confidence not from 0 to 1: make it again")
    return checked_document(document)


def _records(file: Path, stdin: BinaryIO | None = None) -> Iterator[tuple[str, Any]]:
    """The values in a file, each with its place; an InputError is the value of what cannot be read."""
    try:
        with nullcontext(stdin) if stdin else file.open("rb") as stream:
            first = stream.readline()
            if _is_record(first):
                yield from _lines(file, chain([first], stream))
                return
            data = first + stream.read()
    except OSError as error:
        yield str(file), InputError(f"{file}: cannot be read ({error.strerror or error}): check the file")
        return
    whole = _value(data, place=str(file))
    lines = data.split(b"\n")
    if isinstance(whole, InputError) and any(map(_is_record, lines)):  # one a line, the first of them damaged
        yield from _lines(file, lines)
        return
    for item in whole if isinstance(whole, list) else [whole]:
        yield str(file), item


def _lines(file: Path, lines: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
    for n, line in enumerate(lines, start=1):
        if line.strip():
            yield f"{file}:{n}", _value(line, place=f"{file}:{n}")


def _value(data: bytes, *, place: str) -> Any:
    """The value that is written there as JSON, or the InputError that says why there is none."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return InputError(f"{place}: is not JSON ({error}): write it with annotate --format json")


def _is_record(line: bytes) -> bool:
    """Whether a line is an object by itself, as in JSONL."""
    return isinstance(_value(line, place=""), dict)
