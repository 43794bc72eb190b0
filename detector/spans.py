"""Spans and documents, and pure functions on them.

Every offset is a Unicode code point of the text exactly as read: ``text[start:end]`` is the quote.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

LIKELY = 0.5
"""The confidence from which a span is called likely: it is right more often than not. Below, it is possible."""


@dataclass(frozen=True, slots=True, order=True)
class Cue:
    """Characters ``[start, end)``, mostly one word, that carried a finding.

    Without them, the log-odds of the finding's technique are lower by ``weight`` (see `detector.why`).
    """

    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters ``[start, end)`` that use a technique.

    ``technique`` is a slug of the inventory, or several joined by ``+`` where an older inventory merged them
    (see `techniques.members`). ``confidence`` is a calibrated probability, 1.0 for a span a person annotated. ``why``
    are the words that carried it, strongest first; None where that was not measured. It does not count when spans are
    compared.
    """

    start: int
    end: int
    technique: str
    confidence: float = 1.0
    why: tuple[Cue, ...] | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Document:
    """A text with the spans found or annotated in it; ``meta`` carries whatever else came with the text.

    ``n_read`` is the number of characters that the model has seen: None before, ``len(text)`` after.
    """

    id: str
    text: str
    spans: tuple[Span, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    n_read: int | None = None

    def quote(self, span: Span) -> str:
        """The characters of ``span``."""
        return self.text[span.start : span.end]

    def with_warnings(self, warnings: Iterable[str]) -> Document:
        """The same document with these sentences after those in ``meta["warnings"]``; itself where none is new."""
        more = [one for one in dict.fromkeys(warnings) if one not in self.warnings]
        return replace(self, meta={**self.meta, "warnings": [*self.warnings, *more]}) if more else self

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before findings are trusted: the sentences in ``meta["warnings"]``."""
        stated = self.meta.get("warnings")
        return tuple(one for one in stated if isinstance(one, str)) if isinstance(stated, (list, tuple)) else ()

    def with_spans(self, spans: Iterable[Span], *, n_read: int | None = None) -> Document:
        """The same text with these spans in reading order: by start, longest first, then by technique."""
        return replace(self, spans=in_reading_order(spans), n_read=n_read)


def in_reading_order(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The spans sorted by start, then longest first, then by technique."""
    return tuple(sorted(spans, key=lambda s: (s.start, -s.end, s.technique)))


def merge_ranges(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The union of half-open ranges, in order; ranges that only touch stay apart.

    >>> merge_ranges([(5, 9), (0, 2), (1, 3), (3, 5)])
    [(0, 3), (3, 5), (5, 9)]
    """
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def text_hash(text: str) -> str:
    """``sha256:`` and the hexadecimal digest of the text in UTF-8 (lone surrogates as they are)."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class LineIndex:
    """Positions of a text as line and column, both from 1; ``\\n``, ``\\r\\n`` and a lone ``\\r`` end a line.

    >>> LineIndex("one\\ntwo").position(5)
    (2, 2)
    """

    def __init__(self, text: str) -> None:
        breaks = [i for i, c in enumerate(text) if c == "\n" or (c == "\r" and text[i + 1 : i + 2] != "\n")]
        self.starts = [0, *(i + 1 for i in breaks)]

    def position(self, offset: int) -> tuple[int, int]:
        """The line and column, in code points, of a character."""
        line = bisect.bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1
