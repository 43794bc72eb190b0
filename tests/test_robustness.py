"""Perturbed texts lead back to the text they were made from; hard negatives are counted as they are recorded."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from conftest import SEED_ARTICLE
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.folding import LOOK_ALIKES, fold
from detector.spans import Document, Span
from detector.techniques import NAMES

sys.path.append(str(Path(__file__).parents[1] / "eval"))

import hard_negatives
import robustness
from perturbations import BRITISH_AMERICAN, COLUMNS, OTHER_SPELLING, PERTURBATIONS, TYPOGRAPHIC, edited

ARTICLE = SEED_ARTICLE.read_text(encoding="utf-8")
SENTENCES = 'They want to destroy "everything" we love. The centre\'s behaviour?\nNobody would honor ALL of this!  '
LETTERS_CHANGE = {"other spelling", "typos"}
EVERY = pytest.mark.parametrize("name", PERTURBATIONS)


def changed(name: str, text: str):
    return PERTURBATIONS[name](text, Random(name))


def plain(word: str) -> str:
    return fold(word).text.translate(LOOK_ALIKES).casefold().translate(str.maketrans(TYPOGRAPHIC))


def test_edits_are_led_back():
    text = "the colour of we"
    one = edited(text, [(0, 0, ">>"), (4, 10, "color"), (14, 16, "WE")])
    assert one.text == ">>the color of WE"

    def back(quote: str) -> str | None:
        start = one.text.index(quote)
        span = one.back(Span(start, start + len(quote), "doubt", 0.5))
        return span and text[span.start : span.end]

    assert [back(q) for q in ("color", "ol", "E", ">>the", "of WE", ">>")] == [
        "colour",
        "colour",
        "e",
        "the",
        "of we",
        None,
    ]


@EVERY
@settings(deadline=None, max_examples=30)
@given(st.text(max_size=120) | st.text(SENTENCES, max_size=120))
def test_each_character_comes_from_a_place_in_the_text_in_order(name, text):
    for part in changed(name, text):
        assert len(part.starts) == len(part.ends) == len(part.text)
        assert all(0 <= a <= b <= len(text) for a, b in zip(part.starts, part.ends, strict=True))
        assert list(part.starts) == sorted(part.starts)
        assert list(part.ends) == sorted(part.ends)


@EVERY
def test_words_are_led_back_to_themselves(name):
    parts = changed(name, ARTICLE)
    n_new = 0
    for part in parts:
        place = 0
        for word in part.text.split():
            place = part.text.index(word, place)
            span = part.back(Span(place, place + len(word), "doubt"))
            place += len(word)
            if span is None:
                n_new += 1
            elif name not in LETTERS_CHANGE:
                assert plain(word) == plain(ARTICLE[span.start : span.end])
    covered = {i for part in parts for a, b in zip(part.starts, part.ends, strict=True) for i in range(a, b)}
    assert len(covered) == len(ARTICLE)
    assert (n_new > 0) == ("paragraph" in name)


def test_perturbations_do_what_they_say():
    (wrapped,) = changed("lines wrapped at 72", ARTICLE)
    assert max(map(len, wrapped.text.splitlines())) <= COLUMNS
    assert wrapped.text.replace("\n", " ") == ARTICLE.replace("\n", " ")
    (spelt,) = changed("other spelling", "The Centre's FAVORITE programme, a check")
    assert spelt.text == "The Center's FAVOURITE program, a check"
    (quoted,) = changed("typographic quotes", "\"We don't,\" he said ('now')")
    assert quoted.text == "“We don’t,” he said (‘now’)"
    (mistyped,) = changed("typos", ARTICLE)
    assert sum(a != b for a, b in zip(mistyped.text, ARTICLE, strict=True)) == 2 * round(len(ARTICLE.split()) / 100)
    first, second = changed("cut in two", ARTICLE)
    assert first.text + second.text == ARTICLE
    assert len(BRITISH_AMERICAN) >= 80
    assert all(OTHER_SPELLING[british] == american for british, american in BRITISH_AMERICAN.items())


@pytest.mark.parametrize("name", ["upper case", "zero-width characters", "look-alike letters", "full-width letters"])
def test_what_the_model_sees_through_changes_nothing(tiny_detector, name):
    clean = list(tiny_detector.annotate([Document("d", ARTICLE[:3000])]))
    row = robustness.measure(tiny_detector, clean, PERTURBATIONS[name], strictness="balanced")
    assert row["n_spans"] == row["n_found"] > 0
    assert row["f1"] == 1.0


def test_a_text_that_a_change_does_not_touch_is_left_out(tiny_detector):
    clean = list(tiny_detector.annotate([Document("d", "we love")]))
    row = robustness.measure(tiny_detector, clean, PERTURBATIONS["straight quotes"], strictness="balanced")
    assert row["n_documents"] == 0


def test_the_passages_are_enough_of_each_kind_and_size():
    documents = hard_negatives.read_passages()
    assert len({d.id for d in documents}) == len({d.text for d in documents}) == len(documents) >= 160
    assert all(60 <= len(d.text.split()) <= 140 for d in documents)
    kinds = Counter(d.meta["kind"] for d in documents)
    assert min(kinds.values()) >= 10
    readme = (hard_negatives.PASSAGES.parent / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{kind}` |" in readme for kind in kinds)


def test_rates_are_per_thousand_words():
    text = "we love " * 50
    spans = [Span(0, 2, NAMES[0], 0.9), Span(3, 7, NAMES[1], 0.2)]
    documents = [Document("a", text, tuple(spans), {"kind": "x"}), Document("b", text, (), {"kind": "y"})]
    result = hard_negatives.rates(documents)
    assert (result["n_flags"], result["per_1000_words"], result["likely"], result["possible"]) == (2, 10.0, 1, 1)
    assert result["interval"] == [0.0, 20.0]
    assert result["kinds"]["x"]["per_1000_words"] == 20.0
    assert result["techniques"][NAMES[0]] == {"n_flags": 1, "per_1000_words": 5.0}
    assert any("over the target" in line for line in hard_negatives.lines(result, "m"))
    json.dumps(result)
