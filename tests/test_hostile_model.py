"""A model folder from a stranger: what could run code, leave the folder, take all memory or crash is refused, fast."""

from __future__ import annotations

import base64
import json
import os
import pickle
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import tiny_info, tiny_model, tiny_settings, tiny_tokenizer
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models

import detector
from detector.cli import main
from detector.errors import DetectorError, ModelError
from detector.folder_checks import head_shapes
from detector.model import save_model

TEXT = "They want to destroy everything we love."
WEIGHTS = "weights-01.safetensors"
Damage = Callable[[Path], object]


class Bomb:
    """What runs code when it is unpickled: it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.target,)


@pytest.fixture
def folder(tmp_path: Path, tiny_model_folder: Path) -> Path:
    return shutil.copytree(tiny_model_folder, tmp_path / "model")


def changed(name: str, change: Callable[[Any], object]) -> Damage:
    """Changes the JSON of a file in place."""

    def damage(folder: Path) -> None:
        value = json.loads((folder / name).read_text(encoding="utf-8"))
        change(value)
        (folder / name).write_text(json.dumps(value), encoding="utf-8")

    return damage


def stated(name: str, /, **values: Any) -> Damage:
    return changed(name, lambda value: value.update(values))


def balanced(change: Callable[[Any], object]) -> Damage:
    return changed("settings.json", lambda value: change(value["balanced"]))


def identification(change: Callable[[Any], object]) -> Damage:
    return balanced(lambda value: change(value["identification"]))


def header(change: Callable[[dict[str, Any]], object]) -> Damage:
    """Changes what the header of the weights says of the tensors; their bytes stay."""

    def damage(folder: Path) -> None:
        data = (folder / WEIGHTS).read_bytes()
        start = 8 + struct.unpack("<Q", data[:8])[0]
        entries = json.loads(data[8:start])
        change(entries)
        written = json.dumps(entries).encode()
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(written)) + written + data[start:])

    return damage


def tensor(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Damage:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        save_file({**tensors, name: change(tensors[name]).contiguous()}, folder / WEIGHTS)

    return damage


def wrote(name: str, data: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(data)


def linked(name: str, target: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return damage


def piped(folder: Path) -> None:
    (folder / "settings.json").unlink()
    os.mkfifo(folder / "settings.json")


def one_word_tokenizer(folder: Path) -> None:
    Tokenizer(models.WordLevel({"a": 0}, unk_token="?")).save(str(folder / "tokenizer.json"))


def charsmap(replacement: str) -> str:
    """A table of SentencePiece that puts a text in place of each z, in base64."""
    units = [0] * 1024
    units[0], at = 256 << 10, 256 ^ ord("z")
    units[at] = ord("z") | 1 << 8 | (at ^ 600) << 10
    trie = struct.pack("<1024I", *units)
    return base64.b64encode(struct.pack("<I", len(trie)) + trie + replacement.encode() + b"\0").decode()


def filled(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda given: torch.full_like(given, value)


HUGE = 10**15
DOUBLE = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
REGEX = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
HOSTILE: dict[str, Damage] = {
    "no model.json": lambda folder: (folder / "model.json").unlink(),
    "no weights": lambda folder: (folder / WEIGHTS).unlink(),
    "no tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
    "no scale": header(lambda tensors: tensors.pop("span_head.0.weight.scale")),
    "a later schema": stated("model.json", schema=99),
    "a schema that is a list": stated("model.json", schema=[[]]),
    "an unknown key": stated("model.json", hook="os.system"),
    "nested a million deep": wrote("model.json", b"[" * 900_000),
    "a path out as the weights": linked(WEIGHTS, "../../../../../etc/passwd"),
    "an absolute path as the settings": linked("settings.json", "/etc/passwd"),
    "an endless device": linked("tokenizer.json", "/dev/zero"),
    "a link to itself": linked("encoder.json", "encoder.json"),
    "a pipe that nobody writes to": piped,
    "a folder for a file": lambda folder: (folder / "weights-02.safetensors").mkdir(),
    "a huge tokenizer": lambda folder: os.truncate(folder / "tokenizer.json", 2**36),
    "a huge file of settings": lambda folder: os.truncate(folder / "settings.json", 2**36),
    "garbage for a tokenizer": wrote("tokenizer.json", bytes(range(256))),
    "another JSON for a tokenizer": wrote("tokenizer.json", b'{"model": {"type": "Pickle"}}'),
    "a tokenizer that panics": stated(
        "tokenizer.json", normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAAAAAAAAAAAAAA"}
    ),
    "a tokenizer without a piece for the unknown": one_word_tokenizer,
    "a tokenizer that doubles texts": stated(
        "tokenizer.json", normalizer={"type": "Sequence", "normalizers": [DOUBLE] * 40}
    ),
    "a tokenizer that makes a letter a book": stated(
        "tokenizer.json", normalizer={"type": "Precompiled", "precompiled_charsmap": charsmap("b " * 200_000)}
    ),
    "a tokenizer with a slow pattern": stated("tokenizer.json", pre_tokenizer=REGEX),
    "a tokenizer with ids beyond the vectors": changed(
        "tokenizer.json", lambda value: value["model"]["vocab"].update(we=2**31)
    ),
    "a window of a petabyte": stated("model.json", window=HUGE),
    "a window longer than the encoder": stated("model.json", window=63),
    "an overlap as long as the window": stated("model.json", overlap=30),
    "a negative overlap": stated("model.json", overlap=-1),
    "a window that is true": stated("model.json", window=True),
    "a special piece beyond the vectors": stated("model.json", end_id=5000),
    "a name that a terminal obeys": stated("model.json", name="a\x1b]0;b\x07"),
    "a name of two lines": stated("model.json", name="a\nb"),
    "a name that turns the line": stated("model.json", name="a\u202eb"),
    "corpora that are numbers": stated("model.json", corpora=[1, 2, 3]),
    "a corpus more than biases": stated("model.json", corpora=["a", "b", "c", "d"]),
    "other techniques": stated("model.json", technique_order=["doubt"]),
    "a technique that is unknown": balanced(lambda value: value["thresholds"].update(treason=0.5)),
    "a technique that is missing": balanced(lambda value: value["bias"].pop("doubt")),
    "a threshold that is NaN": balanced(lambda value: value["thresholds"].update(doubt=float("nan"))),
    "a threshold that is infinite": balanced(lambda value: value["thresholds"].update(doubt=float("-inf"))),
    "a threshold in words": balanced(lambda value: value["thresholds"].update(doubt="0.5")),
    "a bias that is infinite": balanced(lambda value: value["bias"].update(doubt=float("inf"))),
    "three weights of calibration": balanced(lambda value: value["calibration"]["doubt"]["weights"].pop()),
    "an offset that is NaN": balanced(lambda value: value["calibration"]["doubt"].update(offset=float("nan"))),
    "a threshold of identification in words": identification(lambda value: value.update(thresholds=["0.5"])),
    "thresholds of identification without end": identification(lambda value: value.update(thresholds=[0.5] * 101)),
    "no threshold of identification": identification(lambda value: value.update(thresholds=[])),
    "an endless cost": identification(lambda value: value.update(cost=float("inf"))),
    "identification without recall": identification(lambda value: value.pop("recall")),
    "two weights of recall": identification(lambda value: value["recall"].update(weights=[0, 0])),
    "a key that identification has no use for": identification(lambda value: value.update(code="import os")),
    "identification in a word": balanced(lambda value: value.update(identification="all")),
    "a bias without identification": balanced(lambda value: value["bias"].pop("identification")),
    "fewest words of an unknown technique": balanced(lambda value: value.update(fewest_words={"sarcasm": 2})),
    "fewest words that are none": balanced(lambda value: value.update(fewest_words={"doubt": 0})),
    "fewest words that are half a word": balanced(lambda value: value.update(fewest_words={"doubt": 1.5})),
    "fewest words that are a list": balanced(lambda value: value.update(fewest_words=["doubt"])),
    "a setting under another name": balanced(lambda value: value.update(name="strict")),
    "settings that are a list": wrote("settings.json", b"[]"),
    "an encoder that fetches": stated("encoder.json", model_type="timm_backbone", use_pretrained_backbone=True),
    "an encoder with code of its own": stated("encoder.json", auto_map={"AutoModel": "user/name--code.Model"}),
    "an encoder with kernels of its own": stated("encoder.json", attn_implementation="user/kernels"),
    "an encoder that reads no piece with later ones": stated("encoder.json", is_decoder=True),
    "an encoder that reads another's vectors": stated("encoder.json", add_cross_attention=True),
    "a million layers": stated("encoder.json", num_hidden_layers=10**6),
    "vectors of a petabyte": stated("encoder.json", hidden_size=HUGE),
    "a vocabulary of a petabyte": stated("encoder.json", vocab_size=HUGE),
    "wider than the weights": stated("encoder.json", hidden_size=64),
    "more layers than the weights": stated("encoder.json", num_hidden_layers=3),
    "a larger inner layer than the weights": stated("encoder.json", intermediate_size=96),
    "no heads": stated("encoder.json", num_attention_heads=0),
    "heads that do not divide": stated("encoder.json", num_attention_heads=5),
    "an epsilon that is infinite": stated("encoder.json", layer_norm_eps=float("inf")),
    "an activation that is a list": stated("encoder.json", hidden_act=[[1]]),
    "an empty file of weights": wrote(WEIGHTS, b""),
    "a header longer than the file": wrote(WEIGHTS, struct.pack("<Q", 2**62) + b"{}"),
    "a header of a gigabyte": lambda folder: (
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", 2**30)),
        os.truncate(folder / WEIGHTS, 2**31),
    ),
    "a header that is no JSON": wrote(WEIGHTS, struct.pack("<Q", 2) + b"{["),
    "a header that is nested": wrote(WEIGHTS, struct.pack("<Q", 100_000) + b"[" * 100_000),
    "bytes beyond the file": header(lambda t: t["token_head.bias"].update(data_offsets=[0, 2**40])),
    "negative offsets": header(lambda t: t["token_head.bias"].update(data_offsets=[-96, 0])),
    "overlapping tensors": header(
        lambda t: t["token_head.bias"].update(data_offsets=t["count_embedding.weight"]["data_offsets"])
    ),
    "a gap between tensors": header(lambda t: t.pop("token_head.bias")),
    "an unknown type": header(lambda t: t["token_head.bias"].update(dtype="OBJECT")),
    "another type": header(lambda t: t["token_head.bias"].update(dtype="F16", shape=[48])),
    "a shape of a petabyte": header(lambda t: t["token_head.bias"].update(shape=[HUGE])),
    "a shape that overflows": header(lambda t: t["token_head.bias"].update(shape=[2**32, 2**32, 24])),
    "a shape of halves": header(lambda t: t["token_head.bias"].update(shape=[24.0])),
    "a weight that is NaN": tensor("token_head.bias", filled(float("nan"))),
    "a scale that is infinite": tensor("span_head.0.weight.scale", filled(float("inf"))),
    "a head of another shape": tensor("token_head.bias", lambda given: given[:5]),
    "a bias of another shape": tensor("encoder.encoder.layer.1.output.dense.bias", lambda given: given[:5]),
    "scores that overflow": tensor("token_head.weight", filled(3e38)),
}


@pytest.mark.parametrize("backend", ["onnx", "torch"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_folder_is_refused_in_one_line(folder: Path, name: str, backend: str):
    HOSTILE[name](folder)
    begun = time.process_time()
    with pytest.raises(ModelError) as caught:
        detector.load(folder, backend=backend).find(TEXT)
    assert time.process_time() - begun < 5
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.PKL", "scaler.joblib"])
def test_a_folder_with_a_pickle_is_refused_and_the_pickle_not_opened(folder: Path, name: str):
    (folder / name).write_bytes(pickle.dumps(Bomb(folder / "it-ran")))
    with pytest.raises(ModelError, match="can run code"):
        detector.load(folder)
    assert not (folder / "it-ran").exists()


def test_a_pickle_under_another_name_is_only_bytes(folder: Path):
    for name in ("model.json", "settings.json", "encoder.json", "tokenizer.json", WEIGHTS):
        kept = (folder / name).read_bytes()
        (folder / name).write_bytes(pickle.dumps(Bomb(folder / "it-ran")))
        with pytest.raises(ModelError):
            detector.load(folder)
        (folder / name).write_bytes(kept)
    assert not (folder / "it-ran").exists()
    assert detector.load(folder).find(TEXT)


def test_the_command_line_says_one_line_and_2(folder: Path, capfd: pytest.CaptureFixture[str]):
    stated("encoder.json", hidden_size=HUGE)(folder)
    with pytest.raises(SystemExit) as ended:
        main(["annotate", "-", "--model", str(folder)])
    assert ended.value.code == 2
    told = capfd.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"error: {folder}: not a usable model folder (encoder.json: hidden_size: ")
    assert told.err.count("\n") == 1


def test_a_snapshot_of_the_hub_may_link_to_its_own_cache(tmp_path: Path, tiny_model_folder: Path):
    snapshot, blobs = tmp_path / "snapshots" / "0a1b", tmp_path / "blobs"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for file in tiny_model_folder.iterdir():
        shutil.copy(file, blobs / file.name)
        (snapshot / file.name).symlink_to(Path("../../blobs") / file.name)
    assert detector.load(snapshot).find(TEXT)


def test_padding_and_truncation_of_a_tokenizer_do_not_count(folder: Path, tiny_detector: detector.Detector):
    tokenizer = tiny_tokenizer()
    tokenizer.enable_padding(length=10**6)
    tokenizer.enable_truncation(max_length=2)
    tokenizer.save(str(folder / "tokenizer.json"))
    assert detector.load(folder).find(TEXT * 9) == tiny_detector.find(TEXT * 9)


def test_a_tokenizer_may_replace_letters_by_a_table(folder: Path):
    stated("tokenizer.json", normalizer={"type": "Precompiled", "precompiled_charsmap": charsmap("love")})(folder)
    assert [*detector.load(folder).tokenize("z").offsets.tolist()] == [[0, 1]]


def test_a_hub_id_fetches_no_code_and_runs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Only JSON and safetensors are asked for, and what comes is checked like any folder."""
    asked: dict[str, Any] = {}

    def snapshot_download(repository: str, **options: Any) -> str:
        asked.update(options, repository=repository)
        save_model(tmp_path, tiny_model(), info=tiny_info(), settings=tiny_settings(), tokenizer=tiny_tokenizer())
        stated("encoder.json", auto_map={"AutoModel": "code.Model"})(tmp_path)
        (tmp_path / "code.py").write_text("raise SystemExit('it ran')")
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(DetectorError, match="auto_map is no key of an encoder"):
        detector.load("user/name")
    assert asked == {"repository": "user/name", "allow_patterns": ["*.json", "*.safetensors", "names.toml"]}


def test_no_line_of_the_package_lets_a_model_bring_code():
    package = Path(detector.__file__).parent
    told = "\n".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    assert "trust_remote_code" not in told
    assert "torch.load" not in told


def test_the_shapes_of_the_heads_are_those_of_the_module():
    state = {name: tuple(value.shape) for name, value in tiny_model().state_dict().items()}
    heads = {name: shape for name, shape in state.items() if not name.startswith("encoder.")}
    assert head_shapes(32, 3) == heads
