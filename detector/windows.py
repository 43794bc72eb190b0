"""Documents cut into windows that fit the encoder, and spans turned into training targets.

A document is tokenised once. Windows are ranges of its pieces: whole lines packed up to the encoder's size, cut where
a line ends, else a sentence, else a word. Which of several such places is decided by the words after it, not by where
the text begins: a passage that moves is cut, and so read, as before. Neighbouring windows share ``overlap`` pieces;
each piece is *decided* by the one window that shows it most context, so that the decided ranges tile the document and
nothing is left out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.folding import Counts, Folded, counts_before, find_wraps, fold
from detector.names import Names
from detector.spans import Span
from detector.techniques import NAMES, members

Ints = npt.NDArray[np.int64]

IDENTIFICATION = "identification"
CHANNELS = (IDENTIFICATION, *NAMES)
"""The token head's outputs in order: inside any technique, then inside each technique of the inventory."""

LINE_BREAKS = [ord(c) for c in "\n\r"]
RANKED = 8
SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""The golden ratio of 64 bits: multiplied by it, like numbers become unlike (Knuth's multiplicative hashing)."""
SENTENCE_ENDS = [ord(c) for c in '.!?…"”']


@dataclass(frozen=True, slots=True)
class Pieces:
    """A tokenised text without special tokens: ``ids`` ``(n,)`` and code-point ``offsets`` ``(n, 2)``.

    ``begins`` ``(n,)``: the code point that each piece begins with as the model reads it, case aside.
    """

    ids: Ints
    offsets: Ints
    begins: Ints

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Window:
    """Pieces ``[first, last)`` of a document, of which it decides ``[decide_first, decide_last)``."""

    first: int
    last: int
    decide_first: int
    decide_last: int

    def __len__(self) -> int:
        return self.last - self.first


def tokenize(tokenizer: Any, text: str, names: Names | None = None) -> Pieces:
    """The pieces of ``text`` by a `tokenizers.Tokenizer`; pieces that cover no character are dropped.

    The tokenizer reads the text folded (see `detector.folding`), and with ``names`` as stand-ins where the model reads
    names alike (see `detector.names`); the offsets are those of the text as given.
    """
    folded = fold(text)
    if names is not None:
        folded = names.read_alike(folded)
    # The Rust side takes UTF-8 only; a lone surrogate is one code point and so is its stand-in.
    encoding = tokenizer.encode(_without_surrogates(folded.text), add_special_tokens=False)
    ids = np.asarray(encoding.ids, dtype=np.int64)
    offsets = np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    kept = offsets[:, 1] > offsets[:, 0]
    lower = folded.text.lower()
    codes = code_points(lower if len(lower) == len(folded.text) else folded.text)
    return Pieces(ids[kept], folded.given(offsets[kept]), codes[offsets[kept, 0]].astype(np.int64))


def _without_surrogates(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def cut_windows(text: str, pieces: Pieces, *, size: int, overlap: int) -> list[Window]:
    """Windows of at most ``size`` pieces over the whole document, neighbours sharing about ``overlap`` pieces.

    Deterministic. The ``decide`` ranges follow each other without gap from 0 to ``len(pieces)``. A window after the
    first starts ``overlap`` pieces before its predecessor's end, and both decide one half of the shared part.
    """
    if size <= overlap:
        raise ValueError(f"window size {size} must exceed the overlap {overlap}")
    n = len(pieces)
    if n == 0:
        return []
    quality, ranks = _cut_quality(text, fold(text), pieces), _cut_ranks(pieces)
    cuts: list[tuple[int, int]] = []
    first = 0
    while first + size < n:
        last = _best_cut(quality, ranks, first + max(size // 2, overlap + 1), first + size)
        cuts.append((first, last))
        first = last - overlap
    cuts.append((first, n))
    # Half of the overlap is decided by each side.
    edges = [0, *(last - overlap // 2 for _, last in cuts[:-1]), n]
    return [Window(a, b, edges[i], edges[i + 1]) for i, (a, b) in enumerate(cuts)]


def _best_cut(quality: npt.NDArray[np.int8], ranks: npt.NDArray[np.uint64], low: int, high: int) -> int:
    """The position in ``(low, high]`` with the best cut quality, and of equals that with the lowest rank."""
    if low >= high:
        return high
    best = quality[low + 1 : high + 1].max()
    candidates = low + 1 + np.flatnonzero(quality[low + 1 : high + 1] == best)
    return int(candidates[np.argmin(ranks[candidates])])


def _cut_ranks(pieces: Pieces) -> npt.NDArray[np.uint64]:
    """A number for each place before a piece that depends on how the next `RANKED` pieces begin, and on nothing else.

    Shape ``(n + 1,)``. Cut at the lowest, two texts that have a passage in common are soon cut at the same places of
    it, wherever it begins in them (as files are cut for deduplication: Muthitacharoen et al. 2001).
    """
    begins = np.concatenate([pieces.begins, np.zeros(RANKED)]).astype(np.uint64)
    ranks = np.zeros(len(pieces) + 1, dtype=np.uint64)
    for i in range(RANKED):
        ranks = (ranks + begins[i : i + len(ranks)]) * SPREAD
    return ranks


def _cut_quality(text: str, folded: Folded, pieces: Pieces) -> npt.NDArray[np.int8]:
    """How good a place before each piece is to end a window: 3 line, 2 sentence, 1 word, 0 inside one; ``(n + 1,)``."""
    starts, ends = pieces.offsets[1:, 0], pieces.offsets[:-1, 1]
    codes = folded.spread(code_points(folded.text))
    lines = line_numbers(text)
    line = lines[np.maximum(starts, ends)] > lines[ends]
    between = np.select([line, np.isin(codes[ends - 1], SENTENCE_ENDS)], [3, 2], default=1)
    quality = np.zeros(len(pieces) + 1, dtype=np.int8)
    quality[1:-1] = np.where(starts > ends, between, 0)
    return quality


def line_numbers(text: str) -> Counts:
    """How many line ends come before each position ``(n_characters + 1,)``; hard wraps in a paragraph do not count."""
    codes = code_points(text)
    breaks = np.logical_or.reduce([codes == code for code in LINE_BREAKS])
    breaks[find_wraps(text)] = False
    return counts_before(breaks)


def code_points(text: str) -> npt.NDArray[np.uint32]:
    """The text as an array of code points ``(n_characters,)``."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


@dataclass(frozen=True, slots=True)
class Targets:
    """What the token head should say of each piece, as bits: bit ``k`` stands for ``CHANNELS[k]``.

    ``inside`` ``(n,)``: the channels whose spans the piece touches. ``known`` ``(n,)``: the channels the corpus
    speaks of there; the others are masked in the loss.
    """

    inside: Ints
    known: Ints


def make_targets(pieces: Pieces, spans: Iterable[Span], *, annotated: Iterable[str]) -> Targets:
    """Targets of a document's pieces from its spans, in a corpus that annotates these techniques.

    A span whose technique is one of several (merged in an older inventory, or not named at all) counts for
    identification, and leaves those techniques unknown where it lies.
    """
    n = len(pieces)
    inside = np.zeros(n, dtype=np.int64)
    unknown = np.zeros(n, dtype=np.int64)
    for span in spans:
        first, last = piece_range(pieces, span.start, span.end)
        candidates = members(span.technique) if span.technique else NAMES
        bits = sum(channel_bit(name) for name in candidates)
        inside[first:last] |= channel_bit(IDENTIFICATION)
        if len(candidates) > 1:
            unknown[first:last] |= bits
        else:
            inside[first:last] |= bits
    known = sum(channel_bit(name) for name in (IDENTIFICATION, *annotated))
    return Targets(inside, (known & ~unknown) | inside)


def channel_bit(name: str) -> int:
    """The bit that stands for a channel in `Targets`."""
    return 1 << CHANNELS.index(name)


def piece_range(pieces: Pieces, start: int, end: int) -> tuple[int, int]:
    """The pieces ``[first, last)`` that touch characters ``[start, end)``; empty where no piece does."""
    first = int(np.searchsorted(pieces.offsets[:, 1], start, side="right"))
    last = int(np.searchsorted(pieces.offsets[:, 0], end, side="left"))
    return first, max(first, last)


def window_of_range(windows: Sequence[Window], first: int, last: int) -> int:
    """The index of the window that shows the most of pieces ``[first, last)``, and of equals the one most centred.

    The windows are those of a document, in order, and show some of the pieces.
    """

    def shown(i: int) -> tuple[int, int]:
        window = windows[i]
        common = min(last, window.last) - max(first, window.first)
        return common, min(first - window.first, window.last - last)

    low = bisect_right(windows, first, key=lambda window: window.last)
    high = bisect_left(windows, last, key=lambda window: window.first)
    return max(range(low, high), key=shown)
