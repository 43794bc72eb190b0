"""How outputs name the technique of a span; each copes with the joined techniques of older inventories."""

from __future__ import annotations

import bisect

from detector.spans import Document, Span
from detector.techniques import members, technique


def short_code(name: str) -> str:
    """The code: ``LL``, or ``SM/RH`` for joined techniques."""
    return "/".join(technique(slug).code for slug in members(name))


def title(name: str) -> str:
    """The title: ``Loaded language``, or several with slashes for joined techniques."""
    return " / ".join(technique(slug).title for slug in members(name))


def family_of(name: str) -> str:
    """The slug of the family; for joined techniques that of the first."""
    return technique(members(name)[0]).family


def place_of(document: Document, span: Span) -> str | None:
    """Where a span begins, as the source counts: a page, a chapter, a time; None where the reader found no such places.

    >>> place_of(Document("a", "one two", meta={"anchors": [[0, "page 1"], [4, "page 2"]]}), Span(4, 7, "doubt"))
    'page 2'
    """
    anchors = document.meta.get("anchors") or ()
    i = bisect.bisect_right(anchors, span.start, key=lambda anchor: int(anchor[0])) - 1
    return str(anchors[i][1]) if i >= 0 else None
