"""Zip archives → the documents in them, in the order of their names; ``news.zip!a/b.txt`` is the id of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from detector.errors import InputError
from detector.readers.limits import Limits
from detector.readers.package import Package, opened
from detector.spans import Document


class ReadPart(Protocol):
    """Reads a file of an archive: its bytes, its id, and how many archives it lies in."""

    def __call__(self, data: bytes, *, id: str, depth: int) -> Iterator[Document | InputError]:
        """What is in the file, or why it cannot be read."""


def read_archive(
    data: bytes, *, id: str, limits: Limits, depth: int, known: tuple[str, ...], read: ReadPart
) -> Iterator[Document | InputError]:
    """What ``read`` makes of each file in an archive whose suffix is ``known``; errors stand in a file's place.

    Of files with one name the last is read, which unpacking would leave, too, and has a warning. What all its files
    unpack to counts together. Raises InputError for a damaged or too deep archive.
    """
    if depth >= limits.depth:
        raise InputError(f"{id}: lies in {depth} archives or messages, one in the other: unpack it and name the folder")
    with opened(data, id=id, limits=limits) as package:
        names = Counter(name for name in package.names() if _is_document(name, known))
        if not names:
            raise InputError(f"{id}: no file in this archive is of a kind that can be read ({', '.join(known)})")
        for name, n in sorted(names.items()):
            told = [f"{n} files of the archive have this name: the last one was read"] if n > 1 else []
            for item in _part(package, name, id=id, depth=depth, read=read):
                yield item.with_warnings(told) if isinstance(item, Document) else item


def _part(package: Package, name: str, *, id: str, depth: int, read: ReadPart) -> Iterator[Document | InputError]:
    try:
        yield from read(package.read(name), id=f"{id}!{name}", depth=depth + 1)
    except InputError as error:
        yield error


def _is_document(name: str, known: tuple[str, ...]) -> bool:
    """Whether a file is one that a person put there: of a known kind, and no hidden one, the Finder's or Office's."""
    parts = [part for part in name.split("/") if part != "."]
    return name.lower().endswith(known) and not any(part.startswith((".", "__MACOSX", "~$")) for part in parts)
