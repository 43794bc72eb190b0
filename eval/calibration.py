"""How far confidence can be trusted: reliability by technique on held-out articles, and what *likely* is worth.

    python eval/calibration.py [--model DIR] [--strictness balanced] [--data DIR]

Confidences are those of findings in the documents that the model's training held out, at settings that were chosen and
calibrated on the other half of them. A finding is right if half of it or more lies in annotated spans of its technique.
Bins hold about as many findings each; intervals are bootstrapped over documents, those of bins are Wilson's. That of
the calibration error leans upwards, as bins of redrawn documents are noisier. Writes ``eval/results/calibration.json``
and the diagrams in ``docs/images/reliability.svg`` (with the name of a model that is not the default).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from provenance import provenance, record, record_path
from quality import DATA, corpora_in

import detector
from detector.cli.train import quiet_libraries
from detector.detect import find_model
from detector.folder import held_out_fold
from detector.metrics import calibration_error
from detector.spans import LIKELY
from detector.techniques import NAMES, technique
from detector.train.calibrate import PLANS, fewest_words_of
from detector.train.measure import Judged
from detector.train.run import judged_documents, scored_documents, split_corpora

IMAGES = Path(__file__).parents[1] / "docs" / "images"
TARGET = 0.05
FEWEST = 30
"""With fewer findings a technique has no diagram of its own: its intervals would say nothing."""
FINDINGS_A_BIN = 25
MOST_BINS = 8
N_SAMPLES = 2000

Finding = tuple[str, float, bool]
"""A technique, the confidence in it, and whether it is right."""


def main(
    model: Annotated[str | None, typer.Option(help="A model folder in place of the shipped model.")] = None,
    strictness: Annotated[str, typer.Option(help="The setting.")] = "balanced",
    data: Annotated[Path, typer.Option(help="The folder of the corpora.")] = DATA,
) -> None:
    """Print the table, and record figures and diagrams."""
    quiet_libraries()
    loaded = detector.load(model)
    fold = held_out_fold(find_model(model))
    plan = next(plan for plan in PLANS if plan.name == strictness)
    split = split_corpora(corpora_in(data), fold=fold)
    chosen = {name: corpus for name, corpus in split.validation.items() if name in plan.chosen_on}
    fewest_words = fewest_words_of(split.training.values())
    judged = judged_documents(plan, scored_documents(loaded, chosen), loaded, fewest_words=fewest_words)
    result = {"fold": fold, "n_documents": len(judged), "target": TARGET, **calibration(judged)}
    for line in lines(result, f"{loaded.name}, {strictness}"):
        print(line)
    print(f"written to {record('calibration', provenance(loaded, strictness) | result)}")
    drawn = IMAGES / record_path("reliability", loaded.name).with_suffix(".svg").name
    drawn.write_text(diagrams(result), encoding="utf-8")
    print(f"drawn to {drawn}")


def calibration(judged: Sequence[Judged]) -> dict[str, Any]:
    """Reliability overall and by technique, and the precision of each word for confidence, as JSON types."""
    documents = [[(span.technique, span.confidence, right) for span, right in each.findings] for each in judged]
    findings = [finding for own in documents for finding in own]
    rows = {name: [f for f in findings if f[0] == name] for name in NAMES}
    return {
        "overall": reliability(findings) | {"interval": interval(documents, _error)},
        "words": {
            word: _share(documents, lambda f, likely=likely: (f[1] >= LIKELY) == likely)
            for word, likely in (("likely", True), ("possible", False))
        },
        "techniques": {name: reliability(own) for name, own in rows.items() if own},
    }


def reliability(findings: Sequence[Finding]) -> dict[str, Any]:
    """The number of findings, mean confidence, share right, the calibration error over ten equal bins, and the bins."""
    ordered = sorted(findings, key=lambda finding: finding[1])
    n_bins = max(1, min(MOST_BINS, len(ordered) // FINDINGS_A_BIN))
    edges = [round(i * len(ordered) / n_bins) for i in range(n_bins + 1)]
    return {
        "n": len(ordered),
        "confidence": round(float(np.mean([f[1] for f in ordered])), 4),
        "right": round(float(np.mean([f[2] for f in ordered])), 4),
        "error": round(_error(ordered), 4),
        "bins": [_bin(ordered[low:high]) for low, high in pairwise(edges)],
    }


def wilson(n_right: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) of a share.

    >>> [round(bound, 3) for bound in wilson(5, 10)]
    [0.237, 0.763]
    """
    z = 1.959964
    middle, spread = n_right + z * z / 2, z * math.sqrt(n_right * (n - n_right) / n + z * z / 4)
    return max(0.0, (middle - spread) / (n + z * z)), min(1.0, (middle + spread) / (n + z * z))


