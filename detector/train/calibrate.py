"""Thresholds and confidence, both chosen on validation documents, for each strictness setting."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from detector.corpora import Corpus
from detector.decode import (
    MOST_COVERED,
    Calibration,
    Candidate,
    Identification,
    Scores,
    Setting,
    find_candidates,
    identification_candidates,
    n_words,
)
from detector.metrics import NamedRange, si
from detector.spans import Document, merge_ranges
from detector.techniques import NAMES, Inventory
from detector.windows import CHANNELS, IDENTIFICATION

Floats: TypeAlias = npt.NDArray[np.float64]
Link: TypeAlias = Callable[[Floats], tuple[Floats, Floats]]

MANY_SPANS = 10
"""With at least this many annotated spans a technique is found at its clearest, however unsure."""

RARELY_FEWER = 0.02
"""No technique is found in fewer words than all but this share of its annotated spans have."""

ENOUGH_SPANS = 50
"""With fewer annotated spans than this, a technique's shortest say nothing."""

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
"""The candidate thresholds tried, as probabilities."""

IDENTIFICATION_THRESHOLDS = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
"""Lower ones would mark whole paragraphs as one range: SI rewards that, and it says nothing (``eval/ablation.md``)."""

N_ROUNDS = 12
"""So often the worth of a range is computed anew from what the chosen ranges reach; it settles sooner."""

AS_SCORED = Calibration((1.0, 0.0, 0.0, 0.0), 0.0)
"""Takes the mean probability of a candidate for its confidence."""

NOTHING_KNOWN = Calibration((0.0, 0.0, 0.0, 0.0), 0.0)
"""Goes by no feature."""

N_FEATURES = len(AS_SCORED.weights)


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
    """One setting: its bias; how ranges inside any technique are chosen; thresholds, calibration, least confidence.

    Of all candidate thresholds the one is taken that gives, with its neighbours, the best micro F-``beta`` (FLC) of all
    techniques together after calibration, with the confidence at which that is reached.
    """
    follows = [name for name in plan.follows if name in biases] or list(biases)
    bias = dict(zip(CHANNELS, np.mean([biases[name] for name in follows], axis=0).tolist(), strict=True))
    least = dict.fromkeys(NAMES, THRESHOLDS[0])
    setting = Setting(plan.name, bias, least, dict.fromkeys(NAMES, 0.0), dict.fromkeys(NAMES, AS_SCORED))
    documents = documents_of(plan, scored)
    trials = [_try_threshold(documents, setting, t, beta=plan.beta, gap=gap) for t in THRESHOLDS]
    chosen = trials[_best([measure for measure, _ in trials])][1]
    return replace(chosen, identification=fit_identification(documents, setting, beta=plan.beta))


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
    """All candidates of some documents, a row each: channel, features, and what they earn.

    ``features`` ``(n, 4)``; ``precision`` and ``recall`` ``(n,)`` are credits as `metrics.si` gives them within a
    channel, ``right`` is whether half of the candidate is in annotated spans. ``n_gold`` counts spans by channel.
    """

    channels: tuple[str, ...]
    features: Floats
    precision: Floats
    recall: Floats
    right: Floats
    n_gold: Mapping[str, int]


def _try_threshold(
    documents: Sequence[Scored], setting: Setting, threshold: float, *, beta: float, gap: int
) -> tuple[float, Setting]:
    """The best F-``beta`` with candidates at one threshold, and the setting that reaches it."""
    tried = replace(setting, thresholds=_enough(documents, setting, threshold, gap=gap))
    candidates = collect(documents, tried, NAMES, gap=gap)
    calibration = fit_calibration(candidates)
    confidence = np.array(
        [
            calibration[c].chance(features)  # to the last bit as decoding has it: a threshold may lie on one of these
            for c, features in zip(candidates.channels, candidates.features.tolist(), strict=True)
        ]
    )
    measure, least = _least_confidence(candidates, confidence, beta=beta)
    by_technique = _least_by_technique(candidates, confidence, least)
    return measure, replace(tried, calibration=calibration, min_confidence=by_technique)


