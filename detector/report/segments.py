"""A text cut wherever a span starts or ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from detector.spans import Span, in_reading_order


@dataclass(frozen=True, slots=True)
class Segment:
    """Characters ``[start, end)`` that the same spans cover: these ``spans``, in reading order."""

    start: int
    end: int
    spans: tuple[Span, ...]

    @property
    def starting(self) -> tuple[Span, ...]:
        """The spans whose first character is the first of this segment."""
        return tuple(span for span in self.spans if span.start == self.start)

    @property
    def ending(self) -> tuple[Span, ...]:
        """The spans whose last character is the last of this segment."""
        return tuple(span for span in self.spans if span.end == self.end)


def segments(n_characters: int, spans: Iterable[Span]) -> Iterator[Segment]:
    """The segments of a text of this length, in order, without gaps; spans of no characters are left out.

    >>> [(s.start, s.end, len(s.spans)) for s in segments(9, [Span(0, 6, "doubt"), Span(4, 8, "slogans")])]
    [(0, 4, 1), (4, 6, 2), (6, 8, 1), (8, 9, 0)]
    """
    starting: dict[int, list[Span]] = {}
    for span in in_reading_order(filter(len, spans)):
        starting.setdefault(span.start, []).append(span)
    ends = {span.end for group in starting.values() for span in group}
    active: list[Span] = []
    for start, end in pairwise(sorted({0, n_characters, *starting, *ends})):
        active = [span for span in active if span.end > start] + starting.get(start, [])
        yield Segment(start, end, tuple(active))
