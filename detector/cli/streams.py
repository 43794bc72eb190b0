"""Where results and messages go, and whether they may be coloured."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import typer

from detector.errors import ConfigError, InputError
from detector.report.terminal import Style
from detector.report.visible import visible

_PACKED, _OFFICE = (".gz", ".zst", ".bz2", ".xz"), (".xlsx", ".xls", ".ods", ".odt", ".doc", ".rtf")
NOT_WRITTEN = frozenset((*_PACKED, *_OFFICE, ".xml", ".yaml", ".yml", ".png", ".svg"))
"""Suffixes that mean a kind of file which nothing here writes: what is in it would be another."""
STANDARD_OUTPUT = "-"
PIPE_WIDTH = 100
PIPE_CLOSED = 141  # what a shell reports for a program that a closed pipe has ended

Write = Callable[[str | bytes], None]

ColourOption = Annotated[
    bool | None,
    typer.Option(
        "--colour/--no-colour",
        "--color/--no-color",
        help="Colour or none; by default as the terminal and NO_COLOR say.",
    ),
]


def say(message: str) -> None:
    """Write one line to standard error, what a terminal would obey made visible; nowhere where that cannot be written.

    A message that is lost stops no work.
    """
    if sys.stderr is None:
        return
    with suppress(OSError, ValueError):
        typer.echo(visible(message).replace("\n", " "), err=True)


def emit(piece: str | bytes) -> None:
    """Write a piece of the result to standard output, whole; a reader that has gone away ends the program quietly."""
    if sys.stdout is None:
        raise InputError("standard output is closed: name a file with --output FILE")
    encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
    try:
        # Bytes, because a text stream would change the line ends of the article on some systems.
        _write(sys.stdout.buffer, piece, place="standard output", encoding=encoding)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit would complain
        raise typer.Exit(PIPE_CLOSED) from None


@contextmanager
def output(path: str | None, *, worth: Callable[[], bool] = lambda: True) -> Iterator[Write]:
    """A function that writes pieces of the result: to standard output for None and ``-``, else to a file.

    The file appears under its name when the block ends without an error and something was written, or nothing was and
    that is ``worth`` a file; until then an older file stays as it is. What is no file of its own, such as a device, a
    pipe or ``/dev/stdout``, is written to as it goes. Raises InputError where it cannot be made.
    """
    if path is None or path == STANDARD_OUTPUT:
        yield emit
        return
    if _is_descriptor(path) or (_exists(Path(path), shown=path) and not Path(path).is_file()):
        with _opened(Path(path), shown=path, mode="ab") as stream:
            yield lambda piece: _write_through(stream, piece, place=f"--output {path}")
        return
    target = Path(path).resolve()  # a link keeps pointing where it points
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    with _opened(part, shown=path) as stream:
        try:
            yield lambda piece: _write(stream, piece, place=f"--output {path}")
            n_bytes = stream.tell()
            stream.close()
            wanted = n_bytes > 0 or worth()
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    if wanted:
        _put(part, target, shown=path)
    part.unlink(missing_ok=True)


def check_apart(output: str | None, paths: Iterable[str]) -> None:
    """Raises ConfigError where a result would take the place of what it is made of."""
    if output not in (None, STANDARD_OUTPUT) and identities([str(output)]) & identities(paths):
        raise ConfigError(f"{output}: is read and cannot be the output, too: name another file")


def files_in(folder: Path | None) -> list[Path]:
    """What is in a folder; nothing where it cannot be looked into, which is told of where it is read."""
    try:
        return list(folder.iterdir()) if folder else []
    except OSError:
        return []


def identities(paths: Iterable[str]) -> set[tuple[int, int]]:
    """What the paths lead to, whatever they are called; devices and pipes are left out, and what is not there."""
    found = set()
    for path in paths:
        with suppress(OSError, ValueError):  # what cannot be looked at is told of where it is read
            status = os.stat(path)
            if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
                found.add((status.st_dev, status.st_ino))
    return found


def on_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def style(*, colour: bool | None, to_file: bool) -> Style:
    """How results are shown where they go: on a terminal, in a pipe, or in a file that ``--output`` names."""
    terminal = not to_file and on_terminal()
    coloured = bool(colour) if to_file else wants_colour(colour, terminal=terminal, environment=os.environ)
    width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns if terminal else _columns(os.environ) or PIPE_WIDTH
    return Style(colour=coloured, safe=terminal or coloured, width=width)


def wants_colour(choice: bool | None, *, terminal: bool, environment: Mapping[str, str]) -> bool:
    """Whether to colour: the user's choice, else NO_COLOR, FORCE_COLOR and TERM=dumb in this order, else a terminal."""
    if choice is not None:
        return choice
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return terminal and environment.get("TERM") != "dumb"


def _columns(environment: Mapping[str, str]) -> int:
    """The width that COLUMNS asks for; 0 where it is not set or no number."""
    columns = environment.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and len(columns) < 6 else 0


def _is_descriptor(path: str) -> bool:
    """Whether a path stands for what this process has open already: a file behind it goes on, and is not replaced."""
    whole = os.path.abspath(path)
    return whole in ("/dev/stdout", "/dev/stderr") or whole.startswith(("/dev/fd/", "/proc/"))


def _exists(file: Path, *, shown: str) -> bool:
    try:
        return file.exists()
    except OSError as error:
        raise InputError(f"--output {shown}: cannot be written ({error.strerror}): name a file of yours") from None


def _put(part: Path, target: Path, *, shown: str) -> None:
    """Gives a whole file its name; a file that cannot be replaced, such as one mounted by itself, is filled anew.

    Where filling it fails, the older file may be lost: the whole one stays where it is, and the error says where.
    """
    with suppress(OSError):
        os.replace(part, target)
        return
    try:
        shutil.copyfile(part, target)
    except OSError as error:
        raise InputError(f"--output {shown}: cannot be written ({error.strerror}): the result is in {part}") from None


def _opened(file: Path, *, shown: str, mode: Literal["wb", "ab"] = "wb") -> BinaryIO:
    try:
        return file.open(mode)
    except OSError as error:
        reason = "there is no such folder" if isinstance(error, FileNotFoundError) else error.strerror
        raise InputError(f"--output {shown}: cannot be written ({reason}): name a file in a folder of yours") from None


def _write_through(stream: BinaryIO, piece: str | bytes, *, place: str) -> None:
    """The same where somebody may read at the other end; one who has gone away ends the program quietly."""
    try:
        _write(stream, piece, place=place)
    except BrokenPipeError:
        with suppress(OSError):  # closing tries once more to write
            stream.close()
        raise typer.Exit(PIPE_CLOSED) from None


def _write(stream: BinaryIO, piece: str | bytes, *, place: str, encoding: str = "utf-8") -> None:
    """Write and flush; raises InputError where the device is full or gone."""
    try:
        stream.write(piece if isinstance(piece, bytes) else piece.encode(encoding, "replace"))
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        with suppress(OSError):  # closing tries once more to write, and must not complain a second time later
            stream.close()
        raise InputError(f"{place}: cannot be written ({error.strerror}): make room or write elsewhere") from None
