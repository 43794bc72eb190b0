"""One training run from corpora to a model folder, and the calibration of a model that is already trained."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from detector.backends.torch import TorchBackend
from detector.config import Recipe
from detector.corpora import Corpus, folds, near_duplicates, read_jsonl
from detector.decode import Setting
from detector.detect import Detector, find_model, load
from detector.errors import ConfigError, ModelError
from detector.evaluate import scoring_inventory
from detector.folder import learned_from, read_folder, read_record
from detector.likeness import Likeness, save_likeness
from detector.metrics import SpanScore, score_documents, tc
from detector.model import load_model, save_model, save_settings
from detector.spans import Document
from detector.techniques import members
from detector.train.calibrate import PLANS, Scored, SettingPlan, cross_fitted, fewest_words_of, make_setting
from detector.train.card import card
from detector.train.features import Collator, make_dataset
from detector.train.frozen import LowerOutputs, above, lower_outputs, numbered
from detector.train.likeness import check_texts, training_likeness
from detector.train.loop import Progress, TrainingModule, bfloat16_is_fast, fit, training_device
from detector.train.measure import Judged, judge, measure, random_errors, technique_scores
from detector.train.precede import precede_corpora
from detector.train.resume import check_begun, ingredients, read_spent, recorded, write_begun, write_spent, write_whole
from detector.train.shrink import shrink
from detector.train.start import is_ours, starting_model
from detector.train.swap import swap_corpora, swap_names
from detector.train.teacher import LABELS, taught_rows

N_FOLDS = 5
HELD_OUT = "held-out"
ENOUGH_HELD_OUT = 20
"""Fewer documents say little about thresholds, of which there are two for each technique."""
"""The folder of the model that a fold was held out of, beside the one that was then trained on all documents."""
DETAILED = "balanced"
"""The setting whose techniques and errors are recorded."""

_BRIEF = ("recipe", "seed", "seeds", "fold", "n_documents", "refit", "epochs", "seconds", "teacher", "start")


@dataclass(frozen=True, slots=True)
class Split:
    """The documents of each corpus to train on, and those to validate on."""

    training: Mapping[str, Corpus]
    validation: Mapping[str, Corpus]


def split_corpora(corpora: Mapping[str, Corpus], *, fold: int | None, seed: int = 0) -> Split:
    """Each corpus cut in `N_FOLDS` by a hash of document ids, near-duplicates kept together; one fold validates.

    Without a fold, nothing validates.
    """
    parts: dict[bool, dict[str, Corpus]] = {True: {}, False: {}}
    for name, corpus in corpora.items():
        held_out = [f == fold for f in folds(corpus.documents, n_folds=N_FOLDS, seed=seed)]
        for side in (True, False):
            kept = tuple(d for d, out in zip(corpus.documents, held_out, strict=True) if out == side)
            parts[side][name] = replace(corpus, documents=kept)
    return Split(parts[False], parts[True])


def _split_with_both(corpora: Mapping[str, Corpus], fold: int) -> Split:
    """The split of a fold; raises `ConfigError` where one side is empty or there are too few texts to train on."""
    split = split_corpora(corpora, fold=fold)
    n_left, n_held_out = (sum(len(c.documents) for c in side.values()) for side in (split.training, split.validation))
    if not n_left or not n_held_out:
        told = f"fold {fold} holds out {n_held_out} of {n_left + n_held_out} documents"
        raise ConfigError(f"{told}: take another fold, or more documents")
    check_texts(split.training)
    return split


def train(
    recipe: Recipe,
    corpora: Mapping[str, Corpus],
    out: Path,
    *,
    fold: int = 0,
    unlabelled: Sequence[Document] = (),
    say: Progress = lambda line: None,
) -> dict[str, Any]:
    """Makes a model by its recipe and writes the model folder ``out/model``; returns its record.

    A training for each of the recipe's seeds on four folds of the corpora; thresholds and calibration of their
    average are chosen on the fifth. With ``refit``, this model is in ``out/held-out``, and that in ``out/model`` is the
    average of trainings on all folds with the seeds in ``refit``, at the same settings. Each training has a folder of
    its own in ``out``, with checkpoints: the same call goes on where a stopped one was. The recipe's teacher labels the
    ``unlabelled`` documents. Raises `ConfigError` where nothing is held out, or nothing is left to learn from.
    """
    _split_with_both(corpora, fold)
    refit = replace(recipe, encoder=replace(recipe.encoder, name=recipe.encoder.refit or recipe.encoder.name))
    if recipe.refit and recipe.encoder.refit:
        starting_model(refit, tuple(corpora))  # what is wrong with it is told now, and not when hours have passed
    model, held_out = out / "model", out / (HELD_OUT if recipe.refit else "model")
    folders = {out / f"seed-{seed}-fold-{fold}": seed for seed in recipe.seeds}
    records = [_train_in(folder, recipe, corpora, unlabelled, seed, fold, say) for folder, seed in folders.items()]
    average([folder / "model" for folder in folders], held_out, start=_start(recipe))
    seconds = sum(record["seconds"] for record in records)
    write_record(held_out, {**records[0], "seeds": list(recipe.seeds), "seconds": seconds})
    record = calibrate(held_out, corpora, fold=fold, say=say)
    if recipe.refit:
        folders = {out / f"seed-{seed}-all": seed for seed in recipe.refit}
        records = [_train_in(folder, refit, corpora, unlabelled, seed, None, say) for folder, seed in folders.items()]
        settings = read_folder(held_out).settings
        average([folder / "model" for folder in folders], model, settings=settings, start=_start(refit))
        record |= {"refit": _refit_record(refit, corpora, records, held_out)}
        write_record(model, record)
        write_likeness(model, corpora, fold=fold, say=say)
        write_card(model)
    return record


def _refit_record(
    recipe: Recipe, corpora: Mapping[str, Corpus], records: Sequence[Mapping[str, Any]], held_out: Path
) -> dict[str, Any]:
    """What the record of a model trained on all documents adds to that of the one that held some out."""
    return {
        "seeds": list(recipe.refit),
        "n_documents": {name: len(corpus.documents) for name, corpus in corpora.items()},
        "seconds": sum(record["seconds"] for record in records),
        "held_out": read_folder(held_out).hash,
        **({"start": records[0]["start"]} if "start" in records[0] else {}),
    }


def average(
    folders: Sequence[Path],
    out: Path,
    *,
    settings: Mapping[str, Setting] | None = None,
    eight_bit: bool = True,
    start: Path | None = None,
) -> None:
    """Writes the model folder ``out`` with the mean of the weights of models that were trained alike.

    In 8 bits it is also shrunk, as models are that ship. They have to start from the same encoder and heads: then their
    mean is a model too, and mostly a better one than each (Wortsman et al. 2022, "Model soups"). What stayed as it was
    in the model in ``start`` but for its rounding to 16 bits, such as frozen layers, becomes the same as there.
    """
    loaded = [load_model(folder) for folder in folders]
    first = loaded[0]
    states = [each.model.state_dict() for each in loaded]
    mean = {
        name: torch.stack([state[name].float() for state in states]).mean(dim=0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }
    before = load_model(start).model.state_dict() if start else {}
    mean |= {name: value for name, value in before.items() if _differs_by_rounding(value, mean.get(name))}
    first.model.load_state_dict(mean)
    tokenizer, info = shrink(first.model, first.tokenizer, first.info) if eight_bit else (first.tokenizer, first.info)
    kept = list((settings or {}).values())
    save_model(out, first.model, info=info, settings=kept, tokenizer=tokenizer, eight_bit=eight_bit)


def _differs_by_rounding(exact: torch.Tensor, other: torch.Tensor | None) -> bool:
    return other is not None and exact.shape == other.shape and torch.equal(exact.bfloat16(), other.bfloat16())


def _start(recipe: Recipe) -> Path | None:
    """The model of ours that a recipe's trainings go on from, if they do."""
    goes_on = is_ours(recipe.encoder.name) and not recipe.encoder.restart
    return find_model(recipe.encoder.name) if goes_on else None


