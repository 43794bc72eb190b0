"""Thresholds and confidence, both chosen on validation documents, for each strictness setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.decode import Calibration, Scores, Setting, decode_channels
from detector.metrics import NamedRange, SpanScore, is_right, si
from detector.spans import Document
from detector.techniques import NAMES, Inventory
from detector.windows import CHANNELS, IDENTIFICATION

Floats = npt.NDArray[np.float64]

GRID = tuple(round(0.04 + 0.02 * i, 2) for i in range(44))
"""The thresholds tried, as probabilities."""

FEW_SPANS = 20
"""With fewer gold spans than this, a technique's own curve is not trusted and the pooled threshold is a lower bound."""

UNCALIBRATED = Calibration(1.0, dict.fromkeys(CHANNELS, 0.0))


@dataclass(frozen=True, slots=True)
class Scored:
    """A validation document with the model's scores, and the inventory its corpus was annotated with."""

    document: Document
    scores: Scores
    inventory: Inventory


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


def make_settings(
    scored: Mapping[str, Sequence[Scored]], biases: Mapping[str, npt.NDArray[np.float32]], *, gap: int
) -> list[Setting]:
    """All settings of `PLANS` from validation documents and token biases ``(24,)``, both by corpus.

    A plan that names none of the corpora at hand uses all of them.
    """
    return [make_setting(plan, scored, biases, gap=gap) for plan in PLANS]


def make_setting(
    plan: SettingPlan,
    scored: Mapping[str, Sequence[Scored]],
    biases: Mapping[str, npt.NDArray[np.float32]],
    *,
    gap: int,
) -> Setting:
    """One setting: its bias, then its thresholds, then its calibration at these thresholds."""
    follows = [name for name in plan.follows if name in biases] or list(biases)
    chosen_on = [name for name in plan.chosen_on if scored.get(name)] or [name for name in scored if scored[name]]
    documents = [s for name in chosen_on for s in scored[name]]
    bias = np.mean([biases[name] for name in follows], axis=0)
    bare = Setting(
        plan.name, dict(zip(CHANNELS, map(float, bias), strict=True)), dict.fromkeys(CHANNELS, 0.5), UNCALIBRATED
    )
    thresholds = choose_thresholds(documents, bare, beta=plan.beta, gap=gap)
    chosen = Setting(plan.name, bare.bias, thresholds, UNCALIBRATED)
    return Setting(plan.name, bare.bias, thresholds, fit_calibration(*outcomes(documents, chosen, gap=gap)))


def choose_thresholds(documents: Sequence[Scored], setting: Setting, *, beta: float, gap: int) -> dict[str, float]:
    """A threshold for each channel: identification for the best SI, techniques for the best micro F over all of them.

    Micro F is climbed one technique at a time; a technique that would then never be found, though there are spans of
    it, gets the threshold of its own best F.
    """
    sums = {channel: np.array([_sums(documents, setting, channel, t, gap=gap) for t in GRID]) for channel in CHANNELS}
    best_identification = int(np.argmax(_f_measure(sums[IDENTIFICATION], beta)))
    techniques = np.stack([sums[name] for name in NAMES])
    chosen = _climb(techniques, beta)
    for i in range(len(NAMES)):
        own = _f_measure(techniques[i], beta)
        if techniques[i, 0, 1] > 0 and own[chosen[i]] == 0:
            chosen[i] = int(np.argmax(own))
    return {IDENTIFICATION: GRID[best_identification]} | {name: GRID[chosen[i]] for i, name in enumerate(NAMES)}


def _climb(sums: Floats, beta: float) -> npt.NDArray[np.int64]:
    """The grid index of each technique ``(23,)`` at a maximum of micro F; ``sums`` is ``(23, n_grid, 4)``."""
    pooled = int(np.argmax(_f_measure(sums.sum(axis=0), beta)))
    chosen = np.full(len(sums), pooled)
    for _ in range(10):
        before = chosen.copy()
        total = sum(sums[i, chosen[i]] for i in range(len(sums)))
        for i in range(len(sums)):
            others = total - sums[i, chosen[i]]
            trial = _f_measure(others + sums[i], beta)
            if sums[i, 0, 1] < FEW_SPANS:
                trial[:pooled] = -1
            chosen[i] = int(np.argmax(trial))
            total = others + sums[i, chosen[i]]
        if (before == chosen).all():
            break
    return chosen


