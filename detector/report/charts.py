"""The charts of a page as inline SVG: where findings lie, how many there are, how rates change.

No chart uses a style attribute (the security policy of a page forbids them): shapes carry the family as their class.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from detector.report.findings import Finding
from detector.techniques import families

_STRIP_COLUMNS = 400
_STRIP_ROW = 10


def strip(n_characters: int, found: Iterable[Finding], *, start: int = 0) -> Markup:
    """One row for each family that occurs: the places of its findings along the text, from left to right.

    The strip is as long as the ``n_characters`` from ``start`` on; all findings begin in them.

    A run of neighbouring columns is one rectangle, whose ``data-n`` is the first finding in it.
    """
    columns: dict[str, dict[int, int]] = {}
    for finding in found:
        row = columns.setdefault(finding.family, {})
        for column in _columns(finding, n_characters, start):
            row.setdefault(column, finding.number)
    rows = [family.name for family in families() if family.name in columns]
    rectangles = "".join(
        f'<rect class="{name}" x="{first}" y="{y * _STRIP_ROW + 1}" width="{n}" height="{_STRIP_ROW - 2}" '
        f'data-n="{number}"/>'
        for y, name in enumerate(rows)
        for first, n, number in _runs(columns[name])
    )
    size = f'viewBox="0 0 {_STRIP_COLUMNS} {max(len(rows), 1) * _STRIP_ROW}" preserveAspectRatio="none"'
    return Markup(f'<svg class="strip rows{len(rows)}" {size} aria-hidden="true" focusable="false">{rectangles}</svg>')


def _columns(finding: Finding, n_characters: int, start: int) -> range:
    first = (finding.span.start - start) * _STRIP_COLUMNS // n_characters
    last = -(-(finding.span.end - start) * _STRIP_COLUMNS // n_characters)
    return range(first, min(max(first + 1, last), _STRIP_COLUMNS))


def _runs(row: dict[int, int]) -> Iterable[tuple[int, int, int]]:
    """Neighbouring columns as (first, how many, number of the first finding)."""
    first = n = number = 0
    for column in sorted(row):
        if n and column == first + n:
            n += 1
            continue
        if n:
            yield first, n, number
        first, n, number = column, 1, row[column]
    if n:
        yield first, n, number


def bar(n_likely: int, n_possible: int, most: int, family: str) -> Markup:
    """A bar of ``n_likely`` (full) and ``n_possible`` (paler) on a scale that ends at ``most``."""
    scale = 100 / max(most, 1)
    likely, possible = round(n_likely * scale, 2), round(n_possible * scale, 2)
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<rect class="{family}" width="{likely}" height="8"/>'
        f'<rect class="{family} pale" x="{likely}" width="{possible}" height="8"/></svg>'
    )


def interval(rate: float, low: float, high: float, most: float, family: str) -> Markup:
    """A dot at ``rate`` and a line from ``low`` to ``high`` on a scale from 0 to ``most``."""
    scale = 96 / most if most else 0.0
    at, left, right = (round(2 + value * scale, 2) for value in (rate, low, high))
    return Markup(
        '<svg class="interval" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<line class="zero" x1="2" x2="2" y1="0" y2="10"/>'
        f'<line class="{family}" x1="{left}" x2="{right}" y1="5" y2="5"/>'
        f'<rect class="{family}" x="{round(at - 0.6, 2)}" y="1" width="1.2" height="8"/></svg>'
    )


@dataclass(frozen=True, slots=True)
class Point:
    """A rate at a place on the time axis, with the bounds of its interval where there is one."""

    name: str
    rate: float
    interval: tuple[float, float] | None


def line(points: Sequence[Point], most: float) -> Markup:
    """A line through the rates in order, evenly spaced, on a scale from 0 to ``most``, over a band of their intervals.

    The band is interrupted where a point has no interval.
    """
    width, height = 1100, 190
    step = width / max(len(points) - 1, 1)
    places = [(round(i * step, 1), point) for i, point in enumerate(points)]

    def y(value: float) -> float:
        return round(height - value / (most or 1.0) * height, 1)

    bands = "".join(_band([(x, y(low), y(high)) for x, low, high in run]) for run in _with_interval(places))
    path = " ".join(f"{x},{y(point.rate)}" for x, point in places)
    dots = "".join(f'<circle cx="{x}" cy="{y(point.rate)}" r="3"/>' for x, point in places)
    return Markup(
        f'<svg class="line" viewBox="-6 -6 {width + 12} {height + 12}" aria-hidden="true" focusable="false">'
        f'{bands}<polyline points="{path}"/>{dots}</svg>'
    )


def _with_interval(places: Iterable[tuple[float, Point]]) -> Iterator[list[tuple[float, float, float]]]:
    """Neighbouring points that have an interval: where each is, and its bounds. One by itself gets some width."""
    for known, run in groupby(places, key=lambda place: place[1].interval is not None):
        if known:
            bounds = [(x, *point.interval) for x, point in run if point.interval]
            yield bounds if len(bounds) > 1 else [(x + side, low, high) for x, low, high in bounds for side in (-3, 3)]


def _band(sides: Sequence[tuple[float, float, float]]) -> str:
    """A polygon over these places, each with its lower and its upper end."""
    corners = [*(f"{x},{high}" for x, _, high in sides), *(f"{x},{low}" for x, low, _ in reversed(sides))]
    return f'<polygon points="{" ".join(corners)}"/>'