def _train_in(
    folder: Path,
    recipe: Recipe,
    corpora: Mapping[str, Corpus],
    unlabelled: Sequence[Document],
    seed: int,
    fold: int | None,
    say: Progress,
) -> dict[str, Any]:
    say(f"seed {seed}, " + ("on all documents" if fold is None else f"without fold {fold}"))
    return train_once(recipe, corpora, folder, fold=fold, seed=seed, unlabelled=unlabelled, say=say)


def train_once(
    recipe: Recipe,
    corpora: Mapping[str, Corpus],
    out: Path,
    *,
    fold: int | None,
    seed: int,
    unlabelled: Sequence[Document] = (),
    say: Progress = lambda line: None,
) -> dict[str, Any]:
    """Trains a recipe with one seed and writes ``out/model``, in 16 bits and without settings; returns its record.

    ``fold`` is left out of the training and scored after each epoch; None trains on all documents. A training that is
    done is not done again, and one that was stopped goes on from its last checkpoint in ``out/checkpoints``;
    `ConfigError` where it was begun by another recipe, or with other documents, or these have no words.
    """
    split, checkpoints = split_corpora(corpora, fold=fold), out / "checkpoints"
    documents = {name: corpus.documents for name, corpus in split.training.items()}
    now = ingredients(recipe, {**documents, "unlabelled": unlabelled})
    check_begun(out, now)
    if (out / "model" / "training.json").is_file():
        _tidy(out)
        return read_record(out / "model")
    started = time.time() - read_spent(checkpoints)
    model, info, tokenizer = starting_model(recipe, tuple(corpora))
    backend = TorchBackend(model, info, device=training_device(), bfloat16=bfloat16_is_fast())
    detector = Detector(backend, info, tokenizer, {}, "")
    texts, twin_seed = training_texts(recipe, split.training, seed=seed), seed if recipe.texts.twins else None
    teacher, unlabelled = _teacher(recipe, unlabelled), _unlike(unlabelled, split.validation)
    learned = (*unlabelled, *(document for corpus in texts.values() for document in corpus.documents))
    if not any(len(detector.tokenize(document.text)) for document in learned):
        raise ConfigError("the corpora: no text that would be learned from has a word: give others, or a larger share")
    write_begun(out, now)
    taught: Iterable[dict[str, Any]] = ()
    if teacher:
        say(f"{teacher.name} labels {len(unlabelled)} texts")
        taught = taught_rows(
            unlabelled, teacher, split.training, tokenizer, info, swap=recipe.texts.swap, seed=seed, folder=out
        )
    dataset = make_dataset(texts, tokenizer, info, twin_seed=twin_seed, taught=taught)
    say(f"{len(dataset)} windows of {sum(len(c.documents) for c in split.training.values())} documents")
    trained, collator = model, Collator(info)
    batches: Collator | LowerOutputs = collator
    if frozen := recipe.encoder.frozen:
        say(f"the {frozen} lowest layers run once over all windows")
        dataset = numbered(dataset)
        trained, batches = above(model, frozen), lower_outputs(model, frozen, dataset, collator, out / "lower.npy")
    epochs = fit(
        TrainingModule(trained, recipe.loss),
        recipe,
        dataset,
        batches,
        folder=checkpoints,
        validate=None if fold is None else lambda: validation_scores(detector, split.validation),
        seed=seed,
        say=say,
        saved=lambda: write_spent(checkpoints, time.time() - started),
    )
    save_model(out / "model", model, info=info, settings=[], tokenizer=tokenizer, eight_bit=False)
    record = {
        "recipe": recorded(recipe),
        "seed": seed,
        "fold": fold,
        "n_documents": {n: [len(split.training[n].documents), len(c.documents)] for n, c in split.validation.items()},
        "epochs": epochs,
        "seconds": round(time.time() - started),
        "torch": torch.__version__,
    }
    if teacher:
        of_teacher = {"name": teacher.name, "hash": teacher.model_hash, "n_texts": len(unlabelled)}
        record["teacher"] = of_teacher | _brief_record(recipe.teacher.model)
    if is_ours(recipe.encoder.name):
        record["start"] = _brief_record(recipe.encoder.name)
    write_record(out / "model", record)
    _tidy(out)
    return record


