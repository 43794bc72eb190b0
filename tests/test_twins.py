"""Twins and what comes before: windows cut elsewhere with other names, matched word by word, and borrowed lines."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import tiny_info, tiny_model, tiny_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.config import LossConfig, TextsConfig, load_recipe
from detector.corpora import Corpus
from detector.errors import ConfigError
from detector.spans import Document, Span
from detector.techniques import inventory
from detector.train.features import Collator, document_rows, make_dataset, with_twins
from detector.train.frozen import lower_outputs, numbered
from detector.train.loop import TrainingModule, disagreement
from detector.train.precede import FEWEST_CHARACTERS, precede, precede_corpora
from detector.train.swap import swap_names_at
from detector.train.twins import match
from detector.windows import tokenize

WORDS = ["Trump", "the US", "Russian", "they", "want", "to destroy", "everything", "lie", ".", "\n", "Hillary Clinton"]


def article(words: list[str]) -> Document:
    text = " ".join(words)
    start = text.find("destroy")
    return Document("a", text).with_spans([Span(start, start + 7, "loaded-language")] if start >= 0 else [])


def rows_of(document: Document) -> list[dict]:
    return list(document_rows(document, ["loaded-language"], 0, tiny_tokenizer(), tiny_info(), twin_seed=3))


LONG = article(WORDS * 12)


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=60), st.integers(0, 9))
def test_matched_pieces_are_the_same_words_and_all_outside_the_names(words, seed):
    document, tokenizer = article(words), tiny_tokenizer()
    swapped, edited = swap_names_at(document, random.Random(seed))
    ours, theirs = tokenize(tokenizer, document.text), tokenize(tokenizer, swapped.text)
    here, there = match(ours, theirs, edited)
    assert (np.diff(here) > 0).all()
    assert (np.diff(there) > 0).all()
    for i, j in zip(here, there, strict=True):
        ranges = document.text[slice(*ours.offsets[i])], swapped.text[slice(*theirs.offsets[j])]
        assert ranges[0] == ranges[1]
    inside = {
        i for i, (start, end) in enumerate(ours.offsets) if any(start < e.old_end and e.old_start < end for e in edited)
    }
    assert set(here.tolist()) == set(range(len(ours))) - inside


def test_a_twin_is_cut_elsewhere_and_agrees_where_it_matches():
    rows = rows_of(LONG)
    assert len(rows) > 3
    shifts = set()
    for row in rows:
        assert 0 < row["twin_length"] <= tiny_info().window
        assert len(row["twin_ids"]) == len(row["twin_inside"]) == len(row["twin_known"]) == row["twin_length"]
        assert len(row["here"]) == len(row["there"]) > 0
        assert (row["ids"][row["here"]] == row["twin_ids"][row["there"]]).all()
        assert (row["inside"][row["here"]] == row["twin_inside"][row["there"]]).all()
        shifts |= set((row["there"] - row["here"]).tolist())
    assert len(shifts) > 3
    assert sum(int(np.count_nonzero(row["twin_inside"])) for row in rows) > 0
    assert any(list(row["ids"]) != list(row["twin_ids"]) for row in rows)
    again = rows_of(LONG)
    assert all(np.array_equal(a["twin_ids"], b["twin_ids"]) for a, b in zip(rows, again, strict=True))


def test_a_batch_holds_rows_then_twins_and_where_they_match():
    rows = rows_of(LONG)[:3]
    batch = Collator(tiny_info())(rows)
    assert len(batch["input_ids"]) == 6
    assert batch["spans"][:, 0].max() < 3  # only the windows themselves have spans to name
    assert len(batch["matches"]) == sum(len(row["here"]) for row in rows)
    window, piece, other, place = batch["matches"].T
    assert torch.equal(batch["input_ids"][window, piece], batch["input_ids"][other, place])
    assert torch.equal(other, window + 3)
    plain = [{k: v for k, v in row.items() if not k.startswith(("twin_", "here", "there"))} for row in rows]
    assert len(Collator(tiny_info())(plain)["matches"]) == 0


def test_frozen_layers_run_over_twins_too(tmp_path):
    info, model = tiny_info(), tiny_model().eval()
    corpus = Corpus("ptc", (LONG,), inventory("ptc-19"))
    dataset = numbered(make_dataset({"ptc": corpus}, tiny_tokenizer(), info, twin_seed=3))
    collator = lower_outputs(model, 1, dataset, Collator(info), tmp_path / "lower.npy")
    rows = [dataset[i] for i in (2, 0)]
    given, alone = (
        collator(rows)["input_ids"],
        lower_outputs(
            model,
            1,
            numbered(make_dataset({"ptc": corpus}, tiny_tokenizer(), info)),
            Collator(info),
            tmp_path / "one.npy",
        ),
    )
    plain = alone([{k: v for k, v in row.items() if not k.startswith(("twin_", "here", "there"))} for row in rows])
    assert given.shape[0] == 4
    n = plain["input_ids"].shape[1]
    assert torch.allclose(given[:2, :n], plain["input_ids"], atol=0.02)
    for vectors, row in zip(given, with_twins(rows), strict=True):
        assert vectors[: row["length"] + 2].abs().sum(dim=1).min() > 0
        assert vectors[row["length"] + 2 :].abs().sum() == 0


def test_disagreement_is_none_between_equals_and_grows_with_distance():
    logits = torch.zeros(2, 4, 24)
    matches = torch.tensor([[0, 1, 1, 2], [0, 2, 1, 3]])
    assert disagreement(logits, matches).item() == 0
    logits[1, 2] = 1.0
    near = disagreement(logits, matches).item()
    logits[1, 2] = 2.0
    assert 0 < near < disagreement(logits, matches).item()
    chance = torch.sigmoid(torch.tensor(1.0)).item()
    assert near == pytest.approx(24 * (chance - 0.5) / 2 / 2)  # both divergences of 24 outputs; half of the two matches


def test_the_loss_counts_disagreement_by_its_weight():
    batch = Collator(tiny_info())(rows_of(LONG)[:2])
    model = tiny_model().eval()
    with torch.inference_mode():
        losses = [TrainingModule(model, LossConfig(consistency=weight))(**batch)["loss"].item() for weight in (0, 1, 3)]
    assert losses[0] < losses[1]
    assert losses[2] - losses[0] == pytest.approx(3 * (losses[1] - losses[0]), rel=1e-3)


def test_consistency_without_twins_is_refused(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(
        'name = "r"\n[encoder]\nname = "e"\n[optimiser]\nepochs = 1\nencoder_rate = 1.0\nhead_rate = 1.0\n'
        "[loss]\nconsistency = 1.0\n"
    )
    with pytest.raises(ConfigError, match=r"r\.toml: loss\.consistency: .* set texts\.twins = true$"):
        load_recipe(path)
    path.write_text(path.read_text() + "[texts]\ntwins = true\n")
    assert load_recipe(path).texts == TextsConfig(twins=True)


def test_borrowed_lines_bring_their_spans_and_move_the_others():
    other = Document("b", "First.\nA vile lie.\nLast words.\n").with_spans(
        [Span(9, 13, "loaded-language"), Span(2, 9, "doubt")]
    )
    document = article(["they", "want", "to destroy"])
    for seed in range(20):
        made = precede(document, other, random.Random(seed))
        assert made.id == document.id
        assert made.text.endswith("\n\n" + document.text)
        assert made.text.split("\n\n")[0] in other.text
        assert "destroy" in [made.quote(span) for span in made.spans]
        assert ("vile" in [made.quote(span) for span in made.spans]) == ("vile" in made.text)
        assert len(made.spans) <= 3


def test_only_the_share_and_only_articles_are_preceded():
    long = tuple(replace(article(WORDS * 60), id=f"d{i}") for i in range(200))
    assert len(long[0].text) >= FEWEST_CHARACTERS
    short = (replace(article(WORDS), id="short"),)
    corpora = {"ptc": Corpus("ptc", long + short, inventory("ptc-19"))}
    made = precede_corpora(corpora, share=0.3, seed=1)["ptc"].documents
    n_changed = sum(a != b for a, b in zip(long, made, strict=False))
    assert 40 <= n_changed <= 80
    assert made[-1] == short[0]
    assert precede_corpora(corpora, share=0.3, seed=1)["ptc"].documents == made
    assert precede_corpora(corpora, share=0.0, seed=1) == corpora
