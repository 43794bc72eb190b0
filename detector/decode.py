"""Scores into spans: the only decoding there is. Training, evaluation, ``annotate`` and ``score`` all call it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detector.errors import ModelError
from detector.folding import Counts, count_shown, fold
from detector.sentences import sentences
from detector.spans import Span, in_reading_order
from detector.techniques import NAMES
from detector.windows import CHANNELS, Pieces, code_points, line_numbers

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

EDGES_OUTSIDE = frozenset(" \t\r\n\v\f\u00a0\u2028\u2029\u200b\u2060\u00ad\ufeff.,;:-–—")
"""Characters that no span starts or ends with: what shows nothing, and punctuation that says nothing by itself."""

WORD_JOINERS = [ord(c) for c in "-'’"]

FRAGMENT = 2
"""This many words of a sentence that goes on outside, or fewer, are dropped from the edge of a run over its end."""

MOST_COVERED = 5.0
"""The logarithm of as many annotated spans as a candidate is ever expected to cover."""


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
        return self.chance(candidate.features())

    def chance(self, features: Iterable[float]) -> float:
        """The same of a candidate with these features."""
        return 0.5 * (1 + math.tanh(0.5 * self.weigh(features)))

    def weigh(self, features: Iterable[float]) -> float:
        """A candidate's features by their weights, and the offset: log-odds, or the logarithm of a number."""
        return sum(w * f for w, f in zip(self.weights, features, strict=True)) + self.offset


@dataclass(frozen=True, slots=True)
class Identification:
    """How the ranges inside any technique are chosen: so that span identification's F1 is expected to be highest.

    The runs of pieces at each of ``thresholds`` are candidates. ``precision`` says which share of a candidate is
    expected to lie in annotated spans (a logistic), ``recall`` how many annotated spans it is expected to cover (an
    exponential). A candidate is worth its share, and its spans times ``recall_weight``, less ``cost``: what one range
    more costs in precision.
    """

    thresholds: tuple[float, ...]
    precision: Calibration
    recall: Calibration
    recall_weight: float
    cost: float

    def worth(self, candidate: Candidate) -> float:
        """What the candidate is expected to bring; below 0.0 the others do better without it."""
        n_covered = math.exp(min(self.recall.weigh(candidate.features()), MOST_COVERED))
        return self.precision.confidence(candidate) + self.recall_weight * n_covered - self.cost

    def choose(self, candidates: Sequence[Candidate]) -> list[int]:
        """The places of those candidates, sorted by their ends, that are worth most together without overlap."""
        return worth_most(candidates, [self.worth(candidate) for candidate in candidates])


@dataclass(frozen=True, slots=True)
class Setting:
    """One strictness: whose annotation habits to follow, and what it takes to call something a span.

    ``bias``, by channel, is added to the token head's outputs. The rest is by technique: a piece whose probability
    reaches ``thresholds`` is part of a candidate, and a candidate whose confidence reaches ``min_confidence`` is a
    span. No candidate has fewer words than ``fewest_words`` says, one where a technique is not named there: nobody
    marks a lone word as doubt. ``precision`` and ``recall`` of its spans were measured on validation documents (None:
    not measured). Without ``identification``, in settings of former versions, there are spans, but `identify` fails.
    """

    name: str
    bias: Mapping[str, float]
    thresholds: Mapping[str, float]
    min_confidence: Mapping[str, float]
    calibration: Mapping[str, Calibration]
    identification: Identification | None = None
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
    ``(n_characters,)``: a number for each character's sentence, which ends with its line at the latest. ``line`` and
    ``shown`` ``(n_characters + 1,)``: how many lines end and how many characters show before each position.
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
    return in_reading_order(_spans(text, scores, setting, gap=gap))


def _spans(text: str, scores: Scores, setting: Setting, *, gap: int) -> Iterator[Span]:
    for technique, candidates in find_candidates(text, scores, setting, gap=gap, techniques=NAMES).items():
        for candidate in candidates:
            confidence = setting.calibration[technique].confidence(candidate)
            if confidence >= setting.min_confidence[technique]:
                yield Span(candidate.start, candidate.end, technique, round(confidence, 4))


