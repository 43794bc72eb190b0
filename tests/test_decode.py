"""Scores become whole-word spans with exact quotes, whatever the text."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from conftest import tiny_settings, tiny_tokenizer
from hypothesis import given
from hypothesis import strategies as st

from detector.decode import (
    EDGES_OUTSIDE,
    Calibration,
    Candidate,
    Identification,
    Scores,
    channel_candidates,
    decode,
    find_candidates,
    find_words,
    identification_candidates,
    identify,
    trim,
    worth_most,
)
from detector.errors import ModelError
from detector.metrics import flc
from detector.sentences import sentences
from detector.spans import Span
from detector.techniques import NAMES
from detector.windows import CHANNELS, cut_windows, make_targets, tokenize

TOKENIZER = tiny_tokenizer()
BALANCED = next(s for s in tiny_settings() if s.name == "balanced")
TEXTS = st.text(alphabet=st.characters(codec=None), max_size=200) | st.text("ab .!\n\r“é😀\u0301", max_size=300)


def scores_of(text: str, logits: np.ndarray) -> Scores:
    pieces = tokenize(TOKENIZER, text)
    return Scores(pieces, find_words(text, pieces), logits.astype(np.float32))


def ranges(text: str, marked: set[str], gap: int = 25) -> list[str]:
    """The quotes found when the pieces of the words ``marked`` are sure and the others are not."""
    pieces = tokenize(TOKENIZER, text)
    chances = np.array([0.9 if text[a:b] in marked else 0.1 for a, b in pieces.offsets], dtype=np.float32)
    found = channel_candidates(text, pieces, find_words(text, pieces), chances, chances, threshold=0.5, gap=gap)
    return [text[c.start : c.end] for c in found]


def sure(text: str, marked: str) -> list[str]:
    """The quotes found when the pieces of one passage are sure and the others are not."""
    pieces, start = tokenize(TOKENIZER, text), text.index(marked)
    inside = (pieces.offsets[:, 0] >= start) & (pieces.offsets[:, 1] <= start + len(marked))
    chances = np.where(inside, np.float32(0.9), np.float32(0.1))
    found = channel_candidates(text, pieces, find_words(text, pieces), chances, chances, threshold=0.5, gap=0)
    return [text[c.start : c.end] for c in found]


def test_gaps_within_a_line_are_merged_and_others_are_not():
    assert ranges("they want to love", {"they", "love"}) == ["they want to love"]
    assert ranges("they want to love", {"they", "love"}, gap=5) == ["they", "love"]
    assert ranges("they want\nto love", {"they", "love"}) == ["they", "love"]
    assert ranges("they want\rto love", {"they", "love"}) == ["they", "love"]


def test_gaps_between_sentences_are_not_merged():
    assert ranges("we love. We want", {"love", "want"}) == ["love", "want"]
    assert ranges("we love.\u200b We want", {"love", "want"}) == ["love", "want"]
    assert ranges("we love. We want", {"love", ".", "We"}) == ["love. We"]  # what is sure goes on
    assert ranges("we love Dr. We, want", {"love", "want"}) == ["love Dr. We, want"]


def test_few_words_of_a_sentence_that_goes_on_outside_are_no_part_of_a_span_over_its_end():
    text = "They love. We want to live there? Never. They go."
    assert sure(text, "love. We want to live") == ["We want to live"]
    assert sure(text, "want to live there? Never. They") == ["want to live there? Never"]
    assert sure(text, "They love. We want to live") == ["They love. We want to live"]  # whole, if short
    assert sure(text, "want to live there? Never") == ["want to live there? Never"]
    assert sure(text, "love. We want to live there? Never. They") == ["We want to live there? Never"]
    assert sure(text, "live there? Never") == ["Never"]
    assert sure(text, "love. We want") == ["love. We want"]  # nothing but fragments
    lines = "A plan for now\n\nThey lie! We want to live\n- No way! We go home now"
    assert sure(lines, "They lie! We want to live") == ["They lie! We want to live"]  # a sentence ends with its line
    assert sure(lines, "No way! We go home") == ["No way! We go home"]
    assert sure(lines, "now\n\nThey lie! We want") == ["They lie!"]


@pytest.mark.parametrize("text", ["", "\u200b\u200b", "\u200b\n\u200b", "\u200bwe\u200b.\u200b We\u200b"])
def test_every_character_has_a_sentence_whether_it_shows_or_not(text: str):
    words = find_words(text, tokenize(TOKENIZER, text))
    assert len(words.sentence) == len(text)
    assert (np.diff(words.sentence) >= 0).all()


def test_months_that_are_abbreviated_end_no_sentence():
    assert [*sentences("It was on Sept. 28th. He sat.")] == [(0, 21), (22, 29)]


def test_half_a_word_becomes_the_whole_word():
    assert ranges("we xylophone love", {"x"}) == ["xylophone"]
    assert ranges("(we) love", {"we"}) == ["we"]
    assert ranges("a beggar-thy-love's and-", {"thy", "t"}) == ["beggar-thy-love's"]
    assert ranges("we - love", {"we"}) == ["we"]


def test_edges_lose_space_and_punctuation_and_nothing_is_left_of_punctuation_alone():
    assert ranges("they - want, to", {"-", "want", ","}) == ["want"]
    assert ranges("they - want", {"-"}) == []
    assert trim("  .,", 0, 4) == (4, 4)


def test_different_techniques_may_overlap_and_confidence_is_calibrated():
    text = "they want to destroy"
    logits = np.full((4, len(CHANNELS)), -9.0)
    logits[1:, CHANNELS.index("doubt")] = 2.0
    logits[3, CHANNELS.index("slogans")] = 0.0
    spans = decode(text, scores_of(text, logits), BALANCED, gap=25)
    assert [(text[s.start : s.end], s.technique) for s in spans] == [
        ("want to destroy", "doubt"),
        ("destroy", "slogans"),
    ]
    assert [s.confidence for s in spans] == [pytest.approx(0.8808), pytest.approx(0.5)]


def test_a_calibration_is_a_logistic_of_the_score():
    calibration = Calibration((2.0, 1.0, 0.5, 0.1), -1.0)
    assert calibration.confidence(Candidate(0, 1, 0.5, 0.5, 0.0)) == pytest.approx(1 / (1 + np.e))
    rising = [(1, 0.0, 0.0), (1, 0.4, 0.0), (9, 0.4, 0.0), (9, 0.4, 3.0), (9, 1.0, 3.0)]
    chances = [calibration.confidence(Candidate(0, n, p, p, support)) for n, p, support in rising]
    assert chances == sorted(set(chances))
    assert 0 <= chances[0] <= chances[-1] <= 1


def test_the_support_of_a_technique_is_identification_and_the_reverse():
    text = "they want to destroy"
    logits = np.full((4, len(CHANNELS)), -30.0)
    logits[2:, CHANNELS.index("doubt")] = 4.0
    logits[2:, 0] = (1.0, 3.0)
    scores = scores_of(text, logits)
    found = find_candidates(text, scores, BALANCED, gap=25, techniques=("doubt", "slogans"))
    assert [c.support for c in found["doubt"]] == [pytest.approx(2.0)]
    assert found["slogans"] == []
    ranges = identification_candidates(text, scores, BALANCED.bias_vector(), [0.5])
    assert [c.support for c in ranges] == [pytest.approx(4.0)]


def test_a_candidate_below_the_least_confidence_is_no_span():
    text = "they want to destroy"
    logits = np.full((4, len(CHANNELS)), -9.0)
    logits[1, CHANNELS.index("doubt")] = 1.0
    scores = scores_of(text, logits)
    assert len(decode(text, scores, BALANCED, gap=25)) == 1
    unsure = replace(BALANCED, min_confidence={**BALANCED.min_confidence, "doubt": 0.75})
    assert decode(text, scores, unsure, gap=25) == ()


@pytest.mark.parametrize(("fewest", "found"), [({}, "want"), ({"slogans": 2}, "want"), ({"doubt": 2}, "")])
def test_what_has_fewer_words_than_annotators_mark_is_no_span(fewest, found):
    text = "they want to destroy"
    logits = np.full((4, len(CHANNELS)), -9.0)
    logits[1, CHANNELS.index("doubt")] = 1.0
    spans = decode(text, scores_of(text, logits), replace(BALANCED, fewest_words=fewest), gap=25)
    assert " ".join(text[span.start : span.end] for span in spans) == found


def test_words_are_counted_as_spaces_and_line_ends_part_them():
    text = "they want to\ndestroy us"
    logits = np.full((5, len(CHANNELS)), -9.0)
    logits[1:3, CHANNELS.index("doubt")] = 3.0
    scores = scores_of(text, logits)
    two, three = (replace(BALANCED, fewest_words={"doubt": n}) for n in (2, 3))
    assert [text[s.start : s.end] for s in decode(text, scores, two, gap=25)] == ["want to"]
    assert decode(text, scores, three, gap=25) == ()


@given(TEXTS, st.integers(0, 2**32 - 1))
def test_whatever_the_scores_spans_lie_in_the_text_with_clean_edges(text, seed):
    n_pieces = len(tokenize(TOKENIZER, text))
    logits = np.random.default_rng(seed).normal(-1, 2, (n_pieces, len(CHANNELS)))
    spans = decode(text, scores_of(text, logits), BALANCED, gap=25)
    for span in spans:
        quote = text[span.start : span.end]
        assert len(quote) == span.end - span.start > 0
        assert quote[0] not in EDGES_OUTSIDE
        assert quote[-1] not in EDGES_OUTSIDE
        assert 0 <= span.confidence <= 1
    for name in NAMES:
        own = [s for s in spans if s.technique == name]
        assert all(a.end <= b.start for a, b in pairwise(own))
    assert list(spans) == sorted(spans, key=lambda s: (s.start, -s.end, s.technique))


@st.composite
def annotated_texts(draw):
    """A text of words, and spans over whole words of it, far apart within each technique."""
    n_words = draw(st.integers(1, 60))
    words = [draw(st.sampled_from(["they", "want", "love", "nation", "é", "x1"])) for _ in range(n_words)]
    text = draw(st.sampled_from([" ", "\n", " “"])).join(words)
    starts = [i for i in range(len(text)) if text[i].isalnum() and (i == 0 or not text[i - 1].isalnum())]
    ends = [i for i in range(1, len(text) + 1) if text[i - 1].isalnum() and not text[i : i + 1].isalnum()]
    spans = []
    for technique in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5)):
        first = draw(st.integers(0, len(starts) - 1))
        last = draw(st.integers(first, len(starts) - 1))
        spans.append(Span(starts[first], ends[last], technique))
    return text, spans


@given(annotated_texts())
def test_spans_survive_targets_and_decoding(example):
    text, spans = example
    pieces = tokenize(TOKENIZER, text)
    targets = make_targets(pieces, spans, annotated=NAMES)
    inside = targets.inside[:, None] >> np.arange(len(CHANNELS)) & 1
    decoded = decode(text, scores_of(text, np.where(inside, 9.0, -9.0)), BALANCED, gap=0)
    gold, found = ([(s.technique, s.start, s.end) for s in side] for side in (spans, decoded))
    assert flc(gold, found).f1 == pytest.approx(1.0)


def test_identification_is_an_output_of_its_own():
    text = "they want to destroy"
    logits = np.full((4, len(CHANNELS)), -9.0)
    logits[:2, 0] = 3.0
    scores = scores_of(text, logits)
    assert identify(text, scores, BALANCED) == [(0, 9)]
    assert decode(text, scores, BALANCED, gap=25) == ()


@pytest.mark.parametrize(
    ("recall_weight", "ranges"),
    [(0.0, ["they", "destroy us"]), (1.0, ["they want to destroy us"])],
    ids=["two sure ranges", "the whole of them covers more"],
)
def test_of_ranges_within_each_other_those_worth_most_together_are_taken(recall_weight, ranges):
    text = "they want to destroy us"
    logits = np.full((5, len(CHANNELS)), -9.0)
    logits[:, 0] = (3.0, -1.0, -1.0, 3.0, 3.0)
    by_length = Calibration((0.0, 0.0, 1.0, 0.0), -2.0)
    chosen_by = Identification((0.2, 0.5), Calibration((1.0, 0.0, 0.0, 0.0), 0.0), by_length, recall_weight, cost=0.5)
    setting = replace(BALANCED, identification=chosen_by)
    candidates = identification_candidates(text, scores_of(text, logits), setting.bias_vector(), (0.2, 0.5))
    assert [text[c.start : c.end] for c in candidates] == ["they", "they want to destroy us", "destroy us"]
    assert [text[a:b] for a, b in identify(text, scores_of(text, logits), setting)] == ranges


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6), st.integers(-3, 5)), max_size=7))
def test_no_other_choice_of_ranges_without_a_shared_character_is_worth_more(drawn):
    rows = sorted((start + length, start, worth) for start, length, worth in drawn)
    candidates = [Candidate(start, end, 0.5, 0.5, 0.0) for end, start, _ in rows]
    worth = [float(value) for *_, value in rows]

    def apart(chosen) -> bool:
        return all(candidates[i].end <= candidates[j].start for i, j in pairwise(chosen))

    chosen = worth_most(candidates, worth)
    assert apart(chosen)
    subsets = (c for n in range(len(rows) + 1) for c in combinations(range(len(rows)), n) if apart(c))
    assert sum(worth[i] for i in chosen) == max(sum(worth[i] for i in subset) for subset in subsets)


@given(TEXTS, st.integers(0, 2**32 - 1))
def test_whatever_the_scores_ranges_lie_apart_in_the_text(text, seed):
    logits = np.random.default_rng(seed).normal(0, 3, (len(tokenize(TOKENIZER, text)), len(CHANNELS)))
    found = identify(text, scores_of(text, logits), BALANCED)
    assert all(0 <= start < end <= len(text) for start, end in found)
    assert all(one[1] <= next_one[0] for one, next_one in pairwise(found))


def test_a_setting_without_identification_finds_spans_and_says_what_is_missing():
    text = "they want to destroy"
    logits = np.full((4, len(CHANNELS)), 3.0)
    setting = replace(BALANCED, identification=None)
    assert decode(text, scores_of(text, logits), setting, gap=25)
    with pytest.raises(ModelError, match=r"'balanced' has no identification: .*detector calibrate"):
        identify(text, scores_of(text, logits), setting)


def test_a_long_text_takes_little_memory():
    # With hidden characters every position needs a place of its own.
    text = ("They want to de\u00adstroy everything we love, and nobody stops them.\n" * 5000)[:300_000]
    pieces = tokenize(TOKENIZER, text)
    for work in (lambda: cut_windows(text, pieces, size=254, overlap=32), lambda: find_words(text, pieces)):
        tracemalloc.start()
        work()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 75 * len(text)
