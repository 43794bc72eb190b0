"""Which words carried a finding: each word of it and around it is masked in turn, and the finding scored again.

This is occlusion (Zeiler and Fergus, 2014, "Visualizing and understanding convolutional networks"; for words Li, Monroe
and Jurafsky, 2016, "Understanding neural networks through representation erasure"). The score of a finding is the mean
log-odds of its technique over its pieces, before any bias; the weight of a word is how much lower that is with the word
masked. A word keeps its number of pieces, so nothing else moves.

A finding is scored with `CONTEXT` pieces on either side instead of its whole window, which would cost two or three
times as much. Words are masked one at a time: of evidence that several words give alike, none of them shows much.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from detector.decode import find_words, trim
from detector.detect import Detector, check_inside
from detector.errors import InputError
from detector.spans import Cue, Document, Span
from detector.techniques import members
from detector.windows import CHANNELS, Ints, Pieces, piece_range

MOST_CUES = 3
LEAST_WEIGHT = 0.1
"""A word that changes the log-odds less is not named."""
LEAST_SHARE = 0.2
"""Nor is one that changes them less than this share of what the strongest word does."""
CONTEXT = 40
AROUND = 8
"""So many words on either side of a finding are tried, beside its own."""
MOST_TRIED = 40
"""In a longer finding, neighbouring words are masked together, so that there are no more than this."""
MASKS = ("<mask>", "[MASK]", "<unk>", "[UNK]")


@dataclass(frozen=True, slots=True)
class Word:
    """Pieces ``[first, last)`` of a text and its characters ``[start, end)``: a word, or several in a row."""

    first: int
    last: int
    start: int
    end: int


def explain(detector: Detector, document: Document) -> Document:
    """The document with what carried each of its spans in `Span.why`: at most three words, strongest first.

    Each word that is tried costs the encoder one reading of the finding and what is around it. Of a finding that is
    longer than the model's window shows beside the text before it, the beginning is scored, and its words are tried.
    Raises InputError for a span that is not inside the text, or has no technique.
    """
    if not document.spans:
        return document
    check_inside(document)
    for span in document.spans:
        if not span.technique:
            where = f"span [{span.start}, {span.end})"
            raise InputError(f"{document.id}: {where} has no technique that words could carry: classify it first")
    pieces = detector.tokenize(document.text)
    words, mask = text_words(document.text, pieces), mask_id(detector)
    spans = tuple(replace(span, why=_cues(detector, span, pieces, words, mask)) for span in document.spans)
    return replace(document, spans=spans)


def mask_id(detector: Detector) -> int:
    """The piece that hides another: the tokenizer's mask, else its unknown piece, else padding."""
    known = (detector.tokenizer.token_to_id(name) for name in MASKS)
    return next((id for id in known if id is not None), detector.info.pad_id)


def text_words(text: str, pieces: Pieces) -> list[Word]:
    """The words of a text that have a letter or a digit, in order, without punctuation at their edges."""
    ends = find_words(text, pieces).last + 1 if len(pieces) else np.empty(0, dtype=np.int64)
    found, first = [], 0
    while first < len(pieces):
        last = int(ends[first])
        start, end = trim(text, int(pieces.offsets[first, 0]), int(pieces.offsets[last - 1, 1]))
        if any(map(str.isalnum, text[start:end])):
            found.append(Word(first, last, start, end))
        first = last
    return found


def words_near(words: Sequence[Word], first: int, last: int) -> Sequence[Word]:
    """The words of a finding with pieces ``[first, last)``, and `AROUND` of them on either side."""
    before, after = bisect_left(words, first, key=lambda w: w.first), bisect_left(words, last, key=lambda w: w.first)
    return words[max(0, before - AROUND) : after + AROUND]


def _cues(detector: Detector, span: Span, pieces: Pieces, words: Sequence[Word], mask: int) -> tuple[Cue, ...]:
    first, last = piece_range(pieces, span.start, span.end)
    low = max(0, first - min(CONTEXT, detector.info.window // 2))  # so that a short window shows some of the finding
    high = min(len(pieces), last + CONTEXT, low + detector.info.window)
    near = words_near(words, first, last)
    tried = _joined([word for word in near if low <= word.first and word.last <= high], n=MOST_TRIED)
    if first == last or not tried:
        return ()
    shown = pieces.ids[low:high]
    scored = detector.backend.score([shown, *(_masked(shown, word, low, mask) for word in tried)])
    columns = [CHANNELS.index(name) for name in members(span.technique)]
    scores = np.array([logits[first - low : last - low, columns].mean() for logits in scored])
    drops = (scores[0] - scores[1:]).tolist()
    return _strongest([Cue(word.start, word.end, round(drop, 4)) for word, drop in zip(tried, drops, strict=True)])


def _joined(words: Sequence[Word], *, n: int) -> list[Word]:
    """The words as at most ``n`` runs of neighbours, all equally long but the last."""
    size = max(1, math.ceil(len(words) / n))
    runs = (words[i : i + size] for i in range(0, len(words), size))
    return [Word(run[0].first, run[-1].last, run[0].start, run[-1].end) for run in runs]


def _masked(ids: Ints, word: Word, low: int, mask: int) -> Ints:
    masked = ids.copy()
    masked[word.first - low : word.last - low] = mask
    return masked


def _strongest(cues: Sequence[Cue]) -> tuple[Cue, ...]:
    """The cues that are worth naming, strongest first; of equals the one that comes first."""
    ranked = sorted(cues, key=lambda cue: (-cue.weight, cue.start))
    least = max(LEAST_WEIGHT, LEAST_SHARE * ranked[0].weight)
    return tuple(cue for cue in ranked[:MOST_CUES] if cue.weight >= least)
