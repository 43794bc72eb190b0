"""The language of a text, so that nobody trusts what a model says about a language it has never seen.

English is told by its commonest words, which costs nothing; only where these are rare is py3langid asked.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

from detector.errors import ConfigError

TRAINED_ON = ("en",)
"""The languages of the corpora that the shipped models were trained on (ISO 639-1)."""

_LOOK_AT = 5_000  # characters from the start and from the middle
_FEWEST_LETTERS = 40
_LATIN = ("LATIN", "FULLWIDTH LATIN", "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "BLACK-LETTER")
"""What the names of Latin letters start with, those included that a text is decorated with."""
_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH_WORDS = (
    "the of and to in a is that for it was on with as be by are at this from have has not they his her which we an "
    "or had will their but who been were its our you all no more would there said than what about"
)
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_ENOUGH_ENGLISH = 0.22
_CLEARLY = 25.0  # in logarithms of probability: names and headlines in English look like a little of everything


def language_of(text: str) -> str | None:
    """The language of a text, such as ``en``; None for one too short to tell.

    >>> language_of("They say that the people of this country will not have it, and they are right.")
    'en'
    """
    middle = len(text) // 2
    sample = text[:_LOOK_AT] + (" " + text[middle : middle + _LOOK_AT] if middle > _LOOK_AT else "")
    words = _WORD.findall(sample.lower())
    if sum(map(len, words)) < _FEWEST_LETTERS:
        return None
    if sum(word in _ENGLISH for word in words) >= _ENOUGH_ENGLISH * len(words):
        return "en"
    scores: dict[str, float] = {str(language): float(score) for language, score in _ranking()(sample)}
    best = max(scores, key=scores.__getitem__)
    unsure = best != "en" and scores[best] - scores["en"] < _CLEARLY
    return None if unsure else best


def unknown_language(text: str) -> str | None:
    """Why the model cannot know the language of a text; None where it may.

    >>> unknown_language("Ось воно.")
    'is not in Latin letters, the model has only read en'
    """
    known = ", ".join(TRAINED_ON)
    language = language_of(text)
    if language is not None:
        return None if language in TRAINED_ON else f"is in the language {language}, the model has only read {known}"
    letters = [c for c in text[:_LOOK_AT] if c.isalpha()]
    foreign = sum(not unicodedata.name(c, "").startswith(_LATIN) for c in letters)
    return f"is not in Latin letters, the model has only read {known}" if foreign > len(letters) / 2 else None


@cache
def _ranking() -> Any:
    try:
        import py3langid
    except ImportError:
        raise ConfigError(
            "--language-guard needs the package py3langid: pip install py3langid, "
            "or switch it off with --language-guard off"
        ) from None
    return py3langid.rank
