"""How spans came about: quoted by every format that has room for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Provenance:
    """The program, the model and the settings that spans were found with.

    ``only`` and ``ignore`` are slugs of techniques; an empty ``only`` stands for all. ``precision`` is the share of
    findings at this strictness that proved right on held-out articles; None where it was not measured. ``chosen`` are
    further settings that are not the usual ones, in JSON types.
    """

    version: str
    model_name: str
    model_hash: str
    strictness: str = "balanced"
    min_confidence: float = 0.0
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    precision: float | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def settings(self) -> Mapping[str, Any]:
        """The settings by name, in JSON types."""
        return {
            "strictness": self.strictness,
            "min_confidence": self.min_confidence,
            "only": list(self.only),
            "ignore": list(self.ignore),
            **self.chosen,
        }

    def model(self) -> Mapping[str, Any]:
        """The model by name and hash, in JSON types; with its precision where that is known."""
        known = {} if self.precision is None else {"precision": self.precision}
        return {"name": self.model_name, "hash": self.model_hash, **known}
