"""The inventory: 23 persuasion techniques in six families, and the older inventories that map onto it.

The records are data, in ``techniques.toml`` beside this file; they are read on first use and kept.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from detector.errors import TechniqueError

NAMES: tuple[str, ...] = (
    "name-calling",
    "guilt-by-association",
    "doubt",
    "appeal-to-hypocrisy",
    "questioning-the-reputation",
    "flag-waving",
    "appeal-to-authority",
    "appeal-to-popularity",
    "appeal-to-values",
    "appeal-to-fear",
    "straw-man",
    "red-herring",
    "whataboutism",
    "causal-oversimplification",
    "false-dilemma",
    "consequential-oversimplification",
    "slogans",
    "conversation-killer",
    "appeal-to-time",
    "loaded-language",
    "obfuscation",
    "exaggeration",
    "repetition",
)
"""The slugs of all techniques, in inventory order."""

_POSITION = {slug: i for i, slug in enumerate(NAMES)}
_LIST_ALL = "`detector techniques` lists all"
_LONGEST_NAME = 60  # characters of a wrong name that are compared and quoted: a message stays one readable line


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence and the characters ``[start, end)`` of it that use the technique."""

    text: str
    start: int
    end: int

    @property
    def quote(self) -> str:
        """The characters that use the technique."""
        return self.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Technique:
    """One technique: what it is, how to tell it, when it is fair, and sentences that do and do not use it.

    ``name`` is the slug, ``code`` two or three capital letters, ``family`` the slug of the family. ``look_alikes``
    are sentences that must not be marked.
    """

    name: str
    title: str
    code: str
    family: str
    definition: str
    recognise: str
    legitimate: str
    question: str
    examples: tuple[Example, ...]
    look_alikes: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Family:
    """A group of techniques that work alike; ``techniques`` are slugs in inventory order."""

    name: str
    title: str
    description: str
    techniques: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inventory:
    """The names that a family of corpora gives to techniques, and which techniques these corpora annotate.

    ``names`` are the foreign names in that inventory's usual order. A technique outside ``annotated`` is unknown in
    such a corpus, not absent from it.
    """

    name: str
    title: str
    names: tuple[str, ...]
    annotated: frozenset[str]
    _slugs: Mapping[str, str] = field(repr=False, compare=False)

    def slug(self, foreign: str) -> str:
        """The slug of a foreign name, or several joined by ``+`` where this inventory merged them.

        Raises TechniqueError for a name that this inventory has not, spelled exactly so.

        >>> inventory("ptc-14").slug("Bandwagon,Reductio_ad_hitlerum")
        'guilt-by-association+appeal-to-popularity'
        """
        try:
            return self._slugs[foreign]
        except KeyError:
            raise TechniqueError(self._complaint(foreign)) from None

    def foreign(self, technique: str) -> str | None:
        """This inventory's one name for a slug or joined slugs; None where it has none, or more than one.

        >>> inventory("ptc-14").foreign("straw-man")
        'Whataboutism,Straw_Men,Red_Herring'
        >>> inventory("ptc-14").foreign("appeal-to-time") is None
        True
        """
        wanted = set(members(technique))
        return next((name for name, slugs in self._slugs.items() if wanted.issubset(members(slugs))), None)

    def _complaint(self, foreign: str) -> str:
        near = _near(foreign, {_fold(name): name for name in self.names})
        way_out = _did_you_mean(near) or f"its names are {', '.join(map(repr, self.names))}"
        return f"the inventory {self.name} has no technique {_quoted(foreign)}: {way_out}"


def technique(name: str) -> Technique:
    """The technique of this slug, title, code or name in an older inventory, however spaced or capitalised.

    Raises TechniqueError for a name that nobody knows, with the near ones, and for one that merges techniques.

    >>> technique("Thought-terminating cliché").name
    'conversation-killer'
    >>> technique("ll").title
    'Loaded language'
    """
    slugs = name if _is_joined(name) else _index().get(_fold(name))
    if slugs is None:
        way_out = " ".join(filter(None, (_did_you_mean(_near(name, _single_names())), _LIST_ALL)))
        raise TechniqueError(f"no technique is called {_quoted(name)}: {way_out}")
    if "+" in slugs:
        raise TechniqueError(f"{_quoted(name)} merges {_either(members(slugs), 'and')}: name one of them; {_LIST_ALL}")
    return _records()[slugs]


def all_techniques() -> tuple[Technique, ...]:
    """All techniques, in inventory order."""
    return tuple(_records()[name] for name in NAMES)


def families() -> tuple[Family, ...]:
    """The six families, in inventory order."""
    return tuple(
        Family(**row, techniques=tuple(t.name for t in all_techniques() if t.family == row["name"]))
        for row in _data()["family"]
    )


