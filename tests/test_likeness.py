"""Texts unlike those of the training: the statistics, their file, what is said about such a text, and who says it."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from typer.testing import CliRunner

from detector.cli import app
from detector.corpora import Corpus
from detector.detect import Detector, load
from detector.errors import ModelError
from detector.likeness import FILE, Likeness, fit_likeness, read_likeness, save_likeness, unlike_training
from detector.spans import Document
from detector.techniques import inventory
from detector.train.likeness import cuts, training_likeness

WORDS = ["the", "they", "want", "to", "destroy", "everything", "we", "love", "and", "of", "nato", "asia"]
NUMBERS = "7919 104729 1299709 15485863 179424673 2038074743 32452843 6700417 86028121 2147483647"


def text(seed: int, n_words: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=n_words))


def corpus(first: int, n: int) -> dict[str, Corpus]:
    documents = [Document(str(i), text(i, 8 + i % 50)) for i in range(first, first + n)]
    return {"ptc": Corpus("ptc", tuple(documents), inventory("ptc-19"))}


@pytest.fixture(scope="module")
def likeness(tiny_detector: Detector) -> Likeness:
    return training_likeness(tiny_detector, corpus(0, 60), corpus(100, 40))


@pytest.fixture(scope="module")
def folder(tiny_model_folder: Path, likeness: Likeness, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("likeness") / "model"
    shutil.copytree(tiny_model_folder, copy)
    save_likeness(copy, likeness)
    return copy


def warnings(detector: Detector, *texts: str) -> list[tuple[str, ...]]:
    return [d.warnings for d in detector.annotate(Document(str(i), text) for i, text in enumerate(texts))]


def test_a_text_like_the_training_is_left_alone_and_another_is_not(folder):
    detector = load(folder)
    like = warnings(detector, *(text(i, 12 + i) for i in range(500, 530)))
    assert sum(map(bool, like)) <= 2
    ((reason,),) = warnings(detector, NUMBERS)
    assert reason.startswith("is unlike the texts of the training (distance ")
    (few,) = warnings(detector, "we love")
    assert "has only 2 words, texts of the training have 8 or more: do not trust the findings" in few
    assert warnings(detector, "", " \n") == [(), ()]


def test_a_document_that_is_annotated_again_has_each_warning_once(folder):
    detector = load(folder)
    once = list(detector.annotate([Document("a", "we love")]))
    (again,) = detector.annotate(once)
    assert len(once[0].warnings) >= 1
    assert again.warnings == once[0].warnings


def test_a_folder_without_statistics_says_nothing(tiny_detector):
    assert tiny_detector.likeness is None
    assert warnings(tiny_detector, "we love", NUMBERS) == [(), ()]


def test_the_distance_does_not_grow_because_a_text_is_short():
    rng = np.random.default_rng(0)
    lengths = rng.integers(10, 1000, size=2000)
    spread = np.sqrt(0.5 + 40 / lengths)[:, None] * np.linspace(3, 0.5, 40)
    means = (rng.standard_normal((2000, 40)) * spread + 5).astype(np.float32)
    fitted = fit_likeness(means[:1500], lengths[:1500])
    distances = np.array([fitted.distance(m, n) for m, n in zip(means[1500:], lengths[1500:], strict=True)])
    short = lengths[1500:] < 100
    assert distances.mean() == pytest.approx(1.0, abs=0.1)
    assert distances[short].mean() == pytest.approx(distances[~short].mean(), rel=0.1)
    assert fitted.distance(fitted.centre, 10) == 0
    assert fitted.distance(means[1500] + 20, 500) > 3 * distances.max()


def test_the_statistics_come_back_as_they_were_saved(folder, likeness, tmp_path):
    found = read_likeness(folder, width=32)
    assert found is not None
    assert found.limit == pytest.approx(likeness.limit)
    assert found.fewest_words == likeness.fewest_words == 8
    mean = load(folder).backend.encode([np.arange(5, 25)])[0].mean
    assert found.distance(mean, 20) == pytest.approx(likeness.distance(mean, 20), rel=1e-2)
    assert (folder / FILE).stat().st_size < 1_000_000
    assert read_likeness(tmp_path, width=32) is None


@pytest.mark.parametrize("damage", ["width", "limit", "short", "a number in place of a list"])
def test_statistics_that_do_not_fit_are_one_line(tmp_path, likeness, damage):
    save_likeness(tmp_path, replace(likeness, limit=0.0) if damage == "limit" else likeness)
    if damage == "short":
        (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:-10])
    if damage == "a number in place of a list":
        stored = safetensors.numpy.load_file(tmp_path / FILE)
        safetensors.numpy.save_file(stored | {"between": np.array(1.0, dtype=np.float32)}, tmp_path / FILE)
    with pytest.raises(ModelError) as caught:
        read_likeness(tmp_path, width=31 if damage == "width" else 32)
    assert "\n" not in str(caught.value)


def test_texts_of_all_lengths_are_drawn_and_are_beginnings():
    long = {"ptc": Corpus("ptc", tuple(Document(str(i), text(i, 2000)) for i in range(30)), inventory("ptc-19"))}
    drawn = cuts(long)
    assert [d.text for d in drawn] == [d.text for d in cuts(long)]
    lengths = sorted(len(d.text) for d in drawn)
    assert len(lengths) == 60
    assert lengths[0] < 600 < 2400 < lengths[-1] <= 2500
    assert all(any(whole.text.startswith(d.text) for whole in long["ptc"].documents) for d in drawn)


def test_reasons_name_all_that_is_unusual(likeness):
    far = likeness.centre + 50
    assert len(unlike_training(likeness, "we love", far, 2)) == 2
    assert unlike_training(likeness, text(0, 30), likeness.centre, 40) == ()


def test_the_command_line_and_what_it_writes_say_so(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("odd.txt").write_text(NUMBERS)
    Path("plain.txt").write_text(text(7, 40))
    done = CliRunner().invoke(app, ["annotate", "odd.txt", "plain.txt", "--model", str(folder), "-f", "json"])
    assert done.exit_code == 0, done.stderr
    odd, plain = map(json.loads, done.stdout.splitlines())
    assert done.stderr.splitlines() == [f"warning: odd.txt: {reason}" for reason in odd["meta"]["warnings"]]
    assert "warnings" not in plain["meta"]
    Path("odd.json").write_text(done.stdout.splitlines()[0])
    page = CliRunner().invoke(app, ["report", "odd.json"])
    assert "<strong>This text:</strong> is unlike the texts of the training" in page.stdout
