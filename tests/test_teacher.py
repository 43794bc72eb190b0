"""Texts that a teacher labels: what it finds likely becomes the target of the same words, whatever the names."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_info, tiny_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from test_train import CORPORA, encoder_folder, recipe  # noqa: F401 the fixture is used
from test_twins import WORDS
from typer.testing import CliRunner

from detector.cli import app
from detector.config import TeacherConfig, load_recipe
from detector.detect import Detector, load
from detector.errors import ConfigError
from detector.folder import learned_from
from detector.spans import Document
from detector.train.features import Collator, make_dataset
from detector.train.run import train_once
from detector.train.teacher import LABELS, read_chances, taught_rows
from detector.windows import CHANNELS, channel_bit, cut_windows, tokenize

TEXTS = [Document(f"t{i}", " ".join(WORDS * (1 + 4 * i))) for i in range(4)]


@pytest.fixture(scope="module")
def teacher(tiny_model_folder: Path) -> Detector:
    return load(tiny_model_folder)


def rows_of(teacher: Detector, folder: Path, *, documents: list[Document] = TEXTS, swap: float = 0.0) -> list[dict]:
    given = {"tokenizer": tiny_tokenizer(), "info": tiny_info(), "swap": swap, "seed": 5, "folder": folder}
    return list(taught_rows(documents, teacher, CORPORA, **given))


def test_the_targets_are_the_teachers_chances_under_one_corpus_after_the_other(teacher, tmp_path):
    rows = rows_of(teacher, tmp_path)
    whole, indices = CHANNELS[0], [tiny_info().corpora.index(name) for name in CORPORA]
    for i, (document, scores) in enumerate(teacher.score(TEXTS)):
        logits = torch.from_numpy(scores.logits + teacher.backend.token_bias(list(CORPORA)[i % 2]))
        ids = tokenize(tiny_tokenizer(), document.text).ids
        n_windows = len(cut_windows(document.text, scores.pieces, size=tiny_info().window, overlap=tiny_info().overlap))
        own, rows = rows[:n_windows], rows[n_windows:]
        first = own[0]
        assert first["ids"].tolist() == ids[: first["length"]].tolist()
        assert np.allclose(read_chances(first["chances"]), logits.sigmoid()[: first["length"]], atol=1e-3)
        assert first["known"].tolist() == [first["allowed"] | channel_bit(whole)] * first["length"]
        assert {row["corpus"] for row in own} == {indices[i % 2]}
    assert not rows


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(WORDS), max_size=60))
def test_words_that_are_no_names_keep_their_targets_when_names_are_swapped(tmp_path_factory, teacher, words):
    document = Document("a", " ".join(words))
    folder = tmp_path_factory.mktemp("labels")
    (as_given, swapped) = (rows_of(teacher, folder, documents=[document], swap=share) for share in (0.0, 1.0))

    def targets(rows: list[dict]) -> list[tuple[int, list[float]]]:
        return [
            (int(piece), chances.tolist())
            for row in rows
            for piece, known, chances in zip(row["ids"], row["known"], read_chances(row["chances"]), strict=True)
            if known
        ]

    left = targets(as_given) if len(as_given) == len(swapped) == 1 else []
    kept = targets(swapped) if left else []
    assert all(each in left for each in kept)
    assert not left or len(kept) >= sum(word in ("they", "want", "everything") for word in words)


def test_a_batch_has_chances_beside_annotations(teacher, tmp_path):
    taught = rows_of(teacher, tmp_path)
    dataset = make_dataset({"ptc": CORPORA["ptc"]}, tiny_tokenizer(), tiny_info(), taught=taught)
    batch = Collator(tiny_info())([dataset[0], dataset[len(dataset) - 1]])
    inside = batch["inside"]
    assert set(inside[0].unique().tolist()) <= {0.0, 1.0}
    n = taught[-1]["length"]
    assert torch.allclose(inside[1, 1 : 1 + n], torch.from_numpy(read_chances(taught[-1]["chances"])))
    assert not inside[1, 1 + n :].any()
    assert not inside[1, 0].any()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_training_learns_from_what_its_teacher_labels_and_says_so(encoder_folder, tiny_model_folder, tmp_path):  # noqa: F811
    taught = replace(recipe(encoder_folder, epochs=1), teacher=TeacherConfig(str(tiny_model_folder)))
    lines: list[str] = []
    copy = replace(CORPORA["ptc"].documents[0], id="copy")
    record = train_once(taught, CORPORA, tmp_path / "out", fold=0, seed=1, unlabelled=[*TEXTS, copy], say=lines.append)
    in_fold_0 = any("labels 4 texts" in line for line in lines)
    assert in_fold_0 or any("labels 5 texts" in line for line in lines)
    assert record["teacher"]["hash"] == load(tiny_model_folder).model_hash
    assert record["teacher"]["n_texts"] == 5 - in_fold_0
    assert not (tmp_path / "out" / LABELS).exists()
    with pytest.raises(ConfigError, match=r"^teacher\.model: it has no texts to label; name some \(--unlabelled\)$"):
        train_once(taught, CORPORA, tmp_path / "none", fold=0, seed=1)
    with pytest.raises(ConfigError, match=r"^--unlabelled: the recipe has no teacher"):
        train_once(recipe(encoder_folder), CORPORA, tmp_path / "none", fold=0, seed=1, unlabelled=TEXTS)


def test_the_labels_of_a_stopped_training_are_not_made_again(teacher, tmp_path, monkeypatch):
    first = rows_of(teacher, tmp_path)
    assert (tmp_path / LABELS).is_file()
    others = rows_of(teacher, tmp_path, documents=TEXTS[1:])  # not the texts that were labelled: labelled anew
    assert len(others) < len(first)
    again = rows_of(teacher, tmp_path)
    monkeypatch.setattr(Detector, "score", None)
    assert [row["chances"] for row in rows_of(teacher, tmp_path)] == [row["chances"] for row in again]
    assert [row["chances"] for row in again] == [row["chances"] for row in first]


def test_what_a_teacher_has_learned_from_counts():
    record = {"fold": 0, "n_documents": {"ptc": [4, 1]}, "teacher": {"fold": 1, "n_documents": {"checkthat": [4, 1]}}}
    assert learned_from(record, ("ptc", "checkthat"), 0) == ("checkthat",)
    assert learned_from(record, ("ptc", "checkthat"), 1) == ("ptc",)


def test_twins_and_a_teacher_are_refused_together(tmp_path):
    path = tmp_path / "recipe.toml"
    text = Path("configs/minilm-taught.toml").read_text().replace('fine = "texts/fine.jsonl"', "twins = true")
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"texts\.twins: texts that a teacher labels have none"):
        load_recipe(path)


def test_a_file_without_texts_is_refused(tmp_path):
    (tmp_path / "none.jsonl").write_text("")
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"id": "1", "text": "We love it.", "spans": []}) + "\n")
    options = ["--jsonl", tmp_path / "corpus.jsonl", "--unlabelled", tmp_path / "none.jsonl", "--out", tmp_path / "out"]
    result = CliRunner().invoke(app, ["train", "configs/minilm-taught.toml", *map(str, options)])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == f"{tmp_path / 'none.jsonl'}: no text in it"
