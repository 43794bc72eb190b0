"""One training run from corpora to a model folder, and the calibration of a model that is already trained."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from detector.backends.torch import TorchBackend
from detector.config import Recipe
from detector.corpora import Corpus, folds
from detector.decode import Setting, decode, identify
from detector.detect import Detector
from detector.evaluate import scoring_inventory, scoring_names
from detector.metrics import SpanScore, calibration_error, flc, is_right, named_ranges, score_documents, si, tc
from detector.model import ModelInfo, RhetoricModel, load_model, save_model, save_settings
from detector.train.calibrate import PLANS, Scored, SettingPlan, cross_fitted, make_setting
from detector.train.card import card
from detector.train.encoders import load_encoder
from detector.train.features import Collator, make_dataset
from detector.train.loop import Progress, TrainingModule, bfloat16_is_fast, fit

N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Split:
    """The documents of each corpus to train on, and those to validate on."""

    training: Mapping[str, Corpus]
    validation: Mapping[str, Corpus]


def split_corpora(corpora: Mapping[str, Corpus], *, fold: int, seed: int = 0) -> Split:
    """Each corpus cut in `N_FOLDS` by a hash of document ids, near-duplicates kept together; one fold validates."""
    parts: dict[bool, dict[str, Corpus]] = {True: {}, False: {}}
    for name, corpus in corpora.items():
        held_out = [f == fold for f in folds(corpus.documents, n_folds=N_FOLDS, seed=seed)]
        for side in (True, False):
            kept = tuple(d for d, out in zip(corpus.documents, held_out, strict=True) if out == side)
            parts[side][name] = replace(corpus, documents=kept)
    return Split(parts[False], parts[True])


def train(
    recipe: Recipe,
    corpora: Mapping[str, Corpus],
    out: Path,
    *,
    fold: int = 0,
    seed: int | None = None,
    say: Progress = lambda line: None,
) -> dict[str, Any]:
    """Trains a recipe on four folds of the corpora and writes the model folder ``out/model``; returns the record.

    The record, also in ``training.json`` there, has the scores on the fifth fold after each epoch. Checkpoints lie in
    ``out/checkpoints``: the same call goes on where a stopped one was.
    """
    started = time.time()
    seed = recipe.seed if seed is None else seed
    torch.manual_seed(seed)
    encoder, tokenizer, special = load_encoder(recipe.encoder.name)
    info = ModelInfo(
        name=f"rhetoric-{recipe.name}",
        encoder=recipe.encoder.name,
        corpora=tuple(corpora),
        window=recipe.encoder.window - 2,
        overlap=recipe.encoder.overlap,
        gap=recipe.gap,
        **special,
    )
    model = RhetoricModel(encoder, n_corpora=len(corpora), dropout=recipe.encoder.dropout)
    split = split_corpora(corpora, fold=fold)
    detector = Detector(TorchBackend(model, info, bfloat16=bfloat16_is_fast()), info, tokenizer, {}, "")
    dataset = make_dataset(split.training, tokenizer, info)
    say(f"{len(dataset)} windows of {sum(len(c.documents) for c in split.training.values())} documents")
    epochs = fit(
        TrainingModule(model, recipe.loss),
        recipe,
        dataset,
        Collator(info),
        folder=out / "checkpoints",
        validate=lambda: validation_scores(detector, split.validation),
        seed=seed,
        say=say,
    )
    save_model(out / "model", model, info=info, settings=[], tokenizer=tokenizer)
    record = {
        "recipe": asdict(recipe),
        "seed": seed,
        "fold": fold,
        "n_documents": {n: [len(split.training[n].documents), len(c.documents)] for n, c in split.validation.items()},
        "epochs": epochs,
        "seconds": round(time.time() - started),
        "torch": torch.__version__,
    }
    write_record(out / "model", record)
    return calibrate(out / "model", corpora, fold=fold, say=say)


def calibrate(
    folder: Path, corpora: Mapping[str, Corpus], *, fold: int = 0, say: Progress = lambda line: None
) -> dict[str, Any]:
    """Chooses the settings of a model folder on the validation fold and writes them, its record and its card.

    The weights stay as they are. Returns the record, with what each setting measures under ``validation``.
    """
    loaded = load_model(folder)
    detector = Detector.from_folder(loaded)
    validation = split_corpora(corpora, fold=fold).validation
    scored, biases, gap = scored_documents(detector, validation), token_biases(detector), detector.info.gap
    settings, measured = [], {}
    for plan in PLANS:
        measured[plan.name] = measure(cross_fitted(plan, scored, biases, gap=gap), gap=gap)
        found = measured[plan.name]["flc"]
        setting = make_setting(plan, scored, biases, gap=gap)
        settings.append(replace(setting, precision=found["precision"], recall=found["recall"]))
        say(f"{plan.name}: precision {found['precision']:.3f}, recall {found['recall']:.3f}, F1 {found['f1']:.3f}")
    save_settings(folder, settings)
    record = read_record(folder) | {"validation": measured}
    write_record(folder, record)
    (folder / "README.md").write_text(card(loaded.info, record), encoding="utf-8")
    return record


def measure(pairs: Sequence[tuple[Scored, Setting]], *, gap: int) -> dict[str, Any]:
    """Identification and spans with techniques of documents at the setting that comes with each, and calibration.

    PTC is scored by its 14 names, other corpora by their own.
    """
    identified, found = SpanScore(), SpanScore()
    confidences: list[float] = []
    outcomes: list[bool] = []
    for scored, setting in pairs:
        document, names = scored.document, scoring_names(scored.inventory)
        spans = decode(document.text, scored.scores, setting, gap=gap)
        ranges = [("", start, end) for start, end in identify(document.text, scored.scores, setting, gap=gap)]
        identified += si(named_ranges(document), ranges)
        found += flc(named_ranges(document, names), named_ranges(document.with_spans(spans), names))
        gold = named_ranges(document)
        for span in spans:
            if span.technique in scored.inventory.annotated:
                confidences.append(span.confidence)
                outcomes.append(is_right(gold, (span.technique, span.start, span.end)))
    return {
        "n_documents": len(pairs),
        "si": _numbers(identified),
        "flc": _numbers(found),
        "calibration_error": round(calibration_error(confidences, outcomes).error, 4),
        "likely": _share([o for c, o in zip(confidences, outcomes, strict=True) if c >= 0.5]),
        "possible": _share([o for c, o in zip(confidences, outcomes, strict=True) if c < 0.5]),
    }


def read_record(folder: Path) -> dict[str, Any]:
    """The training record of a model folder; empty where there is none."""
    path = folder / "training.json"
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return record


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Writes ``training.json``."""
    (folder / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _numbers(part: SpanScore) -> dict[str, float]:
    return {"precision": round(part.precision, 4), "recall": round(part.recall, 4), "f1": round(part.f1, 4)}


def _share(outcomes: Sequence[bool]) -> dict[str, Any]:
    return {"n": len(outcomes), "right": round(sum(outcomes) / len(outcomes), 4) if outcomes else None}


def scored_documents(detector: Detector, corpora: Mapping[str, Corpus]) -> dict[str, list[Scored]]:
    """The documents of each corpus with the model's scores."""
    return {
        name: [Scored(document, scores, corpus.inventory) for document, scores in detector.score(corpus.documents)]
        for name, corpus in corpora.items()
    }


def token_biases(detector: Detector) -> dict[str, Any]:
    """The token head's bias ``(24,)`` of each training corpus."""
    return {name: detector.backend.token_bias(name) for name in detector.info.corpora}


def validation_scores(detector: Detector, validation: Mapping[str, Corpus]) -> dict[str, float]:
    """SI, FLC and TC of each validation corpus under its own bias, thresholds chosen on the same documents.

    ``score`` is the mean of the first corpus's three: what the best epoch is chosen by.
    """
    scored, biases, gap = scored_documents(detector, validation), token_biases(detector), detector.info.gap
    scores: dict[str, float] = {}
    for name, corpus in validation.items():
        plan = SettingPlan(name, follows=(name,), chosen_on=(name,), beta=1.0)
        setting = make_setting(plan, scored, biases, gap=gap)
        measured = measure([(document, setting) for document in scored[name]], gap=gap)
        named = [detector.classify(d, corpus=name, within=scoring_inventory(corpus)) for d in corpus.documents]
        scores |= {f"{name}_{metric}": measured[metric]["f1"] for metric in ("si", "flc")}
        scores[f"{name}_tc"] = sum(
            score_documents(tc, corpus.documents, named, inventory=scoring_inventory(corpus)), SpanScore()
        ).f1
    first = next(iter(validation))
    scores["score"] = sum(scores[f"{first}_{metric}"] for metric in ("si", "flc", "tc")) / 3
    return scores
