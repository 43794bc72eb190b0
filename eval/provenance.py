"""What a recorded result says about where it is from, so that a figure can be made again."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from detector.detect import Detector, find_model

RESULTS = Path(__file__).parent / "results"


def provenance(model: Detector, strictness: str) -> dict[str, Any]:
    """The model by name and hash, the strictness, and the versions of what computed the result."""
    return {
        "model": model.name,
        "model_hash": model.model_hash,
        "strictness": strictness,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("rhetoric-detector", "torch", "tokenizers")},
    }


def record(name: str, result: dict[str, Any]) -> Path:
    """Where the result was written: what `record_path` says for the model in it, the default where there is none."""
    RESULTS.mkdir(exist_ok=True)
    path = record_path(name, result.get("model"))
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def record_path(name: str, model: str | None) -> Path:
    """``eval/results/NAME.json`` for the default model, ``NAME-MODEL.json`` for another."""
    if model is None or model == read_name(find_model(None)):
        return RESULTS / f"{name}.json"
    return RESULTS / f"{name}-{model.removeprefix('rhetoric-')}.json"


def read_name(folder: Path) -> str:
    """The name of the model in a folder."""
    return str(json.loads((folder / "model.json").read_text(encoding="utf-8"))["name"])
