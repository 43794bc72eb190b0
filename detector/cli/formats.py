"""The formats that commands offer."""

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