def _tidy(folder: Path) -> None:
    """Removes what a training needs only until it is done."""
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    for name in ("lower.npy", LABELS):
        (folder / name).unlink(missing_ok=True)


def _brief_record(model: str) -> dict[str, Any]:
    """What the record of a training keeps of the record of a model that it started from, or was taught by."""
    record = read_record(find_model(model))
    return {key: record[key] for key in _BRIEF if key in record}


def _teacher(recipe: Recipe, unlabelled: Sequence[Document]) -> Detector | None:
    """The recipe's teacher, if it has one; `ConfigError` where that has nothing to label, or texts have no teacher."""
    if recipe.teacher.model and not unlabelled:
        raise ConfigError("teacher.model: it has no texts to label; name some (--unlabelled)")
    if unlabelled and not recipe.teacher.model:
        raise ConfigError("--unlabelled: the recipe has no teacher to label these; set teacher.model in it")
    return load(recipe.teacher.model) if recipe.teacher.model else None


def _unlike(documents: Sequence[Document], held_out: Mapping[str, Corpus]) -> Sequence[Document]:
    """Those of the documents that are no near-duplicates of any held-out one."""
    others = [document for corpus in held_out.values() for document in corpus.documents]
    pairs = near_duplicates([*others, *documents]) if documents and others else []
    like = {second - len(others) for first, second in pairs if first < len(others) <= second}
    return [document for i, document in enumerate(documents) if i not in like]


