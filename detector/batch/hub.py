"""Hugging Face data sets, by id or as saved in a folder, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from detector.batch.sources import DATASET_PREFIX
from detector.errors import InputError


def open_dataset(name: str, *, split: str | None) -> Iterable[Mapping[str, Any]]:
    """The rows of a data set, streamed: ``hf:OWNER/NAME`` from the hub (or its cache), else a saved folder.

    ``split`` may be left out where there is one, or one called ``train``. Raises InputError.
    """
    import datasets

    if name.startswith(DATASET_PREFIX):
        found = datasets.load_dataset(name.removeprefix(DATASET_PREFIX), streaming=True)
    else:
        found = datasets.load_from_disk(name)
    if not isinstance(found, dict):
        return found  # type: ignore[no-any-return]
    wanted = split or (next(iter(found)) if len(found) == 1 else "train")
    if wanted not in found:
        raise InputError(f"{name}: has no split {wanted!r}: choose one of {', '.join(found)} with --split")
    return found[wanted]  # type: ignore[no-any-return]