def interval(
    documents: Sequence[Sequence[Finding]], statistic: Callable[[Sequence[Finding]], float]
) -> list[float] | None:
    """The bounds of a statistic's 95 % interval, documents drawn with replacement; None where nothing was found."""
    if not any(documents):
        return None
    drawn = np.random.default_rng(0).integers(len(documents), size=(N_SAMPLES // 4, len(documents)))
    values = [statistic([finding for i in row for finding in documents[i]]) for row in drawn]
    return [round(float(bound), 4) for bound in np.quantile([v for v in values if not math.isnan(v)], [0.025, 0.975])]


def lines(result: dict[str, Any], title: str) -> list[str]:
    """The result as the lines of a table."""
    overall = result["overall"]
    verdict = "under" if overall["error"] < TARGET else "over"
    rows = sorted(result["techniques"].items(), key=lambda row: -row[1]["n"])
    return [
        f"{result['n_documents']} documents, {overall['n']} findings; {title}",
        f"calibration error {overall['error']:.3f} ({_bounds(overall['interval'])}), {verdict} the target of {TARGET}",
        *(
            f"{word}: {row['right']:.0%} of {row['n']} right ({_bounds(row['interval'])})" if row["n"] else f"{word}: 0"
            for word, row in result["words"].items()
        ),
        "",
        f"{'technique':<36}{'findings':>9}{'confidence':>12}{'right':>8}{'error':>8}",
        *(f"{n:<36}{r['n']:>9}{r['confidence']:>12.3f}{r['right']:>8.3f}{r['error']:>8.3f}" for n, r in rows),
    ]


def diagrams(result: dict[str, Any]) -> str:
    """Reliability diagrams as one SVG: of all findings, then of each technique that has `FEWEST` of them."""
    shown = [("All techniques", result["overall"])]
    rows = sorted(result["techniques"].items(), key=lambda row: -row[1]["n"])
    shown += [(technique(name).title, row) for name, row in rows if row["n"] >= FEWEST]
    columns, width, height = 4, 230, 232
    n_rows = -(-len(shown) // columns)
    panels = [
        f'<g transform="translate({i % columns * width + 10} {i // columns * height + 10})">{panel(title, row)}</g>'
        for i, (title, row) in enumerate(shown)
    ]
    size = f'viewBox="0 0 {columns * width + 10} {n_rows * height + 10}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" '
        'font-family="system-ui, sans-serif" font-size="11">\n'
        "<title>Confidence (across) and the share of findings that are right (up), with 95 % intervals</title>\n"
        '<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(panels) + "\n</svg>\n"
    )


def panel(title: str, row: dict[str, Any], *, side: int = 160) -> str:
    """One diagram: the diagonal, and for each bin the share that is right, with its interval."""
    left, top = 30, 22
    x, y = (lambda v: f"{left + side * v:.1f}"), (lambda v: f"{top + side * (1 - v):.1f}")
    ticks = "".join(
        f'<text x="{x(v)}" y="{top + side + 14}" text-anchor="middle">{v:.0%}</text>'
        f'<text x="{left - 5}" y="{y(v)}" text-anchor="end" dominant-baseline="middle">{v:.0%}</text>'
        for v in (0, 0.5, 1)
    )
    points = "".join(
        f'<path d="M{x(b["confidence"])} {y(b["interval"][0])}V{y(b["interval"][1])}" stroke="#777"/>'
        f'<circle cx="{x(b["confidence"])}" cy="{y(b["right"])}" r="3.5" fill="#1f5fa8"/>'
        for b in row["bins"]
    )
    return (
        f'<text x="{left}" y="12" font-weight="600">{title}</text>'
        f'<rect x="{left}" y="{top}" width="{side}" height="{side}" fill="none" stroke="#bbb"/>'
        f'<path d="M{x(0)} {y(0)}L{x(1)} {y(1)}" stroke="#bbb" stroke-dasharray="4 3"/>{points}{ticks}'
        f'<text x="{left + side}" y="{top + side + 28}" text-anchor="end" fill="#555">'
        f"{row['n']} findings, error {row['error']:.3f}</text>"
    )


def _bin(findings: Sequence[Finding]) -> dict[str, Any]:
    n, n_right = len(findings), sum(right for *_, right in findings)
    return {
        "confidence": round(float(np.mean([f[1] for f in findings])), 4),
        "right": round(n_right / n, 4),
        "n": n,
        "interval": [round(bound, 4) for bound in wilson(n_right, n)],
    }


def _share(documents: Sequence[Sequence[Finding]], wanted: Callable[[Finding], bool]) -> dict[str, Any]:
    own = [[finding for finding in document if wanted(finding)] for document in documents]
    n = sum(map(len, own))
    right = round(sum(f[2] for document in own for f in document) / n, 4) if n else None
    return {"n": n, "right": right, "interval": interval(own, _right)}


def _right(findings: Sequence[Finding]) -> float:
    return float(np.mean([right for *_, right in findings])) if findings else math.nan


def _error(findings: Sequence[Finding]) -> float:
    return calibration_error([f[1] for f in findings], [f[2] for f in findings]).error


def _bounds(bounds: Sequence[float] | None) -> str:
    return "no interval" if bounds is None else f"{bounds[0]:.3f}–{bounds[1]:.3f}"


if __name__ == "__main__":
    typer.run(main)
