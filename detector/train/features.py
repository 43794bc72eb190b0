"""Corpora into features: one row of a `datasets.Dataset` for each window, and the collator that pads a batch."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from tokenizers import Tokenizer
from torch import Tensor

from detector.backends.torch import PIECES_MULTIPLE, frame
from detector.corpora import Corpus
from detector.detect import count_quotes, locate
from detector.model import ModelInfo
from detector.spans import Document
from detector.techniques import members
from detector.train.teacher import read_chances
from detector.train.twins import SPAN_COLUMNS, make_twin, matched_places, twin_columns, twin_row
from detector.windows import CHANNELS, channel_bit, cut_windows, make_targets, tokenize


def make_dataset(
    corpora: Mapping[str, Corpus],
    tokenizer: Tokenizer,
    info: ModelInfo,
    *,
    twin_seed: int | None = None,
    taught: Iterable[dict[str, Any]] = (),
) -> Dataset:
    """The windows of all corpora. Columns: ``ids``, ``inside``, ``known`` (one integer a piece, bits as in `Targets`),

    ``corpus`` (index into ``info.corpora``), ``allowed`` (bits the corpus annotates), ``length``, and the window's
    candidate spans as ``first``, ``last``, ``count``, ``techniques`` (bits). With a ``twin_seed`` also the window's
    twin, as `twin_columns` has it. The rows in ``taught`` follow; their targets are chances, as `read_chances` reads
    them.
    """
    rows = [
        row
        for name, corpus in corpora.items()
        for document in corpus.documents
        for row in document_rows(
            document, corpus.inventory.annotated, info.corpora.index(name), tokenizer, info, twin_seed=twin_seed
        )
    ]
    further = list(taught)
    if further:
        rows = [row | {"chances": b""} for row in rows]
    return Dataset.from_list(rows + further)


def document_rows(
    document: Document,
    annotated: Iterable[str],
    corpus: int,
    tokenizer: Tokenizer,
    info: ModelInfo,
    *,
    twin_seed: int | None = None,
) -> Iterator[dict[str, Any]]:
    """The feature rows of one document, a window each."""
    pieces = tokenize(tokenizer, document.text, info.names)
    windows = cut_windows(document.text, pieces, size=info.window, overlap=info.overlap)
    allowed = sum(channel_bit(name) for name in annotated)
    targets = make_targets(pieces, document.spans, annotated=annotated)
    generator = random.Random(f"twin:{twin_seed}:{document.id}")
    twin = None
    if twin_seed is not None:
        twin = make_twin(document, pieces, tokenizer, generator, annotated=annotated, names=info.names)
    candidates: list[dict[str, list[int]]] = [{name: [] for name in SPAN_COLUMNS} for _ in windows]
    for span, count in zip(document.spans, count_quotes(document), strict=True):
        place = locate(pieces, windows, span) if windows else None
        if place and span.technique:
            index, first, last = place
            bits = sum(channel_bit(name) for name in members(span.technique))
            for key, value in zip(SPAN_COLUMNS, (first, last, count, bits), strict=True):
                candidates[index][key].append(value)
    for window, spans in zip(windows, candidates, strict=True):
        part = slice(window.first, window.last)
        yield {
            "ids": pieces.ids[part],
            "inside": targets.inside[part],
            "known": targets.known[part],
            "corpus": corpus,
            "allowed": allowed,
            "length": len(window),
            **spans,
            **(twin_columns(twin, window, generator, size=info.window) if twin else {}),
        }


@dataclass(frozen=True, slots=True)
class Collator:
    """Pads windows to a batch of tensors; the targets of special and padding pieces are unknown.

    The rows' twins, where they have any, follow them in the same batch.
    """

    info: ModelInfo

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Inputs of `TrainingModule.forward`."""
        matches = torch.tensor(list(matched_places(rows)) if has_twins(rows) else [], dtype=torch.long)
        rows = with_twins(rows)
        ids, mask = frame([np.asarray(row["ids"]) for row in rows], self.info, multiple=PIECES_MULTIPLE)
        inside, known = torch.zeros_like(ids), torch.zeros_like(ids)
        for i, row in enumerate(rows):
            inside[i, 1 : 1 + row["length"]] = torch.as_tensor(row["inside"])
            known[i, 1 : 1 + row["length"]] = torch.as_tensor(row["known"])
        targets = unpack_bits(inside)
        for i, row in enumerate(rows):
            if row.get("chances"):
                targets[i, 1 : 1 + row["length"]] = torch.from_numpy(read_chances(row["chances"]))
        columns = [
            (i, first + 1, last + 1, count, bits)
            for i, row in enumerate(rows)
            for first, last, count, bits in zip(row["first"], row["last"], row["count"], row["techniques"], strict=True)
        ]
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "inside": targets,
            "known": unpack_bits(known),
            "corpus": torch.tensor([row["corpus"] for row in rows]),
            "allowed": unpack_bits(torch.tensor([row["allowed"] for row in rows]))[:, 1:],
            "spans": torch.tensor(columns, dtype=torch.long).reshape(-1, 5),
            "matches": matches.reshape(-1, 4),
        }


def has_twins(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether rows come with twins: all do, or none."""
    return "twin_ids" in rows[0]


def with_twins(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, and after them their twins where they have any."""
    return [*rows, *map(twin_row, rows)] if has_twins(rows) else list(rows)


def unpack_bits(bits: Tensor) -> Tensor:
    """Bit ``k`` of each integer as the ``k``-th of 24 floats: ``(…)`` → ``(…, 24)``."""
    return (bits.unsqueeze(-1) >> torch.arange(len(CHANNELS), device=bits.device) & 1).float()
