"""How good recipes are: trains them over seeds and folds, measures what they held out, and prints the table.

    python eval/quality.py run configs/mpnet.toml --seed 1 --seed 2 --fold 0
    python eval/quality.py run configs/mpnet.toml --name mpnet-fast --set optimiser.encoder_rate=5e-5
    python eval/quality.py average mpnet-soup mpnet-seed1-fold0 mpnet-seed2-fold0
    python eval/quality.py table --fold 0 --against mpnet
    python eval/quality.py folds minilm

Trainings and models lie in ``runs/quality``; a run that is done is not done again. Each run leaves its figures in
``eval/results/quality``: everything is measured on the documents that the run held out, with thresholds and
calibration chosen on the other half of them.
"""

from __future__ import annotations

import json
import platform
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from detector.cli.train import quiet_libraries, read_corpora, read_unlabelled
from detector.config import Recipe, load_recipe
from detector.corpora import Corpus
from detector.decode import Setting, decode, identify
from detector.detect import load
from detector.evaluate import Predictions, score, summary
from detector.model import load_model, save_model
from detector.spans import Document, Span
from detector.train.calibrate import PLANS, Scored, cross_fitted, fewest_words_of
from detector.train.run import average, scored_and_named, scored_documents, split_corpora, token_biases, train_once

RUNS = Path("runs/quality")
RESULTS = Path(__file__).parent / "results" / "quality"
DATA = Path(__file__).parents[2] / "shared" / "data"
UNLABELLED = Path("unlabelled", "news.jsonl")
"""Below the corpora: what a recipe's teacher labels."""
COLUMNS = {
    "SI": ("ptc", "si"),
    "FLC-14": ("ptc", "flc"),
    "TC": ("ptc", "tc"),
    "FLC-23 CheckThat!": ("checkthat", "flc"),
    "SI CheckThat!": ("checkthat", "si"),
    "SemEval-2021": ("semeval2021", "semeval2021"),
}
N_SAMPLES = 2000

app = typer.Typer(add_completion=False, help=__doc__)
DataOption = Annotated[Path, typer.Option(help="The folder of the corpora.")]


@app.command()
def run(
    recipes: Annotated[list[Path], typer.Argument(metavar="RECIPE...")],
    seed: Annotated[list[int] | None, typer.Option(help="May be repeated; the recipe's own where absent.")] = None,
    fold: Annotated[list[int] | None, typer.Option(help="May be repeated; 0 where absent.")] = None,
    change: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, in place of the recipe's.")] = None,
    name: Annotated[str | None, typer.Option(help="What a changed recipe is called.")] = None,
    data: DataOption = DATA,
) -> None:
    """Train and measure each recipe with each seed on each fold."""
    quiet_libraries()
    corpora = corpora_in(data)
    for path in recipes:
        recipe = changed(load_recipe(path), change or ())
        for one_seed in seed or recipe.seeds:
            for one_fold in fold or (0,):
                out = RUNS / f"{name or recipe.name}-seed{one_seed}-fold{one_fold}"
                started = time.monotonic()
                texts = read_unlabelled(data / UNLABELLED, skip_bad=False) if recipe.teacher.model else ()
                train_once(recipe, corpora, out, fold=one_fold, seed=one_seed, unlabelled=texts, say=print)
                model = out / "model"
                keep(out.name, name or recipe.name, measure(model, corpora, fold=one_fold), model, corpora)
                print(f"{out.name}: {time.monotonic() - started:.0f} s")
    table()


@app.command("measure")
def measure_run(
    name: Annotated[str, typer.Argument(help="What the recipe is called.")],
    run: Annotated[str, typer.Argument(help="A run that is done, as runs/quality names it.")],
    data: DataOption = DATA,
) -> None:
    """Measure a run once more."""
    quiet_libraries()
    corpora, model = corpora_in(data), RUNS / run / "model"
    fold = json.loads((model / "training.json").read_text(encoding="utf-8"))["fold"]
    keep(run, name, measure(model, corpora, fold=fold), model, corpora)
    table()


