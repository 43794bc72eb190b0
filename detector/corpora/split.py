"""Folds of a corpus that keep near-duplicate documents together."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

from detector.spans import Document

_N_WORDS = 8
_SHARED = 0.3  # of the smaller document's distinct word sequences


def folds(documents: Sequence[Document], *, n_folds: int = 5, seed: int = 0) -> list[int]:
    """The fold of each document, from 0 to ``n_folds - 1``; near-duplicates are in one fold.

    Two documents are near-duplicates if they share at least 30 % of the distinct eight-word sequences of the one
    that has fewer; near-duplicates of near-duplicates belong together too. The fold depends on the seed and on the
    smallest id of such a group, never on the order of documents or on the other groups.
    """
    groups = _Groups(len(documents))
    for first, second in near_duplicates(documents):
        groups.join(first, second)
    names: dict[int, str] = {}
    for i, document in enumerate(documents):
        root = groups.root(i)
        names[root] = min(names.get(root, document.id), document.id)
    return [_hash(f"{seed}:{names[groups.root(i)]}") % n_folds for i in range(len(documents))]


def near_duplicates(documents: Sequence[Document]) -> list[tuple[int, int]]:
    """The pairs of positions, the smaller first, of documents that are near-duplicates (see `folds`)."""
    holders: defaultdict[str, list[int]] = defaultdict(list)
    n_sequences = []
    for i, document in enumerate(documents):
        sequences = _word_sequences(document.text)
        n_sequences.append(len(sequences))
        for sequence in sequences:
            holders[sequence].append(i)
    # Many sequences (a site's footer) have the same holders: each set of holders is paired up once.
    n_held = Counter(tuple(held) for held in holders.values() if len(held) > 1)
    n_shared: Counter[tuple[int, int]] = Counter()
    for held, n in n_held.items():
        for pair in combinations(held, 2):
            n_shared[pair] += n
    return sorted((a, b) for (a, b), n in n_shared.items() if n / min(n_sequences[a], n_sequences[b]) >= _SHARED)


def _word_sequences(text: str) -> set[str]:
    """The distinct runs of eight words; a shorter text counts as one run, so that its copies are found."""
    words = re.findall(r"\w+", text.casefold())
    starts: Iterable[int] = range(max(1, len(words) - _N_WORDS + 1)) if words else ()
    return {" ".join(words[i : i + _N_WORDS]) for i in starts}


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


class _Groups:
    """Positions joined into groups (union-find with path halving)."""

    def __init__(self, n_members: int) -> None:
        self._parents = list(range(n_members))

    def root(self, member: int) -> int:
        """The member that stands for the group of ``member``."""
        while self._parents[member] != member:
            self._parents[member] = self._parents[self._parents[member]]
            member = self._parents[member]
        return member

    def join(self, first: int, second: int) -> None:
        """Makes one group of two."""
        self._parents[self.root(first)] = self.root(second)
