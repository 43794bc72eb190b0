"""Where sentences end: rules for English that know common abbreviations."""

from __future__ import annotations

import re
from collections.abc import Iterator

_END = re.compile(r"[.!?…]{1,8}[”\"’'»)\]]{0,8}(?=\s+[\"“«‘(\[]?[A-Z\u00c0-\u00de0-9])|[.!?…]{1,8}[”\"’'»)\]]{0,8}$")
_SPACE = re.compile(r"\s*")
_ABBREVIATION = re.compile(
    r"\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|Sen|Rep|Gov|Gen|Adm|Col|Maj|Capt|Lt|Sgt|St|Mt|Jr|Sr|Rev|Hon|vs|No|Inc|Co|Corp|Ltd"
    r"|Jan|Feb|Mar|Apr|Aug|Sept?|Oct|Nov|Dec)\.$"
)


def sentence_ends(text: str, start: int = 0, end: int | None = None) -> Iterator[int]:
    """The positions in a part of a text behind each full stop, question mark or the like that ends a sentence."""
    for match in _END.finditer(text, start, len(text) if end is None else end):
        if not ends_in_abbreviation(text[max(0, match.start() - 8) : match.start() + 1]):
            yield match.end()


def sentences(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """The ranges of the sentences of a part of a text, without the space between them.

    >>> [*sentences("No. Dr. Lee left! Why?")]
    [(0, 17), (18, 22)]
    """
    at, end = start, len(text) if end is None else end
    for stop in sentence_ends(text, start, end):
        yield at, stop
        space = _SPACE.match(text, stop, end)
        at = space.end() if space else stop
    if text[at:end].strip():
        yield at, end


def ends_in_abbreviation(text: str) -> bool:
    """Whether a full stop at the end of a text belongs to an abbreviation or an initial."""
    return bool(_ABBREVIATION.search(text))
