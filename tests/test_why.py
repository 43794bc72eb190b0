"""The words that are named carry the finding: without them its score falls, further than without other words."""

from __future__ import annotations

import json
import random
import re
import sys
from dataclasses import replace
from datetime import date
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from conftest import SEED_ARTICLE

from detector.cli import main
from detector.detect import Detector, load
from detector.errors import CorpusError, InputError
from detector.report.article import article_html
from detector.report.findings import findings
from detector.report.html import article_page
from detector.report.terminal import Style, render
from detector.report.wording import FACTOR_MEANS
from detector.spans import Cue, Document, Span
from detector.techniques import all_techniques
from detector.why import AROUND, CONTEXT, LEAST_WEIGHT, MOST_CUES, explain, mask_id, text_words, words_near
from detector.windows import piece_range
from detector.writers.json import annotation, read_annotation
from detector.writers.provenance import Provenance

sys.path.append(str(Path(__file__).parents[1] / "eval"))

import why as deletion

LOADED = "They want to destroy everything we love. Are you with us or with the traitors?"
PROVENANCE = Provenance("1.2.3", "tiny", "sha256:00")


@pytest.fixture(scope="module")
def fast() -> Detector:
    return load("fast")


@pytest.fixture(scope="module")
def explained(fast: Detector) -> list[Document]:
    """The paragraphs of the sample article and the examples of the techniques, with what carried their findings."""
    texts = SEED_ARTICLE.read_text(encoding="utf-8").strip().split("\n")
    texts += [example.text for one in all_techniques() for example in one.examples]
    documents = [Document(str(i), text) for i, text in enumerate(texts)]
    return [explain(fast, document) for document in fast.annotate(documents)]


def found_in(detector: Detector, text: str) -> Document:
    (document,) = detector.annotate([Document("d", text)])
    return document


def test_what_is_named_are_words_in_the_finding_or_near_it(explained: list[Document]):
    spans = [(document, span) for document in explained for span in document.spans]
    assert len(spans) >= 20
    for document, span in spans:
        assert span.why is not None
        assert len(span.why) <= MOST_CUES
        assert list(span.why) == sorted(span.why, key=lambda cue: (-cue.weight, cue.start))
        for cue in span.why:
            assert cue.weight >= LEAST_WEIGHT
            word = document.text[cue.start : cue.end]
            assert word[0].isalnum()
            assert word[-1].isalnum()
            assert not document.text[cue.start - 1 : cue.start].isalnum()
            assert not document.text[cue.end : cue.end + 1].isalnum()
            between = document.text[min(cue.end, span.end) : max(cue.start, span.start)]
            assert len(re.findall(r"\w+", between)) <= 2 * AROUND  # a word with hyphens is one to the detector
    assert sum(bool(span.why) for _, span in spans) > len(spans) / 2


def test_deleting_the_named_words_lowers_the_score_more_than_deleting_others(fast: Detector, explained: list[Document]):
    rng = random.Random(0)
    trials = [trial for document in explained for trial in deletion.find_trials(fast, document, rng)]
    assert len(trials) >= 12
    drops = {way: np.array([trial.drops[way] for trial in trials]) for way in deletion.WAYS}
    assert drops["named"].mean() > 0.5
    for way in ("random", "alike"):
        assert drops["named"].mean() > 2 * drops[way].mean()
        assert (drops["named"] > drops[way]).mean() > 0.7


def test_the_backends_name_the_same_words(fast: Detector):
    document = found_in(fast, LOADED)
    one, other = (explain(model, document).spans for model in (fast, load("fast", backend="torch")))
    assert [[(c.start, c.end) for c in s.why or ()] for s in one] == [
        [(c.start, c.end) for c in s.why or ()] for s in other
    ]
    weights = [[c.weight for s in spans for c in s.why or ()] for spans in (one, other)]
    assert np.allclose(*weights, atol=0.05)
    assert weights[0]


def test_nothing_found_is_nothing_explained(fast: Detector):
    for text in ("", "  \n", "The bridge opens at nine."):
        document = Document("d", text)
        assert explain(fast, document) == document


