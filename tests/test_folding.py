"""What hides or poses is seen through, every offset leads back into the given text, ordinary text stays as it is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from conftest import tiny_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.decode import channel_candidates, find_words
from detector.folding import LOOK_ALIKES, count_shown, find_wraps, fold
from detector.windows import cut_windows, line_numbers, tokenize

TOKENIZER = tiny_tokenizer()
TEXTS = st.text(alphabet=st.characters(codec=None), max_size=200) | st.text(
    "ab аеο.\n\u200b\u00ad\ufeff\u0301\u0336\u0488ﬁｗ𝐝Ⓓ\u00a0😀\ufe0f'-", max_size=200
)
PLAIN = "they want to destroy everything"
DISGUISED = {
    "zero width": "th\u200bey wa\u200cnt to des\u2060tr\ufeffoy every\u200dthing",
    "soft hyphens": "they want to de\u00adstroy every\u00adthing",
    "piled marks": "they want to d\u0336e\u0336s\u0336t\u0336r\u0336o\u0336y\u0336 e\u0489v\u0488erything",
    "full width": "ｔｈｅｙ want to ｄｅｓｔｒｏｙ everything",
    "mathematical": "they want to 𝐝𝐞𝐬𝐭𝐫𝐨𝐲 𝓮𝓿𝓮𝓻𝔂thing",
    "ringed": "they want to ⓓⓔⓢⓣⓡⓞⓨ everything",
    "Cyrillic": "thеу want tо dеѕtrоу еvеrуthіng",
    "Greek": "they wαnt tο destrοy everythιng",
    "both": "they want to d\u200bе\u0336strоy everything",
}
ORDINARY = (
    "Résumé, naïve, Zoë and cafe\u0301 – “quoted” ‘words’… 5 × 3 = 15 € ™",
    "TNFα and the α particle, 3 μm, Δx and x²",
    "Он сказал: мир. Слово «мир» знают все.",
    "Το νερό και η ζωή",
    "Tiếng Việt e\u0302\u0301 and ① 1\u20e3 ﷺ नमस्ते",
)


@pytest.mark.parametrize("text", DISGUISED.values(), ids=DISGUISED)
def test_a_disguised_text_is_read_like_the_plain_one(text):
    pieces, plain = tokenize(TOKENIZER, text), tokenize(TOKENIZER, PLAIN)
    assert fold(text).text == PLAIN
    assert pieces.ids.tolist() == plain.ids.tolist()
    chances = np.array([0.9 if PLAIN[a:b] == "destroy" else 0.1 for a, b in plain.offsets], dtype=np.float32)
    (found,) = channel_candidates(text, pieces, find_words(text, pieces), chances, chances, threshold=0.5, gap=25)
    assert text[found.start : found.end] == text.split()[3]
    assert found.n_shown == len("destroy")


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_as_it_is(text):
    assert fold(text).text.replace("\u20e3", "") == text.replace("\u20e3", "")
    assert fold(text).starts is None


def test_words_of_look_alikes_alone_are_latin_among_latin_words():
    assert fold("you сан buy а сар here").text == "you сан buy a cap here"
    assert fold("сор сар").text == "сор сар"
    assert fold("слово сор here").text == "слово сор here"


def test_every_look_alike_is_one_letter_for_another():
    assert all(chr(c).isalpha() and not chr(c).isascii() and latin.isascii() for c, latin in LOOK_ALIKES.items())


@settings(deadline=None)
@given(TEXTS)
def test_folded_characters_stand_for_ranges_that_cover_the_given_text(text):
    folded = fold(text)
    if folded.starts is None or folded.ends is None:
        assert len(folded.text) == len(text)
        return
    assert len(folded.starts) == len(folded.ends) == len(folded.text) > 0 or not folded.text
    ranges = sorted(set(zip(folded.starts.tolist(), folded.ends.tolist(), strict=True)))
    if ranges:
        assert (ranges[0][0], ranges[-1][1]) == (0, len(text))
        assert all(a[1] == b[0] for a, b in pairwise(ranges))
        assert len(folded.spread(np.arange(len(folded.text)))) == len(text)


@settings(deadline=None)
@given(TEXTS)
def test_pieces_lie_in_the_given_text_in_order(text):
    offsets = tokenize(TOKENIZER, text).offsets
    assert (offsets[:, 0] < offsets[:, 1]).all()
    assert (np.diff(offsets[:, 0]) >= 0).all()
    assert not len(offsets) or offsets[-1, 1] <= len(text)
    shown = count_shown(text)
    assert len(shown) == len(text) + 1
    assert (shown[offsets[:, 1]] > shown[offsets[:, 0]]).all()


@settings(deadline=None)
@given(st.text(max_size=200).filter(str.isascii))
def test_ascii_is_not_touched(text):
    assert fold(text).text is text


PARAGRAPH = "they want to destroy everything we love and nato of asia want to love the one we want to love. " * 3


def wrap(text: str, width: int, end: str = "\n") -> str:
    """The text with the last space before each column made a line end."""
    lines = []
    while len(text) > width:
        cut = text.rindex(" ", 0, width + 1)
        lines.append(text[:cut])
        text = text[cut + 1 :]
    return end.join((*lines, text))


def test_hard_wraps_are_no_line_ends():
    one, two = PARAGRAPH.strip(), PARAGRAPH[10:].strip()
    whole = f"{one}\n\n{two}"
    wrapped = f"{wrap(one, 72)}\n\n{wrap(two, 72)}"
    assert wrapped != whole
    assert line_numbers(wrapped).tolist() == line_numbers(whole).tolist()
    windows, expected = (cut_windows(t, tokenize(TOKENIZER, t), size=30, overlap=6) for t in (wrapped, whole))
    assert windows == expected
    crlf = wrap(one, 60, "\r\n")
    assert [crlf[i] for i in find_wraps(crlf)] == ["\r", "\n"] * crlf.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(PARAGRAPH.split(". ")),
        "ONE DOES NOT SIMPLY\nLOVE ASIA\nAND EVERYTHING",
        "The apples fell\nso softly in the night that nobody woke\nand then it snowed\n" * 4,
        "- they want to destroy everything we love and more\n- nato\n- asia\n" * 3,
    ],
)
def test_lines_that_are_meant_stay_lines(text):
    assert len(find_wraps(text)) == 0
