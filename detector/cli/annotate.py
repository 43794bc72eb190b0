"""``detector annotate``: articles in, the same articles with their techniques marked out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli import inputs, options, streams
from detector.cli.formats import AnnotationFormat
from detector.cli.inputs import Failures
from detector.cli.settings import KEYS, Settings, in_force, selection_of
from detector.errors import ConfigError, InputError
from detector.memory import keep_no_large_blocks
from detector.readers.text import STANDARD_INPUT, find_all, is_address
from detector.report.terminal import Style, heading, render
from detector.selection import FailOn, Selection
from detector.spans import Document
from detector.writers.json import annotation, dumps
from detector.writers.provenance import Provenance

if TYPE_CHECKING:
    from detector.detect import Detector


@dataclass(frozen=True, slots=True)
class Layout:
    """How the documents of one call are written: their style, and whether there may be several."""

    style: Style
    several: bool


@dataclass(frozen=True, slots=True)
class Task:
    """What one call does with its documents."""

    format: AnnotationFormat
    output: str | None
    layout: Layout
    strictness: str
    selection: Selection
    fail_on: FailOn
    why: bool = False


Renderer = Callable[[Document, Provenance, Layout], str]


def command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Files (txt, md, html, pdf, docx, epub, srt, vtt, eml, zip), folders, addresses (with --fetch), "
            "or - for standard input.",
            show_default=False,
        ),
    ],
    glob: options.GlobOption = None,
    format: Annotated[
        AnnotationFormat | None,
        typer.Option(
            "--format",
            "-f",
            help="What to write; by default as the suffix of --output says, else text.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR",
            help="Write to a file, whole or not at all; brat and ptc-corpus need a folder.",
            show_default=False,
        ),
    ] = None,
    strictness: options.StrictnessOption = None,
    min_confidence: options.MinConfidenceOption = None,
    threshold: options.ThresholdOption = None,
    only: options.OnlyOption = None,
    ignore: options.IgnoreOption = None,
    ignore_pattern: options.IgnorePatternOption = None,
    quotes: options.QuotesOption = None,
    why: options.WhyOption = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|N,…",
            help="Exit with 1 if a technique or family is found, or N findings (may be repeated).",
            show_default=False,
            autocompletion=options.technique_completions,
        ),
    ] = None,
    model: options.ModelOption = None,
    backend: options.BackendOption = None,
    input: inputs.KindOption = None,
    fetch: inputs.FetchOption = False,
    allow_private: inputs.AllowPrivateOption = False,
    max_size: inputs.MaxSizeOption = None,
    max_unpacked: inputs.MaxUnpackedOption = None,
    save_text: inputs.SaveTextOption = None,
    language_guard: inputs.GuardOption = None,
    colour: streams.ColourOption = None,
) -> None:
    """Show which words of each text use which persuasion technique.

    On a terminal the article is coloured by family of techniques; in a pipe, brackets such as [LL peddling] hold the
    short code (see `detector techniques`) and the words. A list of findings follows.

    Settings may stand in detector.toml (see `detector config`). Exit codes: 0 done, 1 --fail-on is met, 2 error.
    """
    settings = in_force(
        {
            "glob": glob,
            "format": format,
            "strictness": strictness,
            "min_confidence": min_confidence,
            "thresholds": options.thresholds(threshold),
            "only": only,
            "ignore": ignore,
            "ignore_patterns": ignore_pattern,
            "quotes": quotes,
            "fail_on": fail_on,
            "model": model,
            "backend": backend,
            "max_size": max_size,
            "max_unpacked": max_unpacked,
            "language_guard": language_guard,
        }
    )
    task = Task(
        format=_format(settings, output, why=why),
        output=output,
        layout=Layout(streams.style(colour=colour, to_file=output not in (None, "-")), _several(paths, input)),
        strictness=settings["strictness"].value,
        selection=selection_of(settings),
        fail_on=FailOn.parse(settings["fail_on"].value),
        why=why,
    )
    reading = inputs.sources(
        kind=input,
        fetch=fetch,
        allow_private=allow_private,
        max_size=settings["max_size"].value,
        max_unpacked=settings["max_unpacked"].value,
    )
    failures, tally = Failures(), Tally()
    files = failures.report(find_all(paths, glob=settings["glob"].value))
    streams.check_apart(output, files)
    documents = failures.report_unreadable(files, reading)
    documents = inputs.saved(inputs.guarded(documents, settings["language_guard"].value), save_text, read=files)
    if task.format in FOLDERS:
        from detector.writers.catalogue import FORMATS

        documents = inputs.apart(documents, Path(str(output)), FORMATS[task.format].files, read=files)
    if files:
        detector = load_detector(settings["model"].value, backend=settings["backend"].value)
        annotate_documents(documents, detector, task, tally)
    if failures.n_failed:
        raise typer.Exit(2)
    if task.fail_on.met(tally.n_spans, tally.techniques):
        raise typer.Exit(1)


class Tally:
    """What was found so far: how many findings in how many documents, and of which techniques."""

    def __init__(self) -> None:
        self.n_documents = 0
        self.n_spans = 0
        self.techniques: set[str] = set()

    def counted(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents, each counted once it has been written: when the next one is asked for."""
        for document in documents:
            yield document
            self.n_documents += 1
            self.n_spans += len(document.spans)
            self.techniques.update(name for span in document.spans for name in span.technique.split("+"))


