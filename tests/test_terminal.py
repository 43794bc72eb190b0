"""The terminal report: brackets that can be taken away, overlaps that are legible, nothing that a terminal obeys."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detector.report.brackets import marked, unmarked
from detector.report.segments import segments
from detector.report.terminal import Style, colours, paint, render, shortened, summary
from detector.report.visible import visible
from detector.spans import Document, Span
from detector.techniques import NAMES, families
from detector.writers.naming import short_code

COLOUR = Style(colour=True, safe=True, width=80)
SGR = re.compile(r"\x1b\[[0-9;]*m")
TEXT = "for our sacred soil, and for [us]"
FLAG, LOADED, SLOGAN = (
    Span(0, 14, "flag-waving", 0.91),
    Span(8, 19, "loaded-language", 0.4),
    Span(21, 33, "slogans", 0.5),
)


@st.composite
def texts_and_spans(draw: st.DrawFn, text: st.SearchStrategy[str]) -> tuple[str, list[Span]]:
    """A text and spans in it, at most one of each technique."""
    drawn = draw(text)
    bounds = st.lists(st.integers(0, len(drawn)), min_size=2, max_size=2).map(sorted)
    techniques = draw(st.lists(st.sampled_from(NAMES), max_size=5, unique=True))
    return drawn, [Span(*draw(bounds), technique) for technique in techniques]


TRICKY = st.text(st.sampled_from("ab [](){}\\…\n\rLL😀\x1b"))


@given(texts_and_spans(st.text() | TRICKY))
@example(("[LL x]\\", [Span(0, 3, "slogans"), Span(2, 7, "doubt"), Span(1, 5, "loaded-language")]))
def test_taking_the_marks_away_gives_the_source_and_the_spans(case: tuple[str, list[Span]]):
    text, spans = case
    expected = sorted((span.start, span.end, short_code(span.technique)) for span in spans if len(span))
    assert unmarked(marked(text, spans)) == (text, expected)


@given(texts_and_spans(TRICKY))
def test_the_order_of_spans_does_not_matter(case: tuple[str, list[Span]]):
    text, spans = case
    assert marked(text, spans) == marked(text, spans[::-1])


@pytest.mark.parametrize(
    ("text", "spans", "expected"),
    [
        ("no spans", [], "no spans"),
        ("", [], ""),
        ("peddling lies", [Span(0, 8, "loaded-language")], "[LL peddling] lies"),
        ("peddling lies", [Span(0, 8, "loaded-language"), Span(0, 13, "doubt")], "[DT [LL peddling] lies]"),
        ("peddling lies", [Span(0, 8, "loaded-language"), Span(0, 8, "doubt")], "[DT [LL peddling]] lies"),
        ("abcdef", [Span(0, 4, "doubt"), Span(2, 6, "slogans")], "[DT ab[SL cd]][…SL ef]"),
        ("abcdef", [Span(0, 3, "doubt"), Span(3, 6, "doubt")], "[DT abc][DT def]"),
        ("see [1]", [Span(4, 7, "doubt")], r"see [DT \[1\]]"),
        ("a\nb", [Span(0, 3, "doubt")], "[DT a\nb]"),
        ("abc", [Span(1, 1, "doubt")], "abc"),
        ("abc", [Span(0, 3, "straw-man+red-herring")], "[SM/RH abc]"),
    ],
)
def test_marks(text: str, spans: list[Span], expected: str):
    assert marked(text, spans) == expected


def test_a_place_cannot_reach_the_terminal_raw():
    meta = {"anchors": [[0, "a\x9b31m\u202eb"]]}
    document = Document("a", "They lie.", meta=meta).with_spans([Span(0, 4, "doubt")])
    assert "  a‹U+009B›31m‹U+202E›b  DT  " in render(document, model_name="tiny", style=Style())


@given(texts_and_spans(st.text()))
def test_segments_cover_the_text_once_and_know_their_spans(case: tuple[str, list[Span]]):
    text, spans = case
    found = list(segments(len(text), spans))
    assert "".join(text[part.start : part.end] for part in found) == text
    for part in found:
        assert set(part.spans) == {s for s in spans if s.start <= part.start and part.end <= s.end and len(s)}
    assert sum(len(part.starting) for part in found) == sum(len(part.ending) for part in found)


@given(texts_and_spans(st.text() | TRICKY))
def test_colour_sends_nothing_but_our_own_sequences_to_the_terminal(case: tuple[str, list[Span]]):
    text, spans = case
    shown = render(Document("a", text).with_spans(spans), model_name="tiny", style=COLOUR)
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", SGR.sub("", shown).replace("\t", "")
    )


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="·")))
def test_colour_without_spans_is_the_text_made_visible(text: str):
    shown = render(Document("a", text), model_name="tiny", style=COLOUR)
    assert shown.startswith(visible(text))


def test_visible_characters():
    assert visible("a\x1b]0;x\x07\x9b31m\u202eb\x7f\ud800") == "a␛]0;x␇‹U+009B›31m‹U+202E›b␡‹U+D800›"
    assert visible("a\tb\r\nc\rd\n") == "a\tb\nc\nd\n"
    assert visible("עברית e\u0301 👩‍👩‍👧") == "עברית e\u0301 👩‍👩‍👧"


def test_the_whole_report_without_colour():
    document = Document("a", TEXT).with_spans([FLAG, LOADED, SLOGAN])
    assert render(document, model_name="tiny", style=Style()) == (
        "[FW for our [LL sacred]][…LL  soil], [SL and for \\[us\\]]\n"
        "\n"
        "   1:1  FW  Flag waving      91% likely     “for our sacred”\n"
        "   1:9  LL  Loaded language  40% possible   “sacred soil”\n"
        "  1:22  SL  Slogans          50% likely     “and for [us]”\n"
        "\n"
        "3 findings in 33 characters (7 words): justification 1, call 1, manipulative wording 1. Model: tiny.\n"
        "A flag is not a verdict: it says how something is put, not whether it is true.\n"
    )


def test_the_article_in_colour():
    colour = colours()
    justification, wording = f"38;5;{colour['justification']}", f"38;5;{colour['manipulative-wording']}"
    article = render(Document("a", TEXT).with_spans([FLAG, LOADED]), model_name="tiny", style=COLOUR).split("\n")[0]
    assert article == (
        f"\x1b[{justification}mfor our \x1b[0m"
        f"\x1b[{wording};4msacred\x1b[0m\x1b[2;{justification}m·FW\x1b[0m"
        f"\x1b[{wording}m soil\x1b[0m\x1b[2;{wording}m·LL\x1b[0m"
        ", and for [us]"
    )


@pytest.mark.parametrize("style", [Style(), COLOUR])
def test_the_article_keeps_its_line_breaks(style: Style):
    text = "first line\n\n\n  second, " + "very " * 60 + "long line\nthird"
    shown = render(Document("a", text).with_spans([Span(0, len(text), "doubt")]), model_name="tiny", style=style)
    plain = SGR.sub("", shown)
    assert text.removesuffix("third") in plain


def test_colour_ends_and_starts_again_at_each_line_end():
    assert paint("a\n\nb", "1", style=COLOUR) == "\x1b[1ma\x1b[0m\n\n\x1b[1mb\x1b[0m"


def test_without_a_terminal_the_text_keeps_every_character():
    text = "a\x1bc\r\nb\u202e"
    assert render(Document("a", text), model_name="tiny", style=Style()).startswith(text + "\n\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "No findings: the text is empty. Model: m."),
        (" \n", "No findings: the text is empty. Model: m."),
        ("a", "No findings in 1 character (1 word). Model: m."),
        ("a b " * 600, "No findings in 2,400 characters (1,200 words). Model: m."),
    ],
)
def test_a_summary_without_findings(text: str, expected: str):
    assert summary(Document("a", text), model_name="m") == expected


def test_an_empty_text_has_no_list():
    assert render(Document("a", ""), model_name="m", style=Style()).count("\n") == 3


def test_quotes_are_shortened_to_one_line():
    assert shortened(" a\n  b ", 30) == "a b"
    assert len(shortened("x" * 100, 30)) == 30
    assert len(shortened("x" * 100, 3)) == 24


def luminance(colour: int) -> float:
    """The relative luminance (WCAG 2) of one of the 216 colours of the cube."""
    levels = (0, 95, 135, 175, 215, 255)
    index = colour - 16
    linear = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
        for c in (levels[i] / 255 for i in (index // 36, index // 6 % 6, index % 6))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_each_family_has_a_colour_of_its_own_that_is_legible_on_black_and_on_white():
    assert list(colours()) == [family.name for family in families()]
    assert len(set(colours().values())) == 6
    for colour in colours().values():
        assert (luminance(colour) + 0.05) / 0.05 >= 4
        assert 1.05 / (luminance(colour) + 0.05) >= 4
