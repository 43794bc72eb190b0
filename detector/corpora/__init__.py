"""Annotated corpora: readers that check everything they read, and writers of the same formats. One file a format."""

from detector.corpora.corpus import Corpus
from detector.corpora.jsonl import read_jsonl, write_jsonl
from detector.corpora.ptc import (
    read_articles,
    read_ptc,
    write_articles,
    write_flc,
    write_labels,
    write_si,
    write_tc,
)
from detector.corpora.semeval2021 import read_semeval2021, write_semeval2021
from detector.corpora.split import folds, near_duplicates

__all__ = [
    "Corpus",
    "folds",
    "near_duplicates",
    "read_articles",
    "read_jsonl",
    "read_ptc",
    "read_semeval2021",
    "write_articles",
    "write_flc",
    "write_jsonl",
    "write_labels",
    "write_semeval2021",
    "write_si",
    "write_tc",
]
