"""Every shipped recipe loads; a recipe with a fault is refused with the file and the key."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path

import pytest

from detector.config import LIMITS, Recipe, load_recipe
from detector.errors import ConfigError

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))
GOOD = 'name = "x"\n[encoder]\nname = "e"\n[optimiser]\nepochs = 1\nencoder_rate = 1e-5\nhead_rate = 1\n'


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_recipe_loads_and_is_named_after_its_file(path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.encoder.overlap < recipe.encoder.window <= 512


def test_defaults_fill_in_and_whole_numbers_pass_as_floats(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(GOOD)
    recipe = load_recipe(path)
    assert recipe.optimiser.head_rate == 1.0
    assert recipe.gap == 25


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD + "lr = 3", "optimiser.lr|unknown key 'lr'"),
        (GOOD.replace("epochs = 1\n", ""), "'epochs' is missing"),
        (GOOD.replace("epochs = 1", "epochs = 1.5"), "epochs: expected int, got 1.5"),
        (GOOD.replace("epochs = 1", "epochs = true"), "epochs: expected int, got True"),
        (GOOD.replace('[encoder]\nname = "e"', 'encoder = "e"'), "encoder: expected a table, got 'e'"),
        (GOOD.replace("head_rate = 1", "head_rate = 1" + "0" * 400), "head_rate: is too large a number"),
        (GOOD.replace("epochs = 1", "epochs = 1" + "0" * 5000), "not TOML"),
        (GOOD + '[texts]\nfine = "none.jsonl"', "texts.fine: .*none.jsonl is not a file"),
        (GOOD + '[texts]\nexamples = "none.jsonl"', "texts.examples: .*none.jsonl is not a file"),
        (GOOD.replace("epochs = 1", "epochs = -1"), "optimiser.epochs: -1 is not a number from 0 to 10,000"),
        (GOOD.replace("head_rate = 1", "head_rate = nan"), "optimiser.head_rate: nan is not a number from 0 to 1"),
        (GOOD + "batch_size = 0", "optimiser.batch_size: 0 is not a number from 1 to 10,000"),
        (GOOD + "[texts]\nshare = 1.5", "texts.share: 1.5 is not a number from 0 to 1"),
        ("gap = 10001\n" + GOOD, "gap: 10001 is not a number from 0 to 10,000"),
        ("seeds = [1, 2, 1]\n" + GOOD, "seeds: 1 is named twice: each seed is a training of its own"),
        ("refit = [3, 3]\n" + GOOD, "refit: 3 is named twice"),
        ("seeds = [1, -1]\n" + GOOD, "seeds: -1 is not a number from 0 to 4,294,967,295"),
        (GOOD.replace('"e"', '"e"\ndropout = 1'), "encoder.dropout: 1.0 is not a number from 0 to 0.99"),
        (GOOD.replace('"e"', '"e"\nwindow = 34'), "encoder.overlap: 32 must be less than the 32 pieces of a window"),
        ("name = ", "not TOML"),
    ],
)
def test_a_fault_is_one_line_that_names_file_and_key(tmp_path, text, says):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_every_number_of_a_recipe_has_limits():
    hints = typing.get_type_hints(Recipe)
    parts = [("", Recipe), *((f"{name}.", kind) for name, kind in hints.items() if dataclasses.is_dataclass(kind))]
    kinds = {prefix + name: kind for prefix, part in parts for name, kind in typing.get_type_hints(part).items()}
    numbers = {name for name, kind in kinds.items() if kind in (int, float, tuple[int, ...])}
    assert set(LIMITS) == numbers - {"encoder.frozen"}  # that depends on the encoder


def test_a_missing_recipe_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")
