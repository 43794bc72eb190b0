"""Thresholds and confidence, both chosen on validation documents, for each strictness setting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detector.corpora import Corpus
from detector.decode import Calibration, Scores, Setting, find_candidates, n_words
from detector.metrics import NamedRange, si
from detector.spans import Document, merge_ranges
from detector.techniques import NAMES, Inventory
from detector.windows import CHANNELS, IDENTIFICATION

Floats = npt.NDArray[np.float64]

MANY_SPANS = 10
"""With at least this many annotated spans a technique is found at its clearest, however unsure."""

RARELY_FEWER = 0.02
"""No technique is found in fewer words than all but this share of its annotated spans have."""

ENOUGH_SPANS = 50
"""With fewer annotated spans than this, a technique's shortest say nothing."""

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
"""The candidate thresholds tried, as probabilities."""

LEAST_IDENTIFICATION = 0.25
"""Below this identification would mark whole articles wherever recall counts most."""

AS_SCORED = Calibration((1.0, 0.0, 0.0, 0.0), 0.0)
"""Takes the mean probability of a candidate for its confidence."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A validation document with the model's scores, and the inventory its corpus was annotated with."""

    document: Document
    scores: Scores
    inventory: Inventory


ScoredCorpora = Mapping[str, Sequence[Scored]]
Biases = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class SettingPlan:
    """How a setting is made: the mean bias of ``follows``, thresholds for the best F-``beta`` on ``chosen_on``."""

    name: str
    follows: tuple[str, ...]
    chosen_on: tuple[str, ...]
    beta: float


PLANS = (
    SettingPlan("strict", ("ptc",), ("ptc",), 0.5),
    SettingPlan("balanced", ("ptc", "checkthat"), ("ptc", "checkthat"), 1.0),
    SettingPlan("sensitive", ("checkthat",), ("checkthat",), 1.5),
    SettingPlan("ptc", ("ptc",), ("ptc",), 1.0),
    SettingPlan("checkthat", ("checkthat",), ("checkthat",), 1.0),
    SettingPlan("semeval2021", ("semeval2021",), ("semeval2021",), 1.0),
)
"""The three settings for users, and one for the habits of each training corpus."""


def fewest_words_of(corpora: Iterable[Corpus]) -> dict[str, int]:
    """The fewest words that a span of each technique has, but for `RARELY_FEWER` of them, where that is more than one.

    To be counted in documents that nothing is measured on.
    """
    lengths: defaultdict[str, list[int]] = defaultdict(list)
    for document in (document for corpus in corpora for document in corpus.documents):
        for span in document.spans:
            for technique in span.technique.split("+"):
                lengths[technique].append(n_words(document.text, span.start, span.end))
    known = {name: lengths[name] for name in NAMES if len(lengths[name]) >= ENOUGH_SPANS}
    fewest = {name: int(np.quantile(counts, RARELY_FEWER, method="lower")) for name, counts in known.items()}
    return {name: count for name, count in fewest.items() if count > 1}


def make_setting(plan: SettingPlan, scored: ScoredCorpora, biases: Biases, *, gap: int) -> Setting:
    """One setting: its bias; then thresholds, calibration and least confidence, for identification and techniques.

    Of all candidate thresholds the one is taken that gives, with its neighbours, the best F-``beta`` after
    calibration, with the confidence at which that is reached: SI for identification, micro FLC for the techniques
    together.
    """
    follows = [name for name in plan.follows if name in biases] or list(biases)
    bias = dict(zip(CHANNELS, np.mean([biases[name] for name in follows], axis=0).tolist(), strict=True))
    least = dict.fromkeys(CHANNELS, THRESHOLDS[0])
    setting = Setting(plan.name, bias, least, dict.fromkeys(CHANNELS, 0.0), dict.fromkeys(CHANNELS, AS_SCORED))
    documents = documents_of(plan, scored)
    for channels in ((IDENTIFICATION,), NAMES):
        tried = [t for t in THRESHOLDS if t >= LEAST_IDENTIFICATION or channels == NAMES]
        trials = [_try_threshold(documents, setting, channels, t, beta=plan.beta, gap=gap) for t in tried]
        setting = trials[_best([measure for measure, _ in trials])][1]
    return setting


