"""What a recorded result says about where it is from, so that a figure can be made again."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from detector.detect import Detector

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
    """Where the result was written: ``eval/results/NAME.json``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
