"""Plain text → `Document`: files, folders and standard input.

A text is UTF-8, or UTF-16 or UTF-32 with a byte-order mark. It is decoded and otherwise left alone: line ends stay as
they are. The byte-order mark is a signature of the encoding and no part of the text, whichever encoding it is of, so
one article has the same offsets in all of them. ``meta["encoding"]`` is the name with which
``open(path, encoding=..., newline="").read()`` gives the very text that offsets index.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from detector.errors import InputError
from detector.spans import Document

STANDARD_INPUT = "-"
"""The path that means standard input, and the id of the document read from it."""

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)


def read_text(path: str | Path) -> Document:
    """The document in a text file; its id is the path as given, with forward slashes.

    An empty file is an empty document. Raises InputError for a folder, for a file that is missing or cannot be
    read, and for bytes that are not text.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder where a file is meant: name a file in it") from None
    except OSError as error:
        raise InputError(_refusal(path, error)) from None
    return read_bytes(data, id=path if isinstance(path, str) else file.as_posix())


def read_standard_input(stream: BinaryIO) -> Document:
    """The document in a stream of bytes, read to its end; its id is ``-``. Raises InputError as `read_text` does."""
    return read_bytes(stream.read(), id=STANDARD_INPUT)


def read_bytes(data: bytes, *, id: str) -> Document:
    """The document in these bytes; raises InputError, with ``id`` as the place, where they are not text."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(_undecodable(id, error)) from None
    if (nul := text.find("\0")) >= 0:
        raise InputError(
            f"{id}: character {nul} is NUL, which no text contains: "
            "give a text file (UTF-16 needs its byte-order mark; saving as UTF-8 always works)"
        )
    return Document(id, text, meta={"encoding": encoding})


def find_files(path: str, *, glob: str = "*.txt") -> list[str]:
    """The files that a PATH argument means: itself, or in a folder the sorted files that match ``glob``.

    ``**/*.txt`` also searches the folders inside. ``-`` and whatever else is no folder is returned as it is. Raises
    InputError for a missing path, for a folder without a match, and for a pattern that is none.
    """
    if path == STANDARD_INPUT:
        return [path]
    if not path:  # which Path would take for the working folder: the usual slip is an unset variable
        raise InputError("'': an empty path names no file: name a file or a folder, such as '.'")
    folder = Path(path)
    if not folder.exists():
        raise InputError(f"{path}: there is no such file or folder: check the spelling")
    return sorted(_matches(folder, glob)) if folder.is_dir() else [path]


def find_all(paths: Sequence[str], *, glob: str = "*.txt") -> Iterator[str | InputError]:
    """What `find_files` finds for each path in turn: file names, or its error in the place of a path's files.

    A second ``-`` is an error too, because standard input can be read only once.
    """
    for i, path in enumerate(paths):
        if path == STANDARD_INPUT and path in paths[:i]:
            yield InputError("-: standard input can be read only once: name it once")
            continue
        try:
            yield from find_files(path, glob=glob)
        except InputError as error:
            yield error


def _matches(folder: Path, glob: str) -> list[str]:
    try:
        found = [file.as_posix() for file in folder.glob(glob) if not file.is_dir()]
    except (ValueError, NotImplementedError, IndexError):
        raise InputError(f"--glob {glob!r}: is no pattern for files inside a folder: try '**/*.txt'") from None
    except OSError as error:
        raise InputError(_refusal(folder.as_posix(), error)) from None
    if not found:
        raise InputError(f"{folder.as_posix()}: no file in this folder matches {glob!r}: choose with --glob")
    return found


def _refusal(path: str | Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{path}: there is no such file: check the spelling"
    return f"{path}: cannot be read ({error.strerror or error}): check the file and its permissions"


def _undecodable(id: str, error: UnicodeDecodeError) -> str:
    name = {"utf-8-sig": "UTF-8"}.get(error.encoding, error.encoding.upper())
    value = f" (0x{error.object[error.start]:02X})" if error.start < len(error.object) else ""
    return f"{id}: byte {error.start}{value} is not valid {name}: save the file as UTF-8"
