"""``detector convert``: findings from one format into another."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from detector.cli import options, streams
from detector.cli.formats import ConvertFormat
from detector.cli.inputs import Failures, apart, sources
from detector.cli.settings import Settings, in_force
from detector.errors import ConfigError, DetectorError, InputError
from detector.readers.text import STANDARD_INPUT, find_all, is_address
from detector.report.results import is_result
from detector.report.wording import counted

if TYPE_CHECKING:
    from detector.spans import Document
    from detector.writers.catalogue import FileFormat
    from detector.writers.provenance import Provenance


_NOT_STATED = (OSError, ValueError, LookupError, TypeError, AttributeError, DetectorError)
"""What reading how findings came about raises in an older or another program's file."""


def command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN", help="A file or folder with findings, or - for standard input.", show_default=False
        ),
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file or folder to write.", show_default=False)],
    source_format: Annotated[
        ConvertFormat | None,
        typer.Option("--from", help="The format of IN; by default what its contents show.", show_default=False),
    ] = None,
    target_format: Annotated[
        ConvertFormat | None,
        typer.Option("--to", help="The format of OUT; by default what its suffix means.", show_default=False),
    ] = None,
    texts: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="The texts, for csv and web-annotation: files and folders as annotate was given them, or JSON.",
            show_default=False,
        ),
    ] = None,
    glob: options.GlobOption = None,
) -> None:
    """Convert findings from one format into another, both ways without loss where both can hold them.

    What the format of OUT has no room for is told on standard error. See docs/formats.md for what each holds.

    Texts that cannot be read are told and left out: exit code 2.
    """
    from detector.writers.catalogue import FORMATS, format_of_input, format_of_output, read_format

    wanted = FORMATS[target_format] if target_format else format_of_output(str(target))
    if wanted is None:
        raise ConfigError(f"{target}: its suffix means no format: name one with --to ({', '.join(ConvertFormat)})")
    settings, failures = in_force({"glob": glob}), Failures()
    files = failures.report(find_all(texts or (), glob=settings["glob"].value))
    read = [*_read(source), *files]
    streams.check_apart(str(target), read)
    known = {document.id: document for document in read_texts(files, settings, failures)} if texts else None
    if wanted.to_path is not None and str(target) == streams.STANDARD_OUTPUT:
        raise ConfigError(f"{target}: {wanted.name} cannot go to standard output: name a file or folder")
    with _whole(source) as path:
        given = FORMATS[source_format] if source_format else format_of_input(path)
        found = failures.readable(read_format(given, path, known))
        documents = list(apart(found, target, wanted.files, read=read))
        if failures.n_failed and not documents:
            raise typer.Exit(2)
        provenances = provenances_in(path, given, len(documents))
    if wanted.to_path is not None:
        documents = one_an_id(documents)
    for loss in losses(documents, provenances, wanted):
        streams.say(f"warning: {target}: {loss}")
    write(documents, provenances, wanted, target)
    n_spans = sum(len(document.spans) for document in documents)
    held = f"{counted(len(documents), 'document')} with {counted(n_spans, 'finding')}"
    streams.say(f"{held}: {given.name} to {wanted.name} in {target}")
    if failures.n_failed:
        raise typer.Exit(2)


def _read(source: Path) -> Iterator[str]:
    """The files with findings."""
    yield str(source)
    if os.path.isdir(source):
        inside = streams.files_in(source)
        yield from (str(file) for file in inside if file.suffix in (".ann", ".txt") or "labels" in file.name)


def read_texts(files: Iterable[str], settings: Settings, failures: Failures) -> Iterator[Document]:
    """The documents of files that annotate reads, or of JSON, without spans; what cannot be read is reported."""
    from detector.writers.catalogue import format_of_input, read_format

    sizes = {name: settings[name].value for name in ("max_size", "max_unpacked")}
    reading = sources(kind=None, fetch=False, allow_private=False, **sizes)
    for file in files:
        if is_address(file) or not is_result(file):
            yield from failures.report_unreadable([file], reading)
            continue
        path = Path(file)
        try:
            found = failures.readable(read_format(format_of_input(path), path))
            yield from (document.with_spans(()) for document in found)
        except InputError as error:
            failures.report([error])


def one_an_id(documents: Iterable[Document]) -> list[Document]:
    """The documents in order, those of one id and text as one that has the findings of all; InputError for two texts.

    What a format keeps by id would else hold the findings of the last one only.
    """
    from detector.writers.carried import claim

    kept: dict[str, Document] = {}
    taken: dict[str, str] = {}
    for document in documents:
        claim(taken, document.id, document)
        first = kept.setdefault(document.id, document)
        if first is not document:
            spans = dict.fromkeys((*first.spans, *document.spans))
            kept[document.id] = first.with_spans(spans, n_read=first.n_read)
    return list(kept.values())


