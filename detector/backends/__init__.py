"""Backends: windows of piece ids in, scores out. `Backend` is the interface; each file here is one implementation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span to classify: pieces ``[first, last]`` of a window of the batch, and how often its text occurs."""

    window: int
    first: int
    last: int
    count: int


class Backend(Protocol):
    """What runs the encoder. Windows come without special tokens; a batch is padded and framed by the backend."""

    def score(self, windows: Sequence[Ints]) -> list[Floats]:
        """Token-head outputs without corpus bias of each window: ``(n_pieces, 24)`` each."""

    def classify(self, windows: Sequence[Ints], candidates: Sequence[Candidate]) -> Floats:
        """Span-head outputs without corpus bias: ``(n_candidates, 23)``."""

    def span_bias(self, corpus: str | None) -> Floats:
        """The span head's bias ``(23,)`` of a training corpus, or the mean of all where None."""

    def token_bias(self, corpus: str) -> Floats:
        """The token head's bias ``(24,)`` of a training corpus."""
