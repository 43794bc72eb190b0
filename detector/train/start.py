"""What a training starts from: an encoder with fresh heads, or a model of ours with the heads that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from detector.config import Recipe
from detector.detect import SHIPPED, find_model
from detector.errors import ConfigError
from detector.folder_checks import check_encoder, check_info
from detector.model import ModelInfo, RhetoricModel, load_model
from detector.names import listed
from detector.train.dropout import quicken_dropout
from detector.train.encoders import load_encoder
from detector.train.frozen import check_frozen

_PLACES_AFTER_PADDING = ("mpnet", "roberta", "xlm-roberta")
"""Encoders whose places count from after the padding's id."""
HEAD_SEED = 0  # heads that start alike can be averaged: seeds decide over order and dropout alone


def starting_model(recipe: Recipe, corpora: Sequence[str]) -> tuple[RhetoricModel, ModelInfo, Tokenizer]:
    """The model before its first step, with what it says of itself and its tokenizer.

    Raises `ModelError` where the recipe's encoder cannot be loaded, and `ConfigError` where its windows are too short,
    it is of a kind that a model folder may not hold, or a name is too long for one.
    """
    name = recipe.encoder.name
    if recipe.encoder.restart and not is_ours(name):
        raise ConfigError(f"encoder.restart: {name} has no heads and starts afresh anyway; leave it out")
    made = _from_model(recipe, corpora) if is_ours(name) else _from_encoder(recipe, corpora)
    _check_loads(made[1])
    check_frozen(made[0], recipe.encoder.frozen)
    quicken_dropout(made[0])
    return made


def is_ours(name: str) -> bool:
    """Whether an encoder's name is that of a model of ours: a model folder, or a shipped model."""
    return any((folder / "model.json").is_file() for folder in (Path(name), SHIPPED / name))


def _from_encoder(recipe: Recipe, corpora: Sequence[str]) -> tuple[RhetoricModel, ModelInfo, Tokenizer]:
    encoder, tokenizer, special = load_encoder(recipe.encoder.name)
    _check_fits(recipe, encoder.config)
    info = ModelInfo(
        name=f"rhetoric-{recipe.name}",
        encoder=recipe.encoder.name,
        corpora=tuple(corpora),
        window=recipe.encoder.window - 2,
        overlap=recipe.encoder.overlap,
        gap=recipe.gap,
        names=listed() if recipe.texts.names_alike else None,
        **special,
    )
    return _with_fresh_heads(encoder, recipe, corpora), info, tokenizer


def _check_loads(info: ModelInfo) -> None:
    """Raises `ConfigError` for what no model folder may say of itself, such as a name that is too long."""
    try:
        check_info(info.described())
    except ValueError as error:
        raise ConfigError(f"the recipe: makes a model that could not be loaded ({error})") from error


def _check_fits(recipe: Recipe, config: Any) -> None:
    """Raises `ConfigError` for an encoder that no model folder may hold, or with too few places for a window."""
    try:
        check_encoder(config.to_diff_dict())
    except ValueError as error:
        raise ConfigError(f"encoder.name: {recipe.encoder.name} is of no kind that is trained ({error})") from error
    before = config.pad_token_id + 1 if config.model_type in _PLACES_AFTER_PADDING else 0
    n_places = config.max_position_embeddings - before
    if recipe.encoder.window > n_places and not config.model_type.startswith("deberta"):  # whose places are relative
        raise ConfigError(f"encoder.window: {recipe.encoder.window}: {recipe.encoder.name} has {n_places} places")


def _with_fresh_heads(encoder: Any, recipe: Recipe, corpora: Sequence[str]) -> RhetoricModel:
    torch.manual_seed(HEAD_SEED)
    return RhetoricModel(encoder, n_corpora=len(corpora), dropout=recipe.encoder.dropout)


def _from_model(recipe: Recipe, corpora: Sequence[str]) -> tuple[RhetoricModel, ModelInfo, Tokenizer]:
    """A model that goes on learning; it keeps its bias for a corpus that it knows, and a new corpus begins without."""
    loaded = load_model(find_model(recipe.encoder.name))
    if recipe.encoder.window - 2 > loaded.info.window:
        rule = f"{recipe.encoder.name} has windows of {loaded.info.window + 2} pieces at most"
        raise ConfigError(f"encoder.window: {recipe.encoder.window}: {rule}")
    model = _with_fresh_heads(loaded.model.encoder, recipe, corpora)
    if recipe.encoder.restart:
        _restart_layers(model, loaded.info.encoder, recipe.encoder.frozen)
    else:
        state = loaded.model.state_dict()
        for name in ("token_bias.weight", "span_bias.weight"):
            state[name] = _reordered(state[name], loaded.info.corpora, corpora)
        model.load_state_dict(state)
    info = replace(
        loaded.info,
        name=f"rhetoric-{recipe.name}",
        corpora=tuple(corpora),
        window=recipe.encoder.window - 2,
        overlap=recipe.encoder.overlap,
        gap=recipe.gap,
        names=listed() if recipe.texts.names_alike else loaded.info.names,
    )
    return model, info, loaded.tokenizer


def _restart_layers(model: RhetoricModel, encoder: str, frozen: int) -> None:
    """Gives the layers above the ``frozen`` lowest the weights that they have in ``encoder``."""
    original, *_ = load_encoder(encoder)
    layers: Any = model.encoder.encoder.layer  # type: ignore[union-attr]
    layers[frozen:].load_state_dict(original.encoder.layer[frozen:].state_dict())


def _reordered(biases: Tensor, known: Sequence[str], wanted: Sequence[str]) -> Tensor:
    """The rows of ``biases`` ``(n_known, n_outputs)`` for the corpora that are wanted; zeros for a new one."""
    rows = [biases[known.index(name)] if name in known else torch.zeros_like(biases[0]) for name in wanted]
    return torch.stack(rows)
