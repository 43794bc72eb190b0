"""Backends: windows of piece ids in, scores out. `Backend` is the interface; ``torch`` and ``onnx`` implement it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np
import numpy.typing as npt

from detector.errors import ModelError
from detector.folder import ModelFiles, unusable
from detector.windows import CHANNELS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

AUTO = "auto"
NAMES = ("torch", "onnx")
CPU = "cpu"
KINDS_OF_DEVICE = (CPU, "cuda", "mps")
N_SPECIAL = 2
"""Pieces around each window: one at its start, one at its end."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span to classify: pieces ``[first, last]`` of a window of the batch, and how often its text occurs."""

    window: int
    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a window gives: ``logits`` ``(n_pieces, 24)`` of the token head, without corpus bias; ``mean`` ``(width,)``.

    The mean is that of the piece vectors half-way through the encoder's layers, special pieces left out.
    """

    logits: Floats
    mean: Floats


@dataclass(slots=True)
class WorkCount:
    """What a backend has encoded so far: windows' pieces with the special ones, padding beside them, and calls."""

    n_pieces: int = 0
    n_padding: int = 0
    n_calls: int = 0

    def add(self, n_pieces: int, n_padding: int) -> None:
        """Counts one call of the encoder."""
        self.n_pieces += n_pieces
        self.n_padding += n_padding
        self.n_calls += 1


class Backend(Protocol):
    """What runs the encoder. Windows come without special tokens, any number of them; they are batched here."""

    name: str
    precision: str
    """What its products are of: ``float32``, ``bfloat16``, or ``int8 halves``."""
    work: WorkCount

    def encode(self, windows: Sequence[Ints]) -> list[Encoded]:
        """What each window gives."""

    def score(self, windows: Sequence[Ints]) -> list[Floats]:
        """Token-head outputs without corpus bias of each window: ``(n_pieces, 24)`` each."""

    def classify(self, windows: Sequence[Ints], candidates: Sequence[Candidate]) -> tuple[Floats, list[Encoded]]:
        """Span-head outputs without corpus bias, ``(n_candidates, 23)``, and what `encode` gives."""

    def span_bias(self, corpus: str | None) -> Floats:
        """The span head's bias ``(23,)`` of a training corpus, or the mean of all where None."""

    def token_bias(self, corpus: str) -> Floats:
        """The token head's bias ``(24,)`` of a training corpus."""


def batches(windows: Sequence[Ints], *, n_pieces: int, shortest: float) -> Iterator[list[int]]:
    """Positions of the windows by falling length, in batches of at most ``n_pieces`` pieces or one window.

    Special pieces and padding count. No window is shorter than ``shortest`` times the longest of its batch: at 1 there
    is no padding.
    """
    batch: list[int] = []
    longest = 0
    for row in sorted(range(len(windows)), key=lambda i: -len(windows[i])):
        length = len(windows[row]) + N_SPECIAL
        if batch and (length < shortest * longest or (len(batch) + 1) * longest > n_pieces):
            yield batch
            batch = []
        longest = longest if batch else length
        batch.append(row)
    if batch:
        yield batch


def check_device(device: str) -> str:
    """The kind of a torch device, of ``cpu``, ``cuda``, ``cuda:N`` and ``mps``; `ModelError` where there is none."""
    kind, colon, number = device.partition(":")
    if kind not in KINDS_OF_DEVICE or (colon and not (kind == "cuda" and number.isdecimal())):
        raise ModelError(f"device {device!r:.40} is not one of cpu, cuda, cuda:N and mps")
    if kind == CPU:
        return kind
    import torch

    n_gpus = torch.cuda.device_count() if kind == "cuda" else int(torch.backends.mps.is_available())
    if int(number or 0) >= n_gpus:
        raise ModelError(f"device {device!r:.40}: torch sees no such GPU here; leave it out to compute on the CPU")
    return kind


def choose_backend(name: str, files: ModelFiles, *, device: str = CPU) -> str:
    """The name of the backend to use; ``auto`` is ``onnx`` where it can run the model, else ``torch``.

    Raises `ModelError` for an unknown name, and for one that cannot run the model on the device.
    """
    if name not in (AUTO, *NAMES):
        raise ModelError(f"backend {name!r} is not one of {', '.join((AUTO, *NAMES))}")
    if name == "torch":
        return name
    obstacle = _onnx_obstacle(files, device)
    if obstacle and name == "onnx":
        raise ModelError(f"backend onnx: {obstacle}; choose the backend torch")
    return "torch" if obstacle else "onnx"


def _onnx_obstacle(files: ModelFiles, device: str) -> str | None:
    from detector.backends.encoders import is_supported

    if device != CPU:
        return f"it computes on the CPU, not on {device}"
    try:
        import_module("onnxruntime")
    except ImportError as error:
        return f"onnxruntime cannot be imported ({error})"
    if not is_supported(files.encoder):
        return f"it does not know encoders of type {files.encoder.get('model_type')}"
    return None


def load_backend(name: str, files: ModelFiles, *, device: str = CPU, threads: int | None = None) -> Backend:
    """The backend of that name (see `choose_backend`) over a model folder, on so many threads of the CPU.

    Raises `ModelError`, also where weights and encoder turn out not to fit when they are tried.
    """
    if threads is not None and threads < 1:
        raise ModelError(f"threads {threads}: at least one is needed to compute on, or None for all cores")
    check_device(device)
    chosen = choose_backend(name, files, device=device)
    backend: Backend
    if chosen == "onnx":
        from detector.backends.onnx import OnnxBackend

        backend = OnnxBackend(files, threads=threads or default_threads())
    else:
        from detector.backends.torch import load_torch

        backend = load_torch(files, device=device, threads=threads)
    _try(backend, files)
    return backend


def _try(backend: Backend, files: ModelFiles) -> None:
    """Encodes a window of one piece, and forgets the work."""
    try:
        (logits,) = backend.score([np.array([files.info.pad_id], dtype=np.int64)])
    except Exception as error:  # the libraries' own kinds, which have no common one
        raise unusable(files.path, error) from error
    if logits.shape != (1, len(CHANNELS)):
        raise unusable(files.path, ValueError(f"its outputs are of the shape {logits.shape}"))
    backend.work = WorkCount()


def default_threads() -> int:
    """The threads to compute on: what OMP_NUM_THREADS says, else the cores that this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdecimal() and int(wanted) > 0 else available_cores()


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
