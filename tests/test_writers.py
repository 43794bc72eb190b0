"""Writers: JSON keeps a document exactly, and any UTF-8 terminal survives it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import CorpusError, TechniqueError
from detector.spans import Document, Span, text_hash
from detector.techniques import NAMES
from detector.writers.json import annotation, dumps, read_annotation
from detector.writers.provenance import Provenance

PROVENANCE = Provenance("1.2.3", "tiny", "sha256:00", "strict", 0.25, only=("doubt", "slogans"), ignore=("repetition",))
DOCUMENT = Document(
    "news/a.txt",
    "One\r\ntwo peddling \x1b[31m\u2028 😀.",
    (Span(9, 17, "loaded-language", 0.87654), Span(9, 23, "straw-man+red-herring", 0.5)),
    {"encoding": "utf-8"},
    n_read=28,
)


def test_the_whole_object():
    document = Document("a.txt", "x\ny peddling", (Span(4, 12, "loaded-language", 0.87654),), {"encoding": "utf-8"}, 12)
    assert annotation(document, PROVENANCE) == {
        "schema_version": 1,
        "tool": {"name": "rhetoric-detector", "version": "1.2.3"},
        "model": {"name": "tiny", "hash": "sha256:00"},
        "settings": {
            "strictness": "strict",
            "min_confidence": 0.25,
            "only": ["doubt", "slogans"],
            "ignore": ["repetition"],
        },
        "id": "a.txt",
        "meta": {"encoding": "utf-8"},
        "text_hash": text_hash("x\ny peddling"),
        "n_characters": 12,
        "n_characters_read": 12,
        "text": "x\ny peddling",
        "spans": [
            {
                "start": 4,
                "end": 12,
                "quote": "peddling",
                "technique": "loaded-language",
                "title": "Loaded language",
                "code": "LL",
                "family": "manipulative-wording",
                "confidence": 0.8765,
                "line": 2,
                "column": 3,
                "place": None,
                "in_quote": False,
                "speaker": None,
            }
        ],
        "n_spans": 1,
        "n_in_quote": 0,
    }


def test_quotations_and_places_are_told():
    text = "One.\n“They lie,” said Ann Lee."
    meta = {"anchors": [[0, "page 1"], [5, "page 2"]]}
    record = annotation(Document("a", text, (Span(0, 3, "doubt"), Span(6, 15, "doubt")), meta), PROVENANCE)
    told = [(span["in_quote"], span["speaker"], span["place"]) for span in record["spans"]]
    assert told == [(False, None, "page 1"), (True, "Ann Lee", "page 2")]
    assert (record["n_spans"], record["n_in_quote"]) == (2, 1)


def test_joined_techniques_have_both_names():
    span = annotation(DOCUMENT, PROVENANCE)["spans"][1]
    assert (span["title"], span["code"], span["family"]) == ("Straw man / Red herring", "SM/RH", "distraction")


@st.composite
def documents(draw: st.DrawFn) -> Document:
    text = draw(st.text(st.characters(exclude_categories=())))
    bounds = st.lists(st.integers(0, len(text)), min_size=2, max_size=2).map(sorted)
    span = st.builds(
        lambda b, technique, n: Span(b[0], b[1], technique, n / 10_000),
        bounds,
        st.sampled_from(NAMES),
        st.integers(0, 10_000),
    )
    return Document("a", text, meta={"k": "v"}).with_spans(draw(st.lists(span, max_size=4)), n_read=len(text))


def survives_json(text: str) -> bool:
    """JSON has no way to write a low surrogate after a high one that does not mean the character of both."""
    return json.loads(json.dumps(text)) == text


@given(documents(), st.sampled_from([None, 2]))
def test_a_document_survives(document: Document, indent: int | None):
    written = dumps(annotation(document, PROVENANCE), indent=indent)
    written.encode("utf-8")
    assert indent or len(written.splitlines()) == 1
    assert not set(written) & set(map(chr, [*range(10), *range(11, 32), *range(127, 160), 0x202E, 0x2066]))
    if survives_json(document.text):
        assert read_annotation(json.loads(written)) == document


def test_confidence_keeps_four_digits():
    (span, _) = read_annotation(annotation(DOCUMENT, PROVENANCE)).spans
    assert span.confidence == 0.8765


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema_version is 2"),
        ({"text": "other"}, r"span \[9, 17\) of 5 characters is not 'peddling'"),
        ({"text": "x", "spans": []}, "the text is not the one that was annotated"),
        ({"text": None}, "wrong type"),
        ({"spans": [{}]}, "key 'start' is missing"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(change: dict[str, object], message: str):
    with pytest.raises(CorpusError, match=message):
        read_annotation({**annotation(DOCUMENT, PROVENANCE), **change})


def test_an_unknown_technique_is_refused():
    record = annotation(DOCUMENT, PROVENANCE)
    record["spans"][0]["technique"] = "sarcasm"
    with pytest.raises(TechniqueError, match="sarcasm"):
        read_annotation(record)
