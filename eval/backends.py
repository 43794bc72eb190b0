"""Whether the backend that runs by default finds what torch finds in 32-bit floats, and what the difference costs.

    python eval/backends.py [--model DIR] [--backend onnx] [--data DIR]

On the documents that the model's training held out: the share of equal spans at each strictness, the largest difference
of a probability, and identification (SI) and spans with techniques (FLC) of each corpus at the setting for its
annotators' habits, by both. Writes ``eval/results/backends.json``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from bench_speed import agreement
from provenance import provenance, record
from quality import DATA, corpora_in

import detector
from detector.cli.train import quiet_libraries
from detector.detect import Detector, find_model
from detector.folder import held_out_fold
from detector.train.calibrate import Scored
from detector.train.measure import judge, measure
from detector.train.run import scored_documents, split_corpora

REFERENCE = "torch"
STRICTNESSES = ("strict", "balanced", "sensitive")
METRICS = ("si", "flc")

ByCorpus = Mapping[str, Sequence[Scored]]


def main(
    model: Annotated[str | None, typer.Option(help="A model folder, or fast, in place of the default.")] = None,
    backend: Annotated[str, typer.Option(help="What is compared with torch.")] = "onnx",
    data: Annotated[Path, typer.Option(help="The folder of the corpora.")] = DATA,
) -> None:
    """Print both, and record the figures."""
    quiet_libraries()
    fold = held_out_fold(find_model(model))
    held_out = split_corpora(corpora_in(data), fold=fold).validation
    detectors = {name: detector.load(model, backend=name) for name in (REFERENCE, backend)}
    scored = {name: scored_documents(each, held_out) for name, each in detectors.items()}
    loaded = detectors[backend]
    result = {
        "fold": fold,
        "n_documents": {name: len(corpus.documents) for name, corpus in held_out.items()},
        "backends": {name: each.backend.precision for name, each in detectors.items()},
        "agreement": agreements(loaded, scored[backend], scored[REFERENCE]),
        "f1": {
            name: {which: f1(loaded, name, scored[which][name]) for which in (REFERENCE, backend)} for name in held_out
        },
    }
    for line in lines(result, backend):
        print(line)
    print(f"written to {record('backends', provenance(loaded, 'balanced') | result)}")


def agreements(loaded: Detector, here: ByCorpus, reference: ByCorpus) -> dict[str, dict[str, float]]:
    """What `agreement` says of a backend's scores of all documents and the reference's, at each strictness."""
    pairs = [
        (mine.document.text, mine.scores, theirs.scores)
        for name, documents in here.items()
        for mine, theirs in zip(documents, reference[name], strict=True)
    ]
    return {name: agreement(pairs, loaded.setting(name), gap=loaded.info.gap) for name in STRICTNESSES}


def f1(loaded: Detector, corpus: str, scored: Sequence[Scored]) -> dict[str, float]:
    """SI and FLC of a corpus at the setting for its annotators."""
    setting, gap = loaded.setting(corpus), loaded.info.gap
    measured = measure([judge(each, setting, gap=gap) for each in scored])
    return {metric: measured[metric]["f1"] for metric in METRICS}


def lines(result: Mapping[str, Any], backend: str) -> Iterator[str]:
    """The result as it is printed."""
    of = result["backends"]
    yield f"{backend} ({of[backend]}) against {REFERENCE} ({of[REFERENCE]}); documents: " + ", ".join(
        f"{name} {n}" for name, n in result["n_documents"].items()
    )
    yield f"largest difference of a probability: {result['agreement']['balanced']['difference']:.4f}"
    for name, agreed in result["agreement"].items():
        equal, n = agreed["equal_spans"], agreed["n_spans_compared"]
        yield f"{name}: {equal:.2%} of the spans are equal ({n} by {REFERENCE})"
    for name, values in result["f1"].items():
        for metric in METRICS:
            here, there = values[backend][metric], values[REFERENCE][metric]
            lost = 100 * (there - here)
            yield f"{metric.upper()} {name}: {here:.4f}, {REFERENCE} {there:.4f}, lost {lost:+.2f} points"


if __name__ == "__main__":
    typer.run(main)
