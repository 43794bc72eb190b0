"""A document with its spans for a terminal or a pipe: the article, a list of findings, a summary.

With colour, each span has the colour of its family and its short code after its last character; where spans overlap,
the shortest gives the colour and the common characters are underlined. Without colour, spans stand in brackets (see
`brackets`). Lines are never re-wrapped.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from detector.quotes import Quotation, document_quotations, quotation_of
from detector.report.brackets import marked
from detector.report.segments import Segment, segments
from detector.report.visible import visible
from detector.report.wording import FACTOR_MEANS, counted, factor
from detector.spans import LIKELY, Cue, Document, LineIndex, Span
from detector.techniques import families
from detector.writers.naming import family_of, place_of, short_code, title

VERDICT = "A flag is not a verdict: it says how something is put, not whether it is true."
_SHORTEST_QUOTE = 24


@dataclass(frozen=True, slots=True)
class Style:
    """How a document is shown.

    ``colour``: with escape sequences of ours. ``safe``: control characters of the text are made visible, as they must
    be on a terminal; elsewhere the text keeps them. ``width``: columns that a line of the list of findings may fill.
    """

    colour: bool = False
    safe: bool = False
    width: int = 100


def render(document: Document, *, model_name: str, style: Style) -> str:
    """The document as this module describes, with a line end after its last line."""
    article = _article(document, style)
    separator = "" if not article or article.endswith("\n") else "\n"
    below = [*findings(document, style), "", summary(document, model_name=model_name), VERDICT]
    return f"{article}{separator}\n" + "\n".join(below if document.spans else below[1:]) + "\n"


def heading(document: Document, style: Style) -> str:
    """The line that stands above a document where there are several."""
    return paint(f"==> {visible(document.id)} <==", "1", style=style) + "\n"


def findings(document: Document, style: Style) -> list[str]:
    """One line for each span: line:column, code, title, certainty and the quote, cut to fit.

    Where it was measured which words carried it, a second line names them; the last line then says what figures mean.
    """
    lines = LineIndex(document.text)
    places = [_place(document, span, lines) for span in document.spans]
    quoted = document_quotations(document) if document.spans else ()
    codes = [short_code(span.technique) for span in document.spans]
    titles = [title(span.technique) for span in document.spans]
    n_place, n_code, n_title = (max(map(len, column), default=0) for column in (places, codes, titles))
    room = style.width - (n_place + n_code + n_title + 25)  # 25: the certainty, the gaps and the quotation marks
    rows = []
    for span, place, code, name in zip(document.spans, places, codes, titles, strict=True):
        painted = paint(f"{code:{n_code}}", _family_colour(span), style=style)
        said = _said(quotation_of(span, quoted))
        quote = shortened(visible(document.quote(span)), room - len(said))
        rows.append(
            f"  {place:>{n_place}}  {painted}  {name:{n_title}}  {certainty(span.confidence):13}  “{quote}”{said}"
        )
        if span.why is not None:
            rows.append(" " * (n_place + n_code + 6) + because(document, span.why))
    if any(span.why for span in document.spans):
        rows.append(f"  {FACTOR_MEANS}")
    return rows


def summary(document: Document, *, model_name: str) -> str:
    """One line: how many findings in how much text, by family, and by which model."""
    n_words = len(document.text.split())
    if not n_words:
        return f"No findings: the text is empty. Model: {model_name}."
    size = f"in {counted(len(document.text), 'character')} ({counted(n_words, 'word')})"
    if not document.spans:
        return f"No findings {size}. Model: {model_name}."
    n_spans = Counter(family_of(span.technique) for span in document.spans)
    groups = ", ".join(f"{f.title.lower()} {n_spans[f.name]}" for f in families() if f.name in n_spans)
    n_quoted = sum(quotation_of(span, document_quotations(document)) is not None for span in document.spans)
    quoted = f"; {n_quoted:,} of them in the words of others" if n_quoted else ""
    return f"{counted(len(document.spans), 'finding')} {size}: {groups}{quoted}. Model: {model_name}."


def because(document: Document, cues: Sequence[Cue]) -> str:
    """The words that carried a finding, each with its `factor`, in a phrase."""
    named = [f"“{shortened(visible(document.text[cue.start : cue.end]), 0)}” ({factor(cue.weight)})" for cue in cues]
    return f"because of {', '.join(named)}" if named else "no single word carried it"


def _place(document: Document, span: Span, lines: LineIndex) -> str:
    """Where a span begins, as the source counts, else as line and column."""
    place = place_of(document, span)
    return shortened(visible(place), 24) if place else ":".join(map(str, lines.position(span.start)))


def _said(quotation: Quotation | None) -> str:
    """Who says the words of a finding, where they are quoted."""
    if quotation is None:
        return ""
    return f" (said by {shortened(visible(quotation.speaker), 40)})" if quotation.speaker else " (quoted)"


def certainty(confidence: float) -> str:
    """A confidence in figures and a word.

    >>> certainty(0.871), certainty(0.4)
    ('87% likely', '40% possible')
    """
    return f"{confidence:.0%} {likelihood(confidence)}"


def likelihood(confidence: float) -> str:
    """The word for a confidence: ``likely`` or ``possible``."""
    return "likely" if confidence >= LIKELY else "possible"


def shortened(quote: str, n_characters: int) -> str:
    """The quote on one line, cut to this many characters, or to 24 where there is less room.

    >>> shortened("They want to destroy\\neverything that we love", 30)
    'They want to destroy everythi…'
    """
    line = " ".join(quote.split())
    room = max(n_characters, _SHORTEST_QUOTE)
    return line if len(line) <= room else line[: room - 1].rstrip() + "…"


def paint(text: str, *codes: str, style: Style) -> str:
    """The text with these SGR codes, each line for itself so that a pager keeps them; as it is without colour."""
    if not style.colour or not codes:
        return text
    start = f"\x1b[{';'.join(codes)}m"
    return "\n".join(f"{start}{line}\x1b[0m" if line else "" for line in text.split("\n"))


@cache
def colours() -> dict[str, int]:
    """The terminal colour (0 to 255) of each family, by slug, from the palette file."""
    palette = tomllib.loads(Path(__file__).with_name("palette.toml").read_text(encoding="utf-8"))
    return dict(palette["terminal"])


def _article(document: Document, style: Style) -> str:
    if not style.colour:
        return _shown(marked(document.text, document.spans), style)
    parts = segments(len(document.text), document.spans)
    return "".join(_coloured(document.text[part.start : part.end], part, style) for part in parts)


def _coloured(text: str, segment: Segment, style: Style) -> str:
    """The text of a segment in the colour of its shortest span, and the codes of the spans that end with it."""
    if not segment.spans:
        return _shown(text, style)
    innermost = min(segment.spans, key=lambda span: (len(span), -span.start, span.technique))
    underline = ["4"] if len(segment.spans) > 1 else []
    shown = paint(_shown(text, style), _family_colour(innermost), *underline, style=style)
    ending = sorted(segment.ending, key=lambda span: (len(span), -span.start, span.technique))
    return shown + "".join(paint(f"·{short_code(s.technique)}", "2", _family_colour(s), style=style) for s in ending)


def _family_colour(span: Span) -> str:
    return f"38;5;{colours()[family_of(span.technique)]}"


def _shown(text: str, style: Style) -> str:
    return visible(text) if style.safe else text