def test_a_finding_without_words_has_none(fast: Detector):
    document = Document("d", "we —  love", (Span(2, 6, "doubt"), Span(4, 6, "doubt")))
    assert [span.why for span in explain(fast, document).spans][1] == ()


@pytest.mark.parametrize(
    ("span", "says"),
    [
        (Span(30, 90, "doubt"), r"^d: span \[30, 90\) is not inside the text \(78 characters\)$"),
        (Span(-5, 4, "doubt"), r"^d: span \[-5, 4\) is not inside the text"),
        (Span(0, 0, "doubt"), r"^d: span \[0, 0\) is not inside the text"),
        (Span(0, 4, ""), r"^d: span \[0, 4\) has no technique that words could carry: classify it first$"),
    ],
)
def test_a_span_that_is_none_or_has_no_technique_is_refused(tiny_detector: Detector, span: Span, says: str):
    with pytest.raises(InputError, match=says):
        explain(tiny_detector, Document("d", LOADED, (Span(0, 4, "doubt"), span)))


def test_hidden_characters_keep_the_offsets(fast: Detector):
    plain = explain(fast, found_in(fast, LOADED))
    text = LOADED.replace("traitors", "trai\u00ad\u200btors").replace("destroy", "dеstrоy")  # Cyrillic е and о
    hidden = explain(fast, found_in(fast, text))
    quotes = [
        [
            document.text[c.start : c.end].replace("\u00ad\u200b", "").replace("е", "e").replace("о", "o")
            for s in document.spans
            for c in s.why or ()
        ]
        for document in (plain, hidden)
    ]
    assert quotes[0] == quotes[1]
    assert "traitors" in quotes[0]


def test_a_very_long_line_and_a_finding_longer_than_a_window(fast: Detector):
    text = "the committee met on monday " * 60 + LOADED + " the committee met on monday" * 60
    start = text.index("the traitors")
    document = Document("d", text, (Span(start, start + 12, "name-calling"), Span(0, len(text), "doubt")))
    near, whole = explain(fast, document).spans
    assert near.why
    assert text[near.why[0].start : near.why[0].end] == "traitors"
    assert all(0 <= cue.start < cue.end <= len(text) for cue in whole.why or ())


def test_a_word_longer_than_a_window_names_nothing_impossible(fast: Detector):
    text = "so-" * 400 + "so"
    (span,) = explain(fast, Document("d", text, (Span(0, len(text), "doubt"),))).spans
    assert span.why == ()


def test_words_near_are_its_own_and_some_around(tiny_detector: Detector):
    text = "a b c d e f g h i j k l m n. O p -- q r s t u v w x y z"
    pieces = tiny_detector.tokenize(text)
    words = text_words(text, pieces)
    assert "".join(text[w.start : w.end] for w in words) == "abcdefghijklmnOpqrstuvwxyz"
    own = piece_range(pieces, text.index("m"), text.index("O") + 1)
    assert [text[w.start] for w in words_near(words, *own)] == list("efghijklmnOpqrstuvw")


def test_a_tokenizer_without_a_mask_hides_words_behind_its_unknown_piece(tiny_detector: Detector, fast: Detector):
    assert tiny_detector.tokenizer.id_to_token(mask_id(tiny_detector)) == "[UNK]"
    assert fast.tokenizer.id_to_token(mask_id(fast)) == "[MASK]"
    document = Document("d", "They want to destroy it", (Span(0, 23, "doubt"), Span(5, 9, "straw-man+red-herring")))
    assert all(span.why is not None for span in explain(tiny_detector, document).spans)


# -- what is written -------------------------------------------------------------------------------------------------

SPAN = Span(65, 77, "name-calling", 0.4, (Cue(69, 77, 2.3), Cue(49, 53, 0.7)))
DOCUMENT = Document("d", LOADED, (SPAN, replace(SPAN, technique="doubt", why=())))


