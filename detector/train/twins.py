"""Twins: windows cut elsewhere, with other names in them, matched piece by piece to hold both to one answer.

Who a text is about should not change what is found, and neither should where its windows happen to be cut: the loss
asks for the same outputs at the same words (as R-Drop does of two passes over one text: Wu et al. 2021).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from detector.names import Names
from detector.spans import Document
from detector.train.swap import Edited, swap_names_at
from detector.windows import Ints, Pieces, Window, make_targets, tokenize

SPAN_COLUMNS = ("first", "last", "count", "techniques")
"""The columns of a row that hold its candidate spans."""


@dataclass(frozen=True, slots=True)
class Twin:
    """A document with other names: its pieces, its targets, and which of its pieces are which of the original's.

    ``here`` and ``there`` ``(n_matches,)`` are places of the same words in the original and in the twin, both rising.
    """

    pieces: Pieces
    inside: Ints
    known: Ints
    here: Ints
    there: Ints


def make_twin(
    document: Document,
    pieces: Pieces,
    tokenizer: Tokenizer,
    generator: random.Random,
    *,
    annotated: Iterable[str],
    names: Names | None = None,
) -> Twin:
    """The twin of a document of these pieces, with names that the generator decides over."""
    swapped, edited = swap_names_at(document, generator)
    theirs = tokenize(tokenizer, swapped.text, names)
    targets = make_targets(theirs, swapped.spans, annotated=annotated)
    here, there = match(pieces, theirs, edited)
    return Twin(theirs, targets.inside, targets.known, here, there)


def match(ours: Pieces, theirs: Pieces, edited: Sequence[Edited]) -> tuple[Ints, Ints]:
    """The places of pieces that are the same in a text and in its edited copy: those outside all edits."""
    if not len(ours) or not len(theirs):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    old_ends = np.array([-1, *(edit.old_end for edit in edited)])
    shifts = np.array([0, *(edit.new_end - edit.old_end for edit in edited)])
    moved = ours.offsets + shifts[np.searchsorted(old_ends, ours.offsets[:, 0], side="right") - 1][:, None]
    place = np.minimum(np.searchsorted(theirs.offsets[:, 0], moved[:, 0]), len(theirs) - 1)
    same = (theirs.offsets[place] == moved).all(axis=1) & (theirs.ids[place] == ours.ids)
    for edit in edited:
        same &= (ours.offsets[:, 1] <= edit.old_start) | (ours.offsets[:, 0] >= edit.old_end)
    here = np.flatnonzero(same)
    return here, place[here]


def twin_columns(twin: Twin, window: Window, generator: random.Random, *, size: int) -> dict[str, Any]:
    """The columns of a window's row that speak of its twin: ``size`` pieces, up to half of them other text.

    In ``here`` and ``there`` are the places of the words that both show.
    """
    shown = (twin.here >= window.first) & (twin.here < window.last)
    begin = int(twin.there[shown][0]) if shown.any() else 0
    latest = max(0, len(twin.pieces) - size)
    first = min(max(begin + generator.randint(-size // 2, size // 2), 0), latest)
    last = min(first + size, len(twin.pieces))
    both = shown & (twin.there >= first) & (twin.there < last)
    return {
        "twin_ids": twin.pieces.ids[first:last],
        "twin_inside": twin.inside[first:last],
        "twin_known": twin.known[first:last],
        "twin_length": last - first,
        "here": twin.here[both] - window.first,
        "there": twin.there[both] - first,
    }


def twin_row(row: dict[str, Any]) -> dict[str, Any]:
    """A window's twin as a row of its own, without candidate spans."""
    own = {name.removeprefix("twin_"): value for name, value in row.items() if name.startswith("twin_")}
    return own | {"corpus": row["corpus"], "allowed": row["allowed"]} | dict.fromkeys(SPAN_COLUMNS, ())


def matched_places(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[int, int, int, int]]:
    """Where a batch says the same: row and place, then the twin's row and place. The twins follow all rows.

    Places count the special piece at the start.
    """
    for i, row in enumerate(rows):
        for here, there in zip(row["here"], row["there"], strict=True):
            yield i, here + 1, len(rows) + i, there + 1
