"""The model card and the reliability diagrams: what is in the records is in them, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import tiny_info

sys.path.append(str(Path(__file__).parents[1] / "eval"))

import calibration
import card as eval_card
import likeness as eval_likeness

from detector.metrics import SpanScore
from detector.spans import Document, Span
from detector.train.card import card
from detector.train.measure import Judged, measure, random_errors, technique_scores

TEXT = "They want to destroy | everything * <b> we love, and nobody can stop them."


def judged(n: int) -> list[Judged]:
    """Documents in which every other finding is right, and one annotated span was missed."""
    documents = []
    for i in range(n):
        spans = [Span(13, 20, "loaded-language", 0.1 + 0.8 * i / n), Span(0, 4, "doubt", 0.3)]
        one = SpanScore(1, 1, i % 2, i % 2)
        both = SpanScore(2, 2, i % 2, i % 2, {"loaded-language": one, "doubt": SpanScore(1, 1)})
        missed = Span(51, 74, "straw-man+red-herring")
        found = ((spans[0], bool(i % 2)), (spans[1], False))
        documents.append(Judged(Document(f"d{i}", TEXT), found, (missed,), one, both, both))
    return documents


def test_measures_are_those_of_the_findings():
    documents = judged(40)
    result = measure(documents)
    assert result["flc"] == {"precision": 0.25, "recall": 0.25, "f1": 0.25}
    assert result["likely"]["n"] + result["possible"]["n"] == 80
    rows = technique_scores(documents)
    assert list(rows) == ["doubt", "loaded-language"]
    assert rows["loaded-language"]["f1"] == 0.5
    low, high = rows["loaded-language"]["interval"]
    assert 0.3 < low < 0.5 < high < 0.7


def test_errors_are_drawn_with_a_fixed_seed_and_quoted_as_they_are():
    errors = random_errors(judged(40))
    assert errors == random_errors(judged(40))
    assert {kind: len(rows) for kind, rows in errors.items()} == {"wrong": 5, "missed": 5}
    assert len({row["document"] for row in errors["missed"]}) == 5
    for row in (*errors["wrong"], *errors["missed"]):
        assert TEXT[row["start"] : row["end"]] == row["quote"]
        assert f"{row['before']}{row['quote']}{row['after']}" in TEXT


def test_the_card_has_the_records_figures_and_no_markup_of_the_texts():
    documents = judged(40)
    record = {
        "validation": {"balanced": measure(documents)},
        "techniques": technique_scores(documents),
        "errors": random_errors(documents),
    }
    text = card(tiny_info(), record, further="| a | b |\n")
    row = record["techniques"]["loaded-language"]
    assert f"| Loaded language | 40 | 40 | 0.500 | 0.500 | 0.500 | {row['interval'][0]:.3f}–" in text
    assert r"destroy \| everything \* \<b\> we" in text
    assert "straw man or red herring" in text
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
        "What it is for, and what not",
        "What was measured",
        "Each technique",
        "How far annotators agree",
        "Further measurements",
        "Errors",
        "Licences",
    ]
    bare = card(tiny_info(), {})
    assert "## Errors" not in bare
    assert "## Licences" in bare


def test_reliability_counts_every_finding_once_and_is_drawn():
    result = calibration.calibration(judged(200))
    overall = result["overall"]
    assert overall["n"] == sum(b["n"] for b in overall["bins"]) == 400
    assert overall["interval"][0] <= overall["error"] <= overall["interval"][1] + 0.05
    assert all(b["interval"][0] <= b["right"] <= b["interval"][1] for b in overall["bins"])
    assert sum(row["n"] for row in result["words"].values()) == 400
    root = ElementTree.fromstring(calibration.diagrams(result))
    circles = [one for one in root.iter() if one.tag.endswith("circle")]
    assert len(circles) == sum(len(row["bins"]) for row in (overall, *result["techniques"].values()))
    assert "under" in calibration.lines({"n_documents": 1, **result, "overall": {**overall, "error": 0.01}}, "x")[1]


def test_wilson_holds_the_share():
    for n_right in range(11):
        low, high = calibration.wilson(n_right, 10)
        assert 0 <= low <= n_right / 10 <= high <= 1
    assert calibration.wilson(50, 100) == pytest.approx((0.404, 0.596), abs=1e-3)


def test_records_become_rows_of_the_card():
    shares = calibration.calibration(judged(40))
    rows = list(eval_card.calibration(shares))
    assert rows[0][0] == "expected calibration error"
    groups = {
        "passages: sports": {"like": False, "n": 3, "flagged": 0.3333},
        "passages: recipe": {"like": False, "n": 1, "flagged": 1.0},
        "held out, beginnings": {"like": True, "n": 20, "flagged": 0.05},
    }
    assert list(eval_card.likeness({"groups": groups})) == [
        ("texts unlike the training whose distance gives a warning: passages (4)", "50%", "15–85 %"),
        ("texts like the training whose distance gives a warning: held out (20)", "5%", "1–24 %"),
    ]
    assert eval_card.table(rows).count("\n|") == len(rows) + 2


def test_groups_far_from_the_training_have_a_high_auroc():
    assert eval_likeness.auroc([0.1, 0.5, 0.9], [1.1, 2.0]) == 1.0
    assert eval_likeness.auroc([1.0], [1.0]) == 0.5
    group = eval_likeness.Group(["one two three", "four"], like=False)
    assert eval_likeness.sampled(group, 1).texts[0] in group.texts
    assert sorted(eval_likeness.shuffled("a b c d").split()) == ["a", "b", "c", "d"]