@app.command("average")
def average_runs(
    name: Annotated[str, typer.Argument(help="What the average is called.")],
    members: Annotated[list[str], typer.Argument(help="Runs over the same fold, as runs/quality names them.")],
    fold: Annotated[int, typer.Option()] = 0,
    data: DataOption = DATA,
) -> None:
    """Average the weights of runs and measure the model in 8 bits, and in 16 for comparison."""
    quiet_libraries()
    corpora = corpora_in(data)
    out = RUNS / f"{name}-fold{fold}" / "model"
    average([RUNS / member / "model" for member in members], out)
    (out / "training.json").write_text(json.dumps({"members": members, "fold": fold}) + "\n", encoding="utf-8")
    keep(f"{name}-fold{fold}", name, measure(out, corpora, fold=fold), out, corpora)
    table()


@app.command()
def bits(
    members: Annotated[list[str], typer.Argument(help="Runs over the same fold, as runs/quality names them.")],
    fold: Annotated[int, typer.Option()] = 0,
    data: DataOption = DATA,
) -> None:
    """Compare the average of runs in 8 bits with the same in 16, both at the settings chosen for the 16 bits."""
    quiet_libraries()
    corpora = corpora_in(data)
    models = {"16 bits": RUNS / "sixteen", "8 bits": RUNS / "eight"}
    average([RUNS / member / "model" for member in members], models["16 bits"], eight_bit=False)
    loaded = load_model(models["16 bits"])
    save_model(models["8 bits"], loaded.model, info=loaded.info, settings=[], tokenizer=loaded.tokenizer)
    chosen_by = models["16 bits"]
    results = {label: measure(folder, corpora, fold=fold, chosen_by=chosen_by) for label, folder in models.items()}
    for label, (metric_corpus, metric) in COLUMNS.items():
        values = {name: 100 * f1(result, metric_corpus, metric) for name, result in results.items()}
        print(f"{label}: " + ", ".join(f"{n} {v:.2f}" for n, v in values.items()), end="")
        print(f", lost {values['16 bits'] - values['8 bits']:+.2f}")


@app.command()
def table(
    against: Annotated[str | None, typer.Option(help="The recipe that the others are compared with.")] = None,
    pattern: Annotated[str, typer.Option(help="Which results.")] = "*",
    fold: Annotated[int | None, typer.Option(help="Only the runs that held out this fold.")] = None,
) -> None:
    """Print what all recorded runs measure: the mean over seeds and folds, and differences with 95 % intervals."""
    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in recorded(pattern, fold=fold):
        by_name[each["name"]].append(each)
    print("| recipe | runs | " + " | ".join(COLUMNS) + " | calibration error | minutes |")
    print("|---" * (len(COLUMNS) + 4) + "|")
    for name, group in by_name.items():
        cells = [f"{mean_f1(group, *column):.3f}" for column in COLUMNS.values()]
        minutes = np.mean([each["seconds"] / 60 for each in group])
        print(f"| {name} | {len(group)} | " + " | ".join(cells) + f" | {mean_error(group):.3f} | {minutes:.0f} |")
        if against and name != against and against in by_name:
            deltas = [difference(group, by_name[against], *column) for column in COLUMNS.values()]
            print(f"| − {against} | | " + " | ".join(deltas) + " | | |")


@app.command("folds")
def table_of_folds(name: Annotated[str, typer.Argument(help="What the recipe is called.")]) -> None:
    """Print what a recipe measures on each fold, the mean with its standard deviation, and all held-out documents.

    The last row takes the documents of all folds together, each judged by the training that had not seen it, with 95 %
    intervals over documents. So every document counts once for each seed.
    """
    runs = sorted(recorded(f"{name}-*", name=name), key=lambda each: each["fold"])
    by_fold = {each["fold"]: [other for other in runs if other["fold"] == each["fold"]] for each in runs}
    print("| fold | documents | " + " | ".join(COLUMNS) + " | calibration error |")
    print("|---" * (len(COLUMNS) + 3) + "|")
    for fold, group in by_fold.items():
        cells = [f"{mean_f1(group, *column):.3f}" for column in COLUMNS.values()]
        print(f"| {fold} | {n_documents(group)} | " + " | ".join(cells) + f" | {mean_error(group):.3f} |")
    spread = [with_spread([mean_f1(group, *column) for group in by_fold.values()]) for column in COLUMNS.values()]
    errors = with_spread([mean_error(group) for group in by_fold.values()])
    print("| mean | | " + " | ".join(spread) + f" | {errors} |")
    whole = [with_interval(document_sums(runs, *column)) for column in COLUMNS.values()]
    print(f"| together | {n_documents(runs)} | " + " | ".join(whole) + " | |")


