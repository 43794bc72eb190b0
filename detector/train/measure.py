"""What a model reaches on documents that were annotated, each at the setting that comes with it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from detector.decode import Setting, decode, identify
from detector.evaluate import scoring_names
from detector.metrics import SpanScore, calibration_error, f1_interval, flc, is_right, named_ranges, si
from detector.spans import LIKELY, Document, Span
from detector.techniques import NAMES, Inventory
from detector.train.calibrate import Scored

N_ERRORS = 5
"""So many errors of each kind are drawn for the card."""
ERROR_SEED = 0
_QUOTE, _CONTEXT = 120, 40


@dataclass(frozen=True, slots=True)
class Judged:
    """A document with what was found in it and what should have been.

    ``findings`` are those of techniques that the corpus annotates, each with whether it is right; ``missed`` are the
    annotated spans with a technique of which no finding of it has a character. ``identified`` and ``found`` score
    ranges and spans as the corpus is scored, ``fine`` spans by the inventory's own 23 techniques.
    """

    document: Document
    findings: tuple[tuple[Span, bool], ...]
    missed: tuple[Span, ...]
    identified: SpanScore
    found: SpanScore
    fine: SpanScore


def judge(scored: Scored, setting: Setting, *, gap: int) -> Judged:
    """A document judged at a setting. PTC is scored by its 14 names, other corpora by their own."""
    document, known = scored.document, scored.inventory
    names = scoring_names(known)
    spans = decode(document.text, scored.scores, setting, gap=gap)
    ranges = [("", start, end) for start, end in identify(document.text, scored.scores, setting)]
    gold, found = named_ranges(document), document.with_spans(spans)
    own = [span for span in spans if span.technique in known.annotated]
    return Judged(
        document,
        tuple((span, is_right(gold, (span.technique, span.start, span.end))) for span in own),
        tuple(_missed(document, own)),
        si(gold, ranges),
        flc(named_ranges(document, names), named_ranges(found, names)),
        flc(_slugs(document, known), _slugs(found, known)),
    )


def measure(judged: Sequence[Judged]) -> dict[str, Any]:
    """Identification and spans with techniques of documents, calibration, and the words for confidence."""
    findings = [finding for each in judged for finding in each.findings]
    confidences, outcomes = [span.confidence for span, _ in findings], [right for _, right in findings]
    return {
        "n_documents": len(judged),
        "si": _numbers(sum((each.identified for each in judged), SpanScore())),
        "flc": _numbers(sum((each.found for each in judged), SpanScore())),
        "calibration_error": round(calibration_error(confidences, outcomes).error, 4),
        "likely": share([o for c, o in zip(confidences, outcomes, strict=True) if c >= LIKELY]),
        "possible": share([o for c, o in zip(confidences, outcomes, strict=True) if c < LIKELY]),
    }


def technique_scores(judged: Sequence[Judged]) -> dict[str, Any]:
    """Gold and found spans, precision, recall and F1 of each technique that occurs; 95 % intervals over documents.

    Where a corpus merges techniques, spans that only have the merged name count for none of them.
    """
    rows = {}
    for name in NAMES:
        parts = [each.fine.by_technique.get(name, SpanScore()) for each in judged]
        whole = sum(parts, SpanScore())
        if whole.n_gold or whole.n_predicted:
            low, high = f1_interval(parts)
            interval = [round(low, 4), round(high, 4)]
            rows[name] = {"n_gold": whole.n_gold, "n_found": whole.n_predicted, **_numbers(whole), "interval": interval}
    return rows


def random_errors(judged: Sequence[Judged]) -> dict[str, list[dict[str, Any]]]:
    """Wrong findings and missed spans drawn at random with a fixed seed, `N_ERRORS` of each, briefly quoted.

    Each names its document, offsets and technique; the quote stands in a few characters of its surroundings.
    """
    draw = random.Random(ERROR_SEED)
    wrong = [(each.document, span) for each in judged for span, right in each.findings if not right]
    missed = [(each.document, span) for each in judged for span in each.missed]
    return {
        kind: [_quoted(*pair) for pair in draw.sample(pairs, min(N_ERRORS, len(pairs)))]
        for kind, pairs in (("wrong", wrong), ("missed", missed))
    }


def share(outcomes: Sequence[bool]) -> dict[str, Any]:
    """How many outcomes there are, and which share of them is right."""
    return {"n": len(outcomes), "right": round(sum(outcomes) / len(outcomes), 4) if outcomes else None}


def _missed(document: Document, found: Sequence[Span]) -> Iterator[Span]:
    for gold in (span for span in document.spans if span.technique):
        names = gold.technique.split("+")
        if not any(s.technique in names and s.start < gold.end and gold.start < s.end for s in found):
            yield gold


def _slugs(document: Document, known: Inventory) -> list[tuple[str, int, int]]:
    spans = (span for span in document.spans if set(span.technique.split("+")) <= known.annotated)
    return [(span.technique, span.start, span.end) for span in spans]


def _quoted(document: Document, span: Span) -> dict[str, Any]:
    text = document.text
    quote = text[span.start : span.end]
    return {
        "document": document.id,
        "start": span.start,
        "end": span.end,
        "technique": span.technique,
        "confidence": round(span.confidence, 4),
        "before": text[max(0, span.start - _CONTEXT) : span.start],
        "quote": quote if len(quote) <= _QUOTE else quote[: _QUOTE - 1] + "…",
        "after": text[span.end : span.end + _CONTEXT],
    }


def _numbers(part: SpanScore) -> dict[str, float]:
    return {"precision": round(part.precision, 4), "recall": round(part.recall, 4), "f1": round(part.f1, 4)}
