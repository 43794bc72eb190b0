"""Dropout from random bytes: on a processor, drawing a float for each element takes much of a step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LOWEST = -(2**63)


class ByteDropout(nn.Dropout):
    """Dropout with a chance that is a multiple of 1/256: one random byte decides over each element."""

    def forward(self, values: Tensor) -> Tensor:
        """``values``, some of them zero and the rest scaled up so that the mean stays; unchanged in evaluation."""
        limit = round(self.p * 256)
        if not self.training or not limit:
            return values
        bits = torch.empty(values.numel() // 8 + 1, dtype=torch.long, device=values.device).random_(LOWEST, None)
        kept = bits.view(torch.uint8)[: values.numel()].view(values.shape) >= limit
        return values * kept.to(values.dtype).mul_(256 / (256 - limit))


def quicken_dropout(module: nn.Module) -> None:
    """Puts a `ByteDropout` in the place of every ``nn.Dropout`` inside ``module``."""
    for name, child in module.named_children():
        if isinstance(child, nn.Dropout):
            setattr(module, name, ByteDropout(child.p))
        else:
            quicken_dropout(child)
