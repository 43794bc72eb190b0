"""``detector report``: pages for a browser, of one article, of several, of two side by side, or of a corpus."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli import inputs, options, streams
from detector.cli.annotate import explained, load_detector, provenance_of
from detector.cli.inputs import Failures
from detector.cli.settings import in_force, selection_of
from detector.errors import ConfigError, InputError
from detector.readers.text import STANDARD_INPUT, closed_folders, find_all, find_files, is_address
from detector.report.results import (
    UNFINISHED,
    Result,
    holds_results,
    is_result,
    is_scored,
    is_unfinished,
    read_scored,
    result_files,
)
from detector.report.wording import counted
from detector.selection import Selection

if TYPE_CHECKING:
    from detector.readers.sources import Sources

_MARKER = "assets/report.css"  # a folder that holds this file is one of our reports
_ASIDE = ".report-"  # how the name of a folder with half a report begins
_FOLDERS = ("documents", "data", "assets")  # what a report has beside its index.html


def command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Articles (all that annotate reads), JSON that annotate wrote, - for standard input, "
            "or one folder: of either, or what score wrote.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR",
            help="The page to write; for a folder, the folder of pages.",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Show two texts side by side.")] = False,
    glob: options.GlobOption = None,
    strictness: options.StrictnessOption = None,
    why: options.WhyOption = False,
    model: options.ModelOption = None,
    backend: options.BackendOption = None,
    input: inputs.KindOption = None,
    fetch: inputs.FetchOption = False,
    allow_private: inputs.AllowPrivateOption = False,
    max_size: inputs.MaxSizeOption = None,
    max_unpacked: inputs.MaxUnpackedOption = None,
    language_guard: inputs.GuardOption = None,
) -> None:
    """Make pages to read, share and print.

    Each page is one file that asks for nothing from anywhere. The model is needed for articles only: JSON that
    `detector annotate --format json` wrote has its findings already (and, if --why was said then, the words that
    carried them). A folder becomes a folder of pages: index.html with rates and a table of documents, and a page for
    each document.

    Settings may stand in detector.toml (see `detector config`). What cannot be read is told and left out: exit code 2.
    """
    settings = in_force(
        {
            "glob": glob,
            "strictness": strictness,
            "model": model,
            "backend": backend,
            "max_size": max_size,
            "max_unpacked": max_unpacked,
            "language_guard": language_guard,
        }
    )
    value = {name: setting.value for name, setting in settings.items()}
    reading = inputs.sources(
        kind=input,
        fetch=fetch,
        allow_private=allow_private,
        max_size=value["max_size"],
        max_unpacked=value["max_unpacked"],
    )
    source = Source(
        reading,
        strictness=value["strictness"],
        model=value["model"],
        backend=value["backend"],
        selection=selection_of(settings),
        guard=value["language_guard"],
        why=why,
    )
    make(paths, source, output, glob=value["glob"], compare=compare, searched=glob is not None)
    given = {"--strictness": strictness, "--why": why or None, "--model": model, "--backend": backend}
    idle = ", ".join(flag for flag, one in given.items() if one is not None)
    if idle and source.has_stated:
        streams.say(f"warning: {idle}: no effect on findings that are in a file already: annotate the texts again")
    if source.failures.n_failed:
        raise typer.Exit(2)


def make(
    paths: Sequence[str], source: Source, output: str | None, *, glob: str, compare: bool, searched: bool = False
) -> None:
    """Write the pages that were asked for; none where nothing could be read. ``searched``: see `Source.folder`."""
    if len(paths) == 1 and paths[0] and os.path.isdir(paths[0]):
        if compare:
            raise ConfigError(f"--compare {paths[0]}: is a folder: name two texts")
        results = source.folder(paths[0], glob=glob, searched=searched)
        first = next(results, None)
        if first is not None or not source.failures.n_failed:
            write_corpus(results if first is None else chain([first], results), paths[0], output)
        return
    streams.check_apart(output, paths)
    inputs.check_written(output)
    shown = list(source.files(paths))
    if not shown or (compare and source.failures.n_failed):
        return
    if compare and len(shown) != 2:
        raise ConfigError(f"--compare: {len(shown)} text{'' if len(shown) == 1 else 's'} given: name two")
    with streams.output(output) as write:
        write(page(shown, compare=compare))


class Source:
    """Where results come from: JSON as it is, articles through the detector, which is loaded for the first of them.

    What cannot be read is told of, counted in ``failures``, and left out. ``has_stated``: findings of a file
    are among the results.
    """

    def __init__(
        self,
        reading: Sources,
        *,
        strictness: str,
        model: str | None,
        backend: str,
        selection: Selection,
        guard: str,
        why: bool = False,
    ) -> None:
        self.reading = reading
        self.strictness = strictness
        self.model = model
        self.backend = backend
        self.selection = selection
        self.guard = guard
        self.why = why
        self.failures = Failures()
        self.has_stated = False

    def files(self, paths: Sequence[str]) -> Iterator[Result]:
        """The results of these files in order; neighbouring articles go through the detector together."""
        articles: list[str] = []
        for path in self.failures.report(find_all([*map(_no_folder, paths)])):
            if not inputs.states_findings(path, self.reading.kind):
                articles.append(path)
                continue
            yield from self._annotated(articles)
            articles = []
            yield from self._read([path])
        yield from self._annotated(articles)

    def folder(self, folder: str, *, glob: str, searched: bool = False) -> Iterator[Result]:
        """The results in a folder: of `score`, or of the JSON that annotate wrote, otherwise of its articles.

        Where it is ``searched``, all files that match ``glob`` count, JSON and articles.
        """
        if is_scored(folder):
            return self._scored(folder)
        self.failures.report(closed_folders(folder, glob))
        if searched:
            return self.files(find_files(folder, glob=glob))
        files = result_files(folder)
        if any(map(holds_results, files)):
            with suppress(InputError):
                n_others = len([file for file in find_files(folder, glob=glob) if not is_result(file)])
                if n_others:
                    told = f"warning: {folder}: holds findings: {counted(n_others, 'text')} beside them passed over"
                    streams.say(f"{told}; --glob names what to annotate")
            return self._read(files)
        try:
            return self._annotated(find_files(folder, glob=glob))
        except InputError:
            if not files:
                raise
            return self._read(files)  # which tells of each why it is no result

    def _scored(self, folder: str) -> Iterator[Result]:
        if is_unfinished(folder):
            streams.say(f"{folder}: {UNFINISHED}")
        self.has_stated = True
        yield from self.failures.readable(read_scored(folder))

    def _read(self, files: Iterable[str | Path]) -> Iterator[Result]:
        for file in files:
            for result in self.failures.readable(inputs.stated_findings(file)):
                self.has_stated = True
                yield result

    def _annotated(self, files: Sequence[str]) -> Iterator[Result]:
        if not files:
            return
        documents = inputs.guarded(self.failures.report_unreadable(files, self.reading), self.guard)
        first = next(documents, None)
        if first is None:
            return
        detector = load_detector(self.model, backend=self.backend)
        provenance = provenance_of(detector, self.strictness, self.selection)
        found = detector.annotate(chain([first], documents), strictness=self.strictness)
        kept = inputs.told(self.selection.apply(document) for document in found)
        for document in explained(kept, detector) if self.why else kept:
            yield document, provenance


def page(results: Sequence[Result], *, compare: bool) -> str:
    """The page of these results; jinja2 takes its time to import, so it waits until here."""
    from detector.report.compare import comparison_page
    from detector.report.html import articles_page

    if compare:
        return comparison_page(results[0], results[1], created=today())
    return articles_page(results, created=today())


def write_corpus(results: Iterable[Result], name: str, output: str | None) -> None:
    """Write the pages of a corpus into a folder that is new, empty, or holds an older report.

    Raises InputError where it is anything else, or cannot be written.
    """
    from detector.report.corpus import corpus_files

    if output is None or output == STANDARD_INPUT or output.endswith((".html", ".htm")):
        raise ConfigError(f"{name}: a folder becomes a folder of pages: name one with --output DIR")
    folder = Path(output)
    try:
        _check(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for left in filter(_is_aside, folder.iterdir()):
            shutil.rmtree(left)
        with TemporaryDirectory(prefix=_ASIDE, dir=folder) as part:  # an older report stays until the end
            for path, text in corpus_files(results, name=Path(name).resolve().name, created=today()):
                file = Path(part) / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="")
            _replace(folder, Path(part))
    except OSError as error:
        raise InputError(f"--output {output}: cannot be written ({error.strerror}): name a folder of yours") from None


def today() -> date:
    """The date that pages name: of SOURCE_DATE_EPOCH where it is set, as for a build that can be repeated."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not epoch.isdecimal():
        return datetime.now().astimezone().date()
    try:
        return datetime.fromtimestamp(int(epoch), UTC).date()
    except (ValueError, OverflowError, OSError):
        raise ConfigError(f"SOURCE_DATE_EPOCH {epoch:.40}: is no time in seconds since 1970: unset it") from None


def _check(folder: Path) -> None:
    """Raises InputError for a folder that holds anything but a report, or what a killed run has left of one."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output {folder}: is a file: name a new folder")
    if folder.exists() and not all(map(_is_aside, folder.iterdir())) and not (folder / _MARKER).is_file():
        raise InputError(f"--output {folder}: is not empty and holds no report: name a new folder")


def _is_aside(path: Path) -> bool:
    """Whether half a report lies here, and nothing else."""
    ours = path.name.startswith(_ASIDE) and path.is_dir() and not path.is_symlink()
    return ours and all(inside.name in ("index.html", *_FOLDERS) for inside in path.iterdir())


def _replace(folder: Path, made: Path) -> None:
    """Puts the pages that were made in the place of those of an older report, of which none is left among them."""
    (folder / "index.html").unlink(missing_ok=True)
    for name in _FOLDERS:  # what tells that this is a report goes last, and comes first
        shutil.rmtree(folder / name, ignore_errors=True)
    for part in sorted(made.iterdir()):
        part.rename(folder / part.name)


def _no_folder(path: str) -> str:
    """The path; raises InputError for a folder."""
    if path and not is_address(path) and os.path.isdir(path):
        raise InputError(f"{path}: is a folder among files: make a report of it alone")
    return path