def _best(measures: Sequence[float]) -> int:
    """The place with the highest mean of itself and its neighbours: a lone peak is mostly luck."""
    padded = np.pad(np.array(measures), 1, mode="edge")
    return int(np.argmax(padded[:-2] + padded[1:-1] + padded[2:]))


def cross_fitted(
    plan: SettingPlan, scored: ScoredCorpora, biases: Biases, *, gap: int, fewest_words: Mapping[str, int]
) -> list[tuple[Scored, Setting]]:
    """The documents a plan is chosen on, each with a setting chosen and calibrated on the other half of them.

    What a setting measures on the documents it was chosen on flatters it; this does not. Spans of fewer than
    ``fewest_words`` are dropped after it was chosen: they say much about confidence (``eval/ablation.md``).
    """
    halves = [{name: part[i::2] for name, part in scored.items()} for i in (0, 1)]
    pairs: list[tuple[Scored, Setting]] = []
    for here, there in (halves, halves[::-1]):
        setting = replace(make_setting(plan, there, biases, gap=gap), fewest_words=fewest_words)
        pairs += [(document, setting) for document in documents_of(plan, here)]
    return pairs


def documents_of(plan: SettingPlan, scored: ScoredCorpora) -> list[Scored]:
    """The documents that a plan is chosen on: those of all corpora where it names none that is at hand."""
    named = [s for name in plan.chosen_on for s in scored.get(name, ())]
    return named or [s for part in scored.values() for s in part]


@dataclass(frozen=True, slots=True)
class Candidates:
    """All candidates of some channels in some documents, a row each: channel, features, and what they earn.

    ``features`` ``(n, 4)``; ``precision`` and ``recall`` ``(n,)`` are credits as `metrics.si` gives them within a
    technique, ``right`` is whether half of the candidate is in annotated spans. ``n_gold`` counts spans by channel.
    """

    channels: tuple[str, ...]
    features: Floats
    precision: Floats
    recall: Floats
    right: Floats
    n_gold: Mapping[str, int]


def _try_threshold(
    documents: Sequence[Scored], setting: Setting, channels: tuple[str, ...], threshold: float, *, beta: float, gap: int
) -> tuple[float, Setting]:
    """The best F-``beta`` with candidates at one threshold, and the setting that reaches it."""
    thresholds = _enough(documents, setting, channels, threshold, gap=gap)
    candidates = collect(documents, replace(setting, thresholds=thresholds), channels, gap=gap)
    calibration = fit_calibration(candidates, channels)
    confidence = np.array(
        [
            0.5 * (1 + np.tanh(0.5 * (features @ np.array(calibration[c].weights) + calibration[c].offset)))
            for c, features in zip(candidates.channels, candidates.features, strict=True)
        ]
    )
    measure, least = _least_confidence(candidates, confidence, beta=beta)
    chosen = replace(
        setting,
        thresholds={**setting.thresholds, **{c: thresholds[c] for c in channels}},
        calibration={**setting.calibration, **calibration},
        min_confidence={**setting.min_confidence, **_least_by_channel(candidates, confidence, channels, least)},
    )
    return measure, chosen


def _enough(
    documents: Sequence[Scored], setting: Setting, channels: tuple[str, ...], threshold: float, *, gap: int
) -> dict[str, float]:
    """The threshold for each channel, lowered where it would give fewer candidates than there are annotated spans.

    Techniques that are rare in training are scored low throughout.
    """
    chosen = {**setting.thresholds, **dict.fromkeys(channels, threshold)}
    lower = [t for t in THRESHOLDS if t < threshold][::-1]
    found = collect(documents, replace(setting, thresholds=chosen), channels, gap=gap)
    for channel in channels:
        n_found = found.channels.count(channel)
        for t in lower:
            if n_found >= found.n_gold[channel]:
                break
            chosen[channel] = t
            n_found = len(collect(documents, replace(setting, thresholds=chosen), (channel,), gap=gap).channels)
    return chosen


