"""Training recipes: frozen dataclasses, read from TOML; unknown, missing or wrongly typed keys are refused."""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from detector.errors import ConfigError

T = TypeVar("T")
WRITTEN = ("fine", "examples")
"""What a recipe's ``texts`` names files of."""

LIMITS = {
    "encoder.window": (3, 4_098),  # two of the pieces are special ones
    "encoder.overlap": (0, 4_095),
    "encoder.dropout": (0, 0.99),
    "optimiser.epochs": (0, 10_000),
    "optimiser.encoder_rate": (0, 1),
    "optimiser.head_rate": (0, 1),
    "optimiser.batch_size": (1, 10_000),
    "optimiser.layer_decay": (0, 1),
    "optimiser.warmup": (0, 1_000_000),
    "optimiser.weight_decay": (0, 1),
    "optimiser.max_grad_norm": (0, 1_000_000),
    "loss.identification": (0, 1_000),
    "loss.techniques": (0, 1_000),
    "loss.spans": (0, 1_000),
    "loss.label_smoothing": (0, 1),
    "loss.consistency": (0, 1_000),
    "texts.swap": (0, 1),
    "texts.preceded": (0, 1),
    "texts.share": (0, 1),
    "gap": (0, 10_000),
    "seeds": (0, 2**32 - 1),
    "refit": (0, 2**32 - 1),
}
"""From where to where a recipe's numbers go, ends included."""

_NAMES = {str: "str", int: "int", float: "float", bool: "bool", tuple[int, ...]: "a list of int"}


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """The encoder to start from: a packaged name, a folder or a hub id; the window counts pieces, special ones too.

    A model of ours (a model folder, or a shipped model's name) goes on learning, with the heads that it has. The
    ``frozen`` lowest layers stay as they are, and run once over each text. With ``restart`` the heads of a model of
    ours, and the layers that are not frozen, begin again where its own encoder began. ``refit`` is where trainings on
    all documents start, if elsewhere: at a model of ours that has learned from all of them before.
    """

    name: str
    window: int = 256
    overlap: int = 32
    dropout: float = 0.1
    frozen: int = 0
    restart: bool = False
    refit: str = ""


@dataclass(frozen=True, slots=True)
class OptimiserConfig:
    """AdamW with a linear schedule. Rates are per step; the encoder's shrinks by ``layer_decay`` a layer downwards."""

    epochs: int
    encoder_rate: float
    head_rate: float
    batch_size: int = 8
    layer_decay: float = 0.95
    warmup: float = 0.06
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of the parts of the loss, and the label smoothing of the span head.

    ``consistency`` weighs how much the token head's outputs differ between a window and its twin.
    """

    identification: float = 1.0
    techniques: float = 2.0
    spans: float = 0.5
    label_smoothing: float = 0.05
    consistency: float = 0.0


@dataclass(frozen=True, slots=True)
class TextsConfig:
    """What is done to the training documents, and what is added to them.

    ``swap`` is the share of documents whose names are swapped for others; ``fine`` a JSONL file, from the recipe's
    folder, of texts in which nothing is to be found; ``examples`` one of passages with spans of techniques that corpora
    have few of; ``preceded`` the share of articles that begin with lines of another one. With ``twins`` each window has
    one cut elsewhere, with other names, in the same step of the training. A ``share`` of the corpora's documents is
    used, drawn at random: a model that has learned from all of them needs no more to keep what it knows. With
    ``names_alike`` the model reads each name of the package's list as its kind's stand-in, in training and after; a
    model of ours that goes on learning keeps the list that it has.
    """

    swap: float = 0.0
    fine: str = ""
    examples: str = ""
    preceded: float = 0.0
    twins: bool = False
    share: float = 1.0
    names_alike: bool = False


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """The model of ours that labels texts which nobody annotated; none where ``model`` is empty."""

    model: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a model but the corpora.

    Each of the ``seeds`` is a training of its own; thresholds and calibration of their average are chosen on the
    documents held out. Then the seeds in ``refit``, if any, train on all documents: their average is the model.
    """

    name: str
    encoder: EncoderConfig
    optimiser: OptimiserConfig
    loss: LossConfig = field(default_factory=LossConfig)
    texts: TextsConfig = field(default_factory=TextsConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    gap: int = 25
    seeds: tuple[int, ...] = (1,)
    refit: tuple[int, ...] = ()


def load_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file; `ConfigError` names the file and the key that is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); name a recipe such as configs/minilm.toml"
        ) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError of its own
        raise ConfigError(f"{path}: not TOML ({error})") from None
    recipe = _from_table(Recipe, data, f"{path}: ")
    _check_limits(recipe, f"{path}: ")
    if not recipe.seeds:
        raise ConfigError(f"{path}: seeds: needs one seed at least, such as [1]")
    check_seeds(recipe.seeds, f"{path}: seeds")
    check_seeds(recipe.refit, f"{path}: refit")
    files = {key: path.parent / name for key in WRITTEN if (name := getattr(recipe.texts, key))}
    for key, file in files.items():
        if not file.is_file():
            raise ConfigError(f"{path}: texts.{key}: {file} is not a file")
    if recipe.loss.consistency and not recipe.texts.twins:
        raise ConfigError(f"{path}: loss.consistency: compares windows with their twins; set texts.twins = true")
    if recipe.teacher.model and recipe.texts.twins:
        raise ConfigError(f"{path}: texts.twins: texts that a teacher labels have none; leave one of both out")
    return with_texts(recipe, {key: str(file) for key, file in files.items()})


