"""How much a document may cost to read: a hostile file is an error in one line, not a machine that stands still."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from detector.errors import InputError


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file or address may hold; plain text is read whatever its size.

    ``n_bytes``: of the file itself; ``n_markup``: of a web page. ``n_unpacked``: bytes of all that an archive or a
    document unpacks. ``n_files``: files in an archive; ``n_pages``: pages of a PDF. ``depth``: archives or
    messages inside each other. ``seconds``: for an address, and for a PDF.
    """

    n_bytes: int = 50_000_000
    n_markup: int = 10_000_000
    n_unpacked: int = 300_000_000
    n_files: int = 10_000
    n_pages: int = 10_000
    depth: int = 2
    seconds: float = 60.0


class Clock:
    """The time that is left for one document."""

    def __init__(self, id: str, limits: Limits) -> None:
        self._id, self._seconds = id, limits.seconds
        self._end = time.monotonic() + limits.seconds

    @property
    def left(self) -> float:
        """The seconds that are left; raises InputError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise InputError(f"{self._id}: takes longer than {self._seconds:g} seconds to read: leave it out")
        return left


def needed(load: Callable[[], Any], *, id: str, kind: str, extra: str) -> Any:
    """What ``load`` imports; raises InputError with the command that installs it where it is missing."""
    try:
        return load()
    except ImportError as error:
        name = (error.name or str(error)).split(".")[0]
        raise InputError(
            f"{id}: reading {kind} needs the package {name}: pip install 'rhetoric-detector[{extra}]'"
        ) from None
