"""``detector evaluate``: an annotated corpus in; predictions in the task's own format, scores and a table out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detector.cli import streams
from detector.cli.annotate import load_detector
from detector.cli.corpus import (
    ArticlesOption,
    CorpusFormat,
    FileOption,
    LabelsOption,
    SkipBadOption,
    read_corpus,
)
from detector.cli.options import BackendOption
from detector.errors import CorpusError, InputError, ModelError
from detector.report.wording import counted

if TYPE_CHECKING:
    from detector.corpora import Corpus
    from detector.detect import Detector
    from detector.evaluate import Predictions

MODEL_HELP = "A model folder in place of the shipped model."


def command(
    corpus: Annotated[CorpusFormat, typer.Option(help="The format of the corpus.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where predictions and metrics go.", show_default=False)],
    articles: ArticlesOption = None,
    labels: LabelsOption = None,
    file: FileOption = None,
    strictness: Annotated[
        str | None,
        typer.Option(help="strict, balanced, sensitive, or a training corpus; by default the one of the format."),
    ] = None,
    fold: Annotated[
        int | None,
        typer.Option(min=0, max=4, help="Only the fifth that `train --fold` holds out.", show_default=False),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="DIR", help=MODEL_HELP, show_default=False)] = None,
    backend: BackendOption = None,
    skip_bad: SkipBadOption = False,
) -> None:
    """Score the detector on an annotated corpus, and write its predictions as the task wants them.

    ptc: si.tsv, flc.tsv, tc.tsv (14 techniques); semeval2021: predictions.json; jsonl: predictions.jsonl (23). All of
    them: metrics.json. Every annotated span is also named by the span head (TC).
    """
    gold = read_corpus(corpus, articles=articles, labels=labels, files=file, skip_bad=skip_bad)
    if fold is not None:
        gold = fold_of(gold, fold)
    if not gold.documents:
        raise CorpusError(f"{corpus}: no documents to score; check the paths")
    make_folder(out)
    if fold is not None:
        warn_of_training(model, fold)
    detector = load_detector(model, backend=backend)
    with refused(f"--out {out}"):
        results = evaluate(detector, gold, out, strictness=strictness)
    streams.emit(table(results))


def evaluate(detector: Detector, corpus: Corpus, out: Path, *, strictness: str | None) -> dict[str, Any]:
    """Writes predictions and ``metrics.json`` to ``out`` and returns what is in the latter."""
    from detector import __version__
    from detector.evaluate import habits_of, predict, summary

    habits = habits_of(detector, corpus)
    setting = detector.setting(strictness or habits or "balanced")
    predictions = predict(detector, corpus, setting=setting, habits=habits)
    write_predictions(out, corpus, predictions)
    provenance = {
        "version": __version__,
        "model": {"name": detector.name, "hash": detector.model_hash},
        "strictness": setting.name,
        "corpus": corpus.name,
    }
    results = provenance | summary(corpus, predictions)
    (out / "metrics.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results


def write_predictions(out: Path, corpus: Corpus, predictions: Predictions) -> None:
    """Writes the predictions in the format of the corpus."""
    from detector import corpora
    from detector.evaluate import scoring_inventory

    names = scoring_inventory(corpus)
    if corpus.name == CorpusFormat.PTC:
        corpora.write_si(out / "si.tsv", predictions.identified)
        corpora.write_flc(out / "flc.tsv", predictions.found, names)
        corpora.write_tc(out / "tc.tsv", predictions.named, names)
    elif corpus.name == CorpusFormat.SEMEVAL2021:
        corpora.write_semeval2021(out / "predictions.json", predictions.found)
    else:
        corpora.write_jsonl(out / "predictions.jsonl", predictions.found, with_text=False)


def fold_of(corpus: Corpus, fold: int) -> Corpus:
    """The documents of one fifth of a corpus, as training splits it."""
    from detector.corpora import folds

    kept = tuple(d for d, f in zip(corpus.documents, folds(corpus.documents), strict=True) if f == fold)
    return replace(corpus, documents=kept)


def warn_of_training(model: str | None, fold: int) -> None:
    """A warning where the model's training did not leave out this fold: such figures flatter."""
    from detector.detect import find_model
    from detector.folder import held_out_fold

    try:
        held_out = held_out_fold(find_model(model))
    except ModelError as error:
        streams.say(f"warning: {error}")
        return
    if held_out != fold:
        streams.say(f"warning: fold {fold} is not the one that this model's training left out ({held_out})")


@contextmanager
def refused(place: str) -> Iterator[None]:
    """Raises InputError where a result cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{place}: cannot be written ({error.strerror}): name another place") from None


def make_folder(folder: Path) -> None:
    """Makes the folder where there is none; raises InputError where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {folder}: cannot be made a folder ({error.strerror}); name another") from None


def table(results: dict[str, Any]) -> str:
    """The scores for people to read: a line a metric, then a line a technique for the metrics that tell them apart."""
    lines = [
        f"{results['corpus']}: {counted(results['n_documents'], 'document')}, {counted(results['n_spans'], 'span')}; "
        f"{results['model']['name']}, strictness {results['strictness']}",
        "",
        f"{'metric':<12}{'F1':>7}  {'95 % interval':<15}{'P':>7}{'R':>7}",
    ]
    for name, scores in results["metrics"].items():
        low, high = scores["interval"]
        interval = f"{low:.3f}–{high:.3f}"
        lines.append(
            f"{_title(name):<12}{scores['f1']:7.3f}  {interval:<15}{scores['precision']:7.3f}{scores['recall']:7.3f}"
        )
    lines += ["", f"calibration error {results['calibration_error']:.3f} over {results['n_found']} found spans", ""]
    return "\n".join(lines) + "\n" + _technique_table(results["metrics"])


def _technique_table(metrics: dict[str, Any]) -> str:
    """F1 of found spans by technique with precision, recall and counts, and of naming given spans."""
    found, named = metrics["flc"]["techniques"], metrics["tc"]["techniques"]
    width = max((len(name) for name in found), default=9) + 2
    lines = [f"{'technique':<{width}}{'gold':>6}{'found':>7}{'P':>7}{'R':>7}{'FLC':>7}{'TC':>7}"]
    for name in sorted(found, key=lambda name: (-found[name]["n_gold"], name)):
        part, tc = found[name], named.get(name)
        numbers = f"{part['precision']:7.3f}{part['recall']:7.3f}{part['f1']:7.3f}"
        tc_f1 = f"{tc['f1']:7.3f}" if tc else f"{'–':>7}"
        lines.append(f"{name:<{width}}{part['n_gold']:6d}{part['n_predicted']:7d}{numbers}{tc_f1}")
    return "\n".join(lines) + "\n"


def _title(metric: str) -> str:
    return metric if metric in {"characters", "semeval2021"} else metric.upper()
