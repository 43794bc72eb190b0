"""The tables of recipes: one fold or all, means, pooled documents and their intervals."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "eval"))

import quality

METRICS = {"ptc": ("si", "flc", "tc"), "checkthat": ("si", "flc"), "semeval2021": ("si", "semeval2021")}


def record(folder: Path, name: str, fold: int, *, right: float, n: int = 3, seed: int = 1) -> None:
    """A record of a run: in each of ``n`` documents a corpus, ``right`` of two spans found are the two gold ones."""
    settings = {
        corpus: {
            corpus: {
                "metrics": {metric: {"f1": right / 2} for metric in metrics},
                "documents": {
                    metric: {f"{corpus}-{fold}-{i}": [2, 2, right, right] for i in range(n)} for metric in metrics
                },
            }
        }
        for corpus, metrics in METRICS.items()
    }
    settings["balanced"] = {"calibration_error": 0.01 * (fold + 1)}
    row = {"run": name, "name": name, "fold": fold, "seconds": 60 * (fold + 1), "settings": settings}
    (folder / f"{name}-seed{seed}-fold{fold}.json").write_text(json.dumps(row))


@pytest.fixture
def records(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(quality, "RESULTS", tmp_path)
    record(tmp_path, "small", 0, right=1.0)
    record(tmp_path, "small", 1, right=1.5, n=6)
    record(tmp_path, "large", 0, right=2.0)
    return tmp_path


def rows(printed: str) -> dict[str, list[str]]:
    """The cells of a table by the first cell of their row."""
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines()]
    return {first: cells for first, *cells in table}


def test_a_table_of_one_fold_compares_the_same_documents(records, capsys):
    quality.table(against="small", fold=0)
    table = rows(capsys.readouterr().out)
    assert table["small"][:2] == ["1", "0.500"]
    assert table["large"][:2] == ["1", "1.000"]
    assert table["− small"][1] == "+50.0 [+50.0, +50.0]"


def test_a_table_of_all_folds_takes_their_mean(records, capsys):
    quality.table()
    assert rows(capsys.readouterr().out)["small"] == ["2", *["0.625"] * 6, "0.015", "2"]


def test_folds_have_a_row_each_a_spread_and_all_documents_together(records, capsys):
    quality.table_of_folds("small")
    table = rows(capsys.readouterr().out)
    assert table["0"] == ["3 + 3 + 3", *["0.500"] * 6, "0.010"]
    assert table["1"] == ["6 + 6 + 6", *["0.750"] * 6, "0.020"]
    assert table["mean"] == ["", *["0.625 ± 0.177"] * 6, "0.015 ± 0.007"]
    documents, first, *_ = table["together"]
    assert documents == "9 + 9 + 9"
    assert first.startswith("0.667 [")
    low, high = json.loads(first.split(" ", 1)[1])
    assert 0.5 <= low < 0.667 < high <= 0.75


def test_seeds_of_a_fold_count_as_one(records, capsys):
    record(records, "small", 0, right=2.0, seed=2)
    quality.table_of_folds("small")
    table = rows(capsys.readouterr().out)
    assert table["0"][:2] == ["3 + 3 + 3", "0.750"]
    assert table["together"][1].startswith("0.750 ")


@pytest.mark.parametrize("command", [["folds", "absent"], ["table", "--pattern", "absent*"]])
def test_a_recipe_that_is_not_on_record_is_named(records, command):
    from typer.testing import CliRunner

    result = CliRunner().invoke(quality.app, command)
    assert result.exit_code == 2
    assert "absent" in result.output


def test_f1_of_sums():
    assert quality.f1_of([4, 2, 2.0, 1.0]) == pytest.approx(0.5)
    assert np.allclose(quality.f1_of([[0, 0, 0, 0], [1, 1, 1, 1]]), [0, 1])
