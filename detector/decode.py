"""Scores into spans: the only decoding there is. Training, evaluation, ``annotate`` and ``score`` all call it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detector.folding import Counts, count_shown, fold
from detector.sentences import sentences
from detector.spans import Span, in_reading_order
from detector.windows import CHANNELS, IDENTIFICATION, Pieces, code_points, line_numbers

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

EDGES_OUTSIDE = frozenset(" \t\r\n\v\f\u00a0\u2028\u2029\u200b\u2060\u00ad\ufeff.,;:-–—")
"""Characters that no span starts or ends with: what shows nothing, and punctuation that says nothing by itself."""

WORD_JOINERS = [ord(c) for c in "-'’"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Characters ``[start, end)`` that may be a span of one channel, by their pieces' mean and highest probability.

    ``support`` is what the other outputs say, as mean log-odds: identification of a technique's candidate, all
    techniques together of identification's. ``n_shown`` of the characters show, all of them where it is None.
    """

    start: int
    end: int
    mean: float
    peak: float
    support: float
    n_shown: int | None = None

    def features(self) -> tuple[float, float, float, float]:
        """What confidence is computed from: logits of mean and peak, the logarithm of the length, and the support."""
        length = self.end - self.start if self.n_shown is None else self.n_shown
        return _logit(self.mean), _logit(self.peak), math.log(length), self.support


@dataclass(frozen=True, slots=True)
class Calibration:
    """A candidate's confidence in one channel: a logistic of its features, by their weights, and an offset."""

    weights: tuple[float, float, float, float]
    offset: float

    def confidence(self, candidate: Candidate) -> float:
        """The probability that a candidate is right: that at least half of it lies in annotated spans."""
        weighted = sum(w * f for w, f in zip(self.weights, candidate.features(), strict=True))
        return 0.5 * (1 + math.tanh(0.5 * (weighted + self.offset)))


@dataclass(frozen=True, slots=True)
class Setting:
    """One strictness: whose annotation habits to follow, and what it takes to call something a span.

    All by channel: ``bias`` is added to the token head's outputs, a piece whose probability reaches ``thresholds`` is
    part of a candidate, and a candidate whose confidence reaches ``min_confidence`` is a span. No candidate has fewer
    words than ``fewest_words`` says, one where a channel is not named there: nobody marks a lone word as doubt.
    ``precision`` and ``recall`` of its spans with techniques were measured on validation documents (None: not
    measured).
    """

    name: str
    bias: Mapping[str, float]
    thresholds: Mapping[str, float]
    min_confidence: Mapping[str, float]
    calibration: Mapping[str, Calibration]
    fewest_words: Mapping[str, int] = field(default_factory=dict)
    precision: float | None = None
    recall: float | None = None

    def bias_vector(self) -> Floats:
        """The bias in the order of `CHANNELS`, shape ``(24,)``."""
        return np.array([self.bias[c] for c in CHANNELS], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Words:
    """What the words, sentences and lines of a text are, hidden characters and hard wraps seen through.

    ``first`` and ``last`` ``(n_pieces,)``: for each piece the first and last piece of its word. ``sentence``
    ``(n_characters,)``: the number of each character's sentence. ``line`` and ``shown`` ``(n_characters + 1,)``: how
    many lines end and how many characters show before each position.
    """

    first: Ints
    last: Ints
    sentence: Counts
    line: Counts
    shown: Counts


@dataclass(frozen=True, slots=True)
class Scores:
    """The token head's outputs for a whole document: ``logits`` ``(n_pieces, 24)`` before any corpus bias.

    ``mean`` ``(width,)`` is the mean vector of its pieces half-way through the encoder; None of a text without pieces.
    """

    pieces: Pieces
    words: Words
    logits: Floats
    mean: Floats | None = None


def decode(text: str, scores: Scores, setting: Setting, *, gap: int) -> tuple[Span, ...]:
    """The spans of all techniques in reading order, each with its calibrated confidence.

    Spans of different techniques may overlap; spans of one technique never touch the same character.
    """
    return in_reading_order(_spans(text, scores, setting, gap=gap, channels=CHANNELS[1:]))


def identify(text: str, scores: Scores, setting: Setting, *, gap: int) -> list[tuple[int, int]]:
    """The ranges inside any technique, by the identification output, in order."""
    return [(s.start, s.end) for s in _spans(text, scores, setting, gap=gap, channels=(IDENTIFICATION,))]


def _spans(text: str, scores: Scores, setting: Setting, *, gap: int, channels: tuple[str, ...]) -> Iterator[Span]:
    for channel, candidates in find_candidates(text, scores, setting, gap=gap, channels=channels).items():
        for candidate in candidates:
            confidence = setting.calibration[channel].confidence(candidate)
            if confidence >= setting.min_confidence[channel]:
                yield Span(candidate.start, candidate.end, channel, round(confidence, 4))


def find_candidates(
    text: str, scores: Scores, setting: Setting, *, gap: int, channels: tuple[str, ...]
) -> dict[str, list[Candidate]]:
    """The candidates of each channel at the setting's thresholds, in order."""
    if len(scores.pieces) == 0:
        return {channel: [] for channel in channels}
    bias = setting.bias_vector()
    inside = scores.logits[:, 0] + bias[0]
    by_any = inside
    if IDENTIFICATION in channels:
        by_any = np.logaddexp.reduce(scores.logits[:, 1:] + bias[1:], axis=1)
    return {
        channel: channel_candidates(
            text,
            scores.pieces,
            scores.words,
            _sigmoid(scores.logits[:, i] + bias[i]),
            by_any if channel == IDENTIFICATION else inside,
            threshold=setting.thresholds[channel],
            gap=gap,
            fewest_words=setting.fewest_words.get(channel, 1),
        )
        for channel, i in zip(channels, map(CHANNELS.index, channels), strict=True)
    }


def channel_candidates(
    text: str,
    pieces: Pieces,
    words: Words,
    probabilities: Floats,
    support: Floats,
    *,
    threshold: float,
    gap: int,
    fewest_words: int = 1,
) -> list[Candidate]:
    """The candidates where ``probabilities`` reach ``threshold``; ``support`` likewise ``(n_pieces,)``, as log-odds.

    Runs grow to whole words; runs at most ``gap`` shown characters apart in one sentence and on one line become one;
    edges are trimmed; what has fewer than ``fewest_words`` then is dropped.
    """
    runs = _merge_runs(pieces, words, _runs(probabilities >= threshold, words), gap=gap)
    candidates = []
    for first, last in runs:
        start, end = trim(text, int(pieces.offsets[first, 0]), int(pieces.offsets[last, 1]))
        n_shown = int(words.shown[end] - words.shown[start])
        if n_shown > 0 and n_words(text, start, end) >= fewest_words:
            inside, by_others = probabilities[first : last + 1], float(support[first : last + 1].mean())
            candidates.append(Candidate(start, end, float(inside.mean()), float(inside.max()), by_others, n_shown))
    return candidates


def find_words(text: str, pieces: Pieces) -> Words:
    """The text's words, sentences and lines. A word's pieces have no character between them and letters on both sides.

    A hyphen or an apostrophe between two letters counts as one of the word's letters.
    """
    starts, ends = pieces.offsets[1:, 0], pieces.offsets[:-1, 1]
    folded = fold(text)
    letters = np.fromiter(map(str.isalnum, folded.text), dtype=bool, count=len(folded.text))
    codes = code_points(folded.text)[1:-1]
    inner = np.flatnonzero(np.logical_or.reduce([codes == code for code in WORD_JOINERS])) + 1
    letters[inner] = letters[inner - 1] & letters[inner + 1]
    letters = folded.spread(letters)
    joined = (starts < ends) | ((starts == ends) & letters[starts] & letters[ends - 1])
    new = np.concatenate(([True], ~joined))
    word = np.cumsum(new) - 1
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(pieces)) - 1
    sentence = folded.spread(sentence_numbers(folded.text))
    return Words(first[word], last[word], sentence, line_numbers(text), count_shown(text))