def annotate_documents(documents: Iterable[Document], detector: Detector, task: Task, tally: Tally) -> None:
    """Write the documents with what is found in them, and count it."""
    provenance = provenance_of(detector, task.strictness, task.selection)
    found = detector.annotate(documents, strictness=task.strictness)
    chosen = inputs.told(task.selection.apply(document) for document in found)
    kept = tally.counted(explained(chosen, detector) if task.why else chosen)
    with _interruptible(task, tally):
        if task.format in FOLDERS:
            _write_folder(kept, provenance, task)
            return
        with streams.output(task.output, worth=lambda: tally.n_documents > 0) as write:
            if task.format is AnnotationFormat.HTML:
                _write_page([(document, provenance) for document in kept], write)
            elif task.format is AnnotationFormat.JSON and not task.layout.several:
                _write_pieces(kept, provenance, task, write)  # which sees whether there is one document, or are several
            elif task.format in RENDERERS:
                for document, layout in _laid_out(kept, task.layout):
                    write(RENDERERS[task.format](document, provenance, layout))
            else:
                _write_pieces(kept, provenance, task, write)


def load_detector(folder: str | None, *, backend: str | None = None) -> Detector:
    """The detector of a model folder, or the shipped one; importing what runs it takes its time, so it waits."""
    from detector.detect import load

    keep_no_large_blocks()
    return load(folder, backend=backend or "auto")


def explained(documents: Iterable[Document], detector: Detector) -> Iterator[Document]:
    """The documents with the words that carried each of their findings."""
    from detector.why import explain  # what it needs was imported with the detector

    for document in documents:
        yield explain(detector, document)


def _laid_out(documents: Iterable[Document], layout: Layout) -> Iterator[tuple[Document, Layout]]:
    """Each document and its layout: where a second one comes of what looked like one, such as a pipe, are several."""
    waiting = iter(documents)
    first = [] if layout.several else list(islice(waiting, 2))
    seen = replace(layout, several=layout.several or len(first) > 1)
    yield from ((document, seen) for document in chain(first, waiting))


def _render_text(document: Document, provenance: Provenance, layout: Layout) -> str:
    above = heading(document, layout.style) if layout.several else ""
    below = "\n" if layout.several else ""
    return above + render(document, model_name=provenance.model_name, style=layout.style) + below


def _render_json(document: Document, provenance: Provenance, layout: Layout) -> str:
    """One object of several, on a line of its own."""
    return dumps(annotation(document, provenance)) + "\n"


RENDERERS: dict[AnnotationFormat, Renderer] = {
    AnnotationFormat.TEXT: _render_text,
    AnnotationFormat.JSON: _render_json,
}
FOLDERS = (AnnotationFormat.BRAT, AnnotationFormat.PTC_CORPUS)
WITH_WHY = (AnnotationFormat.TEXT, AnnotationFormat.HTML, AnnotationFormat.JSON, AnnotationFormat.JSONL)


