"""How often a model finds what is clear: passages of ``eval/clear_cases``, as a handbook would show each technique.

    python eval/clear_cases.py [--model DIR] [--show]

A case is one technique in one passage. It is *found* where findings of this technique cover half of its marked words at
least, and *marked* where findings of any technique do. Intervals are 95 % (Wilson).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from calibration import wilson
from provenance import provenance, record

import detector
from detector.corpora import read_jsonl
from detector.decode import decode
from detector.spans import Document, merge_ranges
from detector.techniques import NAMES

PASSAGES = Path(__file__).with_suffix("") / "passages.jsonl"
STRICTNESSES = ("strict", "balanced", "sensitive")
RECORDED = "balanced"
ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class Case:
    """A technique in a passage: whether findings of it, or of any technique, cover half of its marked words."""

    technique: str
    found: bool
    marked: bool


def main(
    model: Annotated[str | None, typer.Option(help="A model folder in place of the shipped model.")] = None,
    show: Annotated[bool, typer.Option(help="Print the passages whose technique is not found too.")] = False,
) -> None:
    """Print how many cases are found at each setting, by technique, and record it."""
    loaded = detector.load(model)
    passages = read_passages()
    scored = list(loaded.score(passages))
    judged = {}
    for name in STRICTNESSES:
        found = [d.with_spans(decode(d.text, s, loaded.setting(name), gap=loaded.info.gap)) for d, s in scored]
        judged[name] = [judge(passage, document) for passage, document in zip(passages, found, strict=True)]
    if show:
        for passage, case in zip(passages, judged[RECORDED], strict=True):
            if not case.found:
                print(f"{passage.id}\t{case.technique}\t{'marked' if case.marked else 'nothing'}\t{passage.text}")
    result = {name: rates(cases) for name, cases in judged.items()}
    for line in lines(result, loaded.name):
        print(line)
    written = record("clear_cases", provenance(loaded, RECORDED) | {"n_cases": len(passages), "settings": result})
    print(f"written to {written}")


def read_passages() -> list[Document]:
    """The passages with their marked spans; ``meta["kind"]`` is the technique that each is a case of."""
    return list(read_jsonl(PASSAGES).documents)


def judge(passage: Document, found: Document) -> Case:
    """What findings make of a passage's case."""
    technique = str(passage.meta["kind"])
    wanted = [(s.start, s.end) for s in passage.spans if s.technique == technique]
    every = [(s.start, s.end) for s in found.spans]
    same = [(s.start, s.end) for s in found.spans if technique in s.technique.split("+")]
    return Case(technique, covered(wanted, same) >= ENOUGH, covered(wanted, every) >= ENOUGH)


def covered(wanted: Sequence[tuple[int, int]], found: Sequence[tuple[int, int]]) -> float:
    """The share of the wanted characters that lie in what was found."""
    merged = merge_ranges(found)
    n = sum(max(0, min(end, b) - max(start, a)) for start, end in wanted for a, b in merged)
    return n / sum(end - start for start, end in wanted)


def rates(cases: Sequence[Case]) -> dict[str, Any]:
    """How many cases are found and marked: all, and by technique, as JSON types."""
    groups = {name: [case for case in cases if case.technique == name] for name in NAMES}
    return _rate(cases) | {"techniques": {name: _rate(own) for name, own in groups.items() if own}}


def _rate(cases: Sequence[Case]) -> dict[str, Any]:
    n, n_found, n_marked = len(cases), sum(c.found for c in cases), sum(c.marked for c in cases)
    return {
        "n": n,
        "found": n_found,
        "found_interval": [round(bound, 4) for bound in wilson(n_found, n)],
        "marked": n_marked,
        "marked_interval": [round(bound, 4) for bound in wilson(n_marked, n)],
    }


def lines(result: dict[str, Any], name: str) -> list[str]:
    """The result as lines for people."""
    return [
        f"cases that are found, of these marked at all; {name}",
        f"{'':<34}{'cases':>6}" + "".join(f"{strictness:>12}" for strictness in result),
        _line("all", list(result.values())),
        *(_line(t, [one["techniques"][t] for one in result.values()]) for t in result[RECORDED]["techniques"]),
    ]


def _line(label: str, rows: Sequence[dict[str, Any]]) -> str:
    return f"{label:<34}{rows[0]['n']:>6}" + "".join(f"{row['found']:>6} {row['marked']:>5}" for row in rows)


if __name__ == "__main__":
    typer.run(main)
