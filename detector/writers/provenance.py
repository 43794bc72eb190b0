"""How spans came about: quoted by every format that has room for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Provenance:
    """The program, the model and the settings that spans were found with.

    ``only`` and ``ignore`` are slugs of techniques; an empty ``only`` stands for all.
    """

    version: str
    model_name: str
    model_hash: str
    strictness: str = "balanced"
    min_confidence: float = 0.0
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def settings(self) -> Mapping[str, Any]:
        """The settings by name, in JSON types."""
        return {
            "strictness": self.strictness,
            "min_confidence": self.min_confidence,
            "only": list(self.only),
            "ignore": list(self.ignore),
        }
