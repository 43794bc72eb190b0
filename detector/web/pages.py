"""The review pages: the report of an article with a bar to decide by, and the list of the documents of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from detector.report.findings import findings
from detector.report.html import document_name, page_context, view_article
from detector.report.pages import data_block, render, style_sheet
from detector.report.pages import script as report_script
from detector.techniques import families, technique
from detector.web.decisions import Review, described, key_of
from detector.web.guards import FORBIDDEN

POLICY = f"{FORBIDDEN}; img-src data:; style-src 'self'; script-src 'self'; connect-src 'self'"
ASSETS: dict[str, tuple[str, Callable[[], str]]] = {
    "report.css": ("text/css", style_sheet),
    "report.js": ("text/javascript", lambda: report_script("report.js")),
    "review.css": ("text/css", lambda: report_script("review.css")),
    "review.js": ("text/javascript", lambda: report_script("review.js")),
}
"""The files that the pages ask for: media type, and what makes the text."""


@dataclass(frozen=True, slots=True)
class Row:
    """A document in the list: its number in the address, and how far its review is."""

    number: int
    name: str
    n_findings: int
    n_undecided: int
    done: bool


def review_page(review: Review, *, number: int, n_documents: int, corpus: str, created: date) -> str:
    """The page on which one document is reviewed; ``number`` is its place among the documents, from 1."""
    article = view_article(review.shown, review.provenance)
    return render(
        "review.html",
        title=article.heading,
        state=data_block(state_of(review, number=number, n_documents=n_documents)),
        groups=[(family, [technique(name) for name in family.techniques]) for family in families()],
        corpus=corpus,
        several=n_documents > 1,
        **{**page_context([article], created=created, shared_assets="assets"), "policy": POLICY},
    )


def list_page(reviews: Sequence[Review], *, corpus: str) -> str:
    """The page with all documents of a call."""
    rows = [
        Row(i, document_name(r.document), len(r.judgements), r.n_undecided, r.done) for i, r in enumerate(reviews, 1)
    ]
    return render(
        "reviews.html",
        title="Review",
        rows=rows,
        corpus=corpus,
        policy=POLICY,
        shared="assets",
        script_name="",
    )


def state_of(review: Review, *, number: int, n_documents: int) -> dict[str, Any]:
    """How far a review is, in JSON types: what the script of its page works on."""
    judgements = review.judgements
    numbers = {key_of(finding.span): finding.number for finding in findings(review.shown)}
    return {
        "number": number,
        "version": review.n_decisions,
        "done": review.done,
        "findings": described(judgements, numbers),
        "previous": number - 1 or None,
        "next": number + 1 if number < n_documents else None,
    }
