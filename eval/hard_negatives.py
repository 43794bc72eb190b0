"""How often a model flags what is fine: findings per 1,000 words in the passages of ``eval/hard_negatives``.

    python eval/hard_negatives.py [--model DIR] [--strictness balanced] [--show]

Every finding counts as a false alarm. The 95 % intervals are bootstrapped over passages.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from provenance import provenance, record

import detector
from detector.report.terminal import likelihood
from detector.spans import Document

PASSAGES = Path(__file__).parent / "hard_negatives" / "passages.jsonl"
TARGET = 5.0
N_SAMPLES = 2000


def main(
    model: Annotated[str | None, typer.Option(help="A model folder in place of the shipped model.")] = None,
    strictness: Annotated[str, typer.Option(help="The setting.")] = "balanced",
    show: Annotated[bool, typer.Option(help="Print each finding too.")] = False,
) -> None:
    """Print the rates, overall, by kind and by technique, and record them."""
    loaded = detector.load(model)
    documents = list(loaded.annotate(read_passages(), strictness=strictness))
    if show:
        for document in documents:
            for span in document.spans:
                print(f"{document.id}\t{span.technique}\t{span.confidence:.2f}\t{document.quote(span)}")
    result = rates(documents)
    for line in lines(result, f"{loaded.name}, {strictness}"):
        print(line)
    print(f"written to {record('hard_negatives', provenance(loaded, strictness) | result)}")


def read_passages() -> list[Document]:
    """The passages; ``meta`` has their kind."""
    rows = map(json.loads, PASSAGES.read_text(encoding="utf-8").strip().split("\n"))
    return [Document(row["id"], row["text"], meta={"kind": row["kind"]}) for row in rows]


def rates(documents: Sequence[Document]) -> dict[str, Any]:
    """Findings per 1,000 words of annotated passages as JSON types: all, by kind, by technique."""
    by_kind: defaultdict[str, list[Document]] = defaultdict(list)
    for document in documents:
        by_kind[str(document.meta["kind"])].append(document)
    spans = [span for document in documents for span in document.spans]
    n_words = sum(map(_n_words, documents))
    techniques = Counter(span.technique for span in spans)
    return {
        "n_passages": len(documents),
        "target_per_1000_words": TARGET,
        **_rate(documents),
        **{word: sum(likelihood(span.confidence) == word for span in spans) for word in ("likely", "possible")},
        "kinds": {kind: _rate(own) for kind, own in by_kind.items()},
        "techniques": {
            name: {"n_flags": n, "per_1000_words": round(1000 * n / n_words, 3)} for name, n in techniques.most_common()
        },
    }


def lines(result: dict[str, Any], title: str) -> list[str]:
    """The result as the lines of a table."""
    low, high = result["interval"]
    verdict = "under" if result["per_1000_words"] < TARGET else "over"
    return [
        f"{result['n_passages']} passages, {result['n_words']} words; {title}",
        f"{result['n_flags']} flags ({result['likely']} likely, {result['possible']} possible): "
        f"{result['per_1000_words']:.2f} per 1,000 words ({low:.2f}–{high:.2f}), {verdict} the target of {TARGET:g}",
        "",
        f"{'kind':<36}{'flags':>6}{'per 1,000':>11}  95 % interval",
        *(_line(kind, row) for kind, row in sorted(result["kinds"].items(), key=lambda kv: -kv[1]["per_1000_words"])),
        "",
        f"{'technique':<36}{'flags':>6}{'per 1,000':>11}",
        *(_line(name, row) for name, row in result["techniques"].items()),
    ]


def _line(name: str, row: dict[str, Any]) -> str:
    interval = "  {:.2f}–{:.2f}".format(*row["interval"]) if "interval" in row else ""
    return f"{name:<36}{row['n_flags']:>6}{row['per_1000_words']:>11.2f}{interval}"


def _rate(documents: Sequence[Document]) -> dict[str, Any]:
    n_flags = np.array([len(d.spans) for d in documents])
    n_words = np.array([_n_words(d) for d in documents])
    drawn = np.random.default_rng(0).integers(len(documents), size=(N_SAMPLES, len(documents)))
    sampled = 1000 * n_flags[drawn].sum(axis=1) / n_words[drawn].sum(axis=1)
    return {
        "n_words": int(n_words.sum()),
        "n_flags": int(n_flags.sum()),
        "per_1000_words": round(1000 * float(n_flags.sum() / n_words.sum()), 3),
        "interval": [round(float(bound), 3) for bound in np.quantile(sampled, [0.025, 0.975])],
    }


def _n_words(document: Document) -> int:
    return len(document.text.split())


if __name__ == "__main__":
    typer.run(main)