def _least_confidence(candidates: Candidates, confidence: Floats, *, beta: float) -> tuple[float, float]:
    """The best micro F-``beta`` that keeping the most confident candidates can reach, and the least confidence for it.

    It lies half-way between the last candidate that is kept and the first that is not.
    """
    if len(confidence) == 0:
        return 0.0, 1.0
    order = np.argsort(-confidence, kind="stable")
    n_kept = np.arange(1, len(order) + 1)
    precision = np.cumsum(candidates.precision[order]) / n_kept
    recall = np.cumsum(candidates.recall[order]) / max(1, sum(candidates.n_gold.values()))
    both = beta**2 * precision + recall
    measure = np.where(both > 0, (1 + beta**2) * precision * recall / np.where(both > 0, both, 1), 0.0)
    best = int(np.argmax(measure))
    next_lower = confidence[order[best + 1]] if best + 1 < len(order) else 0.0
    return float(measure[best]), float(confidence[order[best]] + next_lower) / 2


def _least_by_channel(
    candidates: Candidates, confidence: Floats, channels: tuple[str, ...], least: float
) -> dict[str, float]:
    """The least confidence of each channel: the common one, or what the channel's first right candidate has.

    So a technique that never reaches the common one, though the corpus has enough of it, is found at its clearest.
    """
    chosen = dict.fromkeys(channels, least)
    own = np.array(candidates.channels)
    for channel in channels:
        right = confidence[(own == channel) & (candidates.right > 0)]
        if candidates.n_gold[channel] >= MANY_SPANS and len(right) and right.max() < least:
            chosen[channel] = float(right.max())
    return chosen


def collect(documents: Sequence[Scored], setting: Setting, channels: tuple[str, ...], *, gap: int) -> Candidates:
    """The candidates of these channels at the setting's thresholds, in the documents whose corpus annotates them."""
    rows: list[tuple[str, tuple[float, float, float, float], float, float]] = []
    n_gold = dict.fromkeys(channels, 0)
    for scored in documents:
        known = tuple(c for c in channels if c == IDENTIFICATION or c in scored.inventory.annotated)
        found = find_candidates(scored.document.text, scored.scores, setting, gap=gap, channels=known)
        for channel in known:
            gold = gold_ranges(scored.document, channel)
            n_gold[channel] += len(gold)
            for candidate in found[channel]:
                credit = si(gold, [(channel, candidate.start, candidate.end)])
                rows.append((channel, candidate.features(), credit.precision_sum, credit.recall_sum))
    precision = np.array([row[2] for row in rows])
    return Candidates(
        tuple(row[0] for row in rows),
        np.array([row[1] for row in rows]).reshape(-1, len(AS_SCORED.weights)),
        precision,
        np.array([row[3] for row in rows]),
        (precision >= 0.5).astype(np.float64),
        n_gold,
    )


def gold_ranges(document: Document, channel: str) -> list[NamedRange]:
    """The annotated spans that a channel should find, merged where they share a character."""
    ranges = (
        (span.start, span.end)
        for span in document.spans
        if channel == IDENTIFICATION or channel in span.technique.split("+")
    )
    return [(channel, start, end) for start, end in merge_ranges(ranges)]


def fit_calibration(
    candidates: Candidates, channels: tuple[str, ...], *, ridge: float = 10.0
) -> dict[str, Calibration]:
    """Platt's logistic calibration (1999) over the features of candidates, with an offset for each channel.

    The weights are common to the channels; offsets are drawn towards their common mean by ``ridge``, so that a rare
    technique borrows from the others, and the weights gently towards `AS_SCORED`. Newton's method.
    """
    own = np.array([[name == c for c in channels] for name in candidates.channels], dtype=np.float64)
    own = own.reshape(-1, len(channels))
    x = np.column_stack([candidates.features, np.ones(len(own)), own])
    prior = np.array([*AS_SCORED.weights, *[0.0] * (1 + len(channels))])
    penalty = np.diag([*[1.0] * len(AS_SCORED.weights), 1e-3, *[ridge] * len(channels)])
    weights = prior.copy()
    for _ in range(100):
        chance = 0.5 * (1 + np.tanh(0.5 * (x @ weights)))
        gradient = x.T @ (candidates.right - chance) - penalty @ (weights - prior)
        curvature = (x * (chance * (1 - chance))[:, None]).T @ x + penalty
        step = np.linalg.solve(curvature, gradient)
        weights += step * min(1.0, 1.0 / np.abs(step).max(initial=1e-12))  # a long step may overshoot
        if np.abs(step).max() < 1e-8:
            break
    mean, peak, length, support, offset, *own_offsets = weights.tolist()
    common = (mean, peak, length, support)
    return {c: Calibration(common, offset + own) for c, own in zip(channels, own_offsets, strict=True)}
