"""Texts that nobody annotated, labelled by another model: how likely it finds each technique, piece by piece.

A small model that learns these chances too comes closer to a large one (Hinton et al. 2015, "Distilling the knowledge
in a neural network").
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from detector.corpora import Corpus
from detector.detect import Detector
from detector.model import ModelInfo
from detector.names import Names
from detector.spans import Document
from detector.train.calibrate import PLANS
from detector.train.swap import swap_names_at
from detector.train.twins import SPAN_COLUMNS, match
from detector.windows import CHANNELS, IDENTIFICATION, Ints, Pieces, channel_bit, cut_windows, tokenize

Halves = npt.NDArray[np.float16]

LABELS = "teacher.npy"
FOLLOWED = next(plan.follows for plan in PLANS if plan.name == "balanced")
"""The corpora whose annotators' habits the texts are labelled by, in turn; all corpora where none of them is there."""


def taught_rows(
    documents: Sequence[Document],
    teacher: Detector,
    corpora: Mapping[str, Corpus],
    tokenizer: Tokenizer,
    info: ModelInfo,
    *,
    swap: float,
    seed: int,
    folder: Path,
) -> Iterator[dict[str, Any]]:
    """The feature rows of documents that a teacher labels, a window each (see `features.make_dataset`).

    Names are swapped in about ``swap`` of them, and what they become is unlabelled. The teacher's outputs are kept in
    ``folder``, for a training that goes on.
    """
    followed = [name for name in FOLLOWED if name in corpora] or list(corpora)
    read = [teacher.tokenize(document.text) for document in documents]
    logits = _outputs(teacher, documents, sum(map(len, read)), folder / LABELS)
    end = 0
    for i, (document, theirs) in enumerate(zip(documents, read, strict=True)):
        name = followed[i % len(followed)]
        end += len(theirs)
        biased = logits[end - len(theirs) : end].astype(np.float32) + _bias(teacher, name)
        allowed = sum(channel_bit(technique) for technique in corpora[name].inventory.annotated)
        generator = random.Random(f"taught:{seed}:{document.id}")
        common = {"corpus": info.corpora.index(name), "allowed": allowed, **{column: [] for column in SPAN_COLUMNS}}
        text, pieces, chances, labelled = _labelled(
            document, theirs, biased, tokenizer, generator, swap=swap, names=info.names
        )
        for window in cut_windows(text, pieces, size=info.window, overlap=info.overlap):
            part = slice(window.first, window.last)
            yield common | {
                "ids": pieces.ids[part],
                "inside": np.zeros(len(window), dtype=np.int64),
                "known": np.where(labelled[part], allowed | channel_bit(IDENTIFICATION), 0),
                "length": len(window),
                "chances": chances[part].tobytes(),
            }


def read_chances(stored: bytes) -> npt.NDArray[np.float32]:
    """A row's chances ``(n_pieces, 24)``."""
    return np.frombuffer(stored, dtype=np.float16).reshape(-1, len(CHANNELS)).astype(np.float32)


def _labelled(
    document: Document,
    theirs: Pieces,
    logits: npt.NDArray[np.float32],
    tokenizer: Tokenizer,
    generator: random.Random,
    *,
    swap: float,
    names: Names | None = None,
) -> tuple[str, Pieces, Halves, npt.NDArray[np.bool_]]:
    """A text, its pieces, the chances of each ``(n_pieces, 24)``, and whether it is one of the teacher's pieces."""
    ours = tokenize(tokenizer, document.text, names)
    here, there = _same_places(ours, theirs)
    text, pieces = document.text, ours
    if generator.random() < swap:
        swapped, edited = swap_names_at(document, generator)
        text, pieces = swapped.text, tokenize(tokenizer, swapped.text, names)
        kept, moved = match(ours, pieces, edited)
        places = dict(zip(kept.tolist(), moved.tolist(), strict=True))
        shown = np.array([place in places for place in here.tolist()], dtype=bool)
        here, there = np.array([places[place] for place in here[shown].tolist()], dtype=np.int64), there[shown]
    chances, labelled = np.zeros((len(pieces), len(CHANNELS)), dtype=np.float16), np.zeros(len(pieces), dtype=bool)
    chances[here] = 0.5 * (1 + np.tanh(0.5 * logits[there]))
    labelled[here] = True
    return text, pieces, chances, labelled


def _same_places(ours: Pieces, theirs: Pieces) -> tuple[Ints, Ints]:
    """The places of pieces that two tokenizers cut alike out of one text."""
    if not len(ours) or not len(theirs):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    place = np.minimum(np.searchsorted(theirs.offsets[:, 0], ours.offsets[:, 0]), len(theirs) - 1)
    here = np.flatnonzero((theirs.offsets[place] == ours.offsets).all(axis=1))
    return here, place[here]


def _outputs(teacher: Detector, documents: Sequence[Document], n_pieces: int, path: Path) -> Halves:
    """The teacher's outputs for all pieces of all documents ``(n_pieces, 24)``, without a corpus bias."""
    if not n_pieces:
        return np.empty((0, len(CHANNELS)), dtype=np.float16)
    if path.is_file():
        kept: Halves = np.load(path, mmap_mode="r")
        if kept.shape == (n_pieces, len(CHANNELS)):
            return kept
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part.npy")
    rows = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.float16, shape=(n_pieces, len(CHANNELS)))
    end = 0
    for _, scores in teacher.score(documents):
        end += len(scores.pieces)
        rows[end - len(scores.pieces) : end] = scores.logits
    rows.flush()
    unfinished.replace(path)
    made: Halves = rows
    return made


def _bias(teacher: Detector, corpus: str) -> npt.NDArray[np.float32]:
    """The teacher's bias for a corpus, the mean of all that it has where it does not know this one."""
    known = teacher.info.corpora
    names = [corpus] if corpus in known else known
    mean: npt.NDArray[np.float32] = np.mean([teacher.backend.token_bias(name) for name in names], axis=0)
    return mean