def training_texts(recipe: Recipe, corpora: Mapping[str, Corpus], *, seed: int) -> dict[str, Corpus]:
    """The documents to train on, as a recipe wants them, and texts that were written for it.

    Those are dealt to the corpora in turn: as a corpus of their own, its bias would say how much is found there. Where
    names are swapped, there is a second copy of each of them, with other names.
    """
    texts = _drawn(corpora, share=recipe.texts.share, seed=seed)
    texts = precede_corpora(texts, share=recipe.texts.preceded, seed=seed)
    texts = swap_corpora(texts, share=recipe.texts.swap, seed=seed)
    for path in (recipe.texts.fine, recipe.texts.examples):
        written = _written(path)
        if recipe.texts.swap:
            written += tuple(swap_names(document, random.Random(f"{seed}:{document.id}")) for document in written)
        texts = _dealt(texts, written)
    return texts


def _drawn(corpora: Mapping[str, Corpus], *, share: float, seed: int) -> Mapping[str, Corpus]:
    """The corpora with about this share of their documents; seed and id decide which."""
    if share >= 1:
        return corpora

    def is_drawn(document: Document) -> bool:
        return random.Random(f"share:{seed}:{document.id}").random() < share

    return {name: replace(c, documents=tuple(filter(is_drawn, c.documents))) for name, c in corpora.items()}


def _written(path: str) -> tuple[Document, ...]:
    return read_jsonl(Path(path)).documents if path else ()


def _dealt(corpora: Mapping[str, Corpus], documents: Sequence[Document]) -> dict[str, Corpus]:
    """The corpora with documents added, to each in turn that knows all techniques in one; without what none knows."""
    parts: dict[str, list[Document]] = {name: [] for name in corpora}
    for i, document in enumerate(documents):
        techniques = {technique for span in document.spans for technique in members(span.technique)}
        homes = [name for name, corpus in corpora.items() if techniques <= set(corpus.inventory.annotated)]
        if homes:
            parts[homes[i % len(homes)]].append(document)
    return {name: replace(corpus, documents=(*corpus.documents, *parts[name])) for name, corpus in corpora.items()}


def calibrate(
    folder: Path, corpora: Mapping[str, Corpus], *, fold: int = 0, say: Progress = lambda line: None
) -> dict[str, Any]:
    """Chooses the settings of a model folder on the validation fold and writes them, its record and its card.

    The weights stay as they are. Returns the record, with what each setting measures under ``validation``; the corpora
    of which the training has seen these documents, so that their figures flatter, are under ``seen``, and how many
    documents of which corpus decided under ``chosen_on``. What texts are like those of the training stays as it is
    where the corpora are others. Raises `ConfigError` where nothing is held out, or nothing else is left, and
    `ModelError` for what is no folder.
    """
    split = _split_with_both(corpora, fold)
    if not (folder / "model.json").is_file():  # a shipped model or one of the hub is not written to
        raise ModelError(f"{folder}: no model folder (no model.json in it); name a copy of a shipped model")
    detector, record = load(folder), read_record(folder)
    seen = learned_from(record, corpora, fold)
    if seen:
        say(f"warning: the model has learned from fold {fold} of {', '.join(seen)}: what is measured there flatters")
    validation = split.validation
    chosen_on = {name: len(corpus.documents) for name, corpus in validation.items()}
    if (n_held_out := sum(chosen_on.values())) < ENOUGH_HELD_OUT:
        say(f"warning: {n_held_out} documents held out are few to choose by: take {ENOUGH_HELD_OUT} or more")
    likeness = detector.likeness
    if likeness is None or set(corpora) == set(record.get("n_documents", corpora)):
        likeness = training_likeness(detector, split.training, validation)  # what may fail comes before any writing
    scored, biases, gap = scored_documents(detector, validation), token_biases(detector), detector.info.gap
    fewest_words = fewest_words_of(split.training.values())
    settings, measured = [], {}
    details: dict[str, Any] = {}
    for plan in PLANS:
        judged = judged_documents(plan, scored, detector, fewest_words=fewest_words)
        measured[plan.name] = measure(judged)
        if plan.name == DETAILED:
            details = {"techniques": technique_scores(judged), "errors": random_errors(judged)}
        found = measured[plan.name]["flc"]
        setting = replace(make_setting(plan, scored, biases, gap=gap), fewest_words=fewest_words)
        settings.append(replace(setting, precision=found["precision"], recall=found["recall"]))
        say(f"{plan.name}: precision {found['precision']:.3f}, recall {found['recall']:.3f}, F1 {found['f1']:.3f}")
    save_settings(folder, settings)
    _write_likeness(folder, likeness, say)
    record |= {"validation": measured, **details, "seen": list(seen), "chosen_on": chosen_on}
    write_record(folder, record)
    write_card(folder)
    return record


