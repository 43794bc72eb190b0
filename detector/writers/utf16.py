"""Offsets in UTF-16 code units, as JavaScript counts, ↔ offsets in code points, as this package does."""

from __future__ import annotations

import bisect
import re

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


class Utf16Index:
    """Positions of one text in both units.

    >>> index = Utf16Index("a😀b")
    >>> index.units(2), index.points(3), index.points(2)
    (3, 2, None)
    """

    def __init__(self, text: str) -> None:
        self._astral = [found.start() for found in _ASTRAL.finditer(text)]
        self._units = [start + i for i, start in enumerate(self._astral)]

    def units(self, point: int) -> int:
        """The code units before a code point."""
        return point + bisect.bisect_left(self._astral, point)

    def points(self, unit: int) -> int | None:
        """The code points before a code unit; None in the middle of a character."""
        n_before = bisect.bisect_left(self._units, unit)
        if n_before and self._units[n_before - 1] == unit - 1:
            return None
        return unit - n_before
