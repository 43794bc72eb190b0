"""``detector annotate``: articles in, the same articles with their techniques marked out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli import streams
from detector.cli.formats import Format
from detector.errors import ConfigError, InputError, TechniqueError
from detector.readers.text import STANDARD_INPUT, find_all, read_standard_input, read_text
from detector.report.terminal import Style, heading, render
from detector.spans import Document
from detector.techniques import NAMES, technique
from detector.writers.json import annotation, dumps
from detector.writers.provenance import Provenance

if TYPE_CHECKING:
    from detector.detect import Detector


class Strictness(StrEnum):
    """Whose annotators the model follows: those who mark little, or those who mark much."""

    STRICT = "strict"
    BALANCED = "balanced"
    SENSITIVE = "sensitive"


@dataclass(frozen=True, slots=True)
class Layout:
    """How the documents of one call are written: their style, and whether there may be several."""

    style: Style
    several: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """Which findings are kept: at least this confident, of ``only`` these techniques (empty: all), not of ``ignore``.

    Raises ConfigError for a confidence outside 0 to 1, TechniqueError where no technique is left.
    """

    min_confidence: float = 0.0
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    techniques: frozenset[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise ConfigError(f"--min-confidence {self.min_confidence}: a confidence lies from 0 to 1, such as 0.5")
        left = frozenset(self.only or NAMES).difference(self.ignore)
        if not left:
            raise TechniqueError(f"--ignore {','.join(self.ignore)}: no technique is left: ignore fewer")
        object.__setattr__(self, "techniques", left)

    def apply(self, document: Document) -> Document:
        """The document with only the spans that are kept."""
        kept = (s for s in document.spans if s.confidence >= self.min_confidence and s.technique in self.techniques)
        return replace(document, spans=tuple(kept))


Renderer = Callable[[Document, Provenance, Layout], str]


def command(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Text files, folders, or - for standard input.", show_default=False),
    ],
    glob: Annotated[
        str, typer.Option(metavar="PATTERN", help="Which files of a folder; '**/*.txt' looks into folders inside.")
    ] = "*.txt",
    format: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = Format.TEXT,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write to a file, whole or not at all.", show_default=False
        ),
    ] = None,
    strictness: Annotated[
        Strictness, typer.Option(help="Mark as little as strict annotators, or as much as sensitive ones.")
    ] = Strictness.BALANCED,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, metavar="P", help="Leave out findings that are less sure (0 to 1).")
    ] = 0.0,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,…", help="Only these techniques (may be repeated).", show_default=False),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,…", help="Not these techniques (may be repeated).", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="A model folder in place of the shipped model.", show_default=False),
    ] = None,
    colour: streams.ColourOption = None,
) -> None:
    """Show which words of each text use which persuasion technique.

    On a terminal the article is coloured by family of techniques; in a pipe, brackets such as [LL peddling] hold the
    short code (see `detector techniques`) and the words. A list of findings follows.
    """
    selection = Selection(min_confidence, technique_names(only or ()), technique_names(ignore or ()))
    layout = Layout(streams.style(colour=colour, to_file=output not in (None, "-")), _several(paths))
    failures = Failures()
    files = failures.report(find_all(paths, glob=glob))
    with streams.output(output) as write:
        if files:
            annotate_files(
                files,
                load_detector(model),
                write,
                renderer=RENDERERS[format],
                layout=layout,
                strictness=strictness,
                selection=selection,
                failures=failures,
            )
    if failures.n_failed:
        raise typer.Exit(2)


def annotate_files(
    files: Sequence[str],
    detector: Detector,
    write: streams.Write,
    *,
    renderer: Renderer,
    layout: Layout,
    strictness: str,
    selection: Selection,
    failures: Failures,
) -> None:
    """Write what ``renderer`` makes of each file, one after another; a file that cannot be read is a failure."""
    provenance = _provenance(detector, strictness, selection)
    documents = failures.report_unreadable(files)
    for document in detector.annotate(documents, strictness=strictness):
        write(renderer(selection.apply(document), provenance, layout))


class Failures:
    """Counts the inputs that failed, and tells each on standard error."""

    def __init__(self) -> None:
        self.n_failed = 0

    def report(self, found: Iterable[str | InputError]) -> list[str]:
        """The files among what was found; each error is reported."""
        files = []
        for item in found:
            if isinstance(item, InputError):
                self._add(item)
            else:
                files.append(item)
        return files

    def report_unreadable(self, files: Iterable[str]) -> Iterator[Document]:
        """The documents of the files, read one by one; a file that cannot be read is reported and left out."""
        for file in files:
            try:
                yield read_standard_input(sys.stdin.buffer) if file == STANDARD_INPUT else read_text(file)
            except InputError as error:
                self._add(error)

    def _add(self, error: InputError) -> None:
        self.n_failed += 1
        streams.say(f"error: {error}")


def technique_names(given: Iterable[str]) -> tuple[str, ...]:
    """The slugs, each once, of names given one by one or in lists with commas; raises TechniqueError for others."""
    names = (name for item in given for name in item.split(",") if name.strip())
    return tuple(dict.fromkeys(technique(name.strip()).name for name in names))


def load_detector(folder: str | None) -> Detector:
    """The detector of a model folder, or the shipped one; importing torch takes its time, so it waits until here."""
    from detector.detect import load

    return load(folder)


def _render_text(document: Document, provenance: Provenance, layout: Layout) -> str:
    above = heading(document, layout.style) if layout.several else ""
    below = "\n" if layout.several else ""
    return above + render(document, model_name=provenance.model_name, style=layout.style) + below


def _render_json(document: Document, provenance: Provenance, layout: Layout) -> str:
    """One object: indented where it is the only one, else on a line of its own."""
    return dumps(annotation(document, provenance), indent=None if layout.several else 2) + "\n"


RENDERERS: dict[Format, Renderer] = {Format.TEXT: _render_text, Format.JSON: _render_json}


def _several(paths: Sequence[str]) -> bool:
    """Whether the call asks for several documents: more than one path, or a folder."""
    return len(paths) > 1 or (paths[0] != STANDARD_INPUT and Path(paths[0]).is_dir())


def _provenance(detector: Detector, strictness: str, selection: Selection) -> Provenance:
    from detector import __version__

    return Provenance(
        version=__version__,
        model_name=detector.name,
        model_hash=detector.model_hash,
        strictness=strictness,
        min_confidence=selection.min_confidence,
        only=selection.only,
        ignore=selection.ignore,
    )
