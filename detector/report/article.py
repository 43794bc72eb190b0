"""A text as HTML whose characters are exactly those of the text, with every finding as `<mark>` elements.

Each line is one block; inside it the text is cut wherever a finding, a quotation or the line ends. A very long line is
cut further, into rows that a browser lays out one by one (inline blocks, which add nothing to what is copied). Marks
nest by slot, each with one underline, so overlapping findings keep their row. Codes are not characters of the page (the
style sheet draws them from ``data-c``), so what a reader selects and copies is the source. The words that carried
findings are elements that name these findings in ``data-w``.

Characters that a browser would obey or cannot hold are confined to an element of their own that shows their number:
control characters, direction overrides (which then change nothing outside it), NUL and lone surrogates (which HTML
cannot hold: they become U+FFFD).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from markupsafe import Markup, escape

from detector.quotes import document_quotations
from detector.report.findings import Finding
from detector.report.segments import segments
from detector.spans import Document, LineIndex, Span

_TO_ESCAPE = re.compile(
    "[&<>\"'\r\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "\r": "&#13;"}
_LINES_PER_CHUNK = 30
_ROW_CHARACTERS = 3_000  # of a line that is cut: a browser takes milliseconds to lay these out
_LONG_LINE = 2 * _ROW_CHARACTERS
# Where a long line is cut: behind a sentence, else behind white space, else before a letter that starts a character.
_BREAKS = (
    re.compile("[.!?…][\"'”’»)\\]]*\\s+|[。！？]"),
    re.compile(r"\s+"),
    re.compile("(?=[0-9A-Za-z\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3])"),
)
_ROWS_BETWEEN_LINES = 3  # underlines that fit between two lines of text; the style sheet makes room for more


@dataclass(frozen=True, slots=True)
class Row:
    """Characters ``[start, end)`` of a text as HTML: a line with its end, or a part of a very long line."""

    line: int
    start: int
    end: int
    html: str


def article_html(document: Document, found: Sequence[Finding], *, prefix: str = "") -> Markup:
    """The lines of a text as ``<div class="para">`` in ``<div class="chunk">``; ids of lines start with ``prefix``.

    (No ``<p>``: browsers put blank lines of their own between paragraphs that are copied.)

    The text content of the result is the text, but for NUL and lone surrogates, which become U+FFFD each.
    """
    return rows_html(article_rows(document, found), prefix=prefix)


def article_rows(document: Document, found: Sequence[Finding]) -> Iterator[Row]:
    """The rows of a text in order; together they have all its characters."""
    text, starts = document.text, LineIndex(document.text).starts
    lines = enumerate(zip(starts, [*starts[1:], len(text)], strict=True), start=1)
    bounds = [(n, *row) for n, (start, end) in lines for row in pairwise([start, *_cuts(text, start, end), end])]
    by_span = {finding.span: finding for finding in found}
    pieces = _pieces(document, [start for _, start, _ in bounds], found)
    piece = next(pieces, None)
    for line, start, end in bounds:
        parts = []
        while piece is not None and piece.end <= end:
            marks = sorted((by_span[span] for span in piece.spans), key=lambda finding: finding.slot)
            parts.append(_piece_html(text, piece, marks))
            piece = next(pieces, None)
        if parts:  # there is nothing in the empty line after a final line end
            yield Row(line, start, end, "".join(parts))


def rows_html(rows: Iterable[Row], *, prefix: str = "") -> Markup:
    """These rows as `article_html` has them."""
    paras = [_para(line, [row.html for row in group], prefix) for line, group in groupby(rows, lambda row: row.line)]
    chunks = ("".join(paras[first : first + _LINES_PER_CHUNK]) for first in range(0, len(paras), _LINES_PER_CHUNK))
    return Markup("".join(f'<div class="chunk">{chunk}</div>' for chunk in chunks))


def _para(line: int, rows: Sequence[str], prefix: str) -> str:
    content = rows[0] if len(rows) == 1 else "".join(f'<span class="row">{row}</span>' for row in rows)
    return f'<div class="para" id="{prefix}l{line}" data-l="{line}">{content}</div>'


def _cuts(text: str, start: int, end: int) -> Iterator[int]:
    """Where the rows of a line start after the first; nowhere in a line of ordinary length."""
    at = start
    while end - at > _LONG_LINE:
        window = at + _ROW_CHARACTERS, at + _LONG_LINE
        found = next(filter(None, (pattern.search(text, *window) for pattern in _BREAKS)), None)
        at = found.end() if found else window[1]
        if found:
            yield at


def escaped(text: str) -> str:
    """The text as HTML; what a browser would obey stands in an element that shows its number.

    >>> escaped("a<b\\r\\n\\u202ec")
    'a&lt;b&#13;\\n<span class="control" data-u="U+202E">\\u202e</span>c'
    """
    return _TO_ESCAPE.sub(lambda found: _ENTITIES.get(found[0]) or _confined(found[0]), text)


def _confined(character: str) -> str:
    code_point = ord(character)
    held = "\ufffd" if code_point == 0 or 0xD800 <= code_point <= 0xDFFF else character
    return f'<span class="control" data-u="U+{code_point:04X}">{held}</span>'


@dataclass(frozen=True, slots=True)
class _Piece:
    """Characters ``[start, end)`` of one row with the findings on them, and whether they are quoted.

    ``carried`` are the numbers of the findings that these characters carried.
    """

    start: int
    end: int
    spans: tuple[Span, ...]
    quoted: bool
    carried: tuple[int, ...]


def _pieces(document: Document, starts: Sequence[int], found: Sequence[Finding]) -> Iterator[_Piece]:
    """The segments of a text, cut further where rows start, and where quotations and carrying words start and end."""
    n_characters = len(document.text)
    quotations = [(quotation.start, quotation.end) for quotation in document_quotations(document)]
    carrying = _carrying(n_characters, found)
    ranges = [*quotations, *((start, end) for start, end, _ in carrying)]
    cuts = sorted({*starts, *(cut for one in ranges for cut in one)})
    next_cut = next_quotation = next_carrying = 0
    for segment in segments(n_characters, (finding.span for finding in found)):
        at = segment.start
        while at < segment.end:
            while next_cut < len(cuts) and cuts[next_cut] <= at:
                next_cut += 1
            while next_quotation < len(quotations) and quotations[next_quotation][1] <= at:
                next_quotation += 1
            while next_carrying < len(carrying) and carrying[next_carrying][1] <= at:
                next_carrying += 1
            end = min(segment.end, cuts[next_cut] if next_cut < len(cuts) else segment.end)
            quoted = next_quotation < len(quotations) and quotations[next_quotation][0] <= at
            carries = next_carrying < len(carrying) and carrying[next_carrying][0] <= at
            yield _Piece(at, end, segment.spans, quoted, carrying[next_carrying][2] if carries else ())
            at = end


def _carrying(n_characters: int, found: Iterable[Finding]) -> list[tuple[int, int, tuple[int, ...]]]:
    """The ranges of words that carried findings, in order, not overlapping, each with the numbers of these findings."""
    numbers: dict[Span, list[int]] = {}
    for finding in found:
        for cue in finding.span.why or ():
            numbers.setdefault(Span(cue.start, cue.end, ""), []).append(finding.number)
    parts = (part for part in segments(n_characters, numbers) if part.spans)
    return [(part.start, part.end, tuple(sorted({n for s in part.spans for n in numbers[s]}))) for part in parts]


def _piece_html(text: str, piece: _Piece, marks: Sequence[Finding]) -> str:
    inner = escaped(text[piece.start : piece.end])
    if piece.carried:
        inner = f'<span class="cue" data-w="{" ".join(map(str, piece.carried))}">{inner}</span>'
    if marks:
        n_rows = marks[-1].slot + 1
        room = f" rows-{n_rows}" if n_rows > _ROWS_BETWEEN_LINES else ""
        tags = [_mark(marks[0], piece, room), *(_mark(finding, piece, "") for finding in marks[1:])]
        inner = "".join(tags) + inner + "</mark>" * len(marks)
    return f'<span class="speech">{inner}</span>' if piece.quoted else inner


def _mark(finding: Finding, piece: _Piece, room: str) -> str:
    """The opening tag of a finding's piece; its first piece has the id and the code."""
    kind = f"slot-{finding.slot} {finding.family}{'' if finding.likelihood == 'likely' else ' possible'}"
    kind += f"{' quoted' if finding.quoted else ''}{room}"
    opening = f'<mark class="{kind}" data-n="{finding.number}"'
    if piece.start > finding.span.start:
        return opening + ">"
    description = escape(f"{finding.title}, {finding.likelihood}{', quoted' if finding.quoted else ''}")
    return f'{opening} id="f{finding.number}" data-c="{finding.code}" title="{description}">'
