"""The inventory of techniques for people to read, and as JSON-ready records."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from detector.report.terminal import Style, colours, paint
from detector.techniques import Example, Family, Technique, families, technique

# The fields of a technique that are prose, in the order in which `explain` shows them.
_PROSE = (
    ("What it is", "definition"),
    ("How to recognise it", "recognise"),
    ("When it is legitimate", "legitimate"),
    ("A question to ask", "question"),
)


def catalogue(style: Style) -> str:
    """All techniques by family: code, title, slug and definition of each, wrapped to the style's width."""
    return "\n".join(_family_listing(family, style) for family in families())


def explanation(described: Technique, style: Style) -> str:
    """One technique in full: prose, examples with the quote marked, look-alikes, source."""
    family = next(f for f in families() if f.name == described.family)
    code = paint(described.code, "1", _colour(family.name), style=style)
    lines = [f"{code}  {paint(described.title, '1', style=style)}  ({described.name}; {family.title.lower()})"]
    for heading, field in _PROSE:
        lines += ["", paint(heading, "1", style=style), *_wrapped(getattr(described, field), style, indent=2)]
    lines += ["", paint("Examples", "1", style=style), *(_example(e, described, style) for e in described.examples)]
    lines += ["", paint("Look-alikes, not to be marked", "1", style=style)]
    lines += [f"  – {sentence}" for sentence in described.look_alikes]
    lines += ["", paint("Source", "1", style=style), *_wrapped(described.source, style, indent=2)]
    return "\n".join(lines) + "\n"


def records(techniques: Iterable[Technique]) -> list[dict[str, Any]]:
    """Each technique as a dictionary of all its fields; an example also has its ``quote``."""
    return [{**asdict(one), "examples": [{**asdict(e), "quote": e.quote} for e in one.examples]} for one in techniques]


def _family_listing(family: Family, style: Style) -> str:
    return (
        "\n".join([*_wrapped(f"{family.title}: {family.description}", style, indent=0), *_members(family, style)])
        + "\n"
    )


def _members(family: Family, style: Style) -> Iterator[str]:
    for one in map(technique, family.techniques):
        code = paint(one.code, "1", _colour(family.name), style=style)
        yield f"  {code}  {paint(one.title, '1', style=style)}  ({one.name})"
        yield from _wrapped(one.definition, style, indent=6)


def _example(example: Example, described: Technique, style: Style) -> str:
    """The sentence with its quote coloured, or in brackets as in an annotated article."""
    quote = f"[{described.code} {example.quote}]"
    if style.colour:
        colour = _colour(described.family)
        quote = paint(example.quote, colour, style=style) + paint(f"·{described.code}", "2", colour, style=style)
    return f"  – {example.text[: example.start]}{quote}{example.text[example.end :]}"


def _wrapped(text: str, style: Style, *, indent: int) -> list[str]:
    return textwrap.wrap(
        text, max(style.width, 40), initial_indent=" " * indent, subsequent_indent=" " * indent, break_on_hyphens=False
    )


def _colour(family: str) -> str:
    return f"38;5;{colours()[family]}"