def _enough(documents: Sequence[Scored], setting: Setting, threshold: float, *, gap: int) -> dict[str, float]:
    """The threshold for each technique, lowered where it would give fewer candidates than there are annotated spans.

    Techniques that are rare in training are scored low throughout.
    """
    chosen = dict.fromkeys(NAMES, threshold)
    lower = [t for t in THRESHOLDS if t < threshold][::-1]
    found = collect(documents, replace(setting, thresholds=chosen), NAMES, gap=gap)
    for name in NAMES:
        n_found = found.channels.count(name)
        for t in lower:
            if n_found >= found.n_gold[name]:
                break
            chosen[name] = t
            n_found = len(collect(documents, replace(setting, thresholds=chosen), (name,), gap=gap).channels)
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
    measure = _f_beta(precision, recall, beta)
    best = int(np.argmax(measure))
    next_lower = confidence[order[best + 1]] if best + 1 < len(order) else 0.0
    return float(measure[best]), float(confidence[order[best]] + next_lower) / 2


def _f_beta(precision: Floats, recall: Floats, beta: float) -> Floats:
    both = beta**2 * precision + recall
    return np.where(both > 0, (1 + beta**2) * precision * recall / np.where(both > 0, both, 1), 0.0)


def _least_by_technique(candidates: Candidates, confidence: Floats, least: float) -> dict[str, float]:
    """The least confidence of each technique: the common one, or what the technique's first right candidate has.

    So a technique that never reaches the common one, though the corpus has enough of it, is found at its clearest.
    """
    chosen = dict.fromkeys(NAMES, least)
    own = np.array(candidates.channels)
    for name in NAMES:
        right = confidence[(own == name) & (candidates.right > 0)]
        if candidates.n_gold[name] >= MANY_SPANS and len(right) and right.max() < least:
            chosen[name] = float(right.max())
    return chosen


def collect(documents: Sequence[Scored], setting: Setting, techniques: tuple[str, ...], *, gap: int) -> Candidates:
    """The candidates of these techniques at the setting's thresholds, in the documents whose corpus annotates them."""
    found: list[tuple[str, list[NamedRange], list[Candidate]]] = []
    for scored in documents:
        known = tuple(name for name in techniques if name in scored.inventory.annotated)
        by_technique = find_candidates(scored.document.text, scored.scores, setting, gap=gap, techniques=known)
        found += [(name, gold_ranges(scored.document, name), by_technique[name]) for name in known]
    return _credited(found, techniques)


