"""The detector reads every character, in any batch, and gives the same spans."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import detector
from detector import detect
from detector.detect import count_quotes, find_model
from detector.errors import InputError, ModelError
from detector.spans import Document, Span
from detector.techniques import inventory

TEXTS = st.text(alphabet=st.characters(codec=None), max_size=300) | st.text("ab we.\n\r“é😀\u0301\u202e", max_size=300)
ARTICLE = "They want to destroy everything we love.\nAnd NATO, of Asia? We love it!\n\n" * 12


@settings(deadline=None, max_examples=60)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_for_any_text_quotes_index_it_and_all_of_it_is_read(tiny_detector, texts):
    documents = [Document(str(i), text) for i, text in enumerate(texts)]
    annotated = list(tiny_detector.annotate(documents, strictness="sensitive"))
    assert [d.id for d in annotated] == [d.id for d in documents]
    for document, text in zip(annotated, texts, strict=True):
        assert document.text == text
        assert document.n_read == len(text)
        for span in document.spans:
            assert 0 <= span.start < span.end <= len(text)


def test_one_by_one_equals_batched(tiny_detector):
    documents = [Document(str(i), ARTICLE[: 40 * i]) for i in range(12)]
    batched = list(tiny_detector.annotate(documents))
    alone = [next(iter(tiny_detector.annotate([d]))) for d in documents]
    assert [[(s.start, s.end, s.technique) for s in d.spans] for d in batched] == [
        [(s.start, s.end, s.technique) for s in d.spans] for d in alone
    ]
    assert any(d.spans for d in batched)


def test_every_piece_has_scores_and_windows_agree_on_the_middle(tiny_detector):
    ((_, scores),) = tiny_detector.score([Document("d", ARTICLE)])
    assert len(scores.logits) == len(scores.pieces) > tiny_detector.info.window
    assert np.isfinite(scores.logits).all()
    first_line = ARTICLE.split("\n")[0]
    ((_, alone),) = tiny_detector.score([Document("d", first_line)])
    assert np.isfinite(alone.logits).all()


def test_documents_are_streamed(tiny_detector, monkeypatch):
    monkeypatch.setattr(detect, "CHUNK_CHARACTERS", 3000)
    taken = []

    def stream():
        for i in range(1000):
            taken.append(i)
            yield Document(str(i), "we love everything " * 30)

    results = tiny_detector.annotate(stream())
    next(results)
    assert len(taken) < 25


def test_what_was_taken_before_a_failure_comes_first(tiny_detector, monkeypatch):
    monkeypatch.setattr(detect, "CHUNK_CHARACTERS", 300)

    def stream(n):
        yield from (Document(str(i), ARTICLE[:100]) for i in range(n))
        raise KeyError("the next one")

    for n in range(8):
        found = []
        with pytest.raises(KeyError, match="the next one"):
            found.extend(tiny_detector.annotate(stream(n)))
        assert [d.id for d in found] == [str(i) for i in range(n)]


def test_a_detector_goes_to_other_processes(tiny_model_folder, monkeypatch):
    monkeypatch.chdir(tiny_model_folder.parent)
    loaded = detector.load(tiny_model_folder.name, backend="torch")
    packed = pickle.dumps(loaded)
    monkeypatch.chdir("/")
    copy = pickle.loads(packed)
    assert copy.find(ARTICLE) == loaded.find(ARTICLE) != ()
    assert type(copy.backend) is type(loaded.backend)
    by_hand = detect.Detector(loaded.backend, loaded.info, loaded.tokenizer, loaded.settings, loaded.model_hash)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(by_hand)


def test_nothing_is_encoded_for_a_reader_who_has_left(tiny_detector, monkeypatch):
    monkeypatch.setattr(detect, "ENCODED_TOGETHER", 1)
    results = tiny_detector.annotate([Document("d", ARTICLE), Document("e", ARTICLE * 400)])
    monkeypatch.setattr(detect, "CHUNK_CHARACTERS", 10)
    before = tiny_detector.backend.work.n_calls
    next(results)
    results.close()
    assert tiny_detector.backend.work.n_calls - before < 400


def test_a_text_tokenised_in_blocks_is_the_same(tiny_detector, monkeypatch):
    text = ARTICLE * 3
    ((_, whole),) = tiny_detector.score([Document("d", text)])
    monkeypatch.setattr(detect, "TOKENIZED_CHARACTERS", 100)
    ((_, blocks),) = tiny_detector.score([Document("d", text)])
    assert np.array_equal(whole.pieces.ids, blocks.pieces.ids)
    assert np.array_equal(whole.pieces.offsets, blocks.pieces.offsets)
    assert np.array_equal(whole.logits, blocks.logits)


def test_an_unknown_strictness_names_the_known(tiny_detector):
    with pytest.raises(ModelError, match="strict, balanced, sensitive"):
        tiny_detector.find("we", strictness="lax")


def test_given_spans_are_named_within_an_inventory(tiny_detector):
    spans = (Span(0, 4, ""), Span(0, 4, ""), Span(13, 40, "doubt"), Span(41, 42, ""))
    document = Document("d", ARTICLE, spans)
    named = tiny_detector.classify(document, within=inventory("ptc-14"), corpus="ptc")
    names = set(inventory("ptc-14").names)
    assert [(s.start, s.end) for s in named.spans] == [(s.start, s.end) for s in spans]
    assert all(inventory("ptc-14").foreign(s.technique) in names for s in named.spans)
    assert named.spans[0].technique != named.spans[1].technique
    assert named.spans[0].confidence >= named.spans[1].confidence


def test_scoring_and_classifying_together_give_both_for_the_price_of_scoring(tiny_detector):
    documents = [Document(str(i), ARTICLE[i:], (Span(0, 4, ""), Span(13, 40, ""))) for i in range(3)]
    documents.append(Document("without", "we love", ()))
    work = tiny_detector.backend.work
    before = work.n_pieces
    scored = list(tiny_detector.score(documents))
    price, before = work.n_pieces - before, work.n_pieces
    both = list(tiny_detector.score_and_classify(documents, corpus="ptc", within=inventory("ptc-14")))
    assert work.n_pieces - before == price
    for (document, scores), (same, again, named) in zip(scored, both, strict=True):
        assert same is document
        assert np.array_equal(scores.logits, again.logits)
        alone = tiny_detector.classify(document, corpus="ptc", within=inventory("ptc-14"))
        assert [s.technique for s in named.spans] == [s.technique for s in alone.spans]
        for one, other in zip(named.spans, alone.spans, strict=True):
            assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


def test_a_span_longer_than_a_window_is_named(tiny_detector):
    named = tiny_detector.classify(Document("d", ARTICLE, (Span(0, len(ARTICLE), ""),)))
    assert named.spans[0].technique


def test_a_span_of_space_alone_is_named_all_the_same(tiny_detector):
    named = tiny_detector.classify(Document("d", "we  love", (Span(2, 4, ""),)))
    assert named.spans[0].technique


@pytest.mark.parametrize("span", [Span(0, 99, ""), Span(3, 3, ""), Span(-1, 2, "")])
def test_spans_outside_the_text_are_refused(tiny_detector, span):
    with pytest.raises(InputError, match="not inside the text"):
        tiny_detector.classify(Document("d", "we love", (span,)))


def test_quotes_are_counted_whatever_their_case():
    document = Document("d", "We love. we LOVE. love", (Span(0, 7, ""), Span(3, 7, ""), Span(18, 22, "")))
    assert count_quotes(document) == [2, 3, 3]


def test_load_takes_a_folder_and_refuses_others(tiny_model_folder, tmp_path):
    assert detector.load(tiny_model_folder).name == "tiny"
    for wrong in (tmp_path, tmp_path / "none", "no-such-model"):
        with pytest.raises(ModelError, match="no model folder"):
            detector.load(wrong)


def test_a_slip_below_a_folder_is_not_asked_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("detector.detect._fetch", lambda name: Path("fetched", name))
    assert find_model("runs/mine") == Path("fetched/runs/mine")
    (tmp_path / "runs").mkdir()
    with pytest.raises(ModelError, match="runs/mine: no model folder"):
        find_model("runs/mine")


def test_a_name_that_no_file_can_have_is_one_line():
    with pytest.raises(
        ModelError, match=r"^x{300}: no model can be found there \(File name too long\); check the path$"
    ):
        find_model("x" * 300)
