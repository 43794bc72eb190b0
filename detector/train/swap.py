"""Counterfactual copies for training: names swapped for others of their kind, spans moved along.

A model that sees a phrase with many names learns the phrase. The names are those of the package (`detector.names`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from detector.corpora import Corpus
from detector.names import Edit, Row, listed
from detector.spans import Document, Span, in_reading_order


@dataclass(frozen=True, slots=True)
class Edited:
    """Characters ``[old_start, old_end)`` of a text that are ``[new_start, new_end)`` of its copy."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def swap_names(document: Document, generator: random.Random) -> Document:
    """A copy in which each name of ``names.toml`` is another of its slot type, the same one throughout.

    Form, capitals and articles are kept in step, and the spans cover what they covered: text inside a span is swapped,
    too, and an edge inside a name moves to the edge of its replacement. A random cycle through all names of a type
    decides, so that no name stays and no two become one.
    """
    return swap_names_at(document, generator)[0]


def swap_names_at(document: Document, generator: random.Random) -> tuple[Document, tuple[Edited, ...]]:
    """What `swap_names` gives, and which characters became which, in order and apart."""
    successors: dict[Row, Row] = {}
    for kind, rows in listed().fillers.items():
        order = generator.sample(range(len(rows)), len(rows))
        successors |= {(kind, a): (kind, b) for a, b in zip(order, order[1:] + order[:1], strict=True)}
    return _with_edits(document, listed().edits(document.text, successors))


def swap_corpora(corpora: Mapping[str, Corpus], *, share: float, seed: int) -> dict[str, Corpus]:
    """The corpora with about ``share`` (0 to 1) of the documents replaced by their swapped copies, ids kept.

    Seed and document id alone decide which documents and which names: their order does not matter.
    """

    def maybe_swapped(document: Document) -> Document:
        generator = random.Random(f"{seed}:{document.id}")
        return swap_names(document, generator) if generator.random() < share else document

    return {
        name: replace(corpus, documents=tuple(map(maybe_swapped, corpus.documents))) for name, corpus in corpora.items()
    }


def _with_edits(document: Document, edits: Sequence[Edit]) -> tuple[Document, tuple[Edited, ...]]:
    """The document after edits that are in order and apart; a span's edge inside an edit moves to the edit's edge."""
    parts, shift, position = [], 0, 0
    edited: list[Edited] = []
    for edit in edits:
        parts += [document.text[position : edit.start], edit.new]
        edited.append(Edited(edit.start, edit.end, edit.start + shift, edit.start + shift + len(edit.new)))
        shift += len(edit.new) - (edit.end - edit.start)
        position = edit.end
    parts.append(document.text[position:])
    spans = (_moved(span, edited) for span in document.spans)
    return replace(document, text="".join(parts), spans=in_reading_order(spans)), tuple(edited)


def _moved(span: Span, edited: Sequence[Edited]) -> Span:
    start, end = span.start, span.end
    for edit in edited:
        if edit.old_end <= span.start:
            start = span.start + edit.new_end - edit.old_end
        elif edit.old_start < span.start:
            start = edit.new_start
        if edit.old_end <= span.end:
            end = span.end + edit.new_end - edit.old_end
        elif edit.old_start < span.end:
            end = edit.new_end
    return replace(span, start=start, end=end)