def _f_measure(sums: Floats, beta: float) -> Floats:
    """F-beta of rows of (n_predicted, n_gold, precision_sum, recall_sum): ``(…, 4)`` → ``(…,)``."""
    n_predicted, n_gold, hit, found = np.moveaxis(sums, -1, 0)
    precision, recall = hit / np.maximum(n_predicted, 1), found / np.maximum(n_gold, 1)
    both = beta**2 * precision + recall
    measure: Floats = np.where(both > 0, (1 + beta**2) * precision * recall / np.where(both > 0, both, 1), 0.0)
    return measure


def _sums(documents: Sequence[Scored], setting: Setting, channel: str, threshold: float, *, gap: int) -> Floats:
    """The four sums of a channel's score at one threshold, over the documents whose corpus annotates it."""
    total = SpanScore()
    for scored in documents:
        if channel != IDENTIFICATION and channel not in scored.inventory.annotated:
            continue
        at = Setting(setting.name, setting.bias, {channel: threshold}, setting.calibration)
        found = decode_channels(scored.document.text, scored.scores, at, gap=gap, channels=(channel,))[channel]
        total += si(gold_ranges(scored.document, channel), [(channel, start, end) for start, end, _ in found])
    return np.array([total.n_predicted, total.n_gold, total.precision_sum, total.recall_sum])


def gold_ranges(document: Document, channel: str) -> list[NamedRange]:
    """The annotated spans that a channel should find, those of merged techniques included."""
    return [
        (channel, span.start, span.end)
        for span in document.spans
        if channel == IDENTIFICATION or channel in span.technique.split("+")
    ]


def outcomes(documents: Sequence[Scored], setting: Setting, *, gap: int) -> tuple[list[str], Floats, Floats]:
    """Channel, score and outcome of every span found: 1 where at least half of it lies in annotated spans, else 0."""
    rows: list[tuple[str, float, float]] = []
    for scored in documents:
        text, annotated = scored.document.text, scored.inventory.annotated
        channels = tuple(c for c in CHANNELS if c == IDENTIFICATION or c in annotated)
        for channel, ranges in decode_channels(text, scored.scores, setting, gap=gap, channels=channels).items():
            gold = gold_ranges(scored.document, channel)
            for start, end, score in ranges:
                rows.append((channel, score, float(is_right(gold, (channel, start, end)))))
    names = [channel for channel, _, _ in rows]
    return names, np.array([r[1] for r in rows]), np.array([r[2] for r in rows])


def fit_calibration(names: Sequence[str], scores: Floats, results: Floats, *, ridge: float = 2.0) -> Calibration:
    """Platt's logistic calibration (1999) with one slope and an offset for each channel.

    Offsets are drawn towards their common mean by ``ridge``, so that a rare technique borrows from the others. Newton's
    method; with no found span at all the score is taken as it is.
    """
    if len(names) == 0:
        return UNCALIBRATED
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    logits = np.log(clipped / (1 - clipped))
    own = np.array([[name == c for c in CHANNELS] for name in names], dtype=np.float64)
    x = np.column_stack([logits, np.ones(len(names)), own])
    penalty = np.diag([1e-3, 1e-3, *[ridge] * len(CHANNELS)])
    weights = np.zeros(x.shape[1])
    weights[0] = 1.0
    for _ in range(50):
        chance = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (results - chance) - penalty @ weights
        curvature = (x * (chance * (1 - chance))[:, None]).T @ x + penalty
        step = np.linalg.solve(curvature, gradient)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    return Calibration(
        float(weights[0]), {c: float(weights[1] + w) for c, w in zip(CHANNELS, weights[2:], strict=True)}
    )
