"""Counterfactual copies for training: names swapped for others of their kind, spans moved along.

A model that sees a phrase with many names learns the phrase. The names are data, in ``names.toml`` beside this file.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from detector.corpora import Corpus
from detector.spans import Document, Span, in_reading_order

Row = tuple[str, int]
"""A slot type, and the place of a row in it."""

_START = re.compile(r"(?<![\w@#/])\w+")
_END = re.compile(r"(?!\w|\.\w)")
_ARTICLE = re.compile(r"\b(the|an?) $", re.IGNORECASE)
_NOUN = re.compile(
    r" (?!(?:and|or|but|nor|is|was|are|were|be|has|had|have|does|did|do|will|would|can|could|may|might|must|should|in"
    r"|on|to|of|for|at|by|as|with|from|into|over|about|against|under|after|before|since|until|during|than|that|which|who"
    r"|when|where|while|if|because|so|not|now|then|also|just|never|itself|said|says|went|made|took|got|gave|left)\b"
    r"|\w+(?:ed|ing|ly)\b)\w",
    re.IGNORECASE,
)
"""What follows "the US" where it describes a noun, as in "the US government"."""
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n])[\s\"'“”‘’(]*$")
_VOWEL_SOUND = re.compile(r"(?!Eu|EU|Ug|Uk|Ur|Un|UN|U\.)[AEIOUaeiou]|(?!NATO)[FHLMNRSX](?=[A-Z])")


@dataclass(frozen=True, slots=True)
class _Name:
    """One spelling of a row's form; ``text`` is without the article that ``article`` says it takes."""

    text: str
    row: Row
    form: int
    article: bool


@dataclass(frozen=True, slots=True)
class _Mention:
    """Characters ``[start, end)`` of a text that are a name; article aside."""

    start: int
    end: int
    name: _Name


@dataclass(frozen=True, slots=True)
class _Edit:
    """Characters ``[start, end)`` of a text that become ``new``."""

    start: int
    end: int
    new: str


