"""Scores into spans: the only decoding there is. Training, evaluation, ``annotate`` and ``score`` all call it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.spans import Span, in_reading_order
from detector.windows import CHANNELS, IDENTIFICATION, Pieces

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

EDGES_OUTSIDE = frozenset(" \t\r\n\v\f\u00a0\u2028\u2029\u200b.,;:-–—")
"""Characters that no span starts or ends with: space, and punctuation that says nothing by itself."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A span's confidence from its score: ``sigmoid(slope * logit(score) + offset[channel])``."""

    slope: float
    offsets: Mapping[str, float]

    def confidence(self, channel: str, score: float) -> float:
        """The probability that a span of this score is right: that at least half of it is in an annotated span."""
        return 1 / (1 + math.exp(-self.slope * _logit(score) - self.offsets[channel]))


@dataclass(frozen=True, slots=True)
class Setting:
    """One strictness: whose annotation habits to follow, and what it takes to call something a span.

    ``bias`` is added to the token head's outputs, by channel; ``thresholds`` are probabilities, by channel.
    """

    name: str
    bias: Mapping[str, float]
    thresholds: Mapping[str, float]
    calibration: Calibration

    def bias_vector(self) -> Floats:
        """The bias in the order of `CHANNELS`, shape ``(24,)``."""
        return np.array([self.bias[c] for c in CHANNELS], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Words:
    """Where the words of a tokenised text begin and end, as pieces: both ``(n_pieces,)``, for each piece its word's."""

    first: Ints
    last: Ints


@dataclass(frozen=True, slots=True)
class Scores:
    """The token head's outputs for a whole document: ``logits`` ``(n_pieces, 24)`` before any corpus bias."""

    pieces: Pieces
    words: Words
    logits: Floats


def decode(text: str, scores: Scores, setting: Setting, *, gap: int) -> tuple[Span, ...]:
    """The spans of all techniques in reading order, each with its calibrated confidence.

    Spans of different techniques may overlap; spans of one technique never touch the same character.
    """
    found = decode_channels(text, scores, setting, gap=gap, channels=CHANNELS[1:])
    spans = [
        Span(start, end, channel, round(setting.calibration.confidence(channel, score), 4))
        for channel, ranges in found.items()
        for start, end, score in ranges
    ]
    return in_reading_order(spans)


def identify(text: str, scores: Scores, setting: Setting, *, gap: int) -> list[tuple[int, int]]:
    """The ranges inside any technique, by the identification output, in order."""
    found = decode_channels(text, scores, setting, gap=gap, channels=(IDENTIFICATION,))
    return [(start, end) for start, end, _ in found[IDENTIFICATION]]


def decode_channels(
    text: str, scores: Scores, setting: Setting, *, gap: int, channels: tuple[str, ...]
) -> dict[str, list[tuple[int, int, float]]]:
    """Ranges ``(start, end, score)`` by channel; the score is the mean probability of the range's pieces."""
    if len(scores.pieces) == 0:
        return {channel: [] for channel in channels}
    probabilities = _sigmoid(scores.logits + setting.bias_vector())
    return {
        channel: channel_ranges(
            text,
            scores.pieces,
            scores.words,
            probabilities[:, CHANNELS.index(channel)],
            threshold=setting.thresholds[channel],
            gap=gap,
        )
        for channel in channels
    }


def channel_ranges(
    text: str, pieces: Pieces, words: Words, probabilities: Floats, *, threshold: float, gap: int
) -> list[tuple[int, int, float]]:
    """Ranges of characters ``(start, end, score)`` where ``probabilities`` ``(n_pieces,)`` reach ``threshold``.

    Runs grow to whole words; runs at most ``gap`` characters apart on one line become one; then the edges are trimmed.
    """
    runs = _merge_runs(text, pieces, _runs(probabilities >= threshold, words), gap=gap)
    ranges = []
    for first, last in runs:
        start, end = trim(text, int(pieces.offsets[first, 0]), int(pieces.offsets[last, 1]))
        if start < end:
            ranges.append((start, end, float(probabilities[first : last + 1].mean())))
    return ranges


def find_words(text: str, pieces: Pieces) -> Words:
    """The words that the pieces belong to: neighbours with no character between them, letters on both sides."""
    starts, ends = pieces.offsets[1:, 0], pieces.offsets[:-1, 1]
    letters = np.fromiter(map(str.isalnum, text), dtype=bool, count=len(text))
    joined = (starts < ends) | ((starts == ends) & letters[starts] & letters[ends - 1])
    new = np.concatenate(([True], ~joined))
    word = np.cumsum(new) - 1
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(pieces)) - 1
    return Words(first[word], last[word])


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


def _merge_runs(text: str, pieces: Pieces, runs: list[tuple[int, int]], *, gap: int) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in runs:
        if merged and _bridgeable(text, int(pieces.offsets[merged[-1][1], 1]), int(pieces.offsets[first, 0]), gap):
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _bridgeable(text: str, end: int, start: int, gap: int) -> bool:
    return start - end <= gap and not any(c in "\r\n" for c in text[end:start])


def _sigmoid(x: Floats) -> Floats:
    chance: Floats = 0.5 * (1.0 + np.tanh(0.5 * x))
    return chance


def _logit(p: float) -> float:
    p = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))
