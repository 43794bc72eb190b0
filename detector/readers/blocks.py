"""The text of a document that is made of blocks (paragraphs, headings, list items): blank lines between them.

The text is built once and is from then on the canonical text, which all offsets index. What a plain text cannot say
goes into ``meta``, in JSON types: ``block_quotes`` are the ranges ``[start, end]`` of block quotes, ``anchors`` the
places ``[offset, name]`` such as ``page 3``, each from its offset to the next.
"""

from __future__ import annotations

import re
from typing import Any

_SPACE = re.compile("[ \t\r\n\f\v\xa0\u200b]+")


class Blocks:
    """A text that grows block by block."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._quotes: list[list[int]] = []
        self._anchors: list[list[Any]] = []
        self._anchor: str | None = None

    def __len__(self) -> int:
        return self._length

    def add(self, text: str, *, quote: bool = False, between: str = "\n\n") -> None:
        """Adds a block, if it has any characters; ``quote``: it is a block quote, or goes on with one."""
        if not text.strip():
            return
        goes_on = bool(quote and self._quotes and self._quotes[-1][1] == self._length)
        start = self._length + (len(between) if self._parts else 0)
        self._parts.append((between if self._parts else "") + text)
        self._length = start + len(text)
        if self._anchor is not None:
            self._anchors.append([start, self._anchor])
            self._anchor = None
        if goes_on:
            self._quotes[-1][1] = self._length
        elif quote:
            self._quotes.append([start, self._length])

    def anchor(self, name: str) -> None:
        """Names the place that begins with the next block."""
        self._anchor = name

    @property
    def text(self) -> str:
        """All blocks so far."""
        return "".join(self._parts)

    def meta(self, **others: Any) -> dict[str, Any]:
        """What ``meta`` says of the text: these ``others`` that are not empty, block quotes and anchors."""
        known = {**others, "block_quotes": self._quotes, "anchors": self._anchors}
        return {key: value for key, value in known.items() if value}


def one_line(text: str) -> str:
    """The text with every run of white space as one space, none at the ends."""
    return _SPACE.sub(" ", text).strip()
