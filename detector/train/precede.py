"""Documents that begin with lines of another one: what comes before must not change what is found."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from detector.corpora import Corpus
from detector.spans import Document, Span, in_reading_order

MOST_LINES = 3
FEWEST_CHARACTERS = 1000
"""Shorter documents, such as memes, are whole by themselves and stay as they are."""


def precede_corpora(corpora: Mapping[str, Corpus], *, share: float, seed: int) -> dict[str, Corpus]:
    """The corpora with lines of another document before about ``share`` (0 to 1) of the longer documents, ids kept.

    The other document is one of the same corpus. Seed and document id decide which documents, and which lines.
    """
    return {
        name: replace(
            corpus, documents=tuple(_maybe_preceded(d, corpus.documents, share, seed) for d in corpus.documents)
        )
        for name, corpus in corpora.items()
    }


def precede(document: Document, other: Document, generator: random.Random) -> Document:
    """The document after one to `MOST_LINES` lines of another, and the other's spans that lie in those."""
    lines = other.text.splitlines(keepends=True)
    first = generator.randrange(len(lines))
    last = first + generator.randint(1, MOST_LINES)
    start = sum(map(len, lines[:first]))
    before = "".join(lines[first:last]).rstrip("\r\n") + "\n\n"
    end = start + len(before) - 2
    borrowed = [_shifted(span, -start) for span in other.spans if start <= span.start and span.end <= end]
    own = [_shifted(span, len(before)) for span in document.spans]
    return replace(document, text=before + document.text, spans=in_reading_order([*borrowed, *own]))


def _maybe_preceded(document: Document, others: Sequence[Document], share: float, seed: int) -> Document:
    generator = random.Random(f"precede:{seed}:{document.id}")
    other = generator.choice(others)
    if generator.random() >= share or len(document.text) < FEWEST_CHARACTERS or other.id == document.id:
        return document
    return precede(document, other, generator) if other.text else document


def _shifted(span: Span, by: int) -> Span:
    return replace(span, start=span.start + by, end=span.end + by)
