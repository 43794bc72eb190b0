"""The names in a text: of people, parties, nations, religions, outlets, causes; and a text that reads alike with each.

Who a text is about should not change what is found in it. A model that reads names alike sees each name of its list as
one and the same of its kind, the stand-in: for it, no text differs from another by such a name alone. The offsets lead
back into the text as given. The lists are data: `LISTED` is the one of the package, which training swaps names from
(see `detector.train.swap`) and recipes give to the models they make; a model folder has its own in ``names.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from detector.folding import Folded

NAMES_FILE = "names.toml"
LISTED = Path(__file__).with_name(NAMES_FILE)
LONGEST_NAME = 100
MOST_NAMES, MOST_OF_A_WORD = 20_000, 500
"""No list has more names, or more ways to write one that begin with the same word: each is tried where that stands."""

Row = tuple[str, int]
"""A slot type, and the place of a row in it."""

_START = re.compile(r"(?<![\w@#/])\w+")
_END = re.compile(r"(?!\w|\.\w)")
_SPACE = r"(?: +|[ \t]*\r?\n[ \t]*)"
"""Between the words of a name: a line may be wrapped there, and no paragraph ends."""
_ARTICLE = re.compile(rf"\b(the|an?){_SPACE}\Z", re.IGNORECASE)
_NOUN = re.compile(
    rf"{_SPACE}(?!(?:and|or|but|nor|is|was|are|were|be|has|had|have|does|did|do|will|would|can|could|may|might|must|should|in"
    r"|on|to|of|for|at|by|as|with|from|into|over|about|against|under|after|before|since|until|during|than|that|which|who"
    r"|when|where|while|if|because|so|not|now|then|also|just|never|itself|said|says|went|made|took|got|gave|left)\b"
    r"|\w+(?:ed|ing|ly)\b)\w",
    re.IGNORECASE,
)
"""What follows "the US" where it describes a noun, as in "the US government"."""
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n])[\s\"'“”‘’(]*$")
_VOWEL_SOUND = re.compile(r"(?!Eu|EU|Ug|Uk|Ur|Un|UN|U\.)[AEIOUaeiou]|(?!NATO)[FHLMNRSX](?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Name:
    """One spelling of a row's form; ``text`` is without the article that ``article`` says it takes."""

    text: str
    row: Row
    form: int
    article: bool


