"""The lowest layers of an encoder left as they are: what comes out of them is computed once, and kept in a file."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn

from detector.errors import ConfigError
from detector.model import RhetoricModel
from detector.train.features import Collator, with_twins
from detector.train.loop import bfloat16_is_fast, training_device
from detector.train.twins import twin_row

BATCH = 16


class Given(nn.Module):
    """Stands in for the embeddings of an encoder whose lowest layers have run already."""

    def forward(self, input_ids: None = None, *, inputs_embeds: Tensor, **unused: Any) -> Tensor:
        """The vectors that it is given."""
        return inputs_embeds


def check_frozen(model: RhetoricModel, frozen: int) -> None:
    """Raises `ConfigError` where the encoder has no layer left to train."""
    n_layers = len(model.encoder.encoder.layer)  # type: ignore[union-attr, arg-type]
    if not 0 <= frozen < n_layers:
        raise ConfigError(f"encoder.frozen: {frozen}: the encoder has {n_layers} layers; freeze fewer")


def above(model: RhetoricModel, frozen: int) -> RhetoricModel:
    """A model of the layers above the ``frozen`` lowest, and the heads: its weights are those of ``model``.

    It encodes vectors ``(n_windows, n_pieces, width)`` in place of ids. What all layers share stays as it is, too.
    """
    encoder = _part(model.encoder, slice(frozen, None))
    encoder.embeddings = Given()
    upper: RhetoricModel = _twin(model)
    upper.encoder = encoder
    for name, parameter in upper.encoder.named_parameters():
        parameter.requires_grad_(".layer." in f".{name}")
    return upper


def lower_outputs(model: RhetoricModel, frozen: int, dataset: Dataset, collator: Collator, path: Path) -> LowerOutputs:
    """What the ``frozen`` lowest layers make of each window of ``dataset``, without dropout, kept at ``path``.

    The windows' twins follow all windows.
    """
    width: int = model.encoder.config.hidden_size  # type: ignore[union-attr, assignment]
    twins = dataset["twin_length"] if "twin_length" in dataset.column_names else []
    lengths = np.array([*dataset["length"], *twins]) + 2  # with the two special pieces
    ends = np.cumsum(lengths)
    shape = (int(ends[-1]), width)
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
    device = torch.device(training_device())
    lower = _part(model.to(device).encoder, slice(frozen)).eval()
    with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16_is_fast()):
        for places in _batches(lengths):
            batch = collator([_window(dataset, i) for i in places])
            given = {key: batch[key].to(device) for key in ("input_ids", "attention_mask")}
            hidden = lower(**given).last_hidden_state
            for i, vectors in zip(places, hidden.float().cpu().numpy(), strict=True):
                stored[ends[i] - lengths[i] : ends[i]] = vectors[: lengths[i]]
    stored.flush()
    return LowerOutputs(collator, stored, ends)


@dataclass(frozen=True, slots=True)
class LowerOutputs:
    """A collator whose batches carry stored vectors in place of ids.

    A row needs its number in the column ``row``, and in ``twin_row`` that of its twin.
    """

    collator: Collator
    stored: Any
    ends: Any

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Inputs of `TrainingModule.forward`; the vectors of padding pieces are zeros."""
        batch = self.collator(rows)
        vectors = torch.zeros(*batch["input_ids"].shape, self.stored.shape[-1])
        for i, row in enumerate(with_twins(rows)):
            end, length = self.ends[row["row"]], row["length"] + 2
            vectors[i, :length] = torch.from_numpy(self.stored[end - length : end].astype(np.float32))
        return batch | {"input_ids": vectors}


def numbered(dataset: Dataset) -> Dataset:
    """The dataset with the columns that `LowerOutputs` needs."""
    n = len(dataset)
    dataset = dataset.add_column("row", range(n))
    return dataset.add_column("twin_row", range(n, 2 * n)) if "twin_length" in dataset.column_names else dataset


def _window(dataset: Dataset, place: int) -> dict[str, Any]:
    """The row of a window, or past the last of them of a window's twin; without its own twin."""
    n = len(dataset)
    if place >= n:
        return twin_row(dataset[place - n])
    return {name: value for name, value in dataset[place].items() if not name.startswith("twin_")}


def _batches(lengths: Any) -> Iterator[list[int]]:
    """The numbers of all windows, those of like lengths together."""
    order = np.argsort(lengths, kind="stable").tolist()
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]


def _part(encoder: Any, layers: slice) -> Any:
    """An encoder with some of another's layers, and the same weights."""
    part = _twin(encoder)
    part.encoder = _twin(encoder.encoder)
    part.encoder.layer = encoder.encoder.layer[layers]
    return part


def _twin(module: Any) -> Any:
    """A module with the same parts, of which some can be exchanged without touching the first."""
    twin = copy.copy(module)
    twin._modules = dict(module._modules)
    return twin
