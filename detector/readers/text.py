"""Plain text → `Document`: files, folders and standard input.

The encoding is what the byte-order mark says, else UTF-8, else a guess, which leaves a sentence in
``meta["warnings"]``: Windows-1252 or Mac Roman where few bytes are not ASCII, else the best one of charset-normalizer.
The text is decoded and otherwise left alone: line ends stay as they are, and so do
the marks of Markdown. The byte-order mark is a signature of the encoding and no part of the text, whichever encoding it
is of, so one article has the same offsets in all of them. ``meta["encoding"]`` is the name with which
``open(path, encoding=..., newline="").read()`` gives the very text that offsets index.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

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

# What servers, pages and mail call so by default: it is UTF-8, or has the quotation marks of Windows-1252.
_LATIN_1 = frozenset({"iso-8859-1", "iso8859-1", "latin-1", "latin1", "us-ascii", "ascii"})

# What texts are really saved in; a guess among all that Python knows would often be an exotic one.
_GUESSES = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "iso8859_2", "iso8859_15"),
    *("koi8_r", "koi8_u", "mac_roman", "shift_jis", "cp932", "euc_jp", "euc_kr", "gb18030", "big5"),
)
_LATIN = frozenset({"cp1250", "cp1254", "cp1257", "iso8859_2", "iso8859_15"})
_ENOUGH = 65_536  # bytes that a guess looks at
_PIECE = 1_048_576
_FEW = 0.2  # of the bytes: more than these, and the text is hardly in Latin letters
# Four unlike bytes in a row that are not ASCII: a word in other letters than Latin ones.
_OTHER_LETTERS = re.compile(rb"(?:([\x80-\xff])(?!\1)){4}")
_NOT_ASCII = re.compile("[^\x00-\x7f]")
_IN_WORDS = frozenset("’‘–—…·\xad")  # marks that stand between two letters
_NOT_TEXT = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f]")


def read_text(path: str | Path) -> Document:
    """The document in a text file; its id is the path as given, with forward slashes.

    An empty file is an empty document. Raises InputError for a folder, for a file that is missing or cannot be
    read, and for bytes that are not text.
    """
    return read_bytes(file_bytes(path), id=path if isinstance(path, str) else path.as_posix())


def file_bytes(path: str | Path, *, n_bytes: int | None = None) -> bytes:
    """The bytes of a file, at most ``n_bytes`` of them; raises InputError where there are none or more than these."""
    try:
        with Path(path).open("rb") as stream:
            pieces = iter(partial(stream.read, _PIECE), b"")  # memory for what there is, not for what may be
            data = b"".join(pieces if n_bytes is None else islice(pieces, n_bytes // _PIECE + 1))
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder where a file is meant: name a file in it") from None
    except OSError as error:
        raise InputError(_refusal(path, error)) from None
    if n_bytes is not None and len(data) > n_bytes:
        raise too_large(path, n_bytes)
    return data


def too_large(place: str | Path, n_bytes: int) -> InputError:
    """The error about a file of more bytes than these."""
    return InputError(f"{place}: has more than {n_bytes:,} bytes: raise the limit with --max-size, or split it")


def read_bytes(data: bytes, *, id: str) -> Document:
    """The document in these bytes; raises InputError, with ``id`` as the place, where they are not text."""
    text, encoding, warnings = decode_text(data, id=id)
    if (nul := text.find("\0")) >= 0:
        raise InputError(
            f"{id}: character {nul} is NUL, which no text contains: "
            "give a text file (UTF-16 needs its byte-order mark; saving as UTF-8 always works)"
        )
    return Document(id, text, meta={"encoding": encoding, **({"warnings": warnings} if warnings else {})})


def decode_text(data: bytes, *, id: str, declared: str | None = None) -> tuple[str, str, list[str]]:
    """The text of these bytes, the encoding it was in, and a warning if that had to be guessed.

    ``declared`` is an encoding that something else states, such as a web page; a byte-order mark is stronger. Raises
    InputError, with ``id`` as the place, for bytes that are text in no encoding.
    """
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    loosely = not marked and declared is not None and declared.lower() in _LATIN_1
    for encoding in ("utf-8", "cp1252") if loosely else filter(None, (marked or declared, "utf-8")):
        try:
            return data.decode(encoding), encoding, []
        except UnicodeDecodeError as problem:
            if marked:
                raise InputError(_undecodable(id, problem)) from None
            if encoding == "utf-8":  # which is always tried
                error = problem
        except LookupError:  # a page may state any nonsense
            continue
    return _guessed(data, id, error)


def _guessed(data: bytes, id: str, error: UnicodeDecodeError) -> tuple[str, str, list[str]]:
    from charset_normalizer import from_bytes  # here and not above: hardly a text needs it

    if b"\0" in data[:_ENOUGH]:  # no guess has one: a binary file, or UTF-16 without its mark
        raise InputError(_undecodable(id, error)) from None
    # The part around the first byte that is not UTF-8: the start of the file may be plain ASCII.
    start = max(0, error.start - _ENOUGH // 2)
    part = data[start : start + _ENOUGH]
    encoding = _western(part)
    if encoding is None or not _readable(data, encoding):
        best = from_bytes(part, cp_isolation=list(_GUESSES)).best()
        encoding = best.encoding if best else "ascii"
        if best and (encoding in _LATIN or "cp1252" in best.could_be_from_charset):
            # A few bytes do not tell them apart, and English is likely.
            encoding = _readable(data, "cp1252") or encoding
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if _NOT_TEXT.search(text):
        raise InputError(_undecodable(id, error)) from None
    warning = f"not UTF-8 (byte {error.start}): read as {encoding}, which is a guess: save it as UTF-8 to be sure"
    return text, encoding, [warning]


def _readable(data: bytes, encoding: str) -> str | None:
    """The encoding, if these bytes are text in it."""
    try:
        return None if _NOT_TEXT.search(data.decode(encoding)) else encoding
    except UnicodeDecodeError:
        return None


def _western(part: bytes) -> str | None:
    """cp1252 or mac_roman, if few bytes are not ASCII and, read so, they fit between their neighbours; else None.

    Too few bytes for statistics: the same ones are Japanese to charset-normalizer, or Mac Roman.
    """
    n_others = sum(byte > 0x7F for byte in part)
    if n_others > _FEW * len(part) or _OTHER_LETTERS.search(part) or not _readable(part, "cp1252"):
        return None
    n_odd = {encoding: _n_odd(part.decode(encoding)) for encoding in ("cp1252", "mac_roman")}
    best = min(n_odd, key=lambda encoding: n_odd[encoding])  # where both fit as well, the first: cp1252
    return best if n_odd[best] <= n_others / 4 else None


def _n_odd(text: str) -> int:
    """How many characters beyond ASCII stand where no Western text has them: ``cafÈ``, ``canÕt``, ``Z¸rich``."""
    found = (match.start() for match in _NOT_ASCII.finditer(text))
    return sum(_is_misfit(text[at - 1 : at], text[at], text[at + 1 : at + 2]) for at in found)


def _is_misfit(before: str, character: str, after: str) -> bool:
    """Whether a character beyond ASCII would not stand between these two in a Western text."""
    within = before.isalpha(), after.isalpha()
    if not character.isalpha():
        lonely = character in "¡¿" and not after.isalpha()
        return lonely or (all(within) and character not in _IN_WORDS) or not _on_windows(character)
    if not any(within):
        initial = character.isupper() and after == "."
        return not initial and character not in "àÀªº"
    capital_within = character.isupper() and before.islower()
    return capital_within or (character.islower() and after.isupper()) or not _on_windows(character)


def _on_windows(character: str) -> bool:
    """Whether Windows has it, too: what only the Macintosh had, such as ``∞``, is hardly ever meant."""
    return bool(character.encode("cp1252", "ignore"))


def is_address(path: str) -> bool:
    """Whether a PATH argument is the address of something on a network, of whatever kind."""
    return "://" in path[:20] and not path.startswith(("/", "."))


def is_byproduct(name: str) -> bool:
    """Whether a file is none that a person put there, but the Finder (``._a.txt``), or Office while a file is open."""
    return name.startswith(("._", "~$"))


def find_files(path: str, *, glob: str = "*.txt") -> list[str]:
    """The files that a PATH argument means: itself, or in a folder the sorted files that match ``glob``.

    ``**/*.txt`` also searches the folders inside. ``-``, an address and whatever else is no folder is returned as it
    is. Raises InputError for a missing path, for a folder without a match, and for a pattern that is none.
    """
    if path == STANDARD_INPUT or is_address(path):
        return [path]
    if not path:  # which Path would take for the working folder: the usual slip is an unset variable
        raise InputError("'': an empty path names no file: name a file or a folder, such as '.'")
    folder = Path(path)
    try:
        if not folder.exists():
            raise InputError(f"{path}: there is no such file or folder: check the spelling")
        if folder.is_dir():
            next(folder.iterdir(), None)  # or a folder that may not be read would look like an empty one
            return sorted(_matches(folder, glob))
    except OSError as error:
        raise InputError(_refusal(path, error)) from None
    return [path]


def find_all(paths: Sequence[str], *, glob: str = "*.txt") -> Iterator[str | InputError]:
    """What `find_files` finds for each path in turn: file names, or its error in the place of a path's files.

    A file or address that was found already, by whatever path, is passed over. A second ``-`` is an error, because
    standard input can be read only once.
    """
    found: set[str] = set()
    for i, path in enumerate(paths):
        if path == STANDARD_INPUT and path in paths[:i]:
            yield InputError("-: standard input can be read only once: name it once")
            continue
        try:
            for file in find_files(path, glob=glob):
                place = file if file == STANDARD_INPUT or is_address(file) else os.path.realpath(file)
                if place not in found:
                    found.add(place)
                    yield file
            yield from closed_folders(path, glob)
        except InputError as error:
            yield error


def closed_folders(path: str, glob: str) -> Iterator[InputError]:
    """An error for each folder inside a folder that `find_files` could not look into: with ``**`` it should have."""
    if "**" in glob and not is_address(path) and os.path.isdir(path):
        errors: list[OSError] = []
        for _ in os.walk(path, onerror=errors.append):
            pass
        yield from (InputError(_refusal(Path(error.filename).as_posix(), error)) for error in errors)


def _matches(folder: Path, glob: str) -> list[str]:
    try:
        found = [file.as_posix() for file in folder.glob(glob) if not (file.is_dir() or is_byproduct(file.name))]
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
