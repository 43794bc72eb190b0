"""Scores of predicted spans against gold spans, as the shared tasks compute them, and calibration.

A metric takes the gold and the predicted spans of one document, each as ``(technique, start, end)``, and returns a
`SpanScore`. Scores of several documents add up: ``sum(scores, SpanScore())`` is the score of the corpus.

>>> score = si([("doubt", 0, 10)], [("slogans", 5, 15)])
>>> score.precision, score.recall, score.f1
(0.5, 0.5, 0.5)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TypeAlias

import numpy as np

from detector.errors import CorpusError
from detector.spans import Document, merge_ranges
from detector.techniques import Inventory

Range: TypeAlias = tuple[int, int]
NamedRange: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class SpanScore:
    """Sums from which precision, recall and F1 follow; the sums of two documents add up.

    ``precision_sum`` is what the ``n_predicted`` items earned together, ``recall_sum`` what the ``n_gold`` items
    earned. The items are spans, for `characters` they are characters. ``by_technique`` holds only techniques that
    occur on one side at least; it is empty where a metric ignores techniques.
    """

    n_predicted: int = 0
    n_gold: int = 0
    precision_sum: float = 0.0
    recall_sum: float = 0.0
    by_technique: Mapping[str, SpanScore] = field(default_factory=dict)

    def __add__(self, other: SpanScore) -> SpanScore:
        none = SpanScore()
        names = dict.fromkeys((*self.by_technique, *other.by_technique))
        return SpanScore(
            self.n_predicted + other.n_predicted,
            self.n_gold + other.n_gold,
            self.precision_sum + other.precision_sum,
            self.recall_sum + other.recall_sum,
            {name: self.by_technique.get(name, none) + other.by_technique.get(name, none) for name in names},
        )

    @property
    def precision(self) -> float:
        """The mean credit of a predicted item; 0.0 where nothing was predicted."""
        return self.precision_sum / self.n_predicted if self.n_predicted else 0.0

    @property
    def recall(self) -> float:
        """The mean credit of a gold item; 0.0 where there is none."""
        return self.recall_sum / self.n_gold if self.n_gold else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, 0.0 where both are.

        Where nothing was to be found and nothing was predicted it is 1.0: the official scorers' own rule.
        """
        if not self.n_predicted and not self.n_gold:
            return 1.0
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


Metric: TypeAlias = Callable[[Iterable[NamedRange], Iterable[NamedRange]], SpanScore]


def si(gold: Iterable[NamedRange], predicted: Iterable[NamedRange]) -> SpanScore:
    """Span identification of SemEval-2020 Task 11: techniques are ignored, partial overlap counts in part.

    Spans of one side that share a character are merged first; spans that only touch stay apart. The official scorer
    merges the gold spans so and refuses predictions that overlap, unless it is told to merge those as well.
    """
    return _partial_credit(_merged(gold), _merged(predicted))


def flc(gold: Iterable[NamedRange], predicted: Iterable[NamedRange]) -> SpanScore:
    """Fragment-level classification of NLP4IF-2019 and PTC: `si` within each technique, then summed.

    In its lines by technique the official scorer divides the precision's sum by the number of gold spans and calls
    that recall; ``by_technique`` has the true recall. The totals are the official ones.
    """
    return _within_techniques(lambda g, p: _partial_credit(merge_ranges(g), merge_ranges(p)), gold, predicted)


def semeval2021(gold: Iterable[NamedRange], predicted: Iterable[NamedRange]) -> SpanScore:
    """Subtask 2 of SemEval-2021 Task 6: the credits of `flc`, but its scorer merges nothing.

    So spans of one technique that overlap on one side earn credit more than once, and a score may pass 1.
    """
    return _within_techniques(_partial_credit, gold, predicted)


def tc(gold: Iterable[NamedRange], predicted: Iterable[NamedRange]) -> SpanScore:
    """Technique classification of SemEval-2020 Task 11: a predicted span counts if a gold one is identical.

    Both sides are multisets. Where a range has several gold techniques, each prediction takes whichever gold
    technique it equals, the pairing that is best for it. Micro-F1 is then the accuracy, as both sides have the same
    ranges in that task.
    """
    return _within_techniques(_identical, gold, predicted)


