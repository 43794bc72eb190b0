"""A detector against an annotated corpus: what it finds and names, and how well, by technique."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detector.corpora import Corpus
from detector.decode import Setting, decode, identify
from detector.detect import Detector
from detector.errors import CorpusError
from detector.metrics import (
    SpanScore,
    calibration_error,
    characters,
    f1_interval,
    flc,
    is_right,
    named_ranges,
    semeval2021,
    si,
    tc,
)
from detector.spans import Document, Span
from detector.techniques import Inventory, inventory

HABITS = {"ptc": "ptc", "semeval2021": "semeval2021", "jsonl": "checkthat"}
"""The training corpus whose annotators a corpus format's own are taken to resemble, and so the setting's name."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """A corpus as a detector sees it, each in the order of the corpus.

    ``found``: spans with techniques; ``identified``: ranges inside any technique (their technique is empty);
    ``named``: the annotated spans with the technique the detector gives them.
    """

    found: tuple[Document, ...]
    identified: tuple[Document, ...]
    named: tuple[Document, ...]


def scoring_inventory(corpus: Corpus) -> Inventory:
    """The names a corpus is scored by: PTC by its 14, however finely it is annotated, others by their own."""
    return scoring_names(corpus.inventory) if corpus.name == "ptc" else corpus.inventory


def scoring_names(known: Inventory) -> Inventory:
    """The names that spans of an inventory are scored by: all of PTC's by its 14, others by their own."""
    return inventory("ptc-14") if known.name.startswith("ptc") else known


def predict(detector: Detector, corpus: Corpus, *, setting: Setting, habits: str | None) -> Predictions:
    """What the detector finds in the corpus at a setting, and names with the habits of one training corpus."""
    within = scoring_inventory(corpus)
    found, identified, named = [], [], []
    for document, scores, with_names in detector.score_and_classify(corpus.documents, corpus=habits, within=within):
        text = document.text
        found.append(document.with_spans(decode(text, scores, setting, gap=detector.info.gap), n_read=len(text)))
        ranges = identify(text, scores, setting)
        identified.append(document.with_spans(Span(start, end, "") for start, end in ranges))
        named.append(with_names)
    return Predictions(tuple(found), tuple(identified), tuple(named))


def habits_of(detector: Detector, corpus: Corpus) -> str | None:
    """The training corpus whose habits fit this corpus; None where the detector has not learnt them."""
    habits = HABITS.get(corpus.name, corpus.name)
    return habits if habits in detector.info.corpora else None


def score(corpus: Corpus, predictions: Predictions) -> dict[str, list[SpanScore]]:
    """The scores of each document by metric: ``si``, ``flc``, ``tc``, ``characters``, for memes ``semeval2021``."""
    names = scoring_inventory(corpus)
    scores = {
        "si": _compare(si, corpus.documents, predictions.identified, None),
        "flc": _compare(flc, corpus.documents, predictions.found, names),
        "tc": _compare(tc, corpus.documents, predictions.named, names),
        "characters": _compare(characters, corpus.documents, predictions.found, names),
    }
    if corpus.name == "semeval2021":
        scores["semeval2021"] = _compare(semeval2021, corpus.documents, predictions.found, names)
    return scores


def summary(corpus: Corpus, predictions: Predictions) -> dict[str, Any]:
    """The scores of a corpus as JSON types: each metric with its 95 % interval and its techniques, and calibration.

    ``calibration_error`` is of the confidence of found spans: right is one that lies by half or more in annotated
    spans of its technique.
    """
    if not corpus.documents:
        raise CorpusError(f"{corpus.name}: no documents to score; check the paths")
    metrics = {name: _metric(parts) for name, parts in score(corpus, predictions).items()}
    confidences, outcomes = found_outcomes(corpus, predictions.found)
    reliability = calibration_error(confidences, outcomes)
    return {
        "n_documents": len(corpus.documents),
        "n_spans": sum(len(d.spans) for d in corpus.documents),
        "n_found": len(confidences),
        "metrics": metrics,
        "calibration_error": round(reliability.error, 4),
        "reliability": [
            {"confidence": round(b.confidence, 4), "right": round(b.accuracy, 4), "n": b.n_predictions}
            for b in reliability.bins
        ],
    }


def found_outcomes(corpus: Corpus, found: Iterable[Document]) -> tuple[list[float], list[bool]]:
    """Confidence of each found span whose technique the corpus annotates, and whether it is right."""
    confidences, outcomes = [], []
    for gold, document in zip(corpus.documents, found, strict=True):
        gold_ranges = [(s.technique, s.start, s.end) for s in gold.spans]
        for span in document.spans:
            if span.technique in corpus.inventory.annotated:
                confidences.append(span.confidence)
                outcomes.append(is_right(gold_ranges, (span.technique, span.start, span.end)))
    return confidences, outcomes


def total(scores: Sequence[SpanScore]) -> SpanScore:
    """The sum of the scores of documents."""
    return sum(scores, SpanScore())


def _compare(
    metric: Callable[[Any, Any], SpanScore],
    gold: Sequence[Document],
    predicted: Sequence[Document],
    names: Inventory | None,
) -> list[SpanScore]:
    return [metric(named_ranges(g, names), named_ranges(p, names)) for g, p in zip(gold, predicted, strict=True)]


def _metric(parts: Sequence[SpanScore]) -> Mapping[str, Any]:
    whole = total(parts)
    low, high = f1_interval(parts)
    return _numbers(whole) | {
        "interval": [round(low, 4), round(high, 4)],
        "techniques": {name: _numbers(part) for name, part in sorted(whole.by_technique.items())},
    }


def _numbers(part: SpanScore) -> dict[str, Any]:
    return {
        "precision": round(part.precision, 4),
        "recall": round(part.recall, 4),
        "f1": round(part.f1, 4),
        "n_gold": part.n_gold,
        "n_predicted": part.n_predicted,
    }
