"""The reference backend: torch, in inference mode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from detector.backends import N_SPECIAL, Candidate, Encoded, Floats, Ints, WorkCount, batches
from detector.folder import ModelFiles, ModelInfo
from detector.model import Encoding, RhetoricModel, SpanBatch, load_weights
from detector.techniques import NAMES as TECHNIQUES

BATCH_PIECES = 1024
GPU_BATCH_PIECES = 16_384
SHORTEST = 0.95
"""Windows of a batch are at least this share of the longest as long: little of a batch is padding."""
PIECES_MULTIPLE = 8
"""Windows are padded to multiples of this: torch keeps memory for every shape that it has seen."""


class TorchBackend:
    """Runs a `RhetoricModel`; the module is used as it is, so a model in training can be scored.

    With ``bfloat16`` matrix products run in that precision: faster where the hardware has it, and less exact.
    """

    name = "torch"

    def __init__(self, model: RhetoricModel, info: ModelInfo, *, device: str = "cpu", bfloat16: bool = False) -> None:
        self.model = model.to(device)
        self.info = info
        self.device = device
        self.on_gpu = torch.device(device).type == "cuda"
        self.bfloat16 = bfloat16
        self.precision = "bfloat16" if bfloat16 else "float32"
        self.work = WorkCount()

    def encode(self, windows: Sequence[Ints]) -> list[Encoded]:
        """See `Backend.encode`."""
        return self.classify(windows, ())[1]

    def score(self, windows: Sequence[Ints]) -> list[Floats]:
        """See `Backend.score`."""
        return [encoded.logits for encoded in self.encode(windows)]

    @torch.inference_mode()
    def classify(self, windows: Sequence[Ints], candidates: Sequence[Candidate]) -> tuple[Floats, list[Encoded]]:
        """See `Backend.classify`."""
        results: dict[int, Encoded] = {}
        scores = np.empty((len(candidates), len(TECHNIQUES)), dtype=np.float32)
        for rows in self._batches(windows):
            lengths = [len(windows[row]) for row in rows]
            encoded = self._run([windows[row] for row in rows])
            logits = encoded.token_logits.float().cpu().numpy()
            assert encoded.middle is not None
            means = piece_means(encoded.middle, lengths).cpu().numpy()
            for row, n, values, mean in zip(rows, lengths, logits, means, strict=True):
                results[row] = Encoded(values[1 : 1 + n], mean)
            here = [i for i, candidate in enumerate(candidates) if candidate.window in rows]
            if here:
                spans = self._spans([candidates[i] for i in here], rows)
                with self._precision():
                    scores[here] = self.model.classify(encoded, spans).float().cpu().numpy()
        return scores, [results[row] for row in range(len(windows))]

    def span_bias(self, corpus: str | None) -> Floats:
        """See `Backend.span_bias`."""
        weights = self.model.span_bias.weight.detach().float().cpu().numpy()
        bias: Floats = weights.mean(axis=0) if corpus is None else weights[self.info.row_of(corpus)]
        return bias

    def token_bias(self, corpus: str) -> Floats:
        """See `Backend.token_bias`."""
        index = self.info.row_of(corpus)
        bias: Floats = self.model.token_bias.weight[index].detach().float().cpu().numpy()
        return bias

    def _batches(self, windows: Sequence[Ints]) -> Iterator[list[int]]:
        n_pieces = GPU_BATCH_PIECES if self.on_gpu else BATCH_PIECES
        return batches(windows, n_pieces=n_pieces, shortest=SHORTEST)

    def _spans(self, candidates: Sequence[Candidate], rows: Sequence[int]) -> SpanBatch:
        """The candidates as positions in the batch of windows ``rows``, the special piece at the start counted."""
        columns = [[rows.index(c.window), c.first + 1, c.last + 1, c.count] for c in candidates]
        return SpanBatch(*torch.tensor(columns, device=self.device).T)

    def _run(self, windows: Sequence[Ints]) -> Encoding:
        ids, mask = frame(windows, self.info, multiple=PIECES_MULTIPLE)
        n_pieces = sum(len(window) + N_SPECIAL for window in windows)
        self.work.add(n_pieces, ids.numel() - n_pieces)
        with self._precision():
            encoded: Encoding = self.model.encode(self._sent(ids), self._sent(mask), with_middle=True)
        return encoded

    def _sent(self, values: Tensor) -> Tensor:
        """The values on the device; to a GPU they travel while it computes."""
        if not self.on_gpu:
            return values.to(self.device)
        return values.pin_memory().to(self.device, non_blocking=True)

    def _precision(self) -> torch.autocast:
        return torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16, enabled=self.bfloat16)


def load_torch(files: ModelFiles, *, device: str = "cpu", threads: int | None = None) -> TorchBackend:
    """The backend over a model folder: on the CPU in 32-bit floats, on a GPU that has it in bfloat16.

    ``threads`` are torch's own, in the whole process.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    bfloat16 = torch.device(device).type == "cuda" and torch.cuda.is_bf16_supported()
    return TorchBackend(load_weights(files), files.info, device=device, bfloat16=bfloat16)


def piece_means(hidden: Tensor, lengths: Sequence[int]) -> Tensor:
    """Means ``(n_windows, width)`` of the piece vectors ``(n_windows, n_pieces, width)``, without the special ones.

    ``lengths`` are those of the windows without special pieces; what comes after is padding.
    """
    n = torch.tensor(lengths, device=hidden.device)[:, None]
    at = torch.arange(hidden.shape[1], device=hidden.device)[None]
    inside = ((at >= 1) & (at <= n)).float()
    return torch.einsum("wp,wpd->wd", inside, hidden.float()) / n.clamp(min=1)


def frame(windows: Sequence[Ints], info: ModelInfo, *, multiple: int = 1) -> tuple[Tensor, Tensor]:
    """Input ids and attention mask ``(n_windows, n_pieces)``: special pieces around each window, padding after.

    ``n_pieces`` is that of the longest window, rounded up to a ``multiple`` as far as the encoder's window allows.
    """
    longest = max(len(w) for w in windows) + 2
    n_pieces = max(longest, min(-(-longest // multiple) * multiple, info.window + 2))
    ids = np.full((len(windows), n_pieces), info.pad_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, 0] = info.start_id
        ids[row, 1 : 1 + len(window)] = window
        ids[row, 1 + len(window)] = info.end_id
        mask[row, : 2 + len(window)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)
