"""How a training goes on where it was stopped: with what it was begun with, and with nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers.trainer_utils import get_last_checkpoint

from detector.config import WRITTEN, Recipe, with_texts
from detector.errors import ConfigError
from detector.folder import read_json, read_record
from detector.spans import Document

BEGUN, SPENT = "begun.json", "seconds.json"
_ABOUT_SEVERAL = ("name", "seeds", "refit", "encoder.refit")
"""What a recipe says of its trainings together: each of them is the same whatever stands there."""


def recorded(recipe: Recipe) -> dict[str, Any]:
    """A recipe as records hold it, its files of texts without where these lay."""
    return asdict(with_texts(recipe, {key: Path(getattr(recipe.texts, key)).name for key in WRITTEN}))


def ingredients(recipe: Recipe, documents: Mapping[str, Sequence[Document]]) -> dict[str, Any]:
    """What decides a training, as JSON types: its recipe, and which documents it learns from, by corpus."""
    files = {key: Path(getattr(recipe.texts, key)) for key in WRITTEN if getattr(recipe.texts, key)}
    return {
        "recipe": recorded(recipe),
        "n_documents": {name: len(part) for name, part in documents.items()},
        "documents": {name: _digest(map(_as_bytes, part)) for name, part in documents.items()},
        "texts": {key: _digest([path.read_bytes()]) for key, path in files.items()},
    }


def _digest(parts: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return f"sha256:{found.hexdigest()[:16]}"


def _as_bytes(document: Document) -> bytes:
    """What a training takes from a document."""
    spans = [(span.start, span.end, span.technique) for span in document.spans]
    return json.dumps([document.id, document.text, spans]).encode()


def check_begun(folder: Path, now: Mapping[str, Any]) -> None:
    """Raises `ConfigError`, saying which, where the training in a folder was begun with other `ingredients`."""
    began = _began(folder)
    after, before = dict(_flat(now)), dict(_flat(began))
    corpora = {key for key in after if key.startswith("n_documents.")} if "n_documents" in began else set()
    for key in sorted(before.keys() | corpora, key=lambda key: (key.startswith("documents."), key)):  # numbers first
        if key.removeprefix("recipe.") not in _ABOUT_SEVERAL and after.get(key) != before.get(key):
            raise ConfigError(
                f"{folder}: holds a training with {key} {before.get(key, 'none')}, not {after.get(key, 'none')}; "
                "name another --out, or remove that folder"
            )


def write_begun(folder: Path, now: Mapping[str, Any]) -> None:
    """Writes into a training's folder what it is begun with."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / BEGUN, json.dumps(now, indent=1) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Writes a file that is there as a whole or not at all, whenever the process ends."""
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)


def last_checkpoint(checkpoints: Path) -> str | None:
    """The last checkpoint of a training, if there is one; those that were not written to their end are removed."""
    for folder in checkpoints.glob("checkpoint-*"):
        try:
            json.loads((folder / "trainer_state.json").read_bytes())  # the last file of a checkpoint
        except (OSError, ValueError):
            shutil.rmtree(folder)
    return get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None


def write_spent(checkpoints: Path, seconds: float) -> None:
    """Writes beside the checkpoints how long a training took so far."""
    write_whole(checkpoints / SPENT, json.dumps(seconds))


def read_spent(checkpoints: Path) -> float:
    """The seconds that a training took up to its last checkpoint; 0 where it begins."""
    path = checkpoints / SPENT
    return float(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else 0.0


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
