"""Which findings are kept: by confidence, by technique, by what the text around them says, by who speaks."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from detector.errors import ConfigError, TechniqueError
from detector.quotes import document_quotations, quotation_of
from detector.spans import Document, Span, merge_ranges
from detector.techniques import NAMES, families, members, technique

QUOTES = ("mark", "skip", "only")
_DIGITS = 18
"""More findings than a number of so many digits says, no text has."""
_SWITCH = re.compile(r"<!--\s*detector:\s*(on|off)\s*-->")


@dataclass(frozen=True)
class Selection:
    """Which findings are kept: at least this confident, of ``only`` these techniques (empty: all), not of ``ignore``.

    ``thresholds`` ask for more confidence of some techniques. ``ignore_patterns`` are regular expressions: a finding
    that touches a match is dropped, and so is one in a part that the text itself switches off (see `switched_off`).
    ``quotes``: ``mark`` keeps all, ``skip`` those outside quotations, ``only`` those inside. Techniques are slugs.
    Raises ConfigError for a value that is none, TechniqueError for another name and where no technique is left.
    """

    min_confidence: float = 0.0
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    ignore_patterns: tuple[str, ...] = ()
    quotes: str = "mark"

    def __post_init__(self) -> None:
        for key in ("only", "ignore", "ignore_patterns"):
            if isinstance(given := getattr(self, key), str):  # whose letters would be the names
                raise ConfigError(f"{key} {given!r:.60}: is one text: take a tuple, such as ({given!r:.60},)")
        for name in (*self.only, *self.ignore, *self.thresholds):
            _check_slug(name)
        if not 0 <= self.min_confidence <= 1:
            raise ConfigError(f"--min-confidence {self.min_confidence}: a confidence lies from 0 to 1, such as 0.5")
        for name, threshold in self.thresholds.items():
            if not 0 <= threshold <= 1:
                raise ConfigError(f"thresholds: {name} {threshold}: a confidence lies from 0 to 1, such as 0.5")
        if not self.techniques:
            raise TechniqueError(f"--ignore {','.join(self.ignore)}: no technique is left: ignore fewer")
        if self.quotes not in QUOTES:
            raise ConfigError(f"--quotes {self.quotes!r:.40}: take {', '.join(QUOTES)}")
        _ = self._patterns  # a wrong one is told before anything is read

    @cached_property
    def techniques(self) -> frozenset[str]:
        """The techniques that may be kept."""
        return frozenset(self.only or NAMES).difference(self.ignore)

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(map(compiled, self.ignore_patterns))

    def apply(self, document: Document) -> Document:
        """The document with only the spans that are kept, and a warning where its text switches the detector off."""
        kept = [span for span in document.spans if self._keeps(span)]
        off = switched_off(document.text)
        if kept and (ranges := merge_ranges([*self._matches(document.text), *off])):
            kept = [span for span in kept if not _touches(span, ranges)]
        if kept and self.quotes != "mark":
            quoted = document_quotations(document)
            kept = [s for s in kept if (quotation_of(s, quoted) is not None) == (self.quotes == "only")]
        return replace(document, spans=tuple(kept)).with_warnings(
            [f"switches the detector off itself, for {sum(b - a for a, b in off)} characters"] if off else []
        )

    def as_json(self) -> dict[str, Any]:
        """All the settings by name, in JSON types."""
        return {
            "min_confidence": self.min_confidence,
            "only": list(self.only),
            "ignore": list(self.ignore),
            "thresholds": dict(self.thresholds),
            "ignore_patterns": list(self.ignore_patterns),
            "quotes": str(self.quotes),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Selection:
        """The selection that these values of `as_json` state; others among them are passed over."""
        known: dict[str, Any] = {one.name: values[one.name] for one in fields(cls) if one.name in values}
        for name in ("only", "ignore", "ignore_patterns"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)

    def chosen(self) -> dict[str, Any]:
        """The settings beyond confidence and techniques that are not the usual ones, in JSON types."""
        values = {
            "quotes": "" if self.quotes == "mark" else self.quotes,
            "thresholds": dict(self.thresholds),
            "ignore_patterns": list(self.ignore_patterns),
        }
        return {name: value for name, value in values.items() if value}

    def _keeps(self, span: Span) -> bool:
        names = members(span.technique)
        least = max(self.min_confidence, min(self.thresholds.get(name, 0.0) for name in names))
        return span.confidence >= least and not self.techniques.isdisjoint(names)

    def _matches(self, text: str) -> list[tuple[int, int]]:
        """The ranges of a text that match the patterns."""
        return [match.span() for pattern in self._patterns for match in pattern.finditer(text) if match[0]]


@dataclass(frozen=True, slots=True)
class FailOn:
    """When findings are a failure: from ``n_spans`` of them, or one of these techniques or families."""

    n_spans: int | None = None
    techniques: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, conditions: Iterable[str]) -> FailOn:
        """The conditions, each a number, a technique or a family; raises TechniqueError for anything else."""
        counts, names = list[int](), set[str]()
        of_family = {_folded(key): f.techniques for f in families() for key in (f.name, f.title)}
        for condition in (part.strip() for item in conditions for part in item.split(",")):
            if condition.isdecimal():
                counts.append(max(1, int(condition[:_DIGITS])))
            elif condition:
                names.update(of_family.get(_folded(condition)) or [technique(condition).name])
        return cls(min(counts, default=None), frozenset(names))

    def met(self, n_spans: int, techniques: Iterable[str]) -> bool:
        """Whether so many findings of these techniques are a failure."""
        return (self.n_spans is not None and n_spans >= self.n_spans) or not self.techniques.isdisjoint(techniques)


def switched_off(text: str) -> list[tuple[int, int]]:
    """The ranges from ``<!-- detector: off -->`` to ``<!-- detector: on -->`` or the end: nothing is found there.

    >>> switched_off("a <!-- detector: off --> b")
    [(2, 26)]
    """
    ranges: list[tuple[int, int]] = []
    off: int | None = None
    for switch in _SWITCH.finditer(text):
        if switch[1] == "off" and off is None:
            off = switch.start()
        elif switch[1] == "on" and off is not None:
            ranges.append((off, switch.end()))
            off = None
    return ranges if off is None else [*ranges, (off, len(text))]


def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression; raises ConfigError for one that is none."""
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        reason = error.msg if isinstance(error, re.error) else str(error)
        raise ConfigError(f"--ignore-pattern {pattern!r:.60}: is no regular expression ({reason})") from None


def technique_names(given: Iterable[str]) -> tuple[str, ...]:
    """The slugs, each once, of names given one by one or in lists with commas; raises TechniqueError for others."""
    names = (name for item in given for name in item.split(",") if name.strip())
    return tuple(dict.fromkeys(technique(name.strip()).name for name in names))


def _check_slug(name: str) -> None:
    """Nothing; raises TechniqueError for a name that no span has, were it the code or the title of a technique."""
    if name not in NAMES:
        slug = technique(name).name
        raise TechniqueError(f"{name!r} is not the slug of a technique: write {slug!r}")


def _touches(span: Span, ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether a span shares a character with one of these ranges, which are in order and do not overlap."""
    i = bisect.bisect_left(ranges, (span.end,)) - 1
    return i >= 0 and ranges[i][1] > span.start


def _folded(name: str) -> str:
    return name.casefold().replace("-", " ").replace("_", " ")
