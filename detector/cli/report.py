"""``detector report``: pages for a browser, of one article, of several, of two side by side, or of a corpus."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from detector.cli import streams
from detector.cli.annotate import Selection, Strictness, load_detector, provenance_of
from detector.errors import ConfigError, InputError
from detector.readers.text import STANDARD_INPUT, find_files, read_standard_input, read_text
from detector.report.results import SUFFIXES, Result, read_result_file, read_results
from detector.spans import Document

_MARKER = "assets/report.css"  # a folder that holds this file is one of our reports


def command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Text files, JSON that annotate wrote, - for standard input, or one folder of either.",
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
    glob: Annotated[
        str, typer.Option(metavar="PATTERN", help="Which texts of a folder without JSON; '**/*.txt' looks inside.")
    ] = "*.txt",
    strictness: Annotated[
        Strictness, typer.Option(help="For texts: mark as little as strict annotators, or as much as sensitive ones.")
    ] = Strictness.BALANCED,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="For texts: a model folder in place of the shipped model.", show_default=False
        ),
    ] = None,
) -> None:
    """Make pages to read, share and print.

    Each page is one file that asks for nothing from anywhere. The model is needed for texts only: JSON that
    `detector annotate --format json` wrote has its findings already. A folder becomes a folder of pages: index.html
    with rates and a table of documents, and a page for each document.
    """
    source = Source(strictness=strictness, model=model)
    if len(paths) == 1 and Path(paths[0]).is_dir():
        if compare:
            raise ConfigError(f"--compare {paths[0]}: is a folder: name two texts")
        write_corpus(source.folder(paths[0], glob=glob), paths[0], output)
        return
    results = list(source.files(paths))
    if compare and len(results) != 2:
        raise ConfigError(f"--compare: {len(results)} text{'' if len(results) == 1 else 's'} given: name two")
    with streams.output(output) as write:
        write(page(results, compare=compare))


class Source:
    """Where results come from: JSON as it is, texts through the detector, which is loaded for the first text."""

    def __init__(self, *, strictness: str, model: str | None) -> None:
        self.strictness = strictness
        self.model = model

    def files(self, paths: Sequence[str]) -> Iterator[Result]:
        """The results of these files in order; neighbouring texts go through the detector together."""
        texts: list[str] = []
        for path in paths:
            if Path(path).is_dir():
                raise InputError(f"{path}: is a folder among files: make a report of it alone")
            if Path(path).suffix not in SUFFIXES:
                texts.append(path)
                continue
            yield from self._annotated(texts)
            texts = []
            yield from read_result_file(path)
        yield from self._annotated(texts)

    def folder(self, folder: str, *, glob: str) -> Iterator[Result]:
        """The results in a folder: of its JSON where it has some, otherwise of its texts."""
        if any(path.suffix in SUFFIXES for path in Path(folder).rglob("*")):
            return read_results(folder)
        return self._annotated(find_files(folder, glob=glob))

    def _annotated(self, files: Sequence[str]) -> Iterator[Result]:
        if not files:
            return
        documents = (_read(file) for file in files)
        detector = load_detector(self.model)
        provenance = provenance_of(detector, self.strictness, Selection())
        for document in detector.annotate(documents, strictness=self.strictness):
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
        _prepare(folder)
        for path, text in corpus_files(results, name=Path(name).resolve().name, created=today()):
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"--output {output}: cannot be written ({error.strerror}): name a folder of yours") from None


def today() -> date:
    """The date that pages name: of SOURCE_DATE_EPOCH where it is set, as for a build that can be repeated."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch), UTC).date() if epoch.isdecimal() else datetime.now().astimezone().date()


def _prepare(folder: Path) -> None:
    """Take the pages of an older report away, so that none of them is left among the new ones."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output {folder}: is a file: name a new folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).is_file():
        raise InputError(f"--output {folder}: is not empty and holds no report: name a new folder")
    (folder / "index.html").unlink(missing_ok=True)
    for part in ("documents", "data"):
        shutil.rmtree(folder / part, ignore_errors=True)


def _read(file: str) -> Document:
    return read_standard_input(sys.stdin.buffer) if file == STANDARD_INPUT else read_text(file)
