"""The formats that commands offer; a test compares them with `writers.catalogue`, which is slow to import."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What a command writes: for people, or for programs."""

    TEXT = "text"
    JSON = "json"


class AnnotationFormat(StrEnum):
    """What `annotate` writes: for a terminal, a page for a browser, or one of the formats of `writers.catalogue`."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    LINE = "line"
    GITHUB = "github"
    SARIF = "sarif"
    BRAT = "brat"
    LABEL_STUDIO = "label-studio"
    CONLL = "conll"
    SPACY = "spacy"
    WEB_ANNOTATION = "web-annotation"
    PTC = "ptc"
    PTC_CORPUS = "ptc-corpus"


_ONLY_FOR_PEOPLE = (AnnotationFormat.TEXT, AnnotationFormat.HTML)
_ONLY_CONVERTED = {"CORPUS": "corpus", "SEMEVAL2021": "semeval2021"}

ConvertFormat = StrEnum(  # type: ignore[misc]
    "ConvertFormat",
    {one.name: one.value for one in AnnotationFormat if one not in _ONLY_FOR_PEOPLE} | _ONLY_CONVERTED,
)
"""What `convert` reads and writes: the formats that hold findings for programs, and those of annotated corpora."""