def with_texts(recipe: Recipe, files: Mapping[str, str]) -> Recipe:
    """The recipe with other files of texts, by their keys in `WRITTEN`."""
    texts = replace(recipe.texts, fine=files.get("fine", ""), examples=files.get("examples", ""))
    return replace(recipe, texts=texts)


def check_seeds(seeds: Sequence[int], place: str) -> tuple[int, ...]:
    """The seeds; raises `ConfigError` where one is there twice: it would be one training, and count as two."""
    for i, seed in enumerate(seeds):
        if seed in seeds[:i]:
            raise ConfigError(f"{place}: {seed} is named twice: each seed is a training of its own")
    return tuple(seeds)


def _check_limits(recipe: Recipe, place: str) -> None:
    """Raises `ConfigError` for a number beyond `LIMITS`, or windows no longer than what neighbours share."""
    for key, (low, high) in LIMITS.items():
        value = attrgetter(key)(recipe)
        for number in value if isinstance(value, tuple) else (value,):
            if not low <= number <= high:
                raise ConfigError(f"{place}{key}: {number!r:.40} is not a number from {low:,} to {high:,}")
    window, overlap = recipe.encoder.window, recipe.encoder.overlap
    if overlap >= window - 2:
        raise ConfigError(f"{place}encoder.overlap: {overlap} must be less than the {window - 2} pieces of a window")


def _from_table(kind: type[T], table: dict[str, Any], place: str) -> T:
    """A dataclass from a table of the same keys and types."""
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in table:
        if key not in fields:
            raise ConfigError(f"{place}unknown key {key!r}; known: {', '.join(fields)}")
    values = {}
    for name, spec in fields.items():
        if name in table:
            values[name] = _checked(hints[name], table[name], f"{place}{name}")
        elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{place}key {name!r} is missing")
    return kind(**values)


def _checked(hint: Any, value: Any, place: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise ConfigError(f"{place}: expected a table, got {value!r}")
        return _from_table(hint, value, f"{place}.")
    if hint is float and type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise ConfigError(f"{place}: is too large a number") from None
    if hint == tuple[int, ...] and isinstance(value, list) and all(type(v) is int for v in value):
        return tuple(value)
    if type(value) is not hint:
        raise ConfigError(f"{place}: expected {_NAMES.get(hint, hint)}, got {value!r}")
    return value
