"""A text as the model should see it: hidden characters left out, disguised letters read as what they pose as.

Zero-width characters, soft hyphens, marks piled on letters, full-width letters and Cyrillic or Greek look-alikes do not
change what a person reads, but they would change every piece that a tokenizer makes of it. They are undone for the
model's eyes only: `Folded` leads each offset back into the text as given.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int32]
"""Numbers for each character of a text: half as large as `Ints`."""

BLOCK = 1 << 16
"""So many characters of a text are spread at once."""

_CYRILLIC = ("аекорсухіјѕԁһԛԝӏүѵАВЕКМНОРСТУХІЈЅԚԜӀҮѴ", "aekopcyxijsdhqwlyvABEKMHOPCTYXIJSQWIYV")
_GREEK = ("αγεηικνορτυχωϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ", "ayenikvoptuxwcjABEZHIKMNOPTYXCJ")
LOOK_ALIKES = {ord(c): latin for table in (_CYRILLIC, _GREEK) for c, latin in zip(*table, strict=True)}
"""Letters of other alphabets that pass for Latin ones, for `str.translate`; our own choice of the plain cases."""

_HIDDEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")  # fillers and joiners that are no format characters
_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0x180B, 0x180E), *range(0xE0100, 0xE01F0))))
_STYLED = ("<wide>", "<font>", "<circle>", "<square>")  # full-width, mathematical, ringed and boxed letters
_LINE_END = re.compile(r"\r\n|\r|\n")
_PAGE = (40, 120)  # columns: memes and poems have shorter lines, texts with a line for each paragraph longer ones
_FIRST_WORD = re.compile(r"[^\w\s]?\w")
_LEAST_FULL, _FULL_SHARE = 3, 0.3
_WORD = re.compile(r"[^\W\d_]+(?:[\u0300-\u036f\u0488\u0489]+[^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text; its character ``i`` stands for characters ``[starts[i], ends[i])`` of the text as given.

    Those ranges cover the given text: what is hidden belongs to the character before it. ``starts`` and ``ends`` are
    None where each character stands for itself in its place.
    """

    text: str
    starts: Counts | None = None
    ends: Counts | None = None

    def given(self, offsets: Ints) -> Ints:
        """Ranges ``(n, 2)`` of the folded text, none empty, as ranges of the given text."""
        if self.starts is None or self.ends is None:
            return offsets
        return np.stack([self.starts[offsets[:, 0]], self.ends[offsets[:, 1] - 1]], axis=1, dtype=np.int64)

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values of the folded text's characters ``(n_folded,)`` as values of the given text's ``(n_given,)``."""
        if self.starts is None or self.ends is None or not len(values):
            return values
        given = np.empty(self.ends[-1], dtype=values.dtype)
        edges = np.append(self.starts, self.ends[-1])
        for first in range(0, len(values), BLOCK):  # the numbers of repetitions take a lot of memory
            some = edges[first : first + BLOCK + 1]
            given[some[0] : some[-1]] = np.repeat(values[first : first + BLOCK], np.diff(some))
        return given


def fold(text: str) -> Folded:
    """The text without hidden characters and disguises. Ordinary text is left as it is.

    >>> fold("they w\\u200ba\\u00adnt to dеstrоy").text
    'they want to destroy'
    """
    if text.isascii() or not any(map(_is_unusual, set(text))):
        return Folded(text)
    shown, origins = _visible(text)
    folded = _without_look_alikes(shown)
    if np.array_equal(origins, np.arange(len(text), dtype=np.int32)):
        return Folded(folded)
    ends = np.append(origins[1:], np.int32(len(text)))[: len(origins)]
    # A range ends where the next character begins that stood elsewhere: a ligature's letters share theirs.
    for i in np.flatnonzero(ends[:-1] == origins[:-1])[::-1]:
        ends[i] = ends[i + 1]
    return Folded(folded, origins, ends)


def _visible(text: str) -> tuple[str, Counts]:
    """The characters that show, each in its plain form, and where each stood; the first of them stands at 0."""
    shown, starts = StringIO(), array("i")  # lists would be some times as large
    cluster = ""
    for i, character in enumerate(text):
        if character.isascii():
            cluster = character
        elif _is_hidden(character):
            continue
        elif not unicodedata.combining(character) and unicodedata.category(character) != "Me":
            character = _plain(character)
            cluster = character[-1]
        elif _is_noise(cluster, character):
            continue
        else:
            cluster += character
        shown.write(character)
        starts.extend([i] * len(character))
    origins = np.frombuffer(starts, dtype=np.int32)
    origins[origins == origins[:1]] = 0
    return shown.getvalue(), origins


def _is_noise(cluster: str, mark: str) -> bool:
    """Whether a combining mark makes no letter that exists with the Latin letter, or its look-alike, before it."""
    base = cluster[:1].translate(LOOK_ALIKES)
    if not base or base.isdigit() or not _is_latin(base):
        return False
    return all(len(unicodedata.normalize("NFC", c + cluster[1:] + mark)) > 1 for c in (base, cluster[0]))


def _without_look_alikes(text: str) -> str:
    """Look-alikes as Latin letters, in words that are Latin otherwise and in words of them alone among Latin ones."""
    if not any(ord(c) in LOOK_ALIKES for c in set(text)):
        return text
    scripts = [_script(match[0]) for match in _WORD.finditer(text)]
    parts, last, before = [], 0, ""
    after = _scripts_after(scripts)
    for match, script, following in zip(_WORD.finditer(text), scripts, after, strict=True):
        posing = script == "posing" and {before, following} <= {"latin", ""} and before + following
        if script == "mixed" or posing:
            parts += [text[last : match.start()], match[0].translate(LOOK_ALIKES)]
            last = match.end()
        before = before if script == "posing" else "latin" if script == "mixed" else script
    return "".join((*parts, text[last:]))


def _scripts_after(scripts: list[str]) -> list[str]:
    """For each word the script of the next one that does not pose, ``""`` at the end."""
    following, after = "", []
    for script in reversed(scripts):
        after.append(following)
        following = following if script == "posing" else "latin" if script == "mixed" else script
    return after[::-1]


def _script(word: str) -> str:
    """A word is ``latin``, ``mixed`` (look-alikes and Latin letters), ``posing`` (look-alikes alone) or ``other``."""
    if word.isascii():
        return "latin"
    letters = [c for c in word if c.isalpha()]
    posing = [c for c in letters if ord(c) in LOOK_ALIKES]
    latin = [c for c in letters if _is_latin(c)]
    if len(latin) + len(posing) < len(letters):
        return "other"
    if not posing:
        return "latin"
    # A Greek letter by itself, or behind capitals (TNFα), is a symbol.
    is_symbol = all(c in _GREEK[0] for c in posing) and (
        len(letters) == 1 or ("".join(latin).isupper() and "".join(posing).islower())
    )
    return "other" if is_symbol else "mixed" if latin else "posing"


@lru_cache(maxsize=4096)
def _is_unusual(character: str) -> bool:
    """Whether a character may have to be folded, seen by itself."""
    return (
        not character.isascii()
        and (_is_hidden(character) or ord(character) in LOOK_ALIKES or _plain(character) != character)
    ) or unicodedata.category(character) in {"Mn", "Me"}


@lru_cache(maxsize=4096)
def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or character in _HIDDEN or character in _SELECTORS


@lru_cache(maxsize=4096)
def _is_latin(character: str) -> bool:
    return character.isascii() or unicodedata.name(character, "").startswith("LATIN ")


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    """A character without its style: plain spaces, plain letters, ligatures taken apart."""
    if unicodedata.category(character) == "Zs":
        return " "
    style = unicodedata.decomposition(character).partition(" ")[0]
    if style not in _STYLED and not "\ufb00" <= character <= "\ufb06":
        return character
    plain = unicodedata.normalize("NFKC", character)
    return plain if plain.isascii() and (plain.isalpha() or style in ("<wide>", "<font>")) else character


def count_shown(text: str) -> Counts:
    """How many characters show before each position ``(n_characters + 1,)``; a run of space shows as one."""
    folded = fold(text)
    spaces = np.fromiter(map(str.isspace, text), dtype=bool, count=len(text))
    shows = np.ones(len(text), dtype=bool)
    if folded.starts is not None:
        shows[:] = False
        shows[folded.starts] = True
    shows[1:] &= ~(spaces[1:] & spaces[:-1])
    return counts_before(shows)


def counts_before(flags: npt.NDArray[np.bool_]) -> Counts:
    """How many flags are set before each position: ``(n + 1,)`` of ``(n,)``."""
    counts = np.zeros(len(flags) + 1, dtype=np.int32)
    np.cumsum(flags, out=counts[1:])
    return counts


def find_wraps(text: str) -> Ints:
    """The positions of the line ends that only wrap a paragraph at a column, in order.

    Such a line is full: the next one's first word would not have fitted. A text is taken as wrapped where no line is
    wider than a page and a good part of the lines that another follows at once are full.
    """
    breaks = [match.span() for match in _LINE_END.finditer(text)]
    starts, ends = [0, *(end for _, end in breaks)], [*(start for start, _ in breaks), len(text)]
    lines = [text[start:end].rstrip() for start, end in zip(starts, ends, strict=True)]
    width = max((len(line) for line in lines if " " in line), default=0)
    # An indented line, or one that begins with a bullet, is meant to stand by itself.
    followed = [i for i in range(len(breaks)) if lines[i] and _FIRST_WORD.match(lines[i + 1])]
    full = [i for i in followed if len(lines[i]) + 1 + len(lines[i + 1].split(maxsplit=1)[0]) > width]
    wrapped = _PAGE[0] <= width <= _PAGE[1] and len(full) >= max(_LEAST_FULL, _FULL_SHARE * len(followed))
    return np.array([k for i in full for k in range(*breaks[i])] if wrapped else [], dtype=np.int64)
