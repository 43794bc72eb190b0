"""``detector convert``: findings from one format into another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli import streams
from detector.cli.formats import ConvertFormat
from detector.errors import ConfigError, DetectorError, InputError
from detector.report.wording import counted

if TYPE_CHECKING:
    from detector.spans import Document
    from detector.writers.catalogue import FileFormat
    from detector.writers.provenance import Provenance


def command(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file or folder with findings.", show_default=False)],
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
        list[Path] | None,
        typer.Option(
            metavar="PATH", help="The texts, for csv and web-annotation: files, folders, or JSON.", show_default=False
        ),
    ] = None,
) -> None:
    """Convert findings from one format into another, both ways without loss where both can hold them.

    What the format of OUT has no room for is told on standard error. See docs/formats.md for what each holds.
    """
    from detector.writers.catalogue import FORMATS, format_of_input, format_of_output, read_format

    given = FORMATS[source_format] if source_format else format_of_input(source)
    wanted = FORMATS[target_format] if target_format else format_of_output(str(target))
    if wanted is None:
        raise ConfigError(f"{target}: its suffix means no format: name one with --to ({', '.join(ConvertFormat)})")
    known = {document.id: document for path in texts or () for document in read_texts(path)} if texts else None
    if wanted.to_path is not None and str(target) == streams.STANDARD_OUTPUT:
        raise ConfigError(f"{target}: {wanted.name} cannot go to standard output: name a file or folder")
    streams.check_apart(str(target), [str(source)])
    documents = list(read_format(given, source, known))
    for loss in losses(documents, wanted):
        streams.say(f"warning: {target}: {loss}")
    write(documents, provenance_in(source, given), wanted, target)
    n_spans = sum(len(document.spans) for document in documents)
    held = f"{counted(len(documents), 'document')} with {counted(n_spans, 'finding')}"
    streams.say(f"{held}: {given.name} to {wanted.name} in {target}")


def read_texts(path: Path) -> Iterator[Document]:
    """The documents of a folder of texts, of a file of a kind that annotate reads, or of JSON; without spans."""
    from detector.readers.sources import Sources
    from detector.readers.text import find_files
    from detector.writers.catalogue import format_of_input, read_format

    if path.is_file() and path.suffix.lower() in (".json", ".jsonl", ".ndjson"):
        yield from (document.with_spans(()) for document in read_format(format_of_input(path), path))
        return
    for item in Sources().read_all(find_files(str(path))):
        if isinstance(item, InputError):
            raise item
        yield item


def losses(documents: Iterable[Document], wanted: FileFormat) -> Iterator[str]:
    """What a format has no room for and these documents have, a sentence each."""
    spans = [span for document in documents for span in document.spans]
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
        yield f"{wanted.name} holds nothing but text and findings: {came}"


def write(documents: Iterable[Document], provenance: Provenance, wanted: FileFormat, target: Path) -> None:
    """Writes the documents; a file appears whole or not at all. Raises InputError where that fails."""
    if wanted.pieces is not None:
        with streams.output(str(target)) as emit:
            for piece in wanted.pieces(documents, provenance):
                emit(piece)
    elif wanted.to_path is not None:
        try:
            wanted.to_path(target, documents, provenance)
        except OSError as error:
            raise InputError(f"{target}: cannot be written ({error.strerror}): name another place") from None


def provenance_in(source: Path, given: FileFormat) -> Provenance:
    """How the findings came about, where the file says it; otherwise only this program's version."""
    from detector import __version__
    from detector.writers.json import read_provenance
    from detector.writers.provenance import Provenance

    try:
        if given.stated is not None:
            return read_provenance(given.stated(source))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, DetectorError):
        pass  # an older or another program's file
    return Provenance(version=__version__, model_name="", model_hash="")
