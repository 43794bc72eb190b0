"""A text with its spans marked by brackets, for places without colour; and back.

``[LL peddling]`` marks *peddling* as loaded language: a bracket, the short code, one space, the quote, a bracket.
Spans inside spans nest. Where two cross, the outer one is closed first, and the rest of the inner one follows in a
mark of its own, whose code has ``…`` before it: ``[FW for our [LL sacred]][…LL  soil]``. A bracket or a backslash of
the text itself gets a backslash before it, so taking all unescaped marks away gives the text back, exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from detector.report.segments import segments
from detector.spans import Span
from detector.writers.naming import short_code

_LITERAL = re.compile(r"[\\\[\]]")
_TOKEN = re.compile(r"\\(?P<literal>[\\\[\]])|\[(?P<more>…?)(?P<code>[^ ]+) |(?P<close>\])")


@dataclass(slots=True)
class _Mark:
    """A mark while it is read: what it marks starts at ``start`` and, once it is closed, ends at ``end``."""

    code: str
    start: int
    end: int = -1


def marked(text: str, spans: Iterable[Span]) -> str:
    """The text with every span in brackets, as this module describes; a span of no characters has no mark.

    >>> marked("for our sacred soil", [Span(0, 14, "flag-waving"), Span(8, 19, "loaded-language")])
    '[FW for our [LL sacred]][…LL  soil]'
    """
    parts: list[str] = []
    stack: list[Span] = []  # the marks that are open, the outermost first
    for segment in segments(len(text), spans):
        kept = next((depth for depth, span in enumerate(stack) if span.end <= segment.start), len(stack))
        cut = [span for span in stack[kept:] if span.end > segment.start]
        parts.append("]" * (len(stack) - kept))
        del stack[kept:]
        for span in sorted([*cut, *segment.starting], key=lambda s: (-s.end, s.start, s.technique)):
            parts.append(f"[{'…' if span.start < segment.start else ''}{short_code(span.technique)} ")
            stack.append(span)
        parts.append(_LITERAL.sub(r"\\\g<0>", text[segment.start : segment.end]))
    return "".join(parts) + "]" * len(stack)


def unmarked(text: str) -> tuple[str, list[tuple[int, int, str]]]:
    """The text that `marked` was given, and the (start, end, code) of its spans, sorted.

    Spans come back whole as long as no technique overlaps itself.

    >>> unmarked("[FW for our [LL sacred]][…LL  soil]")
    ('for our sacred soil', [(0, 14, 'FW'), (8, 19, 'LL')])
    """
    parts: list[str] = []
    n_read = at = 0
    marks: list[_Mark] = []
    stack: list[_Mark] = []
    for token in _TOKEN.finditer(text):
        parts.append(text[at : token.start()] + (token["literal"] or ""))
        n_read += len(parts[-1])
        at = token.end()
        if token["close"]:
            stack.pop().end = n_read
        elif token["code"]:
            stack.append(_open(marks, token["code"], n_read, more=bool(token["more"])))
    parts.append(text[at:])
    return "".join(parts), sorted((mark.start, mark.end, mark.code) for mark in marks)


def _open(marks: list[_Mark], code: str, here: int, *, more: bool) -> _Mark:
    """The mark that opens here: the one of this code that was closed here where it continues one, else a new one."""
    if more:
        for mark in reversed(marks):
            if mark.code == code and mark.end == here:
                return mark
    marks.append(_Mark(code, here))
    return marks[-1]
