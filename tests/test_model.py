"""A model folder holds what the model was, within the precision of its storage, and refuses damage."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch
from conftest import tiny_info, tiny_model, tiny_settings, tiny_tokenizer
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModel, MPNetConfig, RobertaConfig

from detector.backends.torch import frame
from detector.errors import ModelError
from detector.model import RhetoricModel, SpanBatch, folder_hash, load_model, pack, save_model, unpack

TEXT = "They want to destroy everything we love. " * 5


def save(folder, model, **options):
    save_model(folder, model, info=tiny_info(), settings=tiny_settings(), tokenizer=tiny_tokenizer(), **options)
    return load_model(folder)


def token_logits(model):
    ids, mask = frame([torch.arange(4, 24).numpy(), torch.arange(30, 40).numpy()], tiny_info())
    with torch.inference_mode():
        return model.encode(ids, mask).token_logits


def test_a_saved_model_gives_the_same_scores_up_to_rounding(tmp_path):
    model = tiny_model()
    before = token_logits(model)
    in_16_bits = token_logits(save(tmp_path / "16", model, eight_bit=False).model)
    in_8_bits = token_logits(save(tmp_path / "8", model).model)
    assert (before - in_16_bits).abs().max() < 0.4
    assert (before - in_8_bits).abs().max() < 1.0
    assert (before - in_8_bits).abs().mean() < 0.15


def test_saving_what_was_loaded_changes_nothing(tmp_path):
    first = save(tmp_path / "a", tiny_model())
    second = save(tmp_path / "b", first.model)
    assert torch.equal(token_logits(first.model), token_logits(second.model))
    assert first.settings == second.settings
    assert first.info == second.info
    assert first.hash == second.hash


@pytest.mark.parametrize("config", [MPNetConfig, RobertaConfig])
def test_other_encoders_survive_the_folder(tmp_path, config):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    encoder = AutoModel.from_config(config(vocab_size=200, **sizes), add_pooling_layer=False)
    model = RhetoricModel(encoder, n_corpora=3).eval()
    loaded = save(tmp_path, model, eight_bit=False).model
    assert (token_logits(model) - token_logits(loaded)).abs().max() < 0.1


def test_the_hash_is_of_what_decides_the_spans(tmp_path, tiny_model_folder):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "copy")
    assert folder_hash(folder) == folder_hash(tiny_model_folder)
    (folder / "README.md").write_text("card")
    (folder / "training.json").write_text("{}")
    assert folder_hash(folder) == folder_hash(tiny_model_folder)
    settings = json.loads((folder / "settings.json").read_text())
    settings["balanced"]["thresholds"]["doubt"] = 0.99
    (folder / "settings.json").write_text(json.dumps(settings))
    assert folder_hash(folder) != folder_hash(tiny_model_folder)


def test_settings_of_former_versions_still_load(tmp_path, tiny_model_folder):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "copy")
    settings = json.loads((folder / "settings.json").read_text())
    for setting in settings.values():
        assert setting.pop("fewest_words") == {}
        setting.pop("identification")
        for key in ("thresholds", "min_confidence", "calibration"):  # it had a place there
            setting[key] = {"identification": setting[key]["doubt"], **setting[key]}
    (folder / "settings.json").write_text(json.dumps(settings))
    now = load_model(tiny_model_folder).settings
    assert load_model(folder).settings == {name: replace(s, identification=None) for name, s in now.items()}


@pytest.mark.parametrize(
    "name", ["model.json", "settings.json", "encoder.json", "tokenizer.json", "weights-01.safetensors"]
)
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_folder_is_one_line(tmp_path, tiny_model_folder, name, damage):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "copy")
    path = folder / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_of_another_shape_are_refused(tmp_path, tiny_model_folder):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "copy")
    encoder = json.loads((folder / "encoder.json").read_text())
    (folder / "encoder.json").write_text(json.dumps(encoder | {"hidden_size": 64}))
    with pytest.raises(ModelError):
        load_model(folder)


@given(st.integers(0, 1000), st.floats(1e-6, 1e4))
def test_eight_bits_err_by_half_a_step_of_the_row(seed, size):
    torch.manual_seed(seed)
    matrix = torch.randn(30, 40) * size
    stored = dict(pack({"m": matrix}, eight_bit=True))
    assert stored["m"].dtype == torch.int8
    step = matrix.abs().amax(dim=1, keepdim=True) / 127
    assert ((unpack(stored)["m"] - matrix).abs() <= step * 0.501).all()


def test_big_weights_are_cut_into_files(tmp_path, monkeypatch):
    monkeypatch.setattr("detector.model.SHARD_BYTES", 20_000)
    model = tiny_model()
    loaded = save(tmp_path, model)
    assert len(list(tmp_path.glob("weights-*.safetensors"))) > 1
    assert (token_logits(model) - token_logits(loaded.model)).abs().mean() < 0.15


def test_who_may_read_one_file_may_read_all(tiny_model_folder):
    assert len({path.stat().st_mode for path in tiny_model_folder.iterdir()}) == 1


def test_span_scores_do_not_depend_on_padding_or_neighbours():
    model = tiny_model()
    short, long = torch.arange(10, 20).numpy(), torch.arange(30, 55).numpy()

    def classified(windows, row):
        spans = SpanBatch(*torch.tensor([[row, 2, 5, 1]]).T)
        with torch.inference_mode():
            return model.classify(model.encode(*frame(windows, tiny_info())), spans)

    assert torch.allclose(classified([short], 0), classified([long, short], 1), atol=1e-4)
