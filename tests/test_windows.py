"""Windows tile every document; targets say which pieces a span touches."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from conftest import tiny_tokenizer
from hypothesis import given
from hypothesis import strategies as st

from detector.spans import Span
from detector.techniques import NAMES
from detector.windows import (
    CHANNELS,
    Pieces,
    Window,
    channel_bit,
    cut_windows,
    make_targets,
    piece_range,
    tokenize,
    window_of_range,
)

TOKENIZER = tiny_tokenizer()
TEXTS = st.text(alphabet=st.characters(codec=None), max_size=400) | st.text("ab .!\n\r\t“é😀\u0301\u200d", max_size=800)


@given(TEXTS, st.integers(10, 40), st.integers(0, 9))
def test_the_decided_ranges_tile_the_document_and_lie_in_their_windows(text, size, overlap):
    pieces = tokenize(TOKENIZER, text)
    windows = cut_windows(text, pieces, size=size, overlap=overlap)
    edges = [w.decide_first for w in windows] + [len(pieces)]
    assert [w.decide_last for w in windows] == edges[1:]
    assert edges[0] == 0
    for window in windows:
        assert 0 < len(window) <= size
        assert window.first <= window.decide_first < window.decide_last <= window.last


@given(TEXTS)
def test_every_piece_has_characters_of_the_text_in_order(text):
    offsets = tokenize(TOKENIZER, text).offsets
    assert (offsets[:, 0] < offsets[:, 1]).all()
    assert (np.diff(offsets[:, 0]) >= 0).all()
    assert not len(offsets) or offsets[-1, 1] <= len(text)


@given(st.text(alphabet="abc éß😀\n", min_size=1, max_size=200))
def test_every_visible_character_is_in_a_piece(text):
    covered = np.zeros(len(text), dtype=bool)
    for start, end in tokenize(TOKENIZER, text).offsets:
        covered[start:end] = True
    assert all(covered[i] for i, c in enumerate(text) if not c.isspace())


def test_a_lone_surrogate_keeps_its_place():
    pieces = tokenize(TOKENIZER, "a \ud800 love")
    assert pieces.offsets[-1].tolist() == [4, 8]


def test_windows_end_where_lines_end_else_sentences_else_words():
    text = "we love. " * 4 + "we love\n" + "we love. " * 20
    pieces = tokenize(TOKENIZER, text)
    first = cut_windows(text, pieces, size=20, overlap=4)[0]
    assert text[pieces.offsets[first.last - 1, 1] :].startswith("\n")
    text = "love and we. " * 40
    pieces = tokenize(TOKENIZER, text)
    for window in cut_windows(text, pieces, size=21, overlap=4)[:-1]:
        assert text[pieces.offsets[window.last - 1, 0]] == "."


def test_a_short_document_is_one_window_and_an_empty_one_none():
    pieces = tokenize(TOKENIZER, "we love")
    assert cut_windows("we love", pieces, size=30, overlap=6) == [Window(0, 2, 0, 2)]
    assert cut_windows("", tokenize(TOKENIZER, ""), size=30, overlap=6) == []


def test_the_overlap_must_fit_the_window():
    with pytest.raises(ValueError, match="must exceed"):
        cut_windows("we", tokenize(TOKENIZER, "we"), size=6, overlap=6)


def pieces_of(*offsets: tuple[int, int]) -> Pieces:
    return Pieces(np.arange(len(offsets)), np.array(offsets, dtype=np.int64).reshape(-1, 2), np.zeros(len(offsets)))


def test_a_span_touches_the_pieces_it_shares_a_character_with():
    pieces = pieces_of((0, 3), (4, 6), (6, 9), (10, 12))
    assert piece_range(pieces, 4, 6) == (1, 2)
    assert piece_range(pieces, 2, 7) == (0, 3)
    assert piece_range(pieces, 3, 4) == (1, 1)
    assert piece_range(pieces, 11, 12) == (3, 4)


def test_targets_mask_what_a_corpus_does_not_annotate():
    pieces = pieces_of((0, 3), (4, 6), (6, 9))
    targets = make_targets(pieces, [Span(4, 9, "doubt")], annotated=["doubt", "slogans"])
    inside = channel_bit("identification") | channel_bit("doubt")
    known = inside | channel_bit("slogans")
    assert targets.inside.tolist() == [0, inside, inside]
    assert targets.known.tolist() == [known] * 3


@pytest.mark.parametrize("technique", ["straw-man+whataboutism", ""])
def test_merged_or_unnamed_techniques_are_unknown_where_they_lie(technique):
    pieces = pieces_of((0, 3), (4, 6))
    targets = make_targets(pieces, [Span(4, 6, technique)], annotated=NAMES)
    assert targets.inside.tolist() == [0, channel_bit("identification")]
    assert targets.known[0] == (1 << len(CHANNELS)) - 1
    for name in ("straw-man", "whataboutism"):
        assert not targets.known[1] & channel_bit(name)
    assert bool(targets.known[1] & channel_bit("doubt")) == (technique != "")


def test_the_window_that_shows_most_of_a_span_is_chosen():
    windows = [Window(0, 20, 0, 17), Window(14, 34, 17, 31), Window(28, 40, 31, 40)]
    assert window_of_range(windows, 15, 18) == 0 or window_of_range(windows, 15, 18) == 1
    assert window_of_range(windows, 15, 25) == 1
    assert window_of_range(windows, 0, 3) == 0
    assert window_of_range(windows, 30, 39) == 2


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=20), st.data())
def test_the_window_is_the_best_of_all(steps: list[tuple[int, int]], data: st.DataObject):
    edges = np.cumsum([(0, 20), *steps], axis=0).tolist()
    windows = [Window(first, last, first, last) for first, last in edges if first < last]
    first = data.draw(st.integers(0, windows[-1].last - 1))
    last = data.draw(st.integers(first + 1, windows[-1].last))

    def shown(window: Window) -> tuple[int, int]:
        common = min(last, window.last) - max(first, window.first)
        return common, min(first - window.first, window.last - last)

    if max(shown(window)[0] for window in windows) > 0:
        assert window_of_range(windows, first, last) == max(range(len(windows)), key=lambda i: shown(windows[i]))


def test_many_spans_of_a_long_text_are_placed_in_no_time():
    windows = [Window(10 * i, 10 * i + 14, 10 * i + 2, 10 * i + 12) for i in range(20_000)]
    started = time.process_time()
    assert [window_of_range(windows, 10 * i + 6, 10 * i + 8) for i in range(20_000)] == list(range(20_000))
    assert time.process_time() - started < 5


def cuts_from_the_end(text: str, size: int) -> set[int]:
    """Where windows end, as a distance in characters from the end of the text."""
    pieces = tokenize(TOKENIZER, text)
    windows = cut_windows(text, pieces, size=size, overlap=4)
    return {len(text) - int(pieces.offsets[window.last - 1, 1]) for window in windows}


def test_a_text_that_is_moved_is_cut_at_the_same_places():
    draw = random.Random(0)
    words = ["love", "asia", "nato", "they", "want", "destroy", "everything", "we"]
    text = "\n".join(" ".join(draw.choices(words, k=draw.randint(3, 12))) for _ in range(120))
    alone = cuts_from_the_end(text, 40)
    assert len(alone) > 20
    for n_lines in (1, 2, 5):
        moved = cuts_from_the_end("we love nato .\n" * n_lines + text, 40)
        assert len(alone & moved) >= len(alone) - 6