def _credited(found: Iterable[tuple[str, list[NamedRange], list[Candidate]]], channels: tuple[str, ...]) -> Candidates:
    """What candidates earn against the annotated spans of their channel (see `gold_ranges`), each by itself."""
    rows: list[tuple[str, tuple[float, float, float, float], float, float]] = []
    n_gold = dict.fromkeys(channels, 0)
    for channel, gold, candidates in found:
        n_gold[channel] += len(gold)
        starts, ends = [start for _, start, _ in gold], [end for *_, end in gold]
        for candidate in candidates:
            near = gold[bisect_right(ends, candidate.start) : bisect_left(starts, candidate.end)]
            credit = si(near, [(channel, candidate.start, candidate.end)])
            rows.append((channel, candidate.features(), credit.precision_sum, credit.recall_sum))
    precision = np.array([row[2] for row in rows])
    return Candidates(
        tuple(row[0] for row in rows),
        np.array([row[1] for row in rows]).reshape(-1, N_FEATURES),
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


def fit_identification(documents: Sequence[Scored], setting: Setting, *, beta: float) -> Identification:
    """How ranges inside any technique are chosen for the best F-``beta`` of SI in these documents."""
    bias = setting.bias_vector()
    found = [identification_candidates(s.document.text, s.scores, bias, IDENTIFICATION_THRESHOLDS) for s in documents]
    gold = [gold_ranges(s.document, IDENTIFICATION) for s in documents]
    channels = [IDENTIFICATION] * len(found)
    credited = _credited(zip(channels, gold, found, strict=True), (IDENTIFICATION,))
    precision = _one_calibration(credited.features, credited.precision, AS_SCORED, _logistic)
    recall = _one_calibration(credited.features, credited.recall, NOTHING_KNOWN, _exponential)
    even = Identification(IDENTIFICATION_THRESHOLDS, precision, recall, recall_weight=1.0, cost=0.5)
    return _weigh_recall(even, found, credited, beta=beta)


def _weigh_recall(
    chosen_by: Identification, found: Sequence[Sequence[Candidate]], credited: Candidates, *, beta: float
) -> Identification:
    """The same with the weight of recall and the cost that give the best F-``beta``.

    With precision ``P`` and recall ``R`` of ``n`` ranges for ``G`` annotated spans, one more range that is expected to
    earn ``p`` and ``r`` raises F-``beta`` where ``p + k r > P`` with ``k = beta² P² n / (R² G)``, to first order. ``P``
    and ``k`` follow from the ranges that are chosen by them, so they are computed in rounds; the best round is taken.
    """
    n_gold, firsts = credited.n_gold[IDENTIFICATION], np.cumsum([0, *map(len, found)])[:-1].tolist()
    rounds = [(-1.0, chosen_by)]
    for _ in range(N_ROUNDS):
        chosen = [first + i for first, part in zip(firsts, found, strict=True) for i in chosen_by.choose(part)]
        if not credited.recall[chosen].sum():
            break
        precision, recall = credited.precision[chosen].mean(), credited.recall[chosen].sum() / n_gold
        rounds.append((float(_f_beta(precision, recall, beta)), chosen_by))
        weight = beta**2 * precision**2 * len(chosen) / (recall**2 * n_gold)
        chosen_by = replace(chosen_by, recall_weight=float(weight), cost=float(precision))
    return max(rounds, key=lambda each: each[0])[1]


def fit_calibration(candidates: Candidates, *, ridge: float = 10.0) -> dict[str, Calibration]:
    """Platt's logistic calibration (1999) over the features of candidates, with an offset for each technique.

    The weights are common to the techniques; offsets are drawn towards their common mean by ``ridge``, so that a rare
    technique borrows from the others, and the weights gently towards `AS_SCORED`.
    """
    own = np.array([[name == c for c in NAMES] for name in candidates.channels], dtype=np.float64)
    x = np.column_stack([candidates.features, np.ones(len(candidates.features)), own.reshape(-1, len(NAMES))])
    prior = np.array([*AS_SCORED.weights, *[0.0] * (1 + len(NAMES))])
    penalty = np.array([*[1.0] * N_FEATURES, 1e-3, *[ridge] * len(NAMES)])
    mean, peak, length, support, offset, *own_offsets = _fit(x, candidates.right, prior, penalty, _logistic).tolist()
    common = (mean, peak, length, support)
    return {c: Calibration(common, offset + own) for c, own in zip(NAMES, own_offsets, strict=True)}


def _one_calibration(features: Floats, target: Floats, prior: Calibration, link: Link) -> Calibration:
    """The weights of features, drawn gently towards ``prior``, and the offset with which ``link`` gives ``target``."""
    x = np.column_stack([features, np.ones(len(features))])
    penalty = np.array([*[1.0] * N_FEATURES, 1e-3])
    mean, peak, length, support, offset = _fit(x, target, np.array([*prior.weights, 0.0]), penalty, link).tolist()
    return Calibration((mean, peak, length, support), offset)


def _logistic(weighted: Floats) -> tuple[Floats, Floats]:
    chance = 0.5 * (1 + np.tanh(0.5 * weighted))
    return chance, chance * (1 - chance)


def _exponential(weighted: Floats) -> tuple[Floats, Floats]:
    number = np.exp(np.minimum(weighted, MOST_COVERED))
    return number, number


def _fit(x: Floats, target: Floats, prior: Floats, penalty: Floats, link: Link) -> Floats:
    """The weights of a generalised linear model with a ridge ``penalty`` on how far they are from ``prior``.

    Newton's method. ``link`` takes weighted sums to expected values and to their derivative.
    """
    weights = prior.copy()
    for _ in range(100):
        expected, slope = link(x @ weights)
        gradient = x.T @ (target - expected) - penalty * (weights - prior)
        curvature = (x * slope[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights += step * min(1.0, 1.0 / np.abs(step).max(initial=1e-12))  # a long step may overshoot
        if np.abs(step).max() < 1e-8:
            break
    return weights
