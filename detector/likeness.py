"""How like its training a text is: what a model says about texts that it has seen nothing like is not worth much.

A text is the mean of its piece vectors half-way through the encoder. Its distance is Mahalanobis' from the texts of the
training (Lee et al. 2018, Podolskiy et al. 2021), in the directions in which those differ most. The last layer does not
serve: training for persuasion has made all that is plain alike there, source code and news. In each direction the
variance is ``between + within / n_pieces``: a short text's mean lies farther out by chance alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.errors import ModelError
from detector.folder import read_tensors, unusable

Floats = npt.NDArray[np.float32]

FILE = "likeness.safetensors"
N_DIRECTIONS = 32
"""More directions tell no more texts apart, fewer do not tell fiction from news."""
SHARE_WITHIN = 0.99
"""The limits are set so that this share of held-out documents is within them."""
_HALF = 100
"""A text of so many pieces weighs half as much as an endless one where the directions are chosen."""
_LEAST_BETWEEN = 0.05
_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Likeness:
    """The texts of a training, in the encoder's space.

    ``centre`` ``(width,)``, ``directions`` ``(n, width)``, their variances ``between`` texts and ``within`` a text
    ``(n,)``. The ``limit`` is the greatest distance of what counts as like them, ``fewest_words`` the least length.
    """

    centre: Floats
    directions: Floats
    between: Floats
    within: Floats
    limit: float = 1.0
    fewest_words: int = 0

    def distance(self, mean: Floats, n_pieces: int) -> float:
        """How far a text with that mean vector ``(width,)`` is from them, as a multiple of the limit."""
        along = self.directions.astype(np.float64) @ (mean - self.centre)
        return float(np.sqrt(np.mean(along**2 / (self.between + self.within / n_pieces)))) / self.limit


def unlike_training(likeness: Likeness, text: str, mean: Floats | None, n_pieces: int) -> tuple[str, ...]:
    """The reasons, if any, why what a model finds in a text is worth little: what it learnt from was different.

    ``mean`` as in `detector.decode.Scores`. (What language a text is in, `detector.readers.language` tells.)
    """
    n_words = len(text.split())
    if mean is None:
        return ()
    reasons = []
    if n_words < likeness.fewest_words:
        words = "1 word" if n_words == 1 else f"{n_words} words"
        reasons.append(f"has only {words}, texts of the training have {likeness.fewest_words} or more")
    distance = likeness.distance(mean, n_pieces)
    if distance > 1:
        reasons.append(
            f"is unlike the texts of the training (distance {distance:.2f}; {SHARE_WITHIN:.0%} of those are within 1)"
        )
    return tuple(f"{reason}: do not trust the findings" for reason in reasons)


def fit_likeness(means: Floats, n_pieces: Sequence[int]) -> Likeness:
    """The statistics of texts, with a limit of 1: mean vectors ``(n_texts, width)`` and lengths."""
    lengths = np.asarray(n_pieces, dtype=np.float64)
    weights = lengths / (lengths + _HALF)
    x = means.astype(np.float64)
    centre = (weights @ x) / weights.sum()
    *_, rows = np.linalg.svd((x - centre) * np.sqrt(weights)[:, None], full_matrices=False)
    directions = rows[:N_DIRECTIONS]
    squares = ((x - centre) @ directions.T) ** 2
    fitted = np.array([_variances(column, lengths) for column in squares.T])
    between, within = fitted.T.astype(np.float32)
    return Likeness(centre.astype(np.float32), directions.astype(np.float32), between, within)


def save_likeness(folder: Path, likeness: Likeness) -> None:
    """Writes the statistics into a model folder, directions in 16 bits."""
    from safetensors.numpy import save

    tensors = {name: np.atleast_1d(np.asarray(value, dtype=np.float32)) for name, value in asdict(likeness).items()}
    (folder / FILE).write_bytes(save(tensors | {"directions": likeness.directions.astype(np.float16)}))


def read_likeness(folder: Path, *, width: int) -> Likeness | None:
    """The statistics of a model folder; None where it has none. Raises `ModelError` where they do not fit."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        stored = read_tensors(path)
        vectors = {name: stored[name].astype(np.float32) for name in ("centre", "directions", "between", "within")}
        n = len(vectors["between"])
        shapes = {"centre": (width,), "directions": (n, width), "between": (n,), "within": (n,)}
        limit, fewest_words = float(stored["limit"][0]), int(stored["fewest_words"][0])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise unusable(folder, error) from error
    fits = all(vectors[name].shape == shape for name, shape in shapes.items())
    if not fits or not n or limit <= 0 or vectors["between"].min() <= 0 or vectors["within"].min() < 0:
        raise ModelError(f"{path}: does not fit the model; delete it or calibrate the model again")
    return Likeness(**vectors, limit=limit, fewest_words=fewest_words)


def _variances(squares: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64]) -> tuple[float, float]:
    """``between`` and ``within`` of one direction: squared distances against 1 / length, by weighted least squares.

    A square's own variance grows with its mean's square, so each round weighs by what the last one expects.
    """
    terms = np.stack([np.ones_like(lengths), 1 / lengths], axis=1)
    middle = max(float(squares.mean()), 1e-12)
    between, within = middle, 0.0
    for _ in range(_ROUNDS):
        weighted = terms / ((between + within / lengths) ** 2)[:, None]
        one, other = np.linalg.lstsq(weighted.T @ terms, weighted.T @ squares, rcond=None)[0]
        between, within = max(float(one), _LEAST_BETWEEN * middle), max(float(other), 0.0)
    return between, within