def find_candidates(
    text: str, scores: Scores, setting: Setting, *, gap: int, techniques: tuple[str, ...]
) -> dict[str, list[Candidate]]:
    """The candidates of each technique at the setting's thresholds, in order."""
    if len(scores.pieces) == 0:
        return {name: [] for name in techniques}
    bias = setting.bias_vector()
    return {
        name: channel_candidates(
            text,
            scores.pieces,
            scores.words,
            _sigmoid(scores.logits[:, i] + bias[i]),
            scores.logits[:, 0] + bias[0],
            threshold=setting.thresholds[name],
            gap=gap,
            fewest_words=setting.fewest_words.get(name, 1),
        )
        for name, i in zip(techniques, map(CHANNELS.index, techniques), strict=True)
    }


def identify(text: str, scores: Scores, setting: Setting) -> list[tuple[int, int]]:
    """The ranges inside any technique, in order; they share no character.

    `ModelError` where the setting does not know how to choose them.
    """
    chosen_by = setting.identification
    if chosen_by is None:
        raise ModelError(f"setting {setting.name!r} has no identification: make it anew with 'detector calibrate'")
    candidates = identification_candidates(text, scores, setting.bias_vector(), chosen_by.thresholds)
    return [(candidates[i].start, candidates[i].end) for i in chosen_by.choose(candidates)]


def identification_candidates(text: str, scores: Scores, bias: Floats, thresholds: Iterable[float]) -> list[Candidate]:
    """What may be a range inside any technique: the runs at each threshold, by their ends and starts, none twice."""
    if len(scores.pieces) == 0:
        return []
    logits = scores.logits + bias
    probabilities, by_any = _sigmoid(logits[:, 0]), np.logaddexp.reduce(logits[:, 1:], axis=1)
    found: dict[tuple[int, int], Candidate] = {}
    for threshold in thresholds:
        runs = channel_candidates(text, scores.pieces, scores.words, probabilities, by_any, threshold=threshold, gap=0)
        for candidate in runs:
            found.setdefault((candidate.end, candidate.start), candidate)
    return [found[key] for key in sorted(found)]


def worth_most(candidates: Sequence[Candidate], worth: Sequence[float]) -> list[int]:
    """The places of those candidates that share no character and are worth most together, in order.

    ``candidates`` are sorted by their ends; weighted interval scheduling (Kleinberg and Tardos, 2005, section 6.1).
    """
    ends = [candidate.end for candidate in candidates]
    before = [bisect_right(ends, candidate.start, 0, i) for i, candidate in enumerate(candidates)]
    best = [0.0]
    for i, value in enumerate(worth):
        best.append(max(best[i], best[before[i]] + value))
    chosen = []
    i = len(candidates)
    while i > 0:
        if best[i] > best[i - 1]:
            chosen.append(i - 1)
            i = before[i - 1]
        else:
            i -= 1
    return chosen[::-1]


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
    edges are trimmed, of fragments of another sentence as well (see `FRAGMENT`); what has fewer than ``fewest_words``
    then is dropped.
    """
    candidates = []
    for run in _merge_runs(pieces, words, _runs(probabilities >= threshold, words), gap=gap):
        first, last = _without_fragments(text, pieces, words, *run)
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
    line, sentence = line_numbers(text), folded.spread(sentence_numbers(folded.text))
    ends_with_line = sentence + line[:-1] if len(sentence) else line[:-1]  # nothing of the text shows
    return Words(first[word], last[word], ends_with_line, line, count_shown(text))


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


def _without_fragments(text: str, pieces: Pieces, words: Words, first: int, last: int) -> tuple[int, int]:
    """A run without few words at its edges whose sentence goes on outside, where it reaches over a sentence end."""
    starts, ends = pieces.offsets[first : last + 1].T
    numbers = words.sentence[starts]
    if numbers[0] == numbers[-1]:
        return first, last
    head, tail = int(np.searchsorted(numbers, numbers[0], side="right")), int(np.searchsorted(numbers, numbers[-1]))
    begin, end = np.searchsorted(words.sentence, [numbers[0], numbers[-1] + 1])
    low = head if _is_fragment(text[starts[0] : ends[head - 1]], text[begin : starts[0]]) else 0
    high = tail if _is_fragment(text[starts[tail] : ends[-1]], text[ends[-1] : end]) else len(numbers)
    return (first + low, first + high - 1) if low < high else (first, last)


def _is_fragment(inside: str, outside: str) -> bool:
    return len(inside.split()) <= FRAGMENT and any(map(str.isalnum, outside))


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