@dataclass(frozen=True, slots=True)
class Mention:
    """Characters ``[start, end)`` of a text that are a name; article aside."""

    start: int
    end: int
    name: Name


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters ``[start, end)`` of a text that become ``new``."""

    start: int
    end: int
    new: str


class Names:
    """A list of names, as ``names.toml`` says at its head what it holds.

    ``fillers`` has, for each slot type, the name of each row in each form.
    """

    def __init__(self, source: str) -> None:
        """The list in a TOML text; `ValueError` says what is wrong with it."""
        self.source = source
        data = tomllib.loads(source)
        self._words = frozenset(_texts("words", data.pop("words", [])))
        for kind, table in data.items():
            _check_table(kind, table)
        names = [name for kind, table in data.items() for name in _table_names(kind, table)]
        if len(names) > MOST_NAMES:
            raise ValueError(f"{NAMES_FILE}: more than {MOST_NAMES:,} names")
        self.fillers = {kind: [[_cell(cell)[0] for cell in row] for row in t["names"]] for kind, t in data.items()}
        self._attributive = {kind: t["forms"].index(t["attributive"]) for kind, t in data.items() if "attributive" in t}
        self._full: dict[Row, list[str]] = {}
        spellings: dict[str, list[Name]] = {}
        for name in names:
            if name.form == 0:
                self._full.setdefault(name.row, []).append(name.text)
            for spelling in _spellings(name.text, word=name.text in self._words):
                spellings.setdefault(spelling, []).append(name)
        self._by_first_word: dict[str, list[tuple[str, Sequence[Name]]]] = {}
        """The ways to write a name, longest first, each with the names it may be."""
        for spelling in sorted(spellings, key=len, reverse=True):
            first = _START.match(spelling)
            assert first  # as `_texts` has checked
            self._by_first_word.setdefault(first.group(), []).append((spelling, spellings[spelling]))
        for word, some in self._by_first_word.items():
            if len(some) > MOST_OF_A_WORD:
                raise ValueError(f"{NAMES_FILE}: more than {MOST_OF_A_WORD} names begin with {word!r:.60}")
        self._stand_ins = dict(_stand_ins(data))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Names) and self.source == other.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __reduce__(self) -> tuple[Any, ...]:
        return Names, (self.source,)

    def n_alike(self) -> int:
        """How many people, parties and so on read alike with others, however many spellings each has."""
        return len(self._stand_ins)

    def all(self) -> frozenset[str]:
        """Every name in every form, articles left out."""
        return frozenset(
            name.text for spellings in self._by_first_word.values() for _, names in spellings for name in names
        )

    def mentions(self, text: str) -> Iterator[Mention]:
        """The names in a text in order, longest first where several begin, none inside another."""
        end, squeezed = 0, ""
        present: dict[Row, bool] = {}
        for word in _START.finditer(text):
            if word.start() < end:
                continue
            for spelling, names in self._by_first_word.get(word.group(), ()):
                found = _pattern(spelling).match(text, word.start())
                if found and _END.match(text, found.end()):
                    squeezed = squeezed or " ".join(text.split())
                    name = self._meant(text, squeezed, found.span(), spelling, names, present)
                    if name:
                        end = found.end()
                        yield Mention(word.start(), end, name)
                        break

    def edits(self, text: str, successors: Mapping[Row, Row]) -> list[Edit]:
        """What changes where each name of a row becomes that of the row's successor; rows without one stay."""
        return [self._edit(text, m, successors) for m in self.mentions(text) if m.name.row in successors]

    def read_alike(self, folded: Folded) -> Folded:
        """The text with each name as its kind's stand-in, every character of which stands for the whole name."""
        edits = self.edits(folded.text, self._stand_ins)
        return _edited(folded, edits) if edits else folded

    def _meant(
        self,
        text: str,
        squeezed: str,
        place: tuple[int, int],
        spelling: str,
        names: Sequence[Name],
        present: dict[Row, bool],
    ) -> Name | None:
        """Which of the names is meant: one of a row whose first form is in the text, too, if possible; or None.

        ``squeezed`` is the text with single spaces; ``present`` keeps of which rows the first form is in it.
        """
        with_article = names[0].article and _article(text, place[0])[0].lower() == "the"
        if len(spelling) <= 2 and not with_article and _is_shouted(text, *place):
            return None  # "US" may be the word "us"
        for name in names:
            if name.form > 0 and name.row not in present:
                present[name.row] = any(full in squeezed for full in self._full[name.row])
            if name.form > 0 and present[name.row]:
                return name
        return names[0] if with_article or spelling not in self._words else None

    def _edit(self, text: str, mention: Mention, successors: Mapping[Row, Row]) -> Edit:
        """What becomes of a mention, and of the article before it where that must change."""
        name, start, (article, article_start) = mention.name, mention.start, _article(text, mention.start)
        kind, i = successors[name.row]
        the = article.lower() == "the"
        attributive = (
            kind in self._attributive
            and (name.article and name.form == 0)
            and not (the and not _NOUN.match(text, mention.end))
        )
        new = self.fillers[kind][i][self._attributive[kind] if attributive else name.form]
        if the and name.article and not attributive and not new.startswith("the "):
            start = article_start  # "the United States" becomes "Russia"
        elif article or attributive or text[start - 1 : start] == "-":
            new = new.removeprefix("the ")
        if article.lower() in {"a", "an"} and bool(_VOWEL_SOUND.match(new)) != (article.lower() == "an"):
            start = article_start
            new = f"{article[0]}{'n' if article.lower() == 'a' else ''} {new}"
        return Edit(start, mention.end, _with_capitals(new, text, start, text[mention.start : mention.end], name.text))


@cache
def listed() -> Names:
    """The names of the package."""
    return Names(LISTED.read_text(encoding="utf-8"))


def _check_table(kind: str, table: Any) -> None:
    place = f"{NAMES_FILE}: [{kind:.40}]"
    if not isinstance(table, dict) or set(table) - {"forms", "names", "attributive", "reads_as"}:
        raise ValueError(f"{place} must be a table of forms, names, and perhaps attributive and reads_as")
    forms, rows = table.get("forms"), table.get("names")
    if not isinstance(forms, list) or not forms or not all(isinstance(form, str) for form in forms):
        raise ValueError(f"{place} must have a list of forms")
    if table.get("attributive", forms[0]) not in forms:
        raise ValueError(f"{place} must name one of its forms as the attributive one")
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == len(forms) for row in rows):
        raise ValueError(f"{place} must have rows of names, with a cell for each form")
    for cell in (cell for row in rows for cell in row):
        _texts(place, _cell(cell))


