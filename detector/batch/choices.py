"""The choices that options offer, apart from the modules that import heavy libraries."""

from __future__ import annotations

from enum import StrEnum


class PartFormat(StrEnum):
    """How part files are written."""

    PARQUET = "parquet"
    JSONL = "jsonl"


class Engine(StrEnum):
    """What runs the workers."""

    LOCAL = "local"
    RAY = "ray"


class TableFormat(StrEnum):
    """How a summary is written."""

    TABLE = "table"
    CSV = "csv"
    PARQUET = "parquet"