def write_likeness(folder: Path, corpora: Mapping[str, Corpus], *, fold: int, say: Progress) -> None:
    """Writes into a model folder what texts like those of its training are (see `detector.likeness`)."""
    split = split_corpora(corpora, fold=fold)
    _write_likeness(folder, training_likeness(load(folder), split.training, split.validation), say)


def _write_likeness(folder: Path, likeness: Likeness, say: Progress) -> None:
    save_likeness(folder, likeness)
    say(f"like the training: {likeness.fewest_words} words or more, distance up to {likeness.limit:.2f}")


def judged_documents(
    plan: SettingPlan,
    scored: Mapping[str, Sequence[Scored]],
    detector: Detector,
    *,
    fewest_words: Mapping[str, int],
) -> list[Judged]:
    """The documents that a plan is chosen on, each judged at a setting that was chosen on the other half of them."""
    gap = detector.info.gap
    pairs = cross_fitted(plan, scored, token_biases(detector), gap=gap, fewest_words=fewest_words)
    return [judge(document, setting, gap=gap) for document, setting in pairs]


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Writes ``training.json``."""
    write_whole(folder / "training.json", json.dumps(record, indent=1) + "\n")


def write_card(folder: Path, *, further: str = "") -> None:
    """Writes the model card of a model folder, from its own records and a table of what was measured elsewhere."""
    info = read_folder(folder).info
    (folder / "README.md").write_text(card(info, read_record(folder), further=further), encoding="utf-8")


def scored_documents(detector: Detector, corpora: Mapping[str, Corpus]) -> dict[str, list[Scored]]:
    """The documents of each corpus with the model's scores."""
    return {
        name: [Scored(document, scores, corpus.inventory) for document, scores in detector.score(corpus.documents)]
        for name, corpus in corpora.items()
    }


def scored_and_named(
    detector: Detector, corpora: Mapping[str, Corpus]
) -> tuple[dict[str, list[Scored]], dict[str, list[Document]]]:
    """The same, and the documents with their spans named by the span head, by its habits in each corpus."""
    scored: dict[str, list[Scored]] = {}
    named: dict[str, list[Document]] = {}
    for name, corpus in corpora.items():
        within = scoring_inventory(corpus)
        triples = list(detector.score_and_classify(corpus.documents, corpus=name, within=within))
        scored[name] = [Scored(document, scores, corpus.inventory) for document, scores, _ in triples]
        named[name] = [document for *_, document in triples]
    return scored, named


def token_biases(detector: Detector) -> dict[str, Any]:
    """The token head's bias ``(24,)`` of each training corpus."""
    return {name: detector.backend.token_bias(name) for name in detector.info.corpora}


def validation_scores(detector: Detector, validation: Mapping[str, Corpus]) -> dict[str, float]:
    """SI, FLC and TC of each validation corpus under its own bias, thresholds chosen on the same documents.

    ``score`` is the mean of the first corpus's three.
    """
    scored, named = scored_and_named(detector, validation)
    biases, gap = token_biases(detector), detector.info.gap
    scores: dict[str, float] = {}
    for name, corpus in validation.items():
        plan = SettingPlan(name, follows=(name,), chosen_on=(name,), beta=1.0)
        setting = make_setting(plan, scored, biases, gap=gap)
        measured = measure([judge(document, setting, gap=gap) for document in scored[name]])
        scores |= {f"{name}_{metric}": measured[metric]["f1"] for metric in ("si", "flc")}
        scores[f"{name}_tc"] = sum(
            score_documents(tc, corpus.documents, named[name], inventory=scoring_inventory(corpus)), SpanScore()
        ).f1
    first = next(iter(validation))
    scores["score"] = sum(scores[f"{first}_{metric}"] for metric in ("si", "flc", "tc")) / 3
    return scores
