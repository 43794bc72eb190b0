"""Records of what was measured: where they lie."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "eval"))

import provenance

from detector.detect import find_model


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(provenance, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def test_another_model_leaves_the_figures_of_the_default_as_they_are(results: Path):
    default, fast = (provenance.read_name(find_model(name)) for name in (None, "fast"))
    written = [provenance.record("likeness", {"model": name, "auroc": n}) for n, name in enumerate((default, fast))]
    assert [path.relative_to(results).as_posix() for path in written] == [
        "likeness.json",
        "likeness-minilm-alike.json",
    ]
    assert [json.loads(path.read_text())["auroc"] for path in written] == [0, 1]


def test_what_is_of_no_model_has_its_own_name(results: Path):
    assert provenance.record("fuzz", {"cases": 3}) == results / "fuzz.json"
