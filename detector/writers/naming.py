"""How outputs name the technique of a span; each copes with the joined techniques of older inventories."""

from __future__ import annotations

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
