"""ONNX Runtime gives what torch gives, neither pads much, and neighbours in a batch do not matter."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SEED_ARTICLE, tiny_info, tiny_model, tiny_settings, tiny_tokenizer
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModel, MPNetConfig, RobertaConfig

import detector
from detector.backends import Backend, Candidate, batches, choose_backend, default_threads
from detector.backends.encoders import FloatProducts, WholeProducts, relative_buckets
from detector.backends.onnx import OnnxBackend, multiplies_whole_numbers
from detector.backends.torch import load_torch
from detector.errors import ModelError
from detector.folder import ModelFiles, ModelInfo, read_folder
from detector.model import RhetoricModel, save_model
from detector.spans import Document, Span

LONG_INFO = ModelInfo(
    "long", "none", tiny_info().corpora, window=254, overlap=32, gap=25, start_id=0, end_id=2, pad_id=1
)
FLOAT_TOLERANCE = 2e-4
"""Of logits, with products of 32-bit floats."""
WHOLE_TOLERANCE = 0.02
"""Of logits, with products of whole numbers."""

WHOLE = pytest.param(
    WholeProducts(),
    marks=pytest.mark.skipif(not multiplies_whole_numbers(), reason="the CPU has no products of 8-bit numbers"),
)


def saved(folder: Path, model: RhetoricModel, info: ModelInfo) -> ModelFiles:
    save_model(folder, model, info=info, settings=tiny_settings(), tokenizer=tiny_tokenizer())
    return read_folder(folder)


def other_model(config: type[MPNetConfig] | type[RobertaConfig]) -> RhetoricModel:
    """Two layers of another type, for windows long enough to reach the far distances."""
    torch.manual_seed(1)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    configured = config(vocab_size=200, max_position_embeddings=260, pad_token_id=1, initializer_range=0.2, **sizes)
    return RhetoricModel(AutoModel.from_config(configured, add_pooling_layer=False), n_corpora=3).eval()


@pytest.fixture(scope="module", params=["bert", "mpnet", "roberta"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "bert":
        return saved(folder, tiny_model(), tiny_info())
    config = {"mpnet": MPNetConfig, "roberta": RobertaConfig}[request.param]
    return saved(folder, other_model(config), LONG_INFO)


def windows_for(files: ModelFiles, lengths: list[int]) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(5, 90, size=min(n, files.info.window)) for n in lengths]


def largest_difference(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("products", [FloatProducts(), WHOLE])
def test_onnx_gives_what_torch_gives(files, products):
    tolerance = WHOLE_TOLERANCE if isinstance(products, WholeProducts) else FLOAT_TOLERANCE
    windows = windows_for(files, [1, 7, 30, 30, 100, 254])
    candidates = [Candidate(0, 0, 0, 1), Candidate(3, 2, 20, 2), Candidate(5, 0, len(windows[5]) - 1, 9)]
    reference, backend = load_torch(files), OnnxBackend(files, products=products)
    assert largest_difference(reference.score(windows), backend.score(windows)) < tolerance
    means = [[encoded.mean for encoded in each.encode(windows)] for each in (reference, backend)]
    assert largest_difference(*means) < tolerance
    assert (
        np.abs(reference.classify(windows, candidates)[0] - backend.classify(windows, candidates)[0]).max() < tolerance
    )
    for corpus in files.info.corpora:
        assert np.array_equal(reference.token_bias(corpus), backend.token_bias(corpus))
        assert np.array_equal(reference.span_bias(corpus), backend.span_bias(corpus))
    assert np.allclose(reference.span_bias(None), backend.span_bias(None))


@pytest.mark.parametrize("products", [WHOLE])
def test_whole_numbers_are_closer_to_floats_than_bfloat16(files, products):
    windows = windows_for(files, [30, 200])
    reference, short = load_torch(files).score(windows), load_torch(files)
    short.bfloat16 = True
    found = largest_difference(reference, OnnxBackend(files, products=products).score(windows))
    assert found < largest_difference(reference, short.score(windows)) / 5


@pytest.mark.parametrize("name", ["torch", "onnx"])
def test_neighbours_in_a_batch_do_not_matter(files, name):
    backend: Backend = load_torch(files) if name == "torch" else OnnxBackend(files)
    windows = windows_for(files, [30, 3, 30, 17, 28, 3])
    alone = [backend.score([window])[0] for window in windows]
    tolerance = FLOAT_TOLERANCE if name == "torch" else WHOLE_TOLERANCE
    assert largest_difference(alone, backend.score(windows)) < tolerance


def test_threads_do_not_change_a_bit(files):
    windows = windows_for(files, [30, 3, 30, 17, 28, 3, 200, 90])
    one, three = (OnnxBackend(files, threads=n).score(windows) for n in (1, 3))
    assert all(np.array_equal(a, b) for a, b in zip(one, three, strict=True))


@given(st.lists(st.integers(1, 254), max_size=60), st.sampled_from([0.0, 0.9, 1.0]))
def test_batches_hold_every_window_once_within_their_limits(lengths, shortest):
    found = list(batches([np.zeros(n, dtype=np.int64) for n in lengths], n_pieces=600, shortest=shortest))
    assert sorted(row for rows in found for row in rows) == list(range(len(lengths)))
    for rows in found:
        framed = [lengths[row] + 2 for row in rows]
        assert len(rows) == 1 or len(rows) * max(framed) <= 600
        assert min(framed) >= shortest * max(framed)
    assert [lengths[row] for rows in found for row in rows] == sorted(lengths, reverse=True)


def test_little_is_encoded_twice_or_for_nothing(tiny_model_folder):
    article = SEED_ARTICLE.read_text(encoding="utf-8")
    documents = [Document(str(i), article[: 400 * i]) for i in range(1, 9)]
    # Torch rounds lengths up to multiples of 8, which is much for windows of 30 pieces.
    for name, most_padding in (("torch", 0.2), ("onnx", 0.0)):
        model = detector.load(tiny_model_folder, backend=name)
        n_pieces = sum(len(scores.pieces) for _, scores in model.score(documents))
        work = model.backend.work
        n_windows = n_pieces / (model.info.window - model.info.overlap)
        assert work.n_padding <= most_padding * work.n_pieces
        # Two special pieces a window, and what neighbouring windows share, which end early where a sentence does.
        assert n_pieces < work.n_pieces < 2 * n_pieces
        assert work.n_calls < n_windows / 3


def test_hardly_anything_is_padding_in_windows_of_the_usual_size():
    article = SEED_ARTICLE.read_text(encoding="utf-8")
    model = detector.load("fast", backend="torch")
    list(model.score(Document(str(i), article[700 * i :]) for i in range(10)))
    work = model.backend.work
    assert work.n_padding < 0.05 * work.n_pieces
    assert work.n_pieces > 4000


def test_short_documents_share_calls(tiny_model_folder):
    model = detector.load(tiny_model_folder, backend="onnx")
    list(model.annotate(Document(str(i), "we love everything") for i in range(100)))
    assert model.backend.work.n_calls <= 2


def test_distances_fall_into_the_buckets_of_mpnet():
    model = other_model(MPNetConfig).encoder.encoder
    found = torch.tensor(relative_buckets(256, 32))
    positions = torch.arange(256)
    assert torch.equal(found, model.relative_position_bucket(positions[None, :] - positions[:, None], num_buckets=32))


def test_the_backend_is_chosen_by_what_can_run_the_model(files):
    assert choose_backend("auto", files) == "onnx"
    assert choose_backend("torch", files) == "torch"
    assert choose_backend("auto", files, device="cuda") == "torch"
    with pytest.raises(ModelError, match="not one of auto, torch, onnx"):
        choose_backend("tensorflow", files)
    with pytest.raises(ModelError, match="on the CPU, not on cuda:1; choose the backend torch"):
        choose_backend("onnx", files, device="cuda:1")


def test_other_encoders_are_left_to_torch(files):
    other = ModelFiles(
        files.path, files.info, files.settings, {"model_type": "deberta-v2"}, files.tokenizer, files.hash
    )
    assert choose_backend("auto", other) == "torch"
    with pytest.raises(ModelError, match="encoders of type deberta-v2"):
        choose_backend("onnx", other)


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_what_cannot_be_is_one_line(tiny_model_folder, backend):
    with pytest.raises(ModelError, match="threads 0: at least one"):
        detector.load(tiny_model_folder, backend=backend, threads=0)
    given = Document("a", "they love asia", (Span(0, 4, "doubt"),))
    with pytest.raises(ModelError, match="corpus 'ptc-2' is not one of ptc, checkthat"):
        detector.load(tiny_model_folder, backend=backend).classify(given, corpus="ptc-2")


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("gpu", r"device 'gpu' is not one of cpu, cuda, cuda:N and mps"),
        ("cuda:one", r"device 'cuda:one' is not one of"),
        ("cuda:99", r"device 'cuda:99': torch sees no such GPU here"),
    ],
)
def test_a_device_that_is_not_there_is_one_line(tiny_model_folder, device, said):
    with pytest.raises(ModelError, match=said):
        detector.load(tiny_model_folder, device=device)


def test_threads_follow_the_usual_variable(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert default_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert default_threads() >= 1


def test_older_cpus_multiply_floats(monkeypatch, tmp_path):
    flags = tmp_path / "cpuinfo"
    monkeypatch.setattr("detector.backends.onnx.CPU_FLAGS", flags)
    assert not multiplies_whole_numbers()
    for line, expected in (("flags\t\t: fpu avx2 avx512_vnni", True), ("flags : fpu avx2", False)):
        flags.write_text(f"model name: one\n{line}\n")
        assert multiplies_whole_numbers() is expected


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "weights-01.safetensors").unlink(),
        lambda folder: (folder / "weights-01.safetensors").write_bytes(b"\0" * 40),
        lambda folder: os.truncate(folder / "weights-01.safetensors", 9000),
        lambda folder: change_encoder(folder, hidden_size=64),
        lambda folder: change_encoder(folder, num_hidden_layers=3),
    ],
    ids=["missing", "empty", "cut", "wider", "deeper"],
)
def test_weights_that_do_not_fit_are_one_line(tiny_model_folder, tmp_path, damage):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "copy")
    damage(folder)
    with pytest.raises(ModelError) as caught:
        detector.load(folder, backend="onnx")
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def change_encoder(folder: Path, **values: int) -> None:
    path = folder / "encoder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_annotating_needs_neither_torch_nor_transformers(tiny_model_folder):
    program = (
        "import sys, detector\n"
        f"list(detector.load({str(tiny_model_folder)!r}).find('they want to destroy everything we love'))\n"
        "heavy = {'torch', 'transformers', 'onnx', 'datasets', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
