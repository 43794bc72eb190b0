"""What a training was begun with: its folder goes on with that, and with nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from detector.config import WRITTEN, Recipe, with_texts
from detector.errors import ConfigError
from detector.folder import read_json, read_record

BEGUN = "begun.json"
_ABOUT_SEVERAL = ("name", "seeds", "refit")
"""What a recipe says of its trainings together: each of them is the same whatever stands there."""


def recorded(recipe: Recipe) -> dict[str, Any]:
    """A recipe as records hold it, its files of texts without where these lay."""
    return asdict(with_texts(recipe, {key: Path(getattr(recipe.texts, key)).name for key in WRITTEN}))


def ingredients(recipe: Recipe, n_documents: Mapping[str, int]) -> dict[str, Any]:
    """What decides a training, as JSON types; ``n_documents`` counts those it learns from, by corpus."""
    return {"recipe": recorded(recipe), "n_documents": dict(n_documents)}


def check_begun(folder: Path, now: Mapping[str, Any]) -> None:
    """Raises `ConfigError`, saying which, where the training in a folder was begun with other `ingredients`."""
    began = _began(folder)
    after, before = dict(_flat(now)), dict(_flat(began))
    corpora = {key for key in after if key.startswith("n_documents.")} if "n_documents" in began else set()
    for key in sorted(before.keys() | corpora):
        if key.removeprefix("recipe.") not in _ABOUT_SEVERAL and after.get(key) != before.get(key):
            raise ConfigError(
                f"{folder}: holds a training with {key} {before.get(key, 'none')}, not {after.get(key, 'none')}; "
                "name another --out, or remove that folder"
            )


def write_begun(folder: Path, now: Mapping[str, Any]) -> None:
    """Writes into a training's folder what it is begun with."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / BEGUN).write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")


def _began(folder: Path) -> dict[str, Any]:
    """What the training in a folder began with; a folder from before that was written has it in the model's record."""
    if (folder / BEGUN).is_file():
        return read_json(folder / BEGUN)
    return {key: value for key, value in read_record(folder / "model").items() if key == "recipe"}


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested tables by keys with dots; lists are values."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{prefix}{key}.")
        else:
            yield prefix + key, list(inner) if isinstance(inner, tuple) else inner