def losses(documents: Sequence[Document], provenances: Sequence[Provenance], wanted: FileFormat) -> Iterator[str]:
    """What a format has no room for and these documents have, a sentence each."""
    spans = [span for document in documents for span in document.spans]
    has_texts = "text" in wanted.holds
    if documents and not has_texts:
        back = ": keep them, and give them with --texts to read it back" if wanted.read_with else ""
        yield f"{wanted.name} holds no texts{back}"
    n_bare = sum(not document.spans for document in documents)
    if n_bare and not has_texts:
        yield f"{wanted.name} holds no documents without findings: {n_bare} left out"
    n_unsure = sum(span.confidence != 1.0 for span in spans)
    if n_unsure and "confidence" not in wanted.holds:
        yield f"{wanted.name} holds no confidences: {n_unsure} left out"
    n_why = sum(bool(span.why) for span in spans)
    if n_why and "why" not in wanted.holds:
        yield f"{wanted.name} has no place for the words that carried a finding: those of {n_why} left out"
    nameless = Counter(span.technique for span in spans if not wanted.names(span.technique))
    if nameless:
        names = ", ".join(sorted(nameless))
        yield f"{wanted.name} has no name for {names}: {counted(nameless.total(), 'finding')} left out"
    n_meta = sum(bool(document.meta) for document in documents)
    if n_meta and "meta" not in wanted.holds:
        came = f"what came with {counted(n_meta, 'document')} is left out"
        yield f"{wanted.name} holds nothing but {'text and ' if has_texts else ''}findings: {came}"
    if wanted.stated is None and any(provenance.model_name for provenance in provenances):
        yield f"{wanted.name} does not hold all of how findings came about: keep model and settings elsewhere"


def write(documents: Sequence[Document], provenances: Sequence[Provenance], wanted: FileFormat, target: Path) -> None:
    """Writes the documents; a file appears whole or not at all. Raises InputError where that fails.

    How findings came about is written for each document where the format holds it for each, else once.
    """
    if wanted.pieces is not None:
        with streams.output(str(target)) as emit:
            for piece in _pieces(documents, provenances, wanted, target):
                emit(piece)
    elif wanted.to_path is not None:
        try:
            if wanted.folder:
                wanted.to_path(target, documents, provenances[0])
                return
            with TemporaryDirectory() as aside, streams.output(str(target)) as emit:
                made = Path(aside, "made")
                wanted.to_path(made, documents, provenances[0])
                emit(made.read_bytes())
        except OSError as error:
            raise InputError(f"{target}: cannot be written ({error.strerror}): name another place") from None


def _pieces(
    documents: Sequence[Document], provenances: Sequence[Provenance], wanted: FileFormat, target: Path
) -> Iterator[str | bytes]:
    from detector.writers.catalogue import write_jsonl_annotations

    assert wanted.pieces is not None
    if any(other != provenances[0] for other in provenances):
        if wanted.name in ("json", "jsonl"):
            for document, provenance in zip(documents, provenances, strict=True):
                yield from write_jsonl_annotations((document,), provenance)
            return
        streams.say(f"warning: {target}: {wanted.name} names one model with its settings: those of the first text")
    yield from wanted.pieces(documents, provenances[0])


def provenances_in(source: Path, given: FileFormat, n_documents: int) -> list[Provenance]:
    """How the findings of each document came about, where the file says it; otherwise only this program's version."""
    stated: Sequence[Mapping[str, Any]] = ()
    with suppress(*_NOT_STATED):
        stated = given.stated(source) if given.stated is not None else ()
    found = [_provenance(record) for record in stated or ({},)]
    return found if len(found) == n_documents else found[:1] * max(1, n_documents)


def _provenance(record: Mapping[str, Any]) -> Provenance:
    from detector import __version__
    from detector.writers.json import read_provenance
    from detector.writers.provenance import Provenance

    with suppress(*_NOT_STATED):
        return read_provenance(record)
    return Provenance(version=__version__, model_name="", model_hash="", strictness="")


@contextmanager
def _whole(source: Path) -> Iterator[Path]:
    """The path; of standard input or a pipe, which can be read only once, a file with what comes out of it."""
    piped = str(source) == STANDARD_INPUT
    if not piped and (not os.path.exists(source) or source.is_file() or source.is_dir()):
        yield source
        return
    stream = nullcontext(_standard_input()) if piped else source.open("rb")
    with NamedTemporaryFile(suffix=source.suffix) as file, stream as pipe:
        shutil.copyfileobj(pipe, file)
        file.flush()
        try:
            yield Path(file.name)
        except DetectorError as error:  # which names the file that was read
            raise type(error)(str(error).replace(file.name, str(source))) from None


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise InputError(f"{STANDARD_INPUT}: standard input is closed: name a file")
    return sys.stdin.buffer
