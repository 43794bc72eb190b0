"""Two texts side by side: how often each uses each technique, and what only one of them says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from detector.report.html import Article, Tally, page_context, view_articles
from detector.report.pages import render
from detector.report.results import Result
from detector.techniques import NAMES, families, members


@dataclass(frozen=True, slots=True)
class Row:
    """A technique or family in both texts; ``left`` or ``right`` is None where it does not occur."""

    name: str
    title: str
    code: str
    family: str
    left: Tally | None
    right: Tally | None

    @property
    def difference(self) -> float:
        """Rate on the right less rate on the left, per 1,000 words."""
        return (self.right.rate if self.right else 0.0) - (self.left.rate if self.left else 0.0)


def comparison_page(left: Result, right: Result, *, created: date) -> str:
    """The page of two documents side by side."""
    articles = view_articles([left, right])
    rows = comparison_rows(*articles)
    most = max((tally.rate for article in articles for tally in article.tallies), default=1.0)
    return render(
        "compare.html",
        title=f"{articles[0].name} and {articles[1].name}",
        rows=rows,
        most=most,
        shared_quotes=shared_quotes(*articles),
        **page_context(articles, created=created),
    )


def comparison_rows(left: Article, right: Article) -> list[Row]:
    """The families that occur in either text in inventory order, each followed by its techniques."""
    family_order = [family.name for family in families()]
    tallies = {tally.name: tally for article in (left, right) for tally in article.tallies}
    ordered = sorted(tallies.values(), key=lambda t: (family_order.index(t.family), bool(t.code), _position(t)))
    return [Row(t.name, t.title, t.code, t.family, left.tally(t.name), right.tally(t.name)) for t in ordered]


def shared_quotes(left: Article, right: Article) -> set[int]:
    """The numbers of the findings whose words occur in the other text too, with the same technique."""
    pairs = [{_said(article, number): number for number in _numbers(article)} for article in (left, right)]
    common = pairs[0].keys() & pairs[1].keys()
    return {number for article in (left, right) for number in _numbers(article) if _said(article, number) in common}


def _numbers(article: Article) -> Iterable[int]:
    return (finding.number for finding in article.findings)


def _said(article: Article, number: int) -> tuple[str, str]:
    """Technique and words of a finding, case and white space aside."""
    span = article.findings[number - article.findings[0].number].span
    return span.technique, " ".join(article.document.quote(span).casefold().split())


def _position(tally: Tally) -> list[int]:
    return [NAMES.index(name) for name in members(tally.name)] if tally.code else []