def recorded(pattern: str, *, name: str | None = None, fold: int | None = None) -> list[dict[str, Any]]:
    """The results on record whose file names match, of one recipe or of all, of one fold or of all.

    Raises `typer.BadParameter` where there is none.
    """
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob(f"{pattern}.json"))]
    kept = [each for each in found if name in (None, each["name"]) and fold in (None, each["fold"])]
    if not kept:
        raise typer.BadParameter(f"nothing on record for {name or pattern}; {RESULTS} has the names")
    return kept


def n_documents(runs: Sequence[Mapping[str, Any]]) -> str:
    """How many documents of each corpus the runs held out."""
    return " + ".join(str(len(document_sums(runs, corpus, "si"))) for corpus in ("ptc", "checkthat", "semeval2021"))


def with_spread(values: Sequence[float]) -> str:
    """The mean of values and their standard deviation."""
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1) if len(values) > 1 else 0.0:.3f}"


def with_interval(by_document: Mapping[str, Any]) -> str:
    """F1 over documents, with a 95 % interval by bootstrap."""
    rows = np.array(list(by_document.values()))
    low, high = np.quantile(f1_of(resampled(len(rows)) @ rows), [0.025, 0.975])
    return f"{f1_of(rows.sum(axis=0)):.3f} [{low:.3f}, {high:.3f}]"


def measure(model: Path, corpora: Mapping[str, Corpus], *, fold: int, chosen_by: Path | None = None) -> dict[str, Any]:
    """What a model folder reaches on the held-out documents at each setting, cross-fitted over two halves of them.

    ``chosen_by``: another model folder, for whose scores the settings are chosen.
    """
    detector = load(model)
    chooser = load(chosen_by) if chosen_by else detector
    split = split_corpora(corpora, fold=fold)
    held_out, fewest_words = split.validation, fewest_words_of(split.training.values())
    (scored, named), biases = scored_and_named(detector, held_out), token_biases(detector)
    theirs = scored_documents(chooser, held_out) if chosen_by else scored
    own = {(s.document.id, s.inventory.name): s for part in scored.values() for s in part}
    results: dict[str, Any] = {}
    for plan in PLANS:
        chosen = cross_fitted(plan, theirs, biases, gap=detector.info.gap, fewest_words=fewest_words)
        pairs = [(own[s.document.id, s.inventory.name], setting) for s, setting in chosen]
        results[plan.name] = {}
        for name in [n for n in held_out if n in plan.chosen_on]:
            corpus, predictions = predictions_of(held_out[name], pairs, named[name], gap=detector.info.gap)
            results[plan.name][name] = summary(corpus, predictions) | {"documents": sums(corpus, predictions)}
        parts = list(results[plan.name].values())
        weights = [max(1, part["n_found"]) for part in parts]
        error = np.average([part["calibration_error"] for part in parts], weights=weights)
        results[plan.name]["calibration_error"] = round(float(error), 4)
    return results


def predictions_of(
    corpus: Corpus, pairs: Sequence[tuple[Scored, Setting]], named: Sequence[Document], *, gap: int
) -> tuple[Corpus, Predictions]:
    """The documents of a corpus among ``pairs``, as a corpus, and what is found in each at its own setting.

    ``named`` are the corpus's documents with their given spans named.
    """
    own = {document.id for document in corpus.documents}
    mine = [(s, setting) for s, setting in pairs if s.document.id in own and s.inventory == corpus.inventory]
    documents = tuple(s.document for s, _ in mine)
    by_id = {document.id: document for document in named}
    return replace(corpus, documents=documents), Predictions(
        tuple(s.document.with_spans(decode(s.document.text, s.scores, setting, gap=gap)) for s, setting in mine),
        tuple(
            s.document.with_spans(Span(a, b, "") for a, b in identify(s.document.text, s.scores, setting))
            for s, setting in mine
        ),
        tuple(by_id[document.id] for document in documents),
    )


def sums(corpus: Corpus, predictions: Predictions) -> dict[str, dict[str, list[float]]]:
    """The sums of each document by metric: n_predicted, n_gold, precision_sum, recall_sum."""
    return {
        metric: {
            document.id: [s.n_predicted, s.n_gold, round(s.precision_sum, 4), round(s.recall_sum, 4)]
            for document, s in zip(corpus.documents, parts, strict=True)
        }
        for metric, parts in score(corpus, predictions).items()
        if metric != "characters"
    }


