"""What all corpus formats share: the `Corpus`, the checks, and what becomes of a bad record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.errors import CorpusError, TechniqueError
from detector.spans import Document, Span
from detector.techniques import NAMES, Inventory, inventory, inventory_names, join

UNNAMED = ""
"""The technique of a span whose row names none: such spans serve SI, or wait to be classified."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents with the spans that people annotated, and the inventory that they used.

    ``skipped`` has a message for each bad record that was left out because the caller asked for that.
    """

    name: str
    documents: tuple[Document, ...]
    inventory: Inventory
    skipped: tuple[str, ...] = ()


class BadRecord(Exception):
    """Why one record cannot be used; its reader adds the place."""


class Problems:
    """The bad records of a corpus: the first one raises CorpusError, or with ``skip_bad`` their messages are kept."""

    def __init__(self, *, skip_bad: bool) -> None:
        self._skip_bad = skip_bad
        self._messages: list[str] = []

    def add(self, place: Path | str, problem: object) -> None:
        """Raises or keeps ``place: problem``."""
        message = f"{place}: {problem}"
        if not self._skip_bad:
            raise CorpusError(f"{message} (correct it, or leave such records out with --skip-bad)")
        self._messages.append(str(CorpusError(message)))

    @property
    def skipped(self) -> tuple[str, ...]:
        """The messages that were kept, one line each."""
        return tuple(self._messages)


def checked_span(technique: str, start: object, end: object, text: str) -> Span:
    """The span, if its offsets are whole numbers inside the text; otherwise raises BadRecord."""
    if type(start) is not int or type(end) is not int:  # a bool is an int, too, but no offset
        raise BadRecord(f"span [{start!r}, {end!r}) needs whole numbers")
    if start < 0:
        raise BadRecord(f"span [{start}, {end}) starts before the text")
    if end <= start:
        raise BadRecord(f"span [{start}, {end}) must end after it starts")
    if end > len(text):
        raise BadRecord(f"span [{start}, {end}) ends after the text ({len(text)} characters)")
    return Span(start, end, technique)


def checked_id(id: object, seen: Iterable[str]) -> str:
    """The id, if it is a string that no earlier document has; otherwise raises BadRecord."""
    if not isinstance(id, str) or not id:
        raise BadRecord(f"the id {id!r} must be a string that is not empty")
    if id in seen:
        raise BadRecord(f"the id {id!r} occurs twice")
    return id


def slug_of(name: object, known: Inventory) -> str:
    """The slug, or slugs joined by ``+``, of a technique in our spelling or this inventory's; or raises BadRecord."""
    if not isinstance(name, str):
        raise BadRecord(f"the technique {name!r} must be a string")
    slugs = name.split("+")
    if set(slugs).issubset(NAMES):
        return join(slugs)
    try:
        return known.slug(name)
    except TechniqueError as error:
        raise BadRecord(error) from None


def slug_in(row: Mapping[str, Any], known: Inventory, *, named: bool) -> str:
    """The slug of the technique in a row; `UNNAMED` where it has none and need not be ``named``."""
    technique = row.get("technique")
    return UNNAMED if not named and technique in (None, "", "?") else slug_of(technique, known)


def closest_inventory(names: Iterable[object]) -> Inventory:
    """The smallest of the inventories that know the most of these names.

    Unlike `techniques.guess_inventory` it lets unknown names pass: their readers name the line that has them.
    """
    given = {part for name in names if isinstance(name, str) for part in (name, *name.split("+"))}
    smallest_first = sorted(map(inventory, inventory_names()), key=lambda known: len(known.names))
    return max(smallest_first, key=lambda known: len(given.intersection(known.names)))


def read_bytes(path: Path) -> bytes:
    """The bytes of a file; raises CorpusError where there are none to be had."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CorpusError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise CorpusError(f"{path}: is a folder where a file is expected; name the file in it") from None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None


def decoded(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file as it is: no line end changed, a byte order mark kept unless the encoding drops it.

    Raises CorpusError for a file that cannot be read, BadRecord for one that is not UTF-8.
    """
    data = read_bytes(path)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadRecord(f"byte {data[error.start]:#04x} in line {line} is not UTF-8") from None


def lines_of(path: Path, problems: Problems) -> Iterator[tuple[str, str]]:
    """The place (``file:line``) and text of each line that is not blank; lines that are not UTF-8 are problems."""
    for number, line in enumerate(read_bytes(path).removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        place = f"{path}:{number}"
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            problems.add(place, f"byte {line[error.start]:#04x} is not UTF-8")
            continue
        if text.strip():
            yield place, text.removesuffix("\r")
