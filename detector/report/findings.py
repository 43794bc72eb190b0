"""The findings of a document as a page shows them: numbered, named, each with a line of its own under the text."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from detector.quotes import Quotation, document_quotations, quotation_of
from detector.report.terminal import likelihood, shortened
from detector.report.wording import factor
from detector.spans import Document, LineIndex, Span, in_reading_order
from detector.techniques import members
from detector.writers.naming import family_of, place_of, short_code, title

_QUOTE_CHARACTERS = 220


@dataclass(frozen=True, slots=True)
class Finding:
    """One span of a page: ``number`` counts from 1 over the whole page, ``slot`` is its row among the underlines.

    ``family`` is a slug, ``techniques`` are slugs (several where an older inventory merged them), ``likelihood`` is
    the word for the confidence. ``quoted``: the span lies in somebody's quoted or reported words; ``speaker`` is whose,
    where the text says so. ``place`` is the page, chapter or time where it begins, in texts that have such. ``words``
    are those that carried it, each with its `factor`; None where that was not measured.
    """

    number: int
    span: Span
    slot: int
    line: int
    quote: str
    code: str
    title: str
    family: str
    techniques: tuple[str, ...]
    likelihood: str
    quoted: bool
    speaker: str | None
    place: str | None
    words: tuple[tuple[str, str], ...] | None

    @property
    def percent(self) -> int:
        """The confidence in whole percent."""
        return round(self.span.confidence * 100)


def findings(document: Document, *, first_number: int = 1) -> list[Finding]:
    """The findings of a document in reading order, numbered from ``first_number``; empty spans are left out.

    Who is quoted is what the file that the document was read from says, else what the text says. Raises
    TechniqueError where a span's technique is not in the inventory.
    """
    spans = in_reading_order(dict.fromkeys(filter(len, document.spans)))
    lines = LineIndex(document.text)
    quotations = document_quotations(document) if spans else ()
    stated = stated_quotations(document)
    found = []
    for number, (span, slot) in enumerate(zip(spans, slots(spans), strict=True), start=first_number):
        quotation = stated[span] if span in stated else quotation_of(span, quotations)
        found.append(
            Finding(
                number=number,
                span=span,
                slot=slot,
                line=lines.position(span.start)[0],
                quote=shortened(document.quote(span), _QUOTE_CHARACTERS),
                code=short_code(span.technique),
                title=title(span.technique),
                family=family_of(span.technique),
                techniques=members(span.technique),
                likelihood=likelihood(span.confidence),
                quoted=quotation is not None,
                speaker=quotation.speaker if quotation else None,
                place=place_of(document, span),
                words=_words(document, span),
            )
        )
    return found


def _words(document: Document, span: Span) -> tuple[tuple[str, str], ...] | None:
    if span.why is None:
        return None
    quotes = (shortened(document.text[cue.start : cue.end], _QUOTE_CHARACTERS) for cue in span.why)
    return tuple(zip(quotes, (factor(cue.weight) for cue in span.why), strict=True))


class Stated(dict[Span, Quotation | None]):
    """What a file says of its spans: the quotation that each lies in. A type of its own, so that no JSON can pose."""


STATED = "stated_quotations"
"""The key of a document's meta under which a `Stated` lies, where there is one."""


def stated_quotations(document: Document) -> Stated:
    """What the file that a document was read from says of its spans; empty where it says what the text says."""
    stated = document.meta.get(STATED)
    return stated if isinstance(stated, Stated) else Stated()


def slots(spans: Sequence[Span]) -> Iterator[int]:
    """For each span, in reading order, the lowest row that is free along all of it.

    >>> list(slots([Span(0, 9, "doubt"), Span(2, 4, "slogans"), Span(3, 6, "repetition"), Span(5, 8, "straw-man")]))
    [0, 1, 2, 1]
    """
    free: list[int] = []
    taken: list[tuple[int, int]] = []  # (end, slot) of the spans that are not over yet
    n_slots = 0
    for span in spans:
        while taken and taken[0][0] <= span.start:
            heapq.heappush(free, heapq.heappop(taken)[1])
        if not free:
            heapq.heappush(free, n_slots)
            n_slots += 1
        slot = heapq.heappop(free)
        heapq.heappush(taken, (span.end, slot))
        yield slot
