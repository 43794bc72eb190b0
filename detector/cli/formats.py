"""The formats that every command offers."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What a command writes: for people, or for programs."""

    TEXT = "text"
    JSON = "json"
