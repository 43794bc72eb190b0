"""The reference backend: torch, in inference mode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from detector.backends import Candidate, Floats, Ints
from detector.model import Encoded, ModelInfo, RhetoricModel, SpanBatch

PIECES_MULTIPLE = 32
"""Windows are padded to multiples of this: torch keeps memory for every shape it has seen."""


class TorchBackend:
    """Runs a `RhetoricModel`; the module is used as it is, so a model in training can be scored.

    With ``bfloat16`` matrix products run in that precision: faster where the hardware has it, and less exact.
    """

    def __init__(self, model: RhetoricModel, info: ModelInfo, *, device: str = "cpu", bfloat16: bool = False) -> None:
        self.model = model.to(device)
        self.info = info
        self.device = device
        self.bfloat16 = bfloat16

    @torch.inference_mode()
    def score(self, windows: Sequence[Ints]) -> list[Floats]:
        """See `Backend.score`."""
        logits = self._encode(windows).token_logits.float().cpu().numpy()
        return [logits[i, 1 : 1 + len(window)] for i, window in enumerate(windows)]

    @torch.inference_mode()
    def classify(self, windows: Sequence[Ints], candidates: Sequence[Candidate]) -> Floats:
        """See `Backend.classify`."""
        columns = [[c.window, c.first + 1, c.last + 1, c.count] for c in candidates]
        spans = SpanBatch(*torch.tensor(columns, device=self.device).T)
        encoded = self._encode(windows)
        with self._precision():
            scores: Floats = self.model.classify(encoded, spans).float().cpu().numpy()
        return scores

    def span_bias(self, corpus: str | None) -> Floats:
        """See `Backend.span_bias`."""
        weights = self.model.span_bias.weight.detach().float().cpu().numpy()
        bias: Floats = weights.mean(axis=0) if corpus is None else weights[self.info.corpora.index(corpus)]
        return bias

    def token_bias(self, corpus: str) -> Floats:
        """See `Backend.token_bias`."""
        index = self.info.corpora.index(corpus)
        bias: Floats = self.model.token_bias.weight[index].detach().float().cpu().numpy()
        return bias

    def _encode(self, windows: Sequence[Ints]) -> Encoded:
        ids, mask = frame(windows, self.info, multiple=PIECES_MULTIPLE)
        with self._precision():
            encoded: Encoded = self.model.encode(ids.to(self.device), mask.to(self.device))
        return encoded

    def _precision(self) -> torch.autocast:
        return torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16, enabled=self.bfloat16)


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