def test_json_has_why_where_it_was_asked_for_and_is_read_back():
    record = annotation(DOCUMENT, PROVENANCE)
    assert record["spans"][0]["why"] == [
        {"start": 69, "end": 77, "quote": "traitors", "weight": 2.3},
        {"start": 49, "end": 53, "quote": "with", "weight": 0.7},
    ]
    read = read_annotation(json.loads(json.dumps(record)))
    assert [span.why for span in read.spans] == [span.why for span in DOCUMENT.spans]
    assert "why" not in annotation(Document("d", LOADED, (replace(SPAN, why=None),)), PROVENANCE)["spans"][0]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"start": 68}, "is not 'traitors'"),
        ({"end": 999}, "is not 'traitors'"),
        ({"weight": "much"}, "not a number"),
        ({"weight": float("inf")}, "not a number"),
        ({"start": None}, "wrong type"),
    ],
)
def test_words_that_were_edited_by_hand_are_refused(change: dict[str, object], complaint: str):
    record = annotation(DOCUMENT, PROVENANCE)
    record["spans"][0]["why"][0] |= change
    with pytest.raises(CorpusError, match=complaint):
        read_annotation(record)


def test_the_terminal_says_because_of_what():
    lines = render(DOCUMENT, model_name="tiny", style=Style()).split("\n")[2:7]
    assert lines == [
        "  1:66  NC  Name calling or labelling  40% possible   “the traitors”",
        "            because of “traitors” (×10), “with” (×2.0)",
        "  1:66  DT  Casting doubt              40% possible   “the traitors”",
        "            no single word carried it",
        "  ×2.0: with the word, the odds of the technique are twice what they are without it.",
    ]


def test_a_page_marks_the_words_of_each_entry_and_keeps_the_text():
    text = LOADED.replace("with us", "“with” us")
    cues = (Cue(71, 79, 2.3), Cue(49, 55, 0.7)), (Cue(50, 57, 1.0), Cue(71, 79, 0.2))
    spans = [Span(67, 79, name, 0.4, why) for name, why in zip(("name-calling", "doubt"), cues, strict=True)]
    document = Document("d", text).with_spans([*spans, Span(0, 4, "slogans", 0.4, ())])
    assert [len(finding.words or ()) for finding in findings(document)] == [0, 2, 2]
    html = str(article_html(document, findings(document)))
    assert unescape(re.sub("<[^>]*>", "", html)) == text
    marked = re.findall(r'<span class="cue" data-w="([\d ]+)">([^<]*)</span>', html)
    assert marked == [("3", "“"), ("2 3", "with”"), ("2", " u"), ("2 3", "traitors")]
    page = article_page(document, PROVENANCE, created=date(2025, 3, 4))
    assert "no single word carried it" in page
    assert page.count(FACTOR_MEANS) == 1
    plain = article_page(document.with_spans([Span(0, 4, "slogans")]), PROVENANCE, created=date(2025, 3, 4))
    assert "because of" not in plain
    assert FACTOR_MEANS not in plain


def test_the_commands_name_the_words(tmp_path: Path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text(LOADED)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([*arguments])
        return stop.value.code or 0, *capfd.readouterr()

    assert "because of “traitors” (×" in call("annotate", "a.txt", "--why", "--model", "fast")[1]
    assert call("annotate", "a.txt", "--why", "--model", "fast", "-o", "a.json") == (0, "", "")
    assert call("report", "a.txt", "--why", "--model", "fast", "-o", "text.html") == (0, "", "")
    assert call("report", "a.json", "-o", "json.html") == (0, "", "")
    for page in ("text.html", "json.html"):
        assert "because of <bdi>“traitors”</bdi> ×" in Path(page).read_text(encoding="utf-8")
    code, _, error = call("annotate", "a.txt", "--why", "-f", "csv")
    assert (code, error) == (2, "error: --why: csv has no place for it: take text, html, json, jsonl\n")


def test_a_finding_far_into_a_text_is_explained_by_a_model_of_short_windows(tiny_detector: Detector):
    text = "we love asia and nato . " * 20 + "they want to destroy everything"
    span = Span(text.index("they"), len(text), "doubt")
    (explained,) = explain(tiny_detector, Document("a", text, (span,))).spans
    assert tiny_detector.info.window < CONTEXT
    assert explained.why