def sentence_numbers(text: str) -> Counts:
    """The number of each character's sentence ``(n_characters,)``; space belongs to the one before it."""
    begins = np.zeros(len(text), dtype=np.int32)
    begins[[start for start, _ in sentences(text)]] = 1
    return np.cumsum(begins, out=begins)


def n_words(text: str, start: int, end: int) -> int:
    """How many words the characters ``[start, end)`` are, as spaces and line ends part them."""
    return len(text[start:end].split())


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without the characters of `EDGES_OUTSIDE` at its edges; empty where it holds nothing else.

    >>> trim("so - what?", 2, 10)
    (5, 10)
    """
    while start < end and text[start] in EDGES_OUTSIDE:
        start += 1
    while end > start and text[end - 1] in EDGES_OUTSIDE:
        end -= 1
    return start, end


def _runs(above: npt.NDArray[np.bool_], words: Words) -> list[tuple[int, int]]:
    """Runs ``(first, last)``, last included, of true pieces grown to whole words."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], above.view(np.int8), [0]))))
    firsts, lasts = words.first[edges[::2]], words.last[edges[1::2] - 1]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _merge_runs(pieces: Pieces, words: Words, runs: list[tuple[int, int]], *, gap: int) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in runs:
        if merged and _bridgeable(words, int(pieces.offsets[merged[-1][1], 1]), int(pieces.offsets[first, 0]), gap):
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _bridgeable(words: Words, end: int, start: int, gap: int) -> bool:
    near = words.shown[start] - words.shown[end] <= gap
    return bool(near and words.line[start] == words.line[end] and words.sentence[start] == words.sentence[end - 1])


def _sigmoid(x: Floats) -> Floats:
    chance: Floats = 0.5 * x
    np.tanh(chance, out=chance)
    chance += 1.0
    chance *= 0.5
    return chance


def _logit(p: float) -> float:
    p = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))