@dataclass(frozen=True, slots=True)
class Edited:
    """Characters ``[old_start, old_end)`` of a text that are ``[new_start, new_end)`` of its copy."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


@dataclass(frozen=True, slots=True)
class _Names:
    """The content of ``names.toml``.

    ``fillers`` has, for each slot type, the name of each row in each form; ``spellings`` has, by their first word, the
    ways to write a name, longest first, each with the names it may be; ``full`` the names of each row in its first
    form; ``attributive`` the form of a type that stands in for the first one where that lacks its article.
    """

    fillers: Mapping[str, Sequence[Sequence[str]]]
    full: Mapping[Row, Sequence[str]]
    spellings: Mapping[str, Sequence[tuple[str, Sequence[_Name]]]]
    attributive: Mapping[str, int]
    words: frozenset[str]


def swap_names(document: Document, generator: random.Random) -> Document:
    """A copy in which each name of ``names.toml`` is another of its slot type, the same one throughout.

    Form, capitals and articles are kept in step, and the spans cover what they covered: text inside a span is swapped,
    too, and an edge inside a name moves to the edge of its replacement. A random cycle through all names of a type
    decides, so that no name stays and no two become one.
    """
    return swap_names_at(document, generator)[0]


def swap_names_at(document: Document, generator: random.Random) -> tuple[Document, tuple[Edited, ...]]:
    """What `swap_names` gives, and which characters became which, in order and apart."""
    successors: dict[Row, Row] = {}
    for kind, rows in _names().fillers.items():
        order = generator.sample(range(len(rows)), len(rows))
        successors |= {(kind, a): (kind, b) for a, b in zip(order, order[1:] + order[:1], strict=True)}
    edits = [_edit(document.text, mention, successors) for mention in _mentions(document.text)]
    return _with_edits(document, edits)


def swap_corpora(corpora: Mapping[str, Corpus], *, share: float, seed: int) -> dict[str, Corpus]:
    """The corpora with about ``share`` (0 to 1) of the documents replaced by their swapped copies, ids kept.

    Seed and document id alone decide which documents and which names: their order does not matter.
    """

    def maybe_swapped(document: Document) -> Document:
        generator = random.Random(f"{seed}:{document.id}")
        return swap_names(document, generator) if generator.random() < share else document

    return {
        name: replace(corpus, documents=tuple(map(maybe_swapped, corpus.documents))) for name, corpus in corpora.items()
    }


def listed_names() -> frozenset[str]:
    """Every name of ``names.toml`` in every form, articles left out."""
    return frozenset(name.text for spellings in _names().spellings.values() for _, names in spellings for name in names)


@cache
def _names() -> _Names:
    data = tomllib.loads(Path(__file__).with_name("names.toml").read_text(encoding="utf-8"))
    words = frozenset(data.pop("words"))
    names = [name for kind, table in data.items() for name in _table_names(kind, table)]
    spellings: dict[str, list[_Name]] = {}
    full: dict[Row, list[str]] = {}
    for name in names:
        if name.form == 0:
            full.setdefault(name.row, []).append(name.text)
        for spelling in _spellings(name.text, word=name.text in words):
            spellings.setdefault(spelling, []).append(name)
    by_first_word: dict[str, list[tuple[str, Sequence[_Name]]]] = {}
    for spelling in sorted(spellings, key=len, reverse=True):
        first = _START.match(spelling)
        assert first, f"{spelling}: a name begins with a letter"
        by_first_word.setdefault(first.group(), []).append((spelling, spellings[spelling]))
    return _Names(
        fillers={kind: [[_cell(cell)[0] for cell in row] for row in table["names"]] for kind, table in data.items()},
        full=full,
        spellings=by_first_word,
        attributive={
            kind: table["forms"].index(table.get("attributive", table["forms"][0])) for kind, table in data.items()
        },
        words=words,
    )


def _table_names(kind: str, table: Mapping[str, Any]) -> Iterator[_Name]:
    for i, row in enumerate(table["names"]):
        assert len(row) == len(table["forms"]), f"{kind}: {row} needs {len(table['forms'])} forms"
        for form, cell in enumerate(row):
            yield from (
                _Name(text.removeprefix("the "), (kind, i), form, text.startswith("the ")) for text in _cell(cell)
            )


def _cell(cell: str | list[str]) -> list[str]:
    return [cell] if isinstance(cell, str) else cell


def _spellings(text: str, *, word: bool) -> set[str]:
    """The ways to write a name: as it is, with a capital, in capitals."""
    return {text} if word else {text, text[0].upper() + text[1:], text.upper()}


def _mentions(text: str) -> Iterator[_Mention]:
    """The names in a text in order, longest first where several begin, none inside another."""
    known = _names()
    end = 0
    for word in _START.finditer(text):
        if word.start() < end:
            continue
        for spelling, names in known.spellings.get(word.group(), ()):
            if text.startswith(spelling, word.start()) and _END.match(text, word.start() + len(spelling)):
                name = _meant(text, word.start(), spelling, names)
                if name:
                    end = word.start() + len(spelling)
                    yield _Mention(word.start(), end, name)
                    break


def _meant(text: str, start: int, spelling: str, names: Sequence[_Name]) -> _Name | None:
    """Which of the names is meant: one of a row whose first form is in the text, too, if possible; or None."""
    known = _names()
    with_article = names[0].article and _article(text, start).lower() == "the"
    if len(spelling) <= 2 and not with_article and _is_shouted(text, start, start + len(spelling)):
        return None  # "US" may be the word "us"
    for name in names:
        if name.form > 0 and any(full in text for full in known.full[name.row]):
            return name
    return names[0] if with_article or spelling not in known.words else None


def _is_shouted(text: str, start: int, end: int) -> bool:
    """Whether the line of ``[start, end)``, or the word before or after, is all capitals."""
    before, after = re.findall(r"\w\w+", text[max(0, start - 30) : start]), re.findall(r"\w\w+", text[end : end + 30])
    return _line_is_capitals(text, start) or any(map(str.isupper, before[-1:] + after[:1]))


def _line_is_capitals(text: str, position: int) -> bool:
    end = text.find("\n", position)
    return text[text.rfind("\n", 0, position) + 1 : len(text) if end < 0 else end].isupper()


def _article(text: str, start: int) -> str:
    """The article before a position, or nothing."""
    found = _ARTICLE.search(text, max(0, start - 5), start)
    return found.group(1) if found else ""


def _edit(text: str, mention: _Mention, successors: Mapping[Row, Row]) -> _Edit:
    """What becomes of a mention, and of the article before it where that must change."""
    name, start, article = mention.name, mention.start, _article(text, mention.start)
    kind, i = successors[name.row]
    the = article.lower() == "the"
    attributive = name.article and name.form == 0 and not (the and not _NOUN.match(text, mention.end))
    new = _names().fillers[kind][i][_names().attributive[kind] if attributive else name.form]
    if the and name.article and not attributive and not new.startswith("the "):
        start -= len("the ")  # "the United States" becomes "Russia"
    elif article or attributive or text[start - 1 : start] == "-":
        new = new.removeprefix("the ")
    if article.lower() in {"a", "an"} and bool(_VOWEL_SOUND.match(new)) != (article.lower() == "an"):
        start -= len(article) + 1
        new = f"{article[0]}{'n' if article.lower() == 'a' else ''} {new}"
    return _Edit(start, mention.end, _with_capitals(new, text, start, text[mention.start : mention.end], name.text))


def _with_capitals(new: str, text: str, start: int, old: str, listed: str) -> str:
    """The replacement in capitals where the name is, or with one where the name has one or begins a sentence."""
    if old.isupper() and (not listed.isupper() or _line_is_capitals(text, start)):
        return new.upper()
    if (old[0].isupper() and listed[0].islower()) or _SENTENCE_START.search(text, max(0, start - 9), start):
        return new[0].upper() + new[1:]
    return new


def _with_edits(document: Document, edits: Sequence[_Edit]) -> tuple[Document, tuple[Edited, ...]]:
    """The document after edits that are in order and apart; a span's edge inside an edit moves to the edit's edge."""
    parts, shift, position = [], 0, 0
    edited: list[Edited] = []
    for edit in edits:
        parts += [document.text[position : edit.start], edit.new]
        edited.append(Edited(edit.start, edit.end, edit.start + shift, edit.start + shift + len(edit.new)))
        shift += len(edit.new) - (edit.end - edit.start)
        position = edit.end
    parts.append(document.text[position:])
    spans = (_moved(span, edited) for span in document.spans)
    return replace(document, text="".join(parts), spans=in_reading_order(spans)), tuple(edited)


def _moved(span: Span, edited: Sequence[Edited]) -> Span:
    start, end = span.start, span.end
    for edit in edited:
        if edit.old_end <= span.start:
            start = span.start + edit.new_end - edit.old_end
        elif edit.old_start < span.start:
            start = edit.new_start
        if edit.old_end <= span.end:
            end = span.end + edit.new_end - edit.old_end
        elif edit.old_start < span.end:
            end = edit.new_end
    return replace(span, start=start, end=end)
