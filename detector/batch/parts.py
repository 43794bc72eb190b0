"""Records → parts: fixed ranges of the corpus, each the unit of work, of writing and of resuming."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from detector.batch.records import Record

PART_CHARACTERS = 1_000_000
"""A part ends early where its texts reach this many characters: long documents make no part slow or large."""


@dataclass(frozen=True, slots=True)
class Part:
    """Records that follow each other in the corpus; ``number`` counts parts from 0."""

    number: int
    records: tuple[Record, ...]

    def digest(self, *, unreadable: Collection[tuple[str, int]] = ()) -> str:
        """``sha256:`` and the digest of what the part was read from; an unreadable record counts as just that.

        Records named in ``unreadable``, by source and row, count as such even where they can be read.
        """
        digest = hashlib.sha256()
        for r in self.records:
            readable = not r.failure and (r.source, r.row) not in unreadable
            row = [r.source, r.row, r.text_hash, r.id, r.kept] if readable else [r.source, r.row, "unreadable"]
            digest.update(json.dumps(row).encode() + b"\n")
        return "sha256:" + digest.hexdigest()


def cut_parts(records: Iterable[Record], *, n_documents: int) -> Iterator[Part]:
    """Parts of ``n_documents`` records, or of fewer that reach `PART_CHARACTERS`. Depends on the records alone."""
    number, size = 0, 0
    held: list[Record] = []
    for record in records:
        held.append(record)
        size += len(record.text or "")
        if len(held) == n_documents or size >= PART_CHARACTERS:
            yield Part(number, tuple(held))
            number, size, held = number + 1, 0, []
    if held:
        yield Part(number, tuple(held))
