"""The statistics of a model's training texts and their limits, which `calibrate` puts into the model folder."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detector.corpora import Corpus
from detector.detect import Detector
from detector.errors import ConfigError
from detector.likeness import SHARE_WITHIN, Likeness, fit_likeness
from detector.spans import Document

TEXTS_A_CORPUS = 120
FEWEST_TEXTS = 2
LEAST_LIMIT = 1e-6
"""Where held-out texts are all alike, the limit is no 0, of which nothing is a multiple."""
LONGEST, SHORTEST = 2500, 200
"""Characters. Texts are cut to these and to lengths between, so that the length of a text tells nothing of its kind."""


@dataclass(frozen=True, slots=True)
class Point:
    """A text in the encoder's space: its mean vector ``(width,)``, and its length in pieces."""

    mean: npt.NDArray[np.float32]
    n_pieces: int


def check_texts(training: Mapping[str, Corpus]) -> None:
    """Raises `ConfigError`, as far as that can be told without a model, where `training_likeness` would."""
    _check_number(sum(bool(document.text.strip()) for document in cuts(training)))


def training_likeness(detector: Detector, training: Mapping[str, Corpus], held_out: Mapping[str, Corpus]) -> Likeness:
    """The statistics of a sample of the training documents, with limits that held-out documents keep to.

    Raises `ConfigError` where fewer than `FEWEST_TEXTS` of the training documents have words.
    """
    fitted = locate(detector, cuts(training))
    _check_number(len(fitted))
    likeness = fit_likeness(np.stack([point.mean for point in fitted]), [point.n_pieces for point in fitted])
    measured = locate(detector, cuts(held_out)) or fitted
    distances = [likeness.distance(point.mean, point.n_pieces) for point in measured]
    n_words = [len(document.text.split()) for corpus in training.values() for document in corpus.documents]
    return replace(
        likeness,
        limit=max(float(np.quantile(distances, SHARE_WITHIN)), LEAST_LIMIT),
        fewest_words=int(np.quantile(n_words, 1 - SHARE_WITHIN)),
    )


def _check_number(n_texts: int) -> None:
    if n_texts < FEWEST_TEXTS:
        raise ConfigError(f"the corpora: too few texts with words to learn from ({n_texts}): give {FEWEST_TEXTS}")


def cuts(corpora: Mapping[str, Corpus]) -> list[Document]:
    """Beginnings of documents of each corpus, drawn at random with a fixed seed: a long one, and a short one."""
    draw = random.Random(0)
    texts = []
    for corpus in corpora.values():
        for document in draw.sample(corpus.documents, min(TEXTS_A_CORPUS, len(corpus.documents))):
            texts.append(beginning(document.text, LONGEST))
            if len(document.text) > LONGEST:
                texts.append(beginning(document.text, round(SHORTEST * (LONGEST / SHORTEST) ** draw.random())))
    return [Document(str(i), text) for i, text in enumerate(texts)]


def beginning(text: str, n_characters: int) -> str:
    """The first so many characters, as far as they are whole words.

    >>> beginning("one two three", 9)
    'one two'
    """
    return text if len(text) <= n_characters else text[: n_characters + 1].rpartition(" ")[0] or text[:n_characters]


def locate(detector: Detector, documents: Iterable[Document]) -> list[Point]:
    """Where the documents lie; those without pieces nowhere."""
    scored = (scores for _, scores in detector.score(documents))
    return [Point(scores.mean, len(scores.pieces)) for scores in scored if scores.mean is not None]