def characters(gold: Iterable[NamedRange], predicted: Iterable[NamedRange]) -> SpanScore:
    """Scores of characters: as a whole, inside any technique or not; by technique, inside that one or not."""
    gold, predicted = list(gold), list(predicted)
    whole = _shared_characters(_ranges(gold), _ranges(predicted))
    return replace(whole, by_technique=_within_techniques(_shared_characters, gold, predicted).by_technique)


def is_right(gold: Iterable[NamedRange], found: NamedRange) -> bool:
    """Whether at least half of a found span lies in gold spans of a technique that may be its own.

    A gold technique may be several joined by ``+``.
    """
    technique, start, end = found
    near = (g for g in gold if g[1] < end and start < g[2])
    own = [(technique, g_start, g_end) for name, g_start, g_end in near if technique in name.split("+")]
    return si(own, [found]).precision_sum >= 0.5


def score_documents(
    metric: Metric, gold: Iterable[Document], predicted: Iterable[Document], *, inventory: Inventory | None = None
) -> list[SpanScore]:
    """The score of each gold document, in order, for `bootstrap` or to be summed.

    With an inventory, techniques go by its names, and spans that it cannot name are left out on both sides; merged
    techniques then meet their members. A gold document without predictions counts as one with no spans. Raises
    CorpusError for an id that occurs twice, or among the predictions only.
    """
    gold_by_id, predicted_by_id = _by_id(gold, "gold"), _by_id(predicted, "predicted")
    for id in predicted_by_id.keys() - gold_by_id.keys():
        raise CorpusError(f"predicted document {id!r}: no gold document has this id; score it against its own corpus")
    return [
        metric(named_ranges(document, inventory), named_ranges(predicted_by_id.get(id), inventory))
        for id, document in gold_by_id.items()
    ]


def named_ranges(document: Document | None, inventory: Inventory | None = None) -> list[NamedRange]:
    """The spans of a document as metrics take them, by the inventory's names where one is given."""
    spans = document.spans if document else ()
    if inventory is None:
        return [(s.technique, s.start, s.end) for s in spans]
    named = ((inventory.foreign(s.technique) if s.technique else None, s.start, s.end) for s in spans)
    return [(name, start, end) for name, start, end in named if name is not None]


# -- confidence ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Predictions with a confidence in ``[low, high)`` (the last bin includes 1): mean confidence, share right."""

    low: float
    high: float
    n_predictions: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """The expected calibration error, from 0 to 1, and the bins it was computed from: those with a prediction."""

    error: float
    bins: tuple[ReliabilityBin, ...]


def calibration_error(confidences: Iterable[float], outcomes: Iterable[bool], *, n_bins: int = 10) -> Reliability:
    """How far confidence is from the share of right predictions, averaged over bins of equal width.

    Each bin weighs as many as it has predictions (Naeini et al., 2015). Without predictions the error is 0.0.
    """
    members: list[list[tuple[float, bool]]] = [[] for _ in range(n_bins)]
    for confidence, outcome in zip(confidences, outcomes, strict=True):
        if not 0 <= confidence <= 1:
            raise ValueError(f"a confidence is between 0 and 1, not {confidence}")
        members[min(int(confidence * n_bins), n_bins - 1)].append((confidence, outcome))
    bins = tuple(_bin(i / n_bins, (i + 1) / n_bins, pairs) for i, pairs in enumerate(members) if pairs)
    n_predictions = sum(b.n_predictions for b in bins)
    gaps = sum(b.n_predictions * abs(b.confidence - b.accuracy) for b in bins)
    return Reliability(gaps / n_predictions if bins else 0.0, bins)