def keep(run: str, name: str, results: Mapping[str, Any], model: Path, corpora: Mapping[str, Corpus]) -> None:
    """Writes the figures of a run."""
    record = json.loads((model / "training.json").read_text(encoding="utf-8"))
    seconds = record.get("seconds") or sum(
        json.loads((RUNS / m / "model" / "training.json").read_text(encoding="utf-8"))["seconds"]
        for m in record["members"]
    )
    row = {
        "run": run,
        "name": name,
        "fold": record["fold"],
        "seconds": seconds,
        "training": record,
        "n_documents": {corpus: len(c.documents) for corpus, c in corpora.items()},
        "versions": {p: version(p) for p in ("torch", "transformers", "tokenizers")}
        | {"python": platform.python_version()},
        "settings": results,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{run}.json").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")


def f1(results: Mapping[str, Any], corpus: str, metric: str) -> float:
    """A metric of a corpus under the setting of its own annotators."""
    return float(results[corpus][corpus]["metrics"][metric]["f1"])


def mean_f1(group: Sequence[Mapping[str, Any]], corpus: str, metric: str) -> float:
    """The mean over runs."""
    return float(np.mean([f1(each["settings"], corpus, metric) for each in group]))


def difference(group: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]], corpus: str, metric: str) -> str:
    """The difference of two recipes on the folds they share, in points, with a paired bootstrap over documents."""
    pairs = [document_sums(runs, corpus, metric) for runs in (group, other)]
    shared = sorted(pairs[0].keys() & pairs[1].keys())
    if not shared:
        return "–"
    here, there = (np.array([part[key] for key in shared]) for part in pairs)
    drawn = resampled(len(shared))
    deltas = 100 * (f1_of(drawn @ here) - f1_of(drawn @ there))
    whole = 100 * (f1_of(here.sum(axis=0)) - f1_of(there.sum(axis=0)))
    low, high = np.quantile(deltas, [0.025, 0.975])
    return f"{whole:+.1f} [{low:+.1f}, {high:+.1f}]"


def mean_error(group: Sequence[Mapping[str, Any]]) -> float:
    """The mean calibration error of the balanced setting."""
    return float(np.mean([each["settings"]["balanced"]["calibration_error"] for each in group]))


def resampled(n: int) -> Any:
    """How often each of ``n`` documents is drawn in each sample of a bootstrap: ``(N_SAMPLES, n)``."""
    return np.random.default_rng(0).multinomial(n, [1 / n] * n, size=N_SAMPLES)


def document_sums(runs: Sequence[Mapping[str, Any]], corpus: str, metric: str) -> dict[str, Any]:
    """The sums of each document, the mean over the runs that held it out."""
    collected: dict[str, list[list[float]]] = defaultdict(list)
    for each in runs:
        for id, values in each["settings"][corpus][corpus]["documents"][metric].items():
            collected[id].append(values)
    return {id: np.mean(values, axis=0) for id, values in collected.items()}


def f1_of(totals: Any) -> Any:
    """F1 from sums in the last axis, as `SpanScore` has them."""
    predicted, gold, precision, recall = np.moveaxis(np.asarray(totals, dtype=float), -1, 0)
    precision, recall = precision / np.maximum(predicted, 1), recall / np.maximum(gold, 1)
    return 2 * precision * recall / np.maximum(precision + recall, 1e-9)


def corpora_in(data: Path) -> dict[str, Corpus]:
    """The three training corpora."""
    return read_corpora(
        ptc=(data / "ptc" / "train-articles", data / "ptc" / "train-labels-19"),
        checkthat=data / "checkthat2024" / "train.jsonl",
        semeval2021=[data / "semeval2021-task6" / f"{part}_set_task2.json" for part in ("training", "dev")],
        jsonl=None,
        skip_bad=False,
    )


def changed(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """A recipe with some keys changed: ``optimiser.epochs=2``, ``texts.twins=false``, ``seeds=1,2``."""
    for change in changes:
        key, _, value = change.partition("=")
        *path, last = key.split(".")
        part = getattr(recipe, path[0]) if path else recipe
        part = replace(part, **{last: _as_kind(type(getattr(part, last)), value)})
        recipe = replace(recipe, **{path[0]: part}) if path else part
    return recipe


def _as_kind(kind: type, value: str) -> Any:
    if kind is bool:
        return {"true": True, "false": False}[value]
    return tuple(map(int, value.split(","))) if kind is tuple else kind(value)


if __name__ == "__main__":
    app()
