"""What the commands that read documents share: the options, what failed, and what was warned about."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from detector.cli import streams
from detector.errors import ConfigError, InputError
from detector.readers.text import STANDARD_INPUT, is_address

if TYPE_CHECKING:
    from detector.readers.sources import Sources
    from detector.report.results import Result
    from detector.spans import Document

T = TypeVar("T")


class Kind(StrEnum):
    """The kinds of sources that can be named where the suffix does not tell."""

    TEXT = "text"
    HTML = "html"
    MHTML = "mhtml"
    PDF = "pdf"
    DOCX = "docx"
    EPUB = "epub"
    SUBTITLES = "subtitles"
    EMAIL = "email"
    ZIP = "zip"


class Guard(StrEnum):
    """What becomes of a text in a language that the model was not trained on."""

    WARN = "warn"
    SKIP = "skip"
    OFF = "off"


KindOption = Annotated[
    Kind | None,
    typer.Option("--input", metavar="KIND", help=f"What the files are ({', '.join(Kind)}), whatever their suffix."),
]
FetchOption = Annotated[bool, typer.Option("--fetch", help="Fetch what is named by an http or https address.")]
AllowPrivateOption = Annotated[
    bool, typer.Option("--allow-private", help="Fetch from private and loopback addresses, too.")
]
MaxSizeOption = Annotated[
    int | None, typer.Option(min=1, metavar="MB", help="Largest document or page (50).", show_default=False)
]
MaxUnpackedOption = Annotated[
    int | None, typer.Option(min=1, metavar="MB", help="Most that one file may unpack to (300).", show_default=False)
]
SaveTextOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Keep the extracted texts, which offsets refer to.", show_default=False),
]
GuardOption = Annotated[
    Guard | None,
    typer.Option(
        "--language-guard", help="What to do with texts in other languages than English.", show_default="warn"
    ),
]


_MOST_MEGABYTES = 1_000_000_000
"""No file is larger: whoever asks for more wants no limit, and sizes stay numbers that a system can count."""


def sources(*, kind: str | None, fetch: bool, allow_private: bool, max_size: int, max_unpacked: int) -> Sources:
    """How the options say that sources are read; sizes in megabytes."""
    from detector.readers.limits import Limits
    from detector.readers.sources import Sources

    n_bytes, n_unpacked = (min(size, _MOST_MEGABYTES) * 1_000_000 for size in (max_size, max_unpacked))
    limits = Limits(n_bytes=n_bytes, n_unpacked=n_unpacked)
    return Sources(str(kind) if kind else None, fetch, allow_private, limits)


def check_written(output: str | None) -> None:
    """Raises ConfigError for a file whose suffix means a kind that is read and not written, such as a PDF."""
    from detector.readers.sources import SUFFIXES

    suffix = Path(output or "").suffix.lower()
    if SUFFIXES.get(suffix, "text") not in ("text", "html"):
        raise ConfigError(f"--output {output}: {suffix} files are read, not written: take .html, to read and to print")
    if suffix in streams.NOT_WRITTEN:
        raise ConfigError(f"--output {output}: {suffix} files are not written: take .html, .csv or another")


def states_findings(path: str, kind: str | None) -> bool:
    """Whether a path is JSON that annotate wrote: by its name; of standard input by how it begins."""
    from detector.report.results import begins_result, is_result

    if path != STANDARD_INPUT:
        return not is_address(path) and is_result(path)
    stream: Any = getattr(sys.stdin, "buffer", None)
    return kind is None and hasattr(stream, "peek") and begins_result(stream.peek(64))


def stated_findings(path: str | Path) -> Iterator[Result | InputError]:
    """The annotated documents of a file or of standard input (see `read_result_file`)."""
    from detector.report.results import read_result_file

    return read_result_file(path, stdin=sys.stdin.buffer if path == STANDARD_INPUT else None)


class Failures:
    """Counts the inputs that failed, and tells each on standard error."""

    def __init__(self) -> None:
        self.n_failed = 0

    def report(self, found: Iterable[str | InputError]) -> list[str]:
        """The files among what was found; each error is reported."""
        return list(self.readable(found))

    def report_unreadable(self, files: Iterable[str], sources: Sources) -> Iterator[Document]:
        """The documents of the files, read one by one; what cannot be read is reported."""
        # A program that runs in the background may have no standard input at all.
        return self.readable(sources.read_all(files, stdin=getattr(sys.stdin, "buffer", None)))

    def readable(self, items: Iterable[T | InputError]) -> Iterator[T]:
        """The items as they come; an error among them is reported."""
        for item in items:
            if isinstance(item, InputError):
                self.n_failed += 1
                streams.say(f"error: {item}")
            else:
                yield item


def guarded(documents: Iterable[Document], guard: str) -> Iterator[Document]:
    """The documents; those in other languages than the model's have a warning, or with ``skip`` are left out."""
    if guard == Guard.OFF:
        yield from documents
        return
    from detector.readers.language import unknown_language

    for document in documents:
        reason = unknown_language(document.text)
        if reason is None:
            yield document
        elif guard == Guard.WARN:
            yield document.with_warnings([f"{reason}: do not trust the findings"])
        else:
            streams.say(f"warning: {document.id}: {reason}: left out")


def told(documents: Iterable[Document]) -> Iterator[Document]:
    """The documents, after the warnings that came with each."""
    for document in documents:
        for warning in document.warnings:
            streams.say(f"warning: {document.id}: {warning}")
        yield document


def saved(documents: Iterable[Document], folder: Path | None, *, read: Iterable[str] = ()) -> Iterator[Document]:
    """The documents, the text of each kept in a file of the folder; raises ConfigError where that fails.

    A second text that would get the name of another one gets a longer one. No file that is ``read`` is replaced.
    """
    hashes: dict[str, str] = {}
    taken = streams.identities(read) if folder is not None else set()
    for document in documents:
        if folder is not None:
            from detector.spans import text_hash
            from detector.writers.brat import file_name

            name = file_name(document.id)
            name = name if name.endswith(".txt") else f"{name}.txt"
            while hashes.setdefault(name, text_hash(document.text)) != text_hash(document.text):
                name += ".txt"
            _check_not_read(folder / name, taken, f"--save-text {folder}")
            try:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(document.text.encode("utf-8", "replace"))
            except OSError as error:
                raise ConfigError(f"--save-text {folder}: cannot be written ({error.strerror}): name another") from None
        yield document


def apart(
    documents: Iterable[Document], folder: Path, files: Callable[[Document], Iterable[str]], *, read: Iterable[str]
) -> Iterator[Document]:
    """The documents; raises ConfigError before one whose ``files`` in the folder would replace what is ``read``."""
    taken = streams.identities(read)
    for document in documents:
        for name in files(document):
            _check_not_read(folder / name, taken, f"--output {folder}")
        yield document


def _check_not_read(file: Path, taken: set[tuple[int, int]], place: str) -> None:
    if streams.identities([str(file)]) & taken:
        raise ConfigError(f"{place}: {file.name} there is read and is not replaced: name another folder")