def _texts(place: str, values: Any) -> list[str]:
    """The values, if they are a list of names."""
    if not isinstance(values, list):
        raise ValueError(f"{place} must be a list of names")
    for text in values:
        if not isinstance(text, str) or len(text) > LONGEST_NAME or not _START.match(text.removeprefix("the ")):
            rule = f"a name begins with a letter and has {LONGEST_NAME} characters at most"
            raise ValueError(f"{place}: {text!r:.60} is no name: {rule}")
    return values


def _table_names(kind: str, table: Mapping[str, Any]) -> Iterator[Name]:
    for i, row in enumerate(table["names"]):
        for form, cell in enumerate(row):
            yield from (
                Name(text.removeprefix("the "), (kind, i), form, text.startswith("the ")) for text in _cell(cell)
            )


def _stand_ins(data: Mapping[str, Any]) -> Iterator[tuple[Row, Row]]:
    """For each row of a kind that reads alike, the row of its stand-in."""
    for kind, table in data.items():
        if "reads_as" in table:
            firsts = [_cell(row[0])[0] for row in table["names"]]
            if table["reads_as"] not in firsts:
                raise ValueError(
                    f"{NAMES_FILE}: [{kind:.40}] reads as {table['reads_as']!r:.60}, which begins none of its rows"
                )
            row = firsts.index(table["reads_as"])
            yield from (((kind, i), (kind, row)) for i in range(len(firsts)))


@lru_cache(maxsize=3 * MOST_NAMES)
def _pattern(spelling: str) -> re.Pattern[str]:
    """What matches a spelling, with any space between its words, and either apostrophe."""
    words = (re.escape(word).replace("'", "['’]") for word in spelling.split(" "))
    return re.compile(_SPACE.join(words))


def _cell(cell: Any) -> list[Any]:
    return cell if isinstance(cell, list) and cell else [cell]


def _spellings(text: str, *, word: bool) -> set[str]:
    """The ways to write a name: as it is, with a capital, in capitals."""
    return {text} if word else {text, text[0].upper() + text[1:], text.upper()}


def _is_shouted(text: str, start: int, end: int) -> bool:
    """Whether the line of ``[start, end)``, or the word before or after, is all capitals."""
    before, after = re.findall(r"\w\w+", text[max(0, start - 30) : start]), re.findall(r"\w\w+", text[end : end + 30])
    return _line_is_capitals(text, start) or any(map(str.isupper, before[-1:] + after[:1]))


def _line_is_capitals(text: str, position: int) -> bool:
    end = text.find("\n", position)
    return text[text.rfind("\n", 0, position) + 1 : len(text) if end < 0 else end].isupper()


def _article(text: str, start: int) -> tuple[str, int]:
    """The article before a position, or nothing, and where it begins."""
    found = _ARTICLE.search(text, max(0, start - 12), start)
    return (found.group(1), found.start()) if found else ("", start)


def _with_capitals(new: str, text: str, start: int, old: str, listed: str) -> str:
    """The replacement in capitals where the name is, or with one where the name has one or begins a sentence."""
    if old.isupper() and (not listed.isupper() or _line_is_capitals(text, start)):
        return new.upper()
    if (old[0].isupper() and listed[0].islower()) or _SENTENCE_START.search(text, max(0, start - 9), start):
        return new[0].upper() + new[1:]
    return new


def _edited(folded: Folded, edits: Iterable[Edit]) -> Folded:
    """The folded text after edits that are in order and apart."""
    n = len(folded.text)
    starts = np.arange(n, dtype=np.int32) if folded.starts is None else folded.starts
    ends = np.arange(1, n + 1, dtype=np.int32) if folded.ends is None else folded.ends
    parts, new_starts, new_ends, position = [], [], [], 0
    for edit in edits:
        parts += [folded.text[position : edit.start], edit.new]
        new_starts += [starts[position : edit.start], np.full(len(edit.new), starts[edit.start], dtype=np.int32)]
        new_ends += [ends[position : edit.start], np.full(len(edit.new), ends[edit.end - 1], dtype=np.int32)]
        position = edit.end
    parts.append(folded.text[position:])
    new_starts.append(starts[position:])
    new_ends.append(ends[position:])
    return Folded("".join(parts), np.concatenate(new_starts), np.concatenate(new_ends))