@lru_cache(maxsize=4096)
def members(name: str) -> tuple[str, ...]:
    """The slugs, in inventory order, of a span's technique: one slug, or several joined by ``+``.

    Raises TechniqueError where a part is not a slug.

    >>> members("whataboutism+straw-man")
    ('straw-man', 'whataboutism')
    """
    parts = set(name.split("+"))
    for part in sorted(parts - _POSITION.keys()):
        near = _did_you_mean(_near(part, _single_names()))
        raise TechniqueError(f"no technique has the slug {_quoted(part)}: " + " ".join(filter(None, (near, _LIST_ALL))))
    return tuple(sorted(parts, key=_POSITION.__getitem__))


def join(slugs: Iterable[str]) -> str:
    """The technique of a span that may use any of these slugs: joined by ``+`` in inventory order.

    >>> join(["whataboutism", "straw-man"])
    'straw-man+whataboutism'
    """
    return "+".join(members("+".join(slugs)))


def inventory(name: str) -> Inventory:
    """The inventory of this name, however spaced or capitalised; raises TechniqueError for any other."""
    for known in _inventories():
        if _fold(known.name) == _fold(name):
            return known
    raise TechniqueError(f"no inventory is called {_quoted(name)}: take {_either(inventory_names(), 'or')}")


def inventory_names() -> tuple[str, ...]:
    """The names of all inventories; the first, ``detector``, is our own slugs."""
    return tuple(known.name for known in _inventories())


def guess_inventory(foreign_names: Iterable[str]) -> Inventory:
    """The smallest inventory that knows all these names, spelled exactly so (``ptc-14`` for no names at all).

    Raises TechniqueError where none does, about the first name that the best inventory lacks.

    >>> guess_inventory(["Doubt", "Flag-Waving"]).name
    'ptc-14'
    >>> guess_inventory(["Doubt", "Flag_Waving"]).name
    'ptc-19'
    """
    names = list(dict.fromkeys(foreign_names))
    smallest_first = sorted(_inventories(), key=lambda known: len(known.names))
    best = max(smallest_first, key=lambda known: len(set(names).intersection(known.names)))
    for name in names:
        best.slug(name)  # raises for a name that even the best inventory has not
    return best


# -- the data file ---------------------------------------------------------------------------------------------------


@cache
def _data() -> dict[str, Any]:
    import tomllib  # here and not above: slugs can be checked without reading any data
    from pathlib import Path

    return tomllib.loads(Path(__file__).with_name("techniques.toml").read_text(encoding="utf-8"))


@cache
def _records() -> dict[str, Technique]:
    return {row["name"]: _record(row) for row in _data()["technique"]}


def _record(row: Mapping[str, Any]) -> Technique:
    examples = tuple(_example(marked) for marked in row["examples"])
    return Technique(**{**row, "examples": examples, "look_alikes": tuple(row["look_alikes"])})


def _example(marked: str) -> Example:
    """The example of a sentence whose quote stands in double brackets: ``They [[peddle]] lies.``"""
    before, quote, after = marked.replace("]]", "[[").split("[[")
    return Example(before + quote + after, len(before), len(before) + len(quote))


@cache
def _inventories() -> tuple[Inventory, ...]:
    own = {slug: slug for slug in NAMES}
    older = [
        _inventory(row["name"], row["title"], {foreign: join(slugs) for foreign, slugs in row["names"].items()})
        for row in _data()["inventory"]
    ]
    return (_inventory("detector", "The slugs of this detector", own), *older)


def _inventory(name: str, title: str, slugs: Mapping[str, str]) -> Inventory:
    annotated = frozenset(slug for joined in slugs.values() for slug in members(joined))
    return Inventory(name, title, tuple(slugs), annotated, slugs)


# -- look-up by name -------------------------------------------------------------------------------------------------


def _fold(name: str) -> str:
    """The letters and digits of a name, without case or accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if c.isalnum())


def _is_joined(name: str) -> bool:
    return "+" in name and _POSITION.keys() >= set(name.split("+"))


@cache
def _index() -> dict[str, str]:
    """Folded name → slug or joined slugs; where names collide, ours win over older ones."""
    ours = ((name, t.name) for t in all_techniques() for name in (t.name, t.title, t.code))
    older = ((name, known.slug(name)) for known in _inventories() for name in known.names)
    index: dict[str, str] = {}
    for name, slugs in (*ours, *older):
        index.setdefault(_fold(name), slugs)
    return index


@cache
def _single_names() -> dict[str, str]:
    """The part of the index that names one technique each."""
    return {folded: slugs for folded, slugs in _index().items() if "+" not in slugs}


def _near(name: str, known: Mapping[str, str]) -> list[str]:
    """At most four names: those that contain ``name``, then those spelled like it. ``known``: folded → shown."""
    import difflib

    wanted = _fold(name[:_LONGEST_NAME])
    containing = [folded for folded in known if len(wanted) >= 3 and wanted in folded]
    alike = difflib.get_close_matches(wanted, known, n=3)
    return list(dict.fromkeys(known[folded] for folded in (*containing, *alike)))[:4]


def _did_you_mean(names: list[str]) -> str:
    return f"did you mean {_either(names, 'or')}?" if names else ""


def _either(names: Iterable[str], word: str) -> str:
    """The names as a list in a sentence: ``a, b or c``."""
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last


def _quoted(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…")