def bootstrap(
    scores: Sequence[SpanScore], statistic: Callable[[SpanScore], float], *, n: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The bounds of a 95 % interval of ``statistic``: documents drawn with replacement, ``n`` times.

    ``scores`` has one score for each document. The statistic sees sums without ``by_technique``; for one technique,
    pass the scores of that technique.

    >>> bootstrap([SpanScore(1, 1, 0.5, 0.5)] * 20, lambda score: score.f1)
    (0.5, 0.5)
    """
    if not scores:
        raise ValueError("an interval needs one document at least")
    sums = np.array([(s.n_predicted, s.n_gold, s.precision_sum, s.recall_sum) for s in scores], dtype=np.float64)
    # How often each document is drawn, all draws at once: one row for each of the n samples.
    n_drawn = np.random.default_rng(seed).multinomial(len(sums), [1 / len(sums)] * len(sums), size=n)
    values = [
        statistic(SpanScore(int(n_predicted), int(n_gold), float(precision_sum), float(recall_sum)))
        for n_predicted, n_gold, precision_sum, recall_sum in n_drawn @ sums
    ]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def f1_interval(scores: Sequence[SpanScore]) -> tuple[float, float]:
    """The bounds of a 95 % interval of F1 over documents; a draw with no spans at all, to find or found, has 0.0."""
    return bootstrap(scores, lambda drawn: drawn.f1 if drawn.n_gold or drawn.n_predicted else 0.0)


# -- the sums of one technique ---------------------------------------------------------------------------------------


def _partial_credit(gold: Sequence[Range], predicted: Sequence[Range]) -> SpanScore:
    """Every pair adds its shared characters: to precision as a part of the predicted span, to recall of the gold."""
    pairs = list(_pairs(gold, predicted))
    return SpanScore(
        len(predicted),
        len(gold),
        sum((shared / (p[1] - p[0]) for _, p, shared in pairs), 0.0),
        sum((shared / (g[1] - g[0]) for g, _, shared in pairs), 0.0),
    )


def _pairs(gold: Iterable[Range], predicted: Iterable[Range]) -> Iterator[tuple[Range, Range, int]]:
    """The pairs that share characters, and how many; far fewer than all pairs in a long document."""
    ordered = sorted(predicted)
    starts = [start for start, _ in ordered]
    reached = list(accumulate((end for _, end in ordered), max))  # how far the spans up to each of them go
    for g in gold:
        for p in ordered[bisect_right(reached, g[0]) : bisect_left(starts, g[1])]:
            if (shared := min(g[1], p[1]) - max(g[0], p[0])) > 0:
                yield g, p, shared


def _identical(gold: Sequence[Range], predicted: Sequence[Range]) -> SpanScore:
    n_identical = float((Counter(gold) & Counter(predicted)).total())
    return SpanScore(len(predicted), len(gold), n_identical, n_identical)


def _shared_characters(gold: Sequence[Range], predicted: Sequence[Range]) -> SpanScore:
    gold, predicted = merge_ranges(gold), merge_ranges(predicted)
    n_shared = float(sum(shared for *_, shared in _pairs(gold, predicted)))
    return SpanScore(_n_characters(predicted), _n_characters(gold), n_shared, n_shared)


def _within_techniques(
    score: Callable[[Sequence[Range], Sequence[Range]], SpanScore],
    gold: Iterable[NamedRange],
    predicted: Iterable[NamedRange],
) -> SpanScore:
    """The scores of each technique, and their sum."""
    gold_ranges, predicted_ranges = _by_technique(gold), _by_technique(predicted)
    names = sorted(gold_ranges.keys() | predicted_ranges.keys())
    parts = {name: score(gold_ranges.get(name, []), predicted_ranges.get(name, [])) for name in names}
    return replace(sum(parts.values(), SpanScore()), by_technique=parts)


def _by_technique(spans: Iterable[NamedRange]) -> dict[str, list[Range]]:
    groups: dict[str, list[Range]] = {}
    for technique, start, end in sorted(spans):  # sorted, so that rounding is the same whatever the order was
        groups.setdefault(technique, []).append((start, end))
    return groups


def _ranges(spans: Iterable[NamedRange]) -> list[Range]:
    return [(start, end) for _, start, end in spans]


def _merged(spans: Iterable[NamedRange]) -> list[Range]:
    return merge_ranges(_ranges(spans))


def _n_characters(ranges: Iterable[Range]) -> int:
    return sum(end - start for start, end in ranges)


def _bin(low: float, high: float, pairs: Sequence[tuple[float, bool]]) -> ReliabilityBin:
    n_predictions = len(pairs)
    mean = sum(confidence for confidence, _ in pairs) / n_predictions
    return ReliabilityBin(low, high, n_predictions, mean, sum(outcome for _, outcome in pairs) / n_predictions)


def _by_id(documents: Iterable[Document], side: str) -> dict[str, Document]:
    by_id: dict[str, Document] = {}
    for document in documents:
        if document.id in by_id:
            raise CorpusError(f"{side} document {document.id!r}: the id occurs twice; give each document its own")
        by_id[document.id] = document
    return by_id
