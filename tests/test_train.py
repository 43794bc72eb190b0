"""Training on a tiny encoder: targets, losses, rates, resuming, calibration, and what comes out."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import bare_setting, tiny_info, tiny_model, tiny_tokenizer
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from detector.backends.torch import TorchBackend
from detector.cli import main
from detector.config import EncoderConfig, LossConfig, OptimiserConfig, Recipe, TextsConfig
from detector.corpora import Corpus, folds
from detector.decode import Candidate, Scores, Setting, decode, find_candidates, find_words, identify
from detector.detect import Detector, find_model, load
from detector.errors import ConfigError, ModelError
from detector.folder import held_out_fold, learned_from, read_folder, read_record, read_weights
from detector.metrics import SpanScore, calibration_error, si
from detector.model import load_model
from detector.spans import Document, Span
from detector.techniques import NAMES, inventory
from detector.train import encoders
from detector.train.calibrate import (
    MANY_SPANS,
    PLANS,
    THRESHOLDS,
    Candidates,
    Scored,
    collect,
    cross_fitted,
    fewest_words_of,
    fit_calibration,
    fit_identification,
    gold_ranges,
    make_setting,
)
from detector.train.dropout import ByteDropout
from detector.train.features import Collator, document_rows, make_dataset, unpack_bits
from detector.train.frozen import above, lower_outputs
from detector.train.loop import TrainingModule, parameter_groups, span_loss, token_losses
from detector.train.run import calibrate, split_corpora, train, train_once, training_texts
from detector.train.shrink import shrink
from detector.train.start import starting_model
from detector.windows import CHANNELS, IDENTIFICATION, channel_bit, tokenize

QUOTE = "destroy everything"
SENTENCE = "we love asia and nato . they want to destroy everything we love .\n"


def corpus(name: str, names: str, n_documents: int) -> Corpus:
    documents = []
    for i in range(n_documents):
        text = f"{i * 7919} " + SENTENCE * (1 + i % 3)
        starts = [match.start() for match in re.finditer(QUOTE, text)]
        spans = [Span(start, start + len(QUOTE), "loaded-language") for start in starts]
        documents.append(Document(f"{name}-{i}", text).with_spans(spans))
    return Corpus(name, tuple(documents), inventory(names))


CORPORA = {"ptc": corpus("ptc", "ptc-19", 20), "checkthat": corpus("checkthat", "semeval-2023", 10)}


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=tiny_tokenizer().get_vocab_size(), **size)).save_pretrained(folder)
    specials = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    PreTrainedTokenizerFast(tokenizer_object=tiny_tokenizer(), **specials).save_pretrained(folder)
    return folder


def held_out(corpora: dict[str, Corpus]) -> list[Document]:
    return [d for corpus in split_corpora(corpora, fold=0).validation.values() for d in corpus.documents]


def recipe(encoder: Path, epochs: int = 3) -> Recipe:
    return Recipe(
        "tiny",
        EncoderConfig(str(encoder), window=32, overlap=6),
        OptimiserConfig(epochs=epochs, encoder_rate=2e-3, head_rate=1e-2, batch_size=4),
        LossConfig(),
    )


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_training_learns_records_and_the_folder_loads(encoder_folder, tmp_path):
    lines: list[str] = []
    record = train(recipe(encoder_folder, epochs=7), CORPORA, tmp_path, say=lines.append)
    assert [e["epoch"] for e in record["epochs"]] == [1, 2, 3, 4, 5, 6, 7]
    assert max(e["ptc_si"] for e in record["epochs"]) > 0.6
    assert json.loads((tmp_path / "model" / "training.json").read_text()) == record
    assert any(line.startswith("epoch 7: ptc_si") for line in lines)
    detector = load(tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text()
    assert "| 7 |" in card
    assert "| strict |" in card
    assert "| Loaded language | " in card
    assert ("## Errors" in card) == any(record["errors"].values())
    assert record["techniques"]["loaded-language"]["n_gold"] == sum(len(d.spans) for d in held_out(CORPORA))
    assert detector.likeness is not None
    assert detector.settings["balanced"].precision == record["validation"]["balanced"]["flc"]["precision"]
    assert set(detector.settings) == {p.name for p in PLANS}
    text = CORPORA["ptc"].documents[2].text
    found = [text[s.start : s.end] for s in detector.find(text, strictness="ptc") if s.technique == "loaded-language"]
    assert any(QUOTE.split()[0] in quote for quote in found)


class Stopped(Exception):
    pass


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_stopped_training_goes_on_and_ends_the_same(encoder_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("detector.train.loop.CHECKPOINT_STEPS", 2)
    forward, n_steps = TrainingModule.forward, 0

    def step(self, *args, **kwargs):
        nonlocal n_steps
        n_steps += 1
        if n_steps == stop_at:
            raise Stopped
        return forward(self, *args, **kwargs)

    def trained(name: str) -> dict[str, Any]:
        nonlocal n_steps
        n_steps = 0
        return train_once(recipe(encoder_folder, epochs=2), CORPORA, tmp_path / name, fold=0, seed=1)

    monkeypatch.setattr(TrainingModule, "forward", step)
    stop_at = 0
    whole = trained("whole")
    n_whole = n_steps
    expected = load_model(tmp_path / "whole" / "model").model.state_dict()
    for stop_at in (n_whole // 2 - 1, n_whole - 1):  # in the first epoch, and in the second
        name = f"stopped-{stop_at}"
        with pytest.raises(Stopped):
            trained(name)
        checkpoints = sorted((tmp_path / name / "checkpoints").glob("checkpoint-*"), key=lambda p: int(p.name[11:]))
        half = shutil.copytree(checkpoints[-1], checkpoints[-1].with_name(f"checkpoint-{n_whole}"))
        (half / "trainer_state.json").unlink()  # as where the process ended while it wrote a checkpoint
        (tmp_path / name / "checkpoints" / "seconds.json").write_text("1000")
        stop_at = 0
        resumed = trained(name)
        assert 0 < n_steps < n_whole
        assert [e["epoch"] for e in resumed["epochs"]] == [e["epoch"] for e in whole["epochs"]] == [1, 2]
        assert resumed["seconds"] >= 1000
        found = load_model(tmp_path / name / "model").model.state_dict()
        assert all(torch.equal(found[key], value) for key, value in expected.items())
        assert {path.name for path in (tmp_path / name).iterdir()} == {"begun.json", "model"}
    others = {name: replace(c, documents=tuple(d.with_spans(()) for d in c.documents)) for name, c in CORPORA.items()}
    with pytest.raises(ConfigError, match=r"whole: holds a training with documents\.checkthat sha256:\w+, not sha256:"):
        train_once(recipe(encoder_folder, epochs=2), others, tmp_path / "whole", fold=0, seed=1)


def few(n_held_out: int, n_others: int) -> dict[str, Corpus]:
    words = random.Random(1)
    documents = [Document(str(i), " ".join(words.choices(SENTENCE.split(), k=60))) for i in range(30)]
    by_fold: dict[bool, list[Document]] = {True: [], False: []}
    for document, fold in zip(documents, folds(documents), strict=True):
        by_fold[fold == 0].append(document)
    chosen = (*by_fold[True][:n_held_out], *by_fold[False][:n_others])
    return {"jsonl": Corpus("jsonl", chosen, inventory("detector"))}


@pytest.mark.parametrize(("n_held_out", "n_others"), [(0, 6), (3, 0), (0, 0)])
def test_a_fold_with_nothing_or_everything_in_it_is_refused(encoder_folder, tmp_path, n_held_out: int, n_others: int):
    told = (
        rf"^fold 0 holds out {n_held_out} of {n_held_out + n_others} documents: take another fold, or more documents$"
    )
    with pytest.raises(ConfigError, match=told):
        train(recipe(encoder_folder), few(n_held_out, n_others), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match=told):
        calibrate(tmp_path / "no-model", few(n_held_out, n_others))


def test_a_single_document_to_learn_from_is_refused_before_the_training(encoder_folder, tmp_path):
    with pytest.raises(ConfigError, match=r"^the corpora: too few texts with words to learn from \(1\): give 2$"):
        train(recipe(encoder_folder), few(3, 1), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"name": "x" * 192}, ConfigError, r"^the recipe: makes a model that could not be loaded \(.* 200 char"),
        ({"refit": (2,)}, ModelError, r"none: no encoder can be loaded from there"),
    ],
)
def test_what_would_be_refused_after_hours_is_refused_at_once(encoder_folder, tmp_path, change, error, says):
    chosen = recipe(encoder_folder)
    chosen = replace(chosen, encoder=replace(chosen.encoder, refit=str(tmp_path / "none")), **change)
    with pytest.raises(error, match=says):
        train(chosen, few(3, 5), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_seed_named_twice_is_one_line(tmp_path, capsys):
    start = '[encoder]\nname = "fast"\n[optimiser]\nepochs = 1\nencoder_rate = 1e-5\nhead_rate = 1e-5\n'
    (tmp_path / "recipe.toml").write_text(f'name = "x"\n{start}')
    with pytest.raises(SystemExit) as ended:
        main(["train", f"{tmp_path}/recipe.toml", "--out", f"{tmp_path}/out", "--seed", "1", "--seed", "1"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: --seed: 1 is named twice: each seed is a training of its own\n"


@pytest.mark.parametrize(("text", "share"), [("\u200b \n", 1.0), ("we love asia", 0.0)])
def test_documents_without_words_to_learn_from_are_refused_and_nothing_is_begun(encoder_folder, tmp_path, text, share):
    wordless = Corpus("ptc", tuple(Document(str(i), text * i) for i in range(9)), inventory("ptc-19"))
    chosen = replace(recipe(encoder_folder), texts=TextsConfig(share=share))
    with pytest.raises(ConfigError, match=r"^the corpora: no text that would be learned from has a word: "):
        train_once(chosen, {"ptc": wordless}, tmp_path / "out", fold=None, seed=1)
    assert not (tmp_path / "out").exists()


def test_an_encoder_that_no_model_folder_may_hold_is_refused_before_the_training(encoder_folder, tmp_path):
    odd = shutil.copytree(encoder_folder, tmp_path / "odd")
    config = json.loads((odd / "config.json").read_text())
    (odd / "config.json").write_text(json.dumps(config | {"directionality": "bidi"}))
    with pytest.raises(ConfigError, match=r"^encoder\.name: .*odd is of no kind that is trained \(.*directionality"):
        starting_model(recipe(odd), ("ptc",))
    wide = replace(recipe(encoder_folder), encoder=EncoderConfig(str(encoder_folder), window=2000))
    with pytest.raises(ConfigError, match=r"^encoder\.window: 2000: .* has 512 places$"):
        starting_model(wide, ("ptc",))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_seeds_are_averaged_and_refitted_on_all_documents(encoder_folder, tmp_path):
    fine = tmp_path / "fine.jsonl"
    fine.write_text(json.dumps({"id": "f1", "text": "they want to love asia ."}) + "\n")
    both = replace(recipe(encoder_folder, epochs=1), seeds=(1, 2), refit=(3,), texts=TextsConfig(0.5, str(fine)))
    record = train(both, CORPORA, tmp_path / "out")
    folders = {path.name for path in (tmp_path / "out").iterdir()}
    assert folders == {"model", "held-out", "seed-1-fold-0", "seed-2-fold-0", "seed-3-all"}
    assert record["recipe"]["texts"]["fine"] == "fine.jsonl"  # and not where it lay
    held_out = load_model(tmp_path / "out" / "held-out")
    refit = record["refit"]
    assert (refit["seeds"], refit["n_documents"]) == ([3], {"ptc": 20, "checkthat": 10})
    assert refit["held_out"] == held_out.hash
    one, two, whole = (
        load_model(tmp_path / "out" / name / "model").model.state_dict() for name in sorted(folders)[-3:]
    )
    final = load_model(tmp_path / "out" / "model")
    assert final.settings == held_out.settings
    mean, last = held_out.model.state_dict(), final.model.state_dict()
    for name in ("token_head.weight", "span_head.0.weight", "encoder.encoder.layer.0.output.dense.weight"):
        expected = (one[name] + two[name]) / 2
        assert not torch.equal(one[name], two[name])
        assert torch.allclose(mean[name], expected, atol=float(expected.abs().max()) / 100)
        assert torch.allclose(last[name], whole[name], atol=float(whole[name].abs().max()) / 100)
    assert held_out_fold(tmp_path / "out" / "held-out") == 0
    with pytest.raises(ModelError, match=r"model: was trained on all documents of ptc, checkthat; .*\(sha256:"):
        held_out_fold(tmp_path / "out" / "model")
    cards = {name: (tmp_path / "out" / name / "README.md").read_text() for name in ("model", "held-out")}
    assert all("| strict |" in card for card in cards.values())
    assert ["once more by the same recipe, on all documents: ptc 20" in card for card in cards.values()] == [
        True,
        False,
    ]
    started = time.monotonic()
    assert train(both, CORPORA, tmp_path / "out")["refit"]  # nothing is trained again
    assert time.monotonic() - started < 60
    with pytest.raises(ConfigError, match=r"seed-1-fold-0: holds a training with recipe.optimiser.epochs 1, not 2; "):
        train(replace(both, optimiser=replace(both.optimiser, epochs=2)), CORPORA, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"seed-1-fold-0: holds a training with n_documents.checkthat 10, not none; "):
        train_once(both, {"ptc": CORPORA["ptc"]}, tmp_path / "out" / "seed-1-fold-0", fold=0, seed=1)
    lines: list[str] = []
    assert calibrate(tmp_path / "out" / "held-out", CORPORA, say=lines.append)["seen"] == []
    assert not any("has learned from" in line for line in lines)
    assert calibrate(tmp_path / "out" / "model", CORPORA, say=lines.append)["seen"] == ["ptc", "checkthat"]
    assert "warning: the model has learned from fold 0 of ptc, checkthat: what is measured there flatters" in lines
    text = (tmp_path / "out" / "model" / "README.md").read_text()
    assert "learned from these documents (ptc, checkthat)" in text
    assert "chose the settings" not in text


def test_what_a_model_has_learned_from_goes_back_to_the_one_it_began_with(tmp_path):
    corpora = ("ptc", "checkthat", "jsonl")
    ours = {"fold": 0, "n_documents": {"ptc": [301, 70], "checkthat": [46, 14]}}
    assert learned_from({}, corpora, 0) == ()
    assert learned_from(ours, corpora, 0) == ()
    assert learned_from(ours, corpora, 1) == ("ptc", "checkthat")
    whole = ours | {"refit": {"held_out": "sha256:5c"}}
    further = {"fold": 0, "n_documents": {"jsonl": [8, 2]}, "start": whole}
    assert learned_from(whole, corpora, 0) == ("ptc", "checkthat")
    assert learned_from(further, corpora, 0) == ("ptc", "checkthat")
    assert learned_from(further, corpora, 1) == corpora
    (tmp_path / "training.json").write_text(json.dumps(further))
    with pytest.raises(ModelError, match=r"began with, .* trained on all documents of ptc, checkthat; .*\(sha256:5c\)"):
        held_out_fold(tmp_path)
    (tmp_path / "training.json").write_text(json.dumps(ours | {"teacher": ours | {"fold": 1}}))
    with pytest.raises(ModelError, match=r"taught by, a model that has learned from fold 0 of ptc, checkthat;"):
        held_out_fold(tmp_path)
    (tmp_path / "training.json").write_text(json.dumps(ours | {"start": ours, "teacher": ours}))
    assert held_out_fold(tmp_path) == 0


def test_a_model_of_ours_goes_on_with_its_heads_and_what_it_knows_of_a_corpus(tiny_model_folder):
    before = load_model(tiny_model_folder)
    model, info, _ = starting_model(recipe(tiny_model_folder), ("mine", "ptc"))
    assert (info.name, info.encoder, info.corpora) == ("rhetoric-tiny", "none", ("mine", "ptc"))
    assert torch.equal(model.token_head.weight, before.model.token_head.weight)
    assert torch.equal(model.span_head[0].weight, before.model.span_head[0].weight)
    ptc = before.info.corpora.index("ptc")
    assert torch.equal(model.token_bias.weight, torch.stack([torch.zeros(24), before.model.token_bias.weight[ptc]]))
    with pytest.raises(ConfigError, match=r"^encoder\.window: 64: .* has windows of 32 pieces at most$"):
        starting_model(
            replace(recipe(tiny_model_folder), encoder=EncoderConfig(str(tiny_model_folder), window=64)), ("ptc",)
        )


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_the_record_of_a_training_names_the_model_that_it_started_from(encoder_folder, tmp_path):
    train(recipe(encoder_folder, epochs=1), CORPORA, tmp_path / "first")
    first = tmp_path / "first" / "model"
    on = replace(recipe(first, epochs=1), name="on", seeds=(7,))
    record = train(on, CORPORA, tmp_path / "on")
    assert record["recipe"]["encoder"]["name"] == str(first)
    assert record["start"]["recipe"]["name"] == recipe(encoder_folder).name
    assert (record["start"]["seeds"], record["seeds"]) == ([1], [7])
    assert "validation" not in record["start"]
    text = (tmp_path / "on" / "model" / "README.md").read_text()
    assert f"It started from a model of the recipe `configs/{recipe(encoder_folder).name}.toml`, seed 1." in text
    assert "It started from" not in (first / "README.md").read_text()
    elsewhere = replace(on, refit=(7,), encoder=replace(on.encoder, refit=str(tmp_path / "on" / "model")))
    train(elsewhere, CORPORA, tmp_path / "refit")
    starts = {
        name: read_record(tmp_path / "refit" / name / "model")["start"]["recipe"]["name"]
        for name in ("seed-7-fold-0", "seed-7-all")
    }
    assert starts == {"seed-7-fold-0": recipe(encoder_folder).name, "seed-7-all": "on"}
    assert read_record(tmp_path / "refit" / "model")["refit"]["start"]["recipe"]["name"] == "on"
    text = (tmp_path / "refit" / "model" / "README.md").read_text()
    assert "minutes). It started from a model of the recipe `configs/on.toml`, seed 7. No annotated document" in text
    frozen = replace(elsewhere, encoder=replace(elsewhere.encoder, frozen=1))
    train(frozen, CORPORA, tmp_path / "frozen")
    for start, end in ((first, "held-out"), (tmp_path / "on" / "model", "model")):
        before, after = (read_weights(read_folder(folder)) for folder in (start, tmp_path / "frozen" / end))
        lower = [name for name in before if ".layer.0." in name or "embeddings" in name]
        assert len(lower) > 10
        assert all(np.array_equal(before[name], after[name]) for name in lower)  # to the last bit, as stored
        assert not np.array_equal(before["token_head.weight"], after["token_head.weight"])


def test_harmless_texts_come_once_more_with_other_names_where_names_are_swapped(tmp_path):
    fine = tmp_path / "fine.jsonl"
    text = "Norway and Brazil signed in Oslo ."
    fine.write_text("".join(json.dumps({"id": f"f{i}", "text": text}) + "\n" for i in range(2)))
    plain = replace(recipe(tmp_path), texts=TextsConfig(0.0, str(fine)))
    corpora = {name: replace(corpus, documents=()) for name, corpus in CORPORA.items()}
    given = [d.text for c in training_texts(plain, corpora, seed=1).values() for d in c.documents]
    assert given == [text] * 2
    swapped = replace(plain, texts=TextsConfig(0.5, str(fine)))
    both = [d.text for c in training_texts(swapped, corpora, seed=1).values() for d in c.documents]
    others = [other for other in both if other != text]
    assert len(both) == 4
    assert len(others) == 2
    assert not any(other.startswith("Norway and Brazil") for other in others)


def test_examples_go_to_corpora_that_know_their_techniques(tmp_path):
    examples = tmp_path / "examples.jsonl"
    techniques = (["doubt"], ["appeal-to-time"], ["doubt", "appeal-to-values"], [], ["doubt"], ["slogans"])
    rows = [
        {
            "id": f"e{i}",
            "text": "Brazil signs in Oslo .",
            "spans": [{"technique": name, "start": 0, "end": 12} for name in names],
        }
        for i, names in enumerate(techniques)
    ]
    examples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpora = {
        name: Corpus(name, (), inventory(spelling))
        for name, spelling in (("ptc", "ptc-19"), ("checkthat", "semeval-2023"), ("memes", "semeval-2021"))
    }
    plain = replace(recipe(tmp_path), texts=TextsConfig(examples=str(examples)))
    dealt = {name: [d.id for d in c.documents] for name, c in training_texts(plain, corpora, seed=1).items()}
    assert dealt == {"ptc": ["e0", "e3"], "checkthat": ["e1", "e2", "e4"], "memes": ["e5"]}
    without = training_texts(plain, {"ptc": corpora["ptc"]}, seed=1)["ptc"].documents
    assert [d.id for d in without] == ["e0", "e3", "e4", "e5"]
    swapped = replace(plain, texts=TextsConfig(0.5, examples=str(examples)))
    both = [d for c in training_texts(swapped, corpora, seed=1).values() for d in c.documents]
    others = [document for document in both if not document.text.startswith("Brazil")]
    assert (len(both), len(others)) == (12, 6)
    assert all(document.quote(span).endswith("signs") for document in others for span in document.spans)


def test_a_share_of_the_documents_is_drawn_by_seed_and_id(tmp_path):
    documents = tuple(Document(f"d{i}", "they want to love asia .") for i in range(200))
    corpora = {"a": Corpus("a", documents, inventory("detector"))}
    some = replace(recipe(tmp_path), texts=TextsConfig(share=0.3))
    drawn = training_texts(some, corpora, seed=1)["a"].documents
    assert 40 < len(drawn) < 80
    backwards = {"a": replace(corpora["a"], documents=documents[::-1])}
    assert training_texts(some, backwards, seed=1)["a"].documents == drawn[::-1]
    assert training_texts(some, corpora, seed=2)["a"].documents != drawn


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_frozen_layers_stay_and_the_others_learn(encoder_folder, tmp_path):
    plain = recipe(encoder_folder, epochs=1)
    frozen = replace(plain, encoder=replace(plain.encoder, frozen=1))
    before, *_ = starting_model(frozen, tuple(CORPORA))
    record = train(frozen, CORPORA, tmp_path)
    assert record["recipe"]["encoder"]["frozen"] == 1
    assert not list(tmp_path.rglob("lower.npy"))
    after = load_model(tmp_path / "seed-1-fold-0" / "model").model.state_dict()
    layer = "encoder.encoder.layer.{}.output.dense.weight"
    at_start = {name: value.bfloat16().float() for name, value in before.state_dict().items()}
    assert torch.equal(after[layer.format(0)], at_start[layer.format(0)])
    assert not torch.equal(after[layer.format(1)], at_start[layer.format(1)])
    assert not torch.equal(after["token_head.weight"], at_start["token_head.weight"])
    word = "encoder.embeddings.word_embeddings.weight"
    assert torch.equal(after[word], at_start[word])


def test_what_frozen_layers_make_is_what_the_whole_model_makes(encoder_folder, tmp_path):
    plain = recipe(encoder_folder)
    model, info, tokenizer = starting_model(plain, ("ptc",))
    model.eval()
    dataset = make_dataset({"ptc": CORPORA["ptc"]}, tokenizer, info)
    dataset = dataset.add_column("row", range(len(dataset)))
    rows = [dataset[i] for i in (3, 0, 5)]
    collator = lower_outputs(model, 1, dataset, Collator(info), tmp_path / "lower.npy")
    batch, given = Collator(info)(rows), collator(rows)
    with torch.inference_mode():
        whole = model.encode(batch["input_ids"], batch["attention_mask"])
        upper = above(model, 1).encode(given["input_ids"], given["attention_mask"])
    seen = batch["attention_mask"].bool()
    assert torch.allclose(whole.hidden[seen], upper.hidden[seen], atol=0.01)
    assert len(model.encoder.encoder.layer) == 2  # the whole model is still whole


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_layers_that_begin_again_begin_where_their_encoder_began(encoder_folder, tmp_path):
    train(recipe(encoder_folder, epochs=1), CORPORA, tmp_path)
    ours = recipe(tmp_path / "seed-1-fold-0" / "model")
    again = replace(ours, encoder=replace(ours.encoder, frozen=1, restart=True))
    model, *_ = starting_model(again, tuple(CORPORA))
    trained = load_model(tmp_path / "seed-1-fold-0" / "model").model.state_dict()
    fresh, *_ = starting_model(recipe(encoder_folder), tuple(CORPORA))
    layer = "encoder.encoder.layer.{}.output.dense.weight"
    assert torch.equal(model.state_dict()[layer.format(0)], trained[layer.format(0)])
    assert torch.equal(model.state_dict()[layer.format(1)], fresh.state_dict()[layer.format(1)])
    assert torch.equal(model.state_dict()["token_head.weight"], fresh.state_dict()["token_head.weight"])


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"frozen": 2}, r"encoder\.frozen: 2: the encoder has 2 layers; freeze fewer"),
        ({"frozen": -1}, r"encoder\.frozen: -1: .*"),
        ({"restart": True}, r"encoder\.restart: .* has no heads and starts afresh anyway; leave it out"),
    ],
)
def test_layers_that_cannot_be_frozen_or_begun_again_are_refused(encoder_folder, change, rule):
    plain = recipe(encoder_folder)
    with pytest.raises(ConfigError, match=f"^{rule}$"):
        starting_model(replace(plain, encoder=replace(plain.encoder, **change)), ("ptc",))


def test_dropout_from_bytes_keeps_the_mean_and_drops_its_share():
    torch.manual_seed(0)
    dropout, ones = ByteDropout(0.1), torch.ones(1000, 101)
    dropped = dropout(ones)
    assert (dropped == 0).float().mean().item() == pytest.approx(26 / 256, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    assert torch.equal(dropout.eval()(ones), ones)


def test_a_shrunk_model_reads_english_as_before():
    definition = json.loads(tiny_tokenizer().to_str())
    renamed = {"ö": "[unused0]", "##ß": "##п"}
    definition["model"]["vocab"] = {renamed.get(p, p): i for p, i in definition["model"]["vocab"].items()}
    tokenizer, model, info = Tokenizer.from_str(json.dumps(definition)), tiny_model(), tiny_info()
    documents = [Document("a", SENTENCE * 9)]
    ((_, before),) = Detector(TorchBackend(model, info), info, tokenizer, {}, "").score(documents)
    small, small_info = shrink(model, tokenizer, info)
    ((_, after),) = Detector(TorchBackend(model, small_info), small_info, small, {}, "").score(documents)
    assert small.get_vocab_size() == tokenizer.get_vocab_size() - 2
    assert model.encoder.config.vocab_size == small.get_vocab_size()
    assert np.array_equal(before.pieces.offsets, after.pieces.offsets)
    assert np.allclose(before.logits, after.logits, atol=1e-6)


def test_the_split_is_by_document_and_whole():
    split = split_corpora(CORPORA, fold=1)
    for name, whole in CORPORA.items():
        ids = [d.id for part in (split.training, split.validation) for d in part[name].documents]
        assert sorted(ids) == sorted(d.id for d in whole.documents)


def test_rows_hold_targets_and_candidate_spans():
    document = CORPORA["ptc"].documents[2]
    rows = list(document_rows(document, ["loaded-language"], 0, tiny_tokenizer(), tiny_info()))
    marked = sum(int(np.count_nonzero(row["inside"])) for row in rows)
    assert marked >= 2 * 3
    assert sum(len(row["first"]) for row in rows) == 3
    for row in rows:
        assert row["count"] == [3] * len(row["first"])
        assert row["techniques"] == [channel_bit("loaded-language")] * len(row["first"])
        assert all(b == channel_bit("identification") | channel_bit("loaded-language") for b in row["known"])


def test_padding_and_special_pieces_carry_no_target():
    document = CORPORA["ptc"].documents[0]
    rows = list(document_rows(document, ["loaded-language"], 0, tiny_tokenizer(), tiny_info()))
    short = list(document_rows(Document("s", "we love"), ["loaded-language"], 0, tiny_tokenizer(), tiny_info()))
    batch = Collator(tiny_info())([rows[0], short[0]])
    assert batch["known"][1].sum() == 2 * 2
    assert batch["known"][:, 0].sum() == 0
    assert batch["input_ids"][1, 4:].eq(tiny_info().pad_id).all()
    assert batch["attention_mask"].sum(dim=1).tolist() == [rows[0]["length"] + 2, 4]


def test_masked_techniques_do_not_move_the_loss():
    logits = torch.randn(1, 3, len(CHANNELS))
    inside, known, mask = torch.zeros_like(logits), torch.ones_like(logits), torch.ones(1, 3)
    known[..., 5] = 0
    before = token_losses(logits, inside, known, mask)
    logits[..., 5] += 100
    after = token_losses(logits, inside, known, mask)
    assert [b.item() for b in before] == pytest.approx([a.item() for a in after])


def test_a_span_of_merged_techniques_is_right_with_any_of_them():
    bits = torch.tensor([channel_bit("straw-man") + channel_bit("whataboutism")])
    allowed = torch.ones(1, 23)

    def loss_of(name: str) -> float:
        logits = torch.zeros(1, 23)
        logits[0, CHANNELS.index(name) - 1] = 10.0
        return span_loss(logits, bits, allowed, smoothing=0.0).item()

    assert loss_of("straw-man") == pytest.approx(loss_of("whataboutism"))
    assert loss_of("straw-man") < 0.01 < loss_of("doubt")


def test_unpack_bits():
    bits = unpack_bits(torch.tensor([0, 1, channel_bit("repetition")]))
    assert bits.shape == (3, 24)
    assert bits.sum(dim=1).tolist() == [0, 1, 1]
    assert bits[2, CHANNELS.index("repetition")] == 1


def test_rates_fall_towards_the_embeddings_and_biases_do_not_decay():
    config = OptimiserConfig(epochs=1, encoder_rate=1.0, head_rate=5.0, layer_decay=0.5)
    module = TrainingModule(tiny_model(), LossConfig())
    groups = parameter_groups(module, config)
    rates = {g["lr"] for g in groups}
    assert rates == {5.0, 1.0, 0.5, 0.25}
    assert sum(len(g["params"]) for g in groups) == len(list(module.parameters()))
    for group in groups:
        if group["weight_decay"]:
            assert all(p.dim() > 1 for p in group["params"])


def scored_documents(tiny_detector, names: str) -> list[Scored]:
    documents = CORPORA["ptc"].documents
    return [Scored(d, s, inventory(names)) for d, s in tiny_detector.score(documents)]


def settings_of(tiny_detector, *plans) -> list[Setting]:
    scored = {"ptc": scored_documents(tiny_detector, "ptc-19")}
    biases = {"ptc": np.zeros(len(CHANNELS), dtype=np.float32)}
    return [make_setting(plan, scored, biases, gap=25) for plan in plans]


def test_settings_know_every_technique_and_take_thresholds_from_the_list(tiny_detector):
    for setting in settings_of(tiny_detector, *PLANS):
        assert set(setting.bias) == set(CHANNELS)
        for part in (setting.thresholds, setting.calibration, setting.min_confidence):
            assert set(part) == set(NAMES)
        assert set(setting.thresholds.values()) <= set(THRESHOLDS)


def test_strictness_trades_recall_for_precision(tiny_detector):
    strict, _, sensitive = settings_of(tiny_detector, *PLANS[:3])
    n_found = []
    for setting in (strict, sensitive):
        scored = scored_documents(tiny_detector, "ptc-19")
        n_found.append(sum(len(decode(s.document.text, s.scores, setting, gap=25)) for s in scored))
    assert n_found[0] <= n_found[1]


def test_cross_fitting_gives_each_document_a_setting_made_without_it(tiny_detector):
    scored = {"ptc": scored_documents(tiny_detector, "ptc-19")}
    biases = {"ptc": np.zeros(len(CHANNELS), dtype=np.float32)}
    pairs = cross_fitted(PLANS[3], scored, biases, gap=25, fewest_words={"doubt": 2})
    assert sorted(s.document.id for s, _ in pairs) == sorted(s.document.id for s in scored["ptc"])
    odd = make_setting(PLANS[3], {"ptc": scored["ptc"][1::2]}, biases, gap=25)
    assert pairs[0][0] is scored["ptc"][0]
    assert pairs[0][1] == replace(odd, fewest_words={"doubt": 2})


def test_the_least_confidence_of_an_unsure_technique_is_a_candidate_s_to_the_last_bit():
    draw = np.random.default_rng(8)
    text = "we love asia and nato they want to destroy everything we love " * 8
    pieces = tokenize(tiny_tokenizer(), text)
    known = inventory("ptc-19")
    sure, *unsure = sorted(known.annotated)
    scored = []
    for i in range(20):
        logits = draw.normal(-6, 0.5, (len(pieces), len(CHANNELS)))
        spans = []
        for name, mean in ((sure, 4.0), *((name, -2.0) for name in unsure)):
            first = int(draw.integers(len(pieces) - 8))
            logits[first : first + 8, CHANNELS.index(name)] = draw.normal(mean, 0.5, 8)
            if name != sure and draw.random() < 0.9:  # what is annotated stands elsewhere
                first = int(draw.integers(len(pieces) - 8))
            if name == sure or i < MANY_SPANS:
                spans.append(Span(int(pieces.offsets[first, 0]), int(pieces.offsets[first + 7, 1]), name))
        scores = Scores(pieces, find_words(text, pieces), logits.astype(np.float32))
        scored.append(Scored(Document(str(i), text, tuple(spans)), scores, known))
    biases = {"ptc": np.zeros(len(CHANNELS), dtype=np.float32)}
    setting = make_setting(PLANS[3], {"ptc": scored}, biases, gap=25)
    own = tuple(name for name in unsure if setting.min_confidence[name] < setting.min_confidence[sure])
    confidences: dict[str, set[float]] = {name: set() for name in own}
    for s in scored:
        found = find_candidates(s.document.text, s.scores, setting, gap=25, techniques=own)
        for name, candidates in found.items():
            confidences[name].update(map(setting.calibration[name].confidence, candidates))
    assert len(own) > 5
    assert all(setting.min_confidence[name] in confidences[name] for name in own)


def faintly_marked(n: int) -> list[Scored]:
    """Documents with sure words and faint passages, most of them annotated, and faint words, which are not."""
    draw = np.random.default_rng(0)
    text = "we love asia and nato they want to destroy everything we love " * 8
    pieces = tokenize(tiny_tokenizer(), text)
    kinds = {"sure word": (1, 1.5, 0.8), "faint passage": (9, 0.0, 0.8), "faint word": (1, 0.0, 0.0)}
    scored = []
    for i in range(n):
        logits = draw.normal(-4, 0.5, (len(pieces), len(CHANNELS)))
        spans = []
        for first in range(0, len(pieces), len(pieces) // 8):
            length, mean, share_annotated = kinds[draw.choice(list(kinds))]
            logits[first : first + length, 0] = draw.normal(mean, 0.5, length)
            if draw.random() < share_annotated:
                spans.append(Span(int(pieces.offsets[first, 0]), int(pieces.offsets[first + length - 1, 1]), "doubt"))
        scores = Scores(pieces, find_words(text, pieces), logits.astype(np.float32))
        scored.append(Scored(Document(str(i), text, tuple(spans)), scores, inventory("ptc-19")))
    return scored


def identified(scored: list[Scored], setting: Setting) -> SpanScore:
    """SI of what a setting identifies."""
    parts = []
    for each in scored:
        ranges = identify(each.document.text, each.scores, setting)
        parts.append(si(gold_ranges(each.document, IDENTIFICATION), [(IDENTIFICATION, *found) for found in ranges]))
    return sum(parts, SpanScore())


def test_ranges_of_many_thresholds_reach_more_than_those_of_any_one():
    scored = faintly_marked(30)
    learned, judged = scored[::2], scored[1::2]
    setting = bare_setting("any")
    chosen_by = fit_identification(learned, setting, beta=1.0)
    all_runs = bare_setting("any").identification
    alone = [replace(setting, identification=replace(all_runs, thresholds=(t,), cost=0.0)) for t in THRESHOLDS]
    reached = identified(judged, replace(setting, identification=chosen_by)).f1
    assert reached > max(identified(judged, one).f1 for one in alone) + 0.05


def test_recall_counts_for_more_where_it_should():
    scored = faintly_marked(20)
    setting = bare_setting("any")
    careful, eager = (fit_identification(scored, setting, beta=beta) for beta in (0.5, 2.0))
    one, other = (identified(scored, replace(setting, identification=chosen_by)) for chosen_by in (careful, eager))
    assert one.precision > other.precision + 0.02
    assert one.recall < other.recall - 0.02


def test_a_book_full_of_annotated_spans_is_calibrated_on_in_seconds():
    text = "we love " * 10_000
    pieces = tokenize(tiny_tokenizer(), text)
    gold = tuple(Span(16 * i, 16 * i + 7, "doubt") for i in range(5_000))
    logits = np.full((len(pieces), len(CHANNELS)), -9, dtype=np.float32)
    logits[1::4, CHANNELS.index("doubt")] = 9  # "love" of every other "we love"
    scored = Scored(Document("a", text, gold), Scores(pieces, find_words(text, pieces), logits), inventory("detector"))
    started = time.process_time()
    candidates = collect([scored], bare_setting("any"), ("doubt",), gap=0)
    assert time.process_time() - started < 5
    assert candidates.n_gold == {"doubt": 5_000}
    assert candidates.precision.tolist() == [1.0] * 5_000
    assert candidates.recall.tolist() == [4 / 7] * 5_000


def test_identification_where_nothing_is_annotated_or_scored():
    setting = bare_setting("any")
    assert fit_identification([], setting, beta=1.0).thresholds
    bare = [replace(s, document=replace(s.document, spans=())) for s in faintly_marked(2)]
    chosen_by = fit_identification(bare, setting, beta=1.0)
    assert all(map(math.isfinite, (chosen_by.cost, chosen_by.recall_weight, chosen_by.recall.offset)))


def test_the_fewest_words_of_a_technique_are_what_nearly_all_of_its_spans_have():
    text = "one two three four five"

    def marked(technique: str, *lengths: int) -> tuple[Span, ...]:
        return tuple(Span(0, len(" ".join(text.split()[:n])), technique) for n in lengths)

    spans = [
        *marked("doubt", *[1, *[3] * 60]),  # one in sixty-one is shorter: rarer than one in fifty
        *marked("appeal-to-fear", *[1, 1, *[3] * 60]),
        *marked("slogans", *[4] * 49),  # too few to say
        *marked("straw-man+red-herring", *[2] * 50),
        *marked("", *[5] * 60),
    ]
    documents = tuple(Document(str(i), text, (span,)) for i, span in enumerate(spans))
    halves = [Corpus("a", documents[::2], inventory("ptc-19")), Corpus("b", documents[1::2], inventory("ptc-19"))]
    assert fewest_words_of(halves) == {"doubt": 3, "straw-man": 2, "red-herring": 2}


def candidates_with(means: np.ndarray, names: np.ndarray, right: np.ndarray) -> Candidates:
    features = np.array([Candidate(0, 1, m, m, 0.0).features() for m in means]).reshape(-1, 4)
    return Candidates(tuple(names), features, right, right, right, {"doubt": 10, "slogans": 10})


def test_calibration_recovers_known_chances():
    rng = np.random.default_rng(0)
    means = rng.uniform(0.05, 0.95, 6000)
    names = np.where(rng.random(6000) < 0.5, "doubt", "slogans")
    truth = 1 / (1 + np.exp(-(0.5 * np.log(means / (1 - means)) - np.where(names == "doubt", 1.0, 0.0))))
    right = (rng.random(6000) < truth).astype(float)
    calibration = fit_calibration(candidates_with(means, names, right))
    chances = [calibration[n].confidence(Candidate(0, 1, m, m, 0.0)) for n, m in zip(names, means, strict=True)]
    assert calibration_error(chances, right.astype(bool)).error < 0.02
    assert sum(calibration["doubt"].weights[:2]) == pytest.approx(0.5, abs=0.1)
    assert calibration["doubt"].offset < calibration["slogans"].offset - 0.7


def test_without_candidates_the_mean_is_the_confidence():
    empty = np.array([])
    calibration = fit_calibration(candidates_with(empty, empty, empty))
    assert calibration["doubt"].confidence(Candidate(0, 5, 0.3, 0.9, 1.0)) == pytest.approx(0.3)


def test_a_packaged_encoder_with_other_bytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "rhetoric-detector" / "encoders" / "all-MiniLM-L6-v2"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"not the weights")
    with pytest.raises(ModelError, match=r"SHA-256 is .*, its publisher's is 53aa"):
        encoders.find_encoder("all-MiniLM-L6-v2")


def test_an_encoder_that_is_nowhere_is_one_line():
    with pytest.raises(ModelError) as caught:
        encoders.load_encoder("nobody/no-such-encoder")
    assert "\n" not in str(caught.value)


def test_an_encoder_that_another_training_fetched_meanwhile_stays(tmp_path):
    fetched, folder = tmp_path / "fetched", tmp_path / "encoder"
    for each, content in ((fetched, b"ours"), (folder, b"theirs")):
        each.mkdir()
        (each / "model.safetensors").write_bytes(content)
    encoders._move(fetched, folder)
    assert (folder / "model.safetensors").read_bytes() == b"theirs"
    (folder / "model.safetensors").rename(folder / "left-over")
    with pytest.raises(ModelError, match=r"cannot be written .* delete it and try again"):
        encoders._move(fetched, folder)


@pytest.mark.parametrize("texts", ["one", "alike"])
def test_one_held_out_text_is_enough_and_texts_that_are_all_alike_are_too(tiny_model_folder, tmp_path, texts):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    faces = tuple(Document(str(i), "\N{GRINNING FACE} " * 9) for i in range(20))  # without a word in common
    lines: list[str] = []
    own = {"jsonl": Corpus("jsonl", faces, inventory("detector"))}
    record = calibrate(folder, few(1, 3) if texts == "one" else own, say=lines.append)
    assert load(folder).likeness.limit > 0
    assert sum(record["chosen_on"].values()) < 20
    assert "documents held out are few to choose by" in lines[0]


def test_texts_of_ones_own_change_settings_and_not_what_the_training_was_like(tmp_path):
    folder = shutil.copytree(find_model("fast"), tmp_path / "model")
    before = (folder / "likeness.safetensors").read_bytes()
    calibrate(folder, few(2, 6))
    assert (folder / "likeness.safetensors").read_bytes() == before
    assert "memes" not in (folder / "README.md").read_text(encoding="utf-8").partition("## What was measured")[2][:400]


def test_spans_without_a_technique_serve_identification_and_are_not_missed(tiny_model_folder, tmp_path):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    corpora = {
        name: replace(c, documents=tuple(d.with_spans(replace(s, technique="") for s in d.spans) for d in c.documents))
        for name, c in CORPORA.items()
    }
    record = calibrate(folder, corpora)
    assert record["validation"]["balanced"]["n_documents"]
    assert record["errors"]["missed"] == []


def test_a_shipped_model_s_name_is_no_folder_to_calibrate():
    with pytest.raises(ModelError, match=r"^fast: no model folder \(no model.json in it\); name a copy"):
        calibrate(Path("fast"), few(1, 3))


def test_a_place_where_no_training_can_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "recipe.toml").write_text(
        'name = "x"\n[encoder]\nname = "fast"\n[optimiser]\nepochs = 1\nencoder_rate = 1e-5\nhead_rate = 1e-5\n'
    )
    (tmp_path / "corpus.jsonl").write_text('{"id": "a", "text": "we love asia"}\n')
    out = tmp_path / "corpus.jsonl" / "out"
    with pytest.raises(SystemExit) as ended:
        main(["train", f"{tmp_path}/recipe.toml", "--jsonl", f"{tmp_path}/corpus.jsonl", "--out", str(out)])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: --out {out}: cannot be made a folder (Not a directory); name another\n"


def test_too_few_texts_leave_the_model_as_it_was(tiny_model_folder, tmp_path):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ConfigError, match="too few texts with words to learn from"):
        calibrate(folder, few(1, 1))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
