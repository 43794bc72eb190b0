"""Whether findings stay the same when a text is changed in ways that leave its meaning alone.

    python eval/robustness.py [--model DIR] [--strictness balanced] [--n 60]

Each change is made to the sample article and, where they lie beside the checkout, to ``--n`` news texts spread over
``unlabelled/news.jsonl`` and to a sixth as many PTC articles of fold 0. What is found in the changed text is led back
into the text as it was and scored against what is found there unchanged: F1 of spans with their techniques
(``metrics.flc``: partial overlap counts in part; precision of the changed run, recall of the unchanged one), with a
95 % interval over documents. Documents that a change does not touch are left out of its row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from perturbations import PERTURBATIONS, Perturbation
from provenance import provenance, record

import detector
from detector.corpora import folds, read_ptc
from detector.detect import Detector
from detector.metrics import SpanScore, bootstrap, flc, named_ranges
from detector.spans import Document

SEEDS = Path(__file__).parents[1] / "seeds"
DATA = Path(__file__).parents[2] / "shared" / "data"
HELD_OUT_SHARE = 6  # one held-out article for so many news texts
TARGET = 0.9


def main(
    model: Annotated[str | None, typer.Option(help="A model folder in place of the shipped model.")] = None,
    strictness: Annotated[str, typer.Option(help="The setting.")] = "balanced",
    n: Annotated[int, typer.Option(help="How many news texts.")] = 60,
    only: Annotated[list[str] | None, typer.Option(help="A change; may be repeated; nothing is recorded then.")] = None,
) -> None:
    """Print a table of the changes and record it."""
    loaded = detector.load(model)
    documents = sample(n)
    clean = list(loaded.annotate(documents, strictness=strictness))
    n_words, n_spans = sum(len(d.text.split()) for d in documents), sum(len(d.spans) for d in clean)
    print(f"{len(documents)} texts, {n_words} words, {n_spans} spans; {loaded.name}, {strictness}", flush=True)
    print(f"{'change':<24}{'texts':>6}{'spans':>7}{'now':>7}{'F1':>8}  95 % interval")
    rows = {}
    for name in only or PERTURBATIONS:
        rows[name] = row = measure(loaded, clean, PERTURBATIONS[name], strictness=strictness)
        low, high = row["interval"]
        counts = f"{row['n_documents']:>6}{row['n_spans']:>7}{row['n_found']:>7}"
        print(
            f"{name:<24}{counts}{row['f1']:>8.3f}  {low:.3f}–{high:.3f}{'' if row['f1'] >= TARGET else '  below 0.9'}"
        )
    if not only:
        result = provenance(loaded, strictness) | {"n_documents": len(documents), "n_words": n_words, "target": TARGET}
        print(f"written to {record('robustness', result | {'changes': rows})}")


def sample(n_news: int) -> list[Document]:
    """The sample article, news texts at even distances, and the first PTC articles of fold 0; always the same ones."""
    documents = [Document(path.stem, path.read_text(encoding="utf-8")) for path in sorted(SEEDS.glob("*.txt"))]
    news = DATA / "unlabelled" / "news.jsonl"
    if news.is_file():
        rows = [json.loads(line) for line in news.read_text(encoding="utf-8").splitlines()]
        documents += [
            Document(row["id"], row["text"]) for row in (rows[i * len(rows) // n_news] for i in range(n_news))
        ]
    if (DATA / "ptc").is_dir():
        ptc = read_ptc(DATA / "ptc" / "train-articles", DATA / "ptc" / "train-labels-14")
        held_out = [d for d, fold in zip(ptc.documents, folds(ptc.documents), strict=True) if fold == 0]
        documents += [Document(d.id, d.text) for d in held_out[: n_news // HELD_OUT_SHARE]]
    return documents


def measure(
    model: Detector, clean: Sequence[Document], perturbation: Perturbation, *, strictness: str
) -> dict[str, Any]:
    """How well the spans found in changed texts agree with those of the ``clean`` documents, in JSON types."""
    changed = [(d, parts) for d in clean if (parts := perturbation(d.text, Random(d.id))) and parts[0].text != d.text]
    texts = (Document(d.id, part.text) for d, parts in changed for part in parts)
    found = model.annotate(texts, strictness=strictness)
    scores = []
    for document, parts in changed:
        spans = [part.back(span) for part in parts for span in next(found).spans]
        led_back = document.with_spans(span for span in spans if span)
        scores.append(flc(named_ranges(document), named_ranges(led_back)))
    if not scores:
        return {"n_documents": 0, "n_spans": 0, "n_found": 0, "f1": 1.0, "interval": [1.0, 1.0]}
    whole = sum(scores, SpanScore())
    return {
        "n_documents": len(scores),
        "n_spans": whole.n_gold,
        "n_found": whole.n_predicted,
        "precision": round(whole.precision, 4),
        "recall": round(whole.recall, 4),
        "f1": round(whole.f1, 4),
        "interval": [round(bound, 4) for bound in bootstrap(scores, lambda s: s.f1)],
    }


if __name__ == "__main__":
    typer.run(main)
