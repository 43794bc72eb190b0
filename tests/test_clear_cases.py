"""Passages of ours: those that are judged are whole, and apart from those that are trained on."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "eval"))

import clear_cases
import hard_negatives

from detector.corpora import read_jsonl
from detector.spans import Document, Span
from detector.techniques import NAMES


def test_clear_cases_are_six_of_each_technique_and_marked():
    passages = clear_cases.read_passages()
    assert Counter(p.meta["kind"] for p in passages) == dict.fromkeys(NAMES, 6)
    for passage in passages:
        assert passage.meta["kind"] in {span.technique for span in passage.spans}
        assert all(passage.quote(span) == passage.quote(span).strip() for span in passage.spans)
    readme = (clear_cases.PASSAGES.parent / "README.md").read_text(encoding="utf-8")
    assert f"{len(passages)} passages" in readme


def test_what_is_trained_on_is_not_what_is_judged():
    texts = Path(__file__).parents[1] / "configs" / "texts"
    trained = [d for name in ("examples", "fine", "more") for d in read_jsonl(texts / f"{name}.jsonl").documents]
    judged = [*clear_cases.read_passages(), *hard_negatives.read_passages()]
    assert len({d.text for d in trained}) == len(trained) == 675 + 312 + 986
    assert not {run for d in trained for run in runs_of_words(d.text)} & {
        r for d in judged for r in runs_of_words(d.text)
    }


def runs_of_words(text: str, n: int = 10) -> set[str]:
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[i : i + n]) for i in range(len(words) - n + 1)}


def test_a_case_is_found_where_half_of_it_is_covered():
    passage = Document("c", "a" * 40, (Span(10, 20, "doubt"), Span(0, 5, "slogans")), {"kind": "doubt"})

    def judged(*found: tuple[int, int, str]) -> tuple[bool, bool]:
        case = clear_cases.judge(passage, passage.with_spans(Span(*one) for one in found))
        return case.found, case.marked

    assert judged() == (False, False)
    assert judged((10, 15, "doubt")) == (True, True)
    assert judged((10, 14, "doubt"), (0, 5, "doubt")) == (False, False)
    assert judged((5, 14, "doubt"), (13, 15, "doubt")) == (True, True)
    assert judged((0, 40, "slogans"), (10, 14, "doubt")) == (False, True)
    assert judged((8, 40, "doubt+slogans")) == (True, True)
    result = clear_cases.rates([clear_cases.Case("doubt", True, True), clear_cases.Case("slogans", False, True)])
    assert (result["n"], result["found"], result["marked"]) == (2, 1, 2)
    assert result["techniques"]["slogans"]["found"] == 0
    assert clear_cases.lines({"balanced": result}, "m")[2].split() == ["all", "2", "1", "2"]
