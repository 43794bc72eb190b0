"""Rates per 1,000 words over many documents, with bootstrap intervals: documents are drawn again, not findings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_SAMPLES_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Rate:
    """A count per 1,000 words and the bounds of its 95 % interval; ``n`` is the count."""

    n: int
    rate: float
    low: float
    high: float


def rates(
    counts: npt.NDArray[np.int64], n_words: npt.NDArray[np.int64], *, n_samples: int = 1000, seed: int = 0
) -> list[Rate]:
    """The rate of each column of ``counts`` ``(n_documents, n_columns)`` in texts of ``n_words`` ``(n_documents,)``.

    All columns share the draws, so intervals of one call can be compared. Without a word every rate is 0.0.

    >>> rates(np.array([[1], [1]]), np.array([100, 100]))[0]
    Rate(n=2, rate=10.0, low=10.0, high=10.0)
    """
    total = int(n_words.sum())
    if not total:
        return [Rate(int(n), 0.0, 0.0, 0.0) for n in counts.sum(axis=0)]
    table = np.concatenate([counts, n_words[:, None]], axis=1).astype(np.float64)
    samples = np.concatenate([_draw(table, block) for block in _blocks(n_samples, seed)])
    drawn = 1000 * samples[:, :-1] / np.maximum(samples[:, -1:], 1)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    sums = counts.sum(axis=0)
    return [Rate(int(n), float(1000 * n / total), float(a), float(b)) for n, a, b in zip(sums, low, high, strict=True)]


def _blocks(n_samples: int, seed: int) -> list[tuple[int, np.random.Generator]]:
    """Sizes that add up to ``n_samples``, all with one generator."""
    generator = np.random.default_rng(seed)
    whole, rest = divmod(n_samples, _SAMPLES_AT_ONCE)
    return [(size, generator) for size in (*[_SAMPLES_AT_ONCE] * whole, rest) if size]


def _draw(table: npt.NDArray[np.float64], block: tuple[int, np.random.Generator]) -> npt.NDArray[np.float64]:
    """Column sums of as many samples of the documents, drawn with replacement: ``(n_samples, n_columns)``."""
    size, generator = block
    n = len(table)
    picked = generator.integers(0, n, size=(size, n))
    weights = np.stack([np.bincount(row, minlength=n) for row in picked]).astype(np.float64)
    sums: npt.NDArray[np.float64] = weights @ table
    return sums
