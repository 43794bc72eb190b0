"""What a training on all documents brings, and whether it may keep the settings of one that held some out.

    python eval/refit.py configs/minilm.toml --name minilm-fair --fold 0 --fold 1

Such a model cannot be measured, so the step before it is taken twice. For each fold, one training leaves out two folds,
this one and the next, and chooses its settings on the next. At these settings it is compared, on the documents of this
fold, with the training that left out this fold alone and learned from the next: four folds in place of three, as all
five are in place of four. Trainings lie in ``runs/quality``; those of four folds are the ones of ``quality.py run``.
Writes ``eval/results/refit-NAME.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from quality import (
    COLUMNS,
    DATA,
    RUNS,
    DataOption,
    corpora_in,
    f1_of,
    predictions_of,
    resampled,
    sums,
)

from detector.cli.train import quiet_libraries
from detector.config import Recipe, load_recipe
from detector.corpora import Corpus
from detector.decode import Setting
from detector.detect import Detector, load
from detector.evaluate import summary
from detector.train.calibrate import PLANS, make_setting
from detector.train.run import (
    N_FOLDS,
    scored_and_named,
    scored_documents,
    split_corpora,
    token_biases,
    train_once,
)

RESULTS = Path(__file__).parent / "results"
FEWER, MORE = "three folds", "four folds"


def main(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE")],
    name: Annotated[str | None, typer.Option(help="What quality.py called it, where not by its own name.")] = None,
    fold: Annotated[list[int] | None, typer.Option(help="May be repeated; all where absent.")] = None,
    seed: Annotated[int | None, typer.Option(help="The recipe's first where absent.")] = None,
    data: DataOption = DATA,
) -> None:
    """Train what is missing, print both and the difference, and record the figures."""
    quiet_libraries()
    chosen, corpora = load_recipe(recipe), corpora_in(data)
    called, one_seed = name or chosen.name, chosen.seeds[0] if seed is None else seed
    folds = fold or list(range(N_FOLDS))
    by_fold = {each: both(chosen, corpora, f"{called}-seed{one_seed}", fold=each, seed=one_seed) for each in folds}
    result = {"name": called, "seed": one_seed, "folds": by_fold}
    path = RESULTS / f"refit-{called}.json"
    path.write_text(json.dumps(result, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(by_fold))
    print(f"written to {path}")


def both(recipe: Recipe, corpora: Mapping[str, Corpus], run: str, *, fold: int, seed: int) -> dict[str, Any]:
    """What a training of three folds and one of four measure on the same documents at the settings of the first."""
    outer, following = split_corpora(corpora, fold=fold), (fold + 1) % N_FOLDS
    out = RUNS / f"{run}-fold{fold}"
    train_once(recipe, corpora, out, fold=fold, seed=seed, say=print)
    without_two = out.with_name(f"{out.name}-{following}")
    train_once(recipe, outer.training, without_two, fold=following, seed=seed, say=print)
    models = {FEWER: load(without_two / "model"), MORE: load(out / "model")}
    settings = own_settings(models[FEWER], split_corpora(outer.training, fold=following).validation)
    return {label: measured(model, outer.validation, settings) for label, model in models.items()}


def own_settings(model: Detector, corpora: Mapping[str, Corpus]) -> dict[str, Setting]:
    """The setting for the annotators of each corpus, chosen on all these documents."""
    scored, biases = scored_documents(model, corpora), token_biases(model)
    return {plan.name: make_setting(plan, scored, biases, gap=model.info.gap) for plan in PLANS if plan.name in corpora}


def measured(model: Detector, corpora: Mapping[str, Corpus], settings: Mapping[str, Setting]) -> dict[str, Any]:
    """The sums of each document by metric, the number of findings and the calibration error, by corpus."""
    scored, named = scored_and_named(model, corpora)
    results = {}
    for name, corpus in corpora.items():
        pairs = [(each, settings[name]) for each in scored[name]]
        judged, predictions = predictions_of(corpus, pairs, named[name], gap=model.info.gap)
        whole = summary(judged, predictions)
        results[name] = {
            "documents": sums(judged, predictions),
            "n_found": whole["n_found"],
            "calibration_error": whole["calibration_error"],
        }
    return results


def table(by_fold: Mapping[int, Mapping[str, Any]]) -> str:
    """F1 of both over the documents of all folds together, and the difference in points with its 95 % interval."""
    lines = [f"| trained on | {' | '.join(COLUMNS)} | findings | calibration error, PTC |"]
    lines.append("|---" * (len(COLUMNS) + 3) + "|")
    for label in (FEWER, MORE):
        cells = [f"{f1_of(rows(by_fold, label, *column).sum(axis=0)):.3f}" for column in COLUMNS.values()]
        n_found = sum(part["n_found"] for fold in by_fold.values() for part in fold[label].values())
        error = np.mean([fold[label]["ptc"]["calibration_error"] for fold in by_fold.values()])
        lines.append(f"| {label} | {' | '.join(cells)} | {n_found} | {error:.3f} |")
    deltas = [difference(by_fold, *column) for column in COLUMNS.values()]
    return "\n".join([*lines, f"| difference | {' | '.join(deltas)} | | |"])


def difference(by_fold: Mapping[int, Mapping[str, Any]], corpus: str, metric: str) -> str:
    """The gain of the fourth fold in points, with a paired bootstrap over documents."""
    here, there = (rows(by_fold, label, corpus, metric) for label in (MORE, FEWER))
    drawn = resampled(len(here))
    low, high = np.quantile(100 * (f1_of(drawn @ here) - f1_of(drawn @ there)), [0.025, 0.975])
    whole = 100 * (f1_of(here.sum(axis=0)) - f1_of(there.sum(axis=0)))
    return f"{whole:+.1f} [{low:+.1f}, {high:+.1f}]"


def rows(by_fold: Mapping[int, Mapping[str, Any]], label: str, corpus: str, metric: str) -> Any:
    """The sums of all documents of a corpus ``(n_documents, 4)``, in the same order for both labels."""
    parts = [fold[label][corpus]["documents"][metric] for fold in by_fold.values()]
    return np.array([part[id] for part in parts for id in sorted(part)])


if __name__ == "__main__":
    typer.run(main)
