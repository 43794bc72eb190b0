"""One training run from corpora to a model folder, and the calibration of a model that is already trained."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from detector.backends.torch import TorchBackend
from detector.config import Recipe
from detector.corpora import Corpus, folds
from detector.decode import Setting
from detector.detect import Detector
from detector.evaluate import predict, score, total
from detector.model import ModelInfo, RhetoricModel, save_model
from detector.train.calibrate import Scored, make_settings
from detector.train.encoders import load_encoder
from detector.train.features import Collator, make_dataset
from detector.train.loop import Progress, TrainingModule, fit

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

    The record, also in ``out/training.json``, has the scores on the fifth fold after each epoch. Checkpoints lie in
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
    detector = Detector(TorchBackend(model, info), info, tokenizer, {}, "")
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
    settings = calibrated(detector, split.validation)
    save_model(out / "model", model, info=info, settings=settings, tokenizer=tokenizer)
    record = {
        "recipe": asdict(recipe),
        "seed": seed,
        "fold": fold,
        "n_documents": {n: [len(split.training[n].documents), len(c.documents)] for n, c in split.validation.items()},
        "epochs": epochs,
        "seconds": round(time.time() - started),
        "torch": torch.__version__,
    }
    (out / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


def calibrated(detector: Detector, validation: Mapping[str, Corpus]) -> list[Setting]:
    """The settings of a detector's model, chosen on validation documents."""
    return make_settings(scored_documents(detector, validation), token_biases(detector), gap=detector.info.gap)


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
    scored = scored_documents(detector, validation)
    settings = {s.name: s for s in make_settings(scored, token_biases(detector), gap=detector.info.gap)}
    scores: dict[str, float] = {}
    for name, corpus in validation.items():
        setting = settings.get(name, settings["balanced"])
        parts = score(corpus, predict(detector, corpus, setting=setting, habits=name))
        scores |= {f"{name}_{metric}": total(parts[metric]).f1 for metric in ("si", "flc", "tc")}
    first = next(iter(validation))
    scores["score"] = sum(scores[f"{first}_{metric}"] for metric in ("si", "flc", "tc")) / 3
    return scores
