"""What a training on more documents brings: both trainings are compared on the same documents."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "eval"))

import quality
import refit

METRICS = {"ptc": ("si", "flc", "tc"), "checkthat": ("si", "flc"), "semeval2021": ("si", "semeval2021")}


def measured(fold: int, right: list[float], *, n_found: int, error: float) -> dict:
    """What one training measures: in document ``i`` of each corpus, ``right[i]`` of two spans found are gold ones."""
    return {
        corpus: {
            "documents": {
                metric: {f"{corpus}-{fold}-{i}": [2, 2, r, r] for i, r in enumerate(right)} for metric in metrics
            },
            "n_found": n_found,
            "calibration_error": error,
        }
        for corpus, metrics in METRICS.items()
    }


@pytest.fixture
def folds() -> dict:
    fewer = {fold: measured(fold, [0.5, 1.0], n_found=4, error=0.02) for fold in (0, 1)}
    more = {fold: measured(fold, [1.0, 1.5], n_found=5, error=0.04) for fold in (0, 1)}
    for part in more[1].values():  # whatever the order in which a record names the documents
        part["documents"] = {metric: dict(reversed(rows.items())) for metric, rows in part["documents"].items()}
    return {fold: {refit.FEWER: fewer[fold], refit.MORE: more[fold]} for fold in (0, 1)}


def test_the_same_documents_are_compared(folds):
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in refit.table(folds).splitlines()]
    assert lines[0][1:7] == list(quality.COLUMNS)
    assert lines[2] == ["three folds", *["0.375"] * 6, "24", "0.020"]
    assert lines[3] == ["four folds", *["0.625"] * 6, "30", "0.040"]
    assert lines[4] == ["difference", *["+25.0 [+25.0, +25.0]"] * 6, "", ""]