def _write_page(results: Sequence[tuple[Document, Provenance]], write: streams.Write) -> None:
    """Write one page of all results; jinja2 takes its time to import, so it waits until here."""
    from detector.cli.report import today
    from detector.report.html import articles_page

    if results:
        write(articles_page(results, created=today()))


def _write_pieces(documents: Iterable[Document], provenance: Provenance, task: Task, write: streams.Write) -> None:
    """Write a file of one of the formats of the catalogue."""
    from detector.writers.catalogue import FORMATS

    pieces = FORMATS[task.format].pieces
    assert pieces is not None, task.format
    for piece in pieces(documents, provenance):
        write(piece)


def _write_folder(documents: Iterable[Document], provenance: Provenance, task: Task) -> None:
    from detector.writers.catalogue import FORMATS

    to_path = FORMATS[task.format].to_path
    assert to_path is not None, task.format
    folder = Path(task.output or "")
    try:
        to_path(folder, documents, provenance)
    except OSError as error:
        raise InputError(f"--output {folder}: cannot be written ({error.strerror}): name a folder of yours") from None


@contextmanager
def _interruptible(task: Task, tally: Tally) -> Iterator[None]:
    """Says, when Ctrl-C ends the block, what has been written by then."""
    try:
        yield
    except KeyboardInterrupt:
        where = "standard output" if task.output in (None, streams.STANDARD_OUTPUT) else str(task.output)
        streamed = where == "standard output" or task.format in FOLDERS
        n_written = tally.n_documents if streamed else 0
        streams.say(f"{n_written} document{'s'[n_written == 1 :]} written to {where}")
        raise


def _format(settings: Settings, output: str | None, *, why: bool) -> AnnotationFormat:
    """The format that is asked for, or that the suffix of the output means; raises ConfigError where it cannot be."""
    name = settings["format"].value
    if settings["format"].origin != KEYS["format"].flag and output not in (None, streams.STANDARD_OUTPUT):
        name = _by_suffix(str(output)) or name
    format = AnnotationFormat(name)
    if why and format not in WITH_WHY:
        raise ConfigError(f"--why: {format} has no place for it: take {', '.join(WITH_WHY)}")
    if format in FOLDERS and output in (None, streams.STANDARD_OUTPUT):
        raise ConfigError(f"--format {name}: is a folder of files: name it with --output DIR")
    if format in (AnnotationFormat.PARQUET, AnnotationFormat.SPACY) and output is None and streams.on_terminal():
        raise ConfigError(f"--format {name}: is no text for a terminal: name a file with --output FILE")
    return format


def _by_suffix(output: str) -> str | None:
    suffix = Path(output).suffix.lower()
    if suffix in ("", ".txt"):
        return None
    if suffix in (".html", ".htm"):
        return AnnotationFormat.HTML
    from detector.writers.catalogue import format_of_output

    found = format_of_output(output)
    inputs.check_written(output)
    return found.name if found else None


def _several(paths: Sequence[str], kind: inputs.Kind | None) -> bool:
    """Whether the call asks for several documents: more than one path, a folder, an archive or a message with files."""
    if kind in (inputs.Kind.ZIP, inputs.Kind.EMAIL):
        return True
    if len(paths) > 1 or paths[0] == STANDARD_INPUT or is_address(paths[0]):
        return len(paths) > 1
    return os.path.isdir(paths[0]) or paths[0].lower().endswith((".zip", ".eml"))


def provenance_of(detector: Detector, strictness: str, selection: Selection) -> Provenance:
    """How the spans of this call come about."""
    from detector import __version__

    return Provenance(
        version=__version__,
        model_name=detector.name,
        model_hash=detector.model_hash,
        strictness=strictness,
        min_confidence=selection.min_confidence,
        only=selection.only,
        ignore=selection.ignore,
        chosen=selection.chosen(),
        precision=detector.setting(strictness).precision,
    )
