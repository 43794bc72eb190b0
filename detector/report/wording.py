"""How numbers are told to people."""

from __future__ import annotations

import math

FACTOR_MEANS = "×2.0: with the word, the odds of the technique are twice what they are without it."
"""What a `factor` means."""


def counted(n: int, noun: str) -> str:
    """The number with its noun, one that takes an s.

    >>> counted(1, "finding"), counted(2000, "finding")
    ('1 finding', '2,000 findings')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def factor(weight: float) -> str:
    """How many times as high the odds of a finding are with a word as without it, from its `Cue.weight`.

    >>> factor(0.7), factor(3), factor(8)
    ('×2.0', '×20', 'over ×1,000')
    """
    if weight > math.log(1000):
        return "over ×1,000"
    times = math.exp(weight)
    return f"×{times:.1f}" if times < 9.95 else f"×{times:.0f}"
