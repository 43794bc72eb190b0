"""Pages of a PDF that must be read off the positions of their letters: by pdfplumber, which takes its time.

Three kinds are known: pages whose words are glued together, because their spaces are no characters but gaps; pages
whose words come one by one; and pages of two columns that are written across both, line by line.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from detector.readers.limits import needed

Chunk = tuple[str, float, float]
"""A piece of text as it is written on a page, and where it begins: x from the left, y from below, in points."""

_LONG_WORD = 14  # letters that the words of a page have on average only where the spaces are missing
_FEW_WORDS = 1.5  # words that the lines of a page have on average only where each word is written by itself
_MANY_LINES = 20
_PROSE = 20  # letters that a line of a column has on average, and a cell of a table has not
_FEWEST_ROWS = 5
_SAME_ROW = 3.0  # points
_FURTHER_RIGHT = 100.0
_SPACE = 6.0  # points: a space between words is narrower, that between columns wider


def has_odd_words(text: str) -> bool:
    """Whether the words of a page are glued together, or stand on a line each."""
    words, n_lines = text.split(), sum(1 for line in text.split("\n") if line.strip())
    glued = bool(words) and text.isascii() and sum(map(len, words)) > _LONG_WORD * len(words)
    return glued or (n_lines > _MANY_LINES and len(words) < _FEW_WORDS * n_lines)


def second_column(chunks: Iterable[Chunk]) -> float | None:
    """Where the second of two columns begins that are written line by line across both; None where none are.

    >>> row = "as long as a line of a column is"
    >>> second_column((row, x, 700 - 12 * i) for i in range(9) for x in (60, 310))
    310.0
    """
    written = [(text, x, y) for text, x, y in chunks if text.strip()]
    pairs = [(a, b) for a, b in pairwise(written) if abs(a[2] - b[2]) < _SAME_ROW and b[1] - a[1] > _FURTHER_RIGHT]
    (x, n_rows), *_ = Counter(round(b[1]) for _, b in pairs).most_common(1) or [(0, 0)]
    n_letters = sum(min(len(a[0]), len(b[0])) for a, b in pairs)
    in_columns = n_rows >= _FEWEST_ROWS and 4 * n_rows >= len(written) and n_letters >= _PROSE * len(pairs)
    return float(x) if in_columns else None


def read_by_layout(data: bytes, number: int, *, id: str, gutter: float | None) -> str:
    """The text of a page, counted from 1; where there is a ``gutter``, what is left of it before what is right."""
    pdfplumber = needed(lambda: __import__("pdfplumber"), id=id, kind="this PDF", extra="pdf")
    with pdfplumber.open(io.BytesIO(data), pages=[number]) as pdf:
        page = pdf.pages[0]
        if gutter is None:
            return str(page.extract_text(x_tolerance=1) or "")
        return "\n".join(_in_columns(page.extract_words(x_tolerance=1), gutter))


def _in_columns(words: Sequence[dict[str, Any]], gutter: float) -> Iterator[str]:
    """The lines, column by column; a line over both columns ends what stands above it, and blank lines surround it."""
    left, right, over = list[str](), list[str](), False
    for row in _rows(words):
        before = [word for word in row if word["x1"] <= gutter]
        after = [word for word in row if word["x0"] >= gutter - 1]
        crosses = len(before) + len(after) < len(row) or bool(
            before and after and after[0]["x0"] - before[-1]["x1"] < _SPACE
        )
        if crosses != over:
            yield from (*left, *right, "")
            left, right, over = [], [], crosses
        if crosses:
            left.append(_line(row))
            continue
        left += [_line(before)] if before else []
        right += [_line(after)] if after else []
    yield from (*left, *right)


def _rows(words: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The words that stand on one line, from the left; lines from above."""
    row: list[dict[str, Any]] = []
    for word in sorted(words, key=lambda word: word["bottom"]):
        if row and word["bottom"] - row[0]["bottom"] > _SAME_ROW:
            yield sorted(row, key=lambda word: word["x0"])
            row = []
        row.append(word)
    if row:
        yield sorted(row, key=lambda word: word["x0"])


def _line(words: Iterable[dict[str, Any]]) -> str:
    return " ".join(str(word["text"]) for word in words)
