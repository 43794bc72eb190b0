"""An article that is too large for one page of a corpus, as several: each has some rows of the text and their findings.

Numbers of findings and lines go on from page to page. A finding stands on the page on which it begins; where it goes on
over the end of a page, its marks do too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from markupsafe import escape

from detector.report import charts
from detector.report.article import Row, article_rows, rows_html
from detector.report.findings import Finding
from detector.report.html import Article, Part, paragraphs, tallies
from detector.report.visible import visible

_PAGE_BYTES = 1_500_000  # of rows, findings and paragraphs; with cards and controls a page stays below 2 MB
_FINDING_BYTES = 800  # an entry in the list and a code in the table of paragraphs, without what the article says
_PARAGRAPH_BYTES = 900


def split(article: Article, *, most_bytes: int = _PAGE_BYTES) -> list[Article]:
    """The article as parts whose pages have about ``most_bytes`` at most; itself alone where that is enough.

    One row (a line, or a few thousand characters of a very long one) is never cut, however many findings lie on it.
    """
    if len(article.text) + len(article.findings) * 2 * _FINDING_BYTES < most_bytes // 4:
        return [article]  # the usual case, told without counting
    groups = list(_groups(article, most_bytes))
    if len(groups) == 1:
        return [article]
    return [_part(article, rows, number, len(groups)) for number, rows in enumerate(groups, start=1)]


def _groups(article: Article, most_bytes: int) -> Iterator[list[Row]]:
    found = iter(article.findings)
    finding = next(found, None)
    group: list[Row] = []
    size = 0
    for row in article_rows(article.document, article.findings):
        n_bytes = _PARAGRAPH_BYTES + len(row.html.encode())
        while finding is not None and finding.span.start < row.end:
            n_bytes += _n_bytes(finding)
            finding = next(found, None)
        if group and size + n_bytes > most_bytes:
            yield group
            group, size = [], 0
        group.append(row)
        size += n_bytes
    yield group


def _n_bytes(finding: Finding) -> int:
    """What the entry of a finding takes at most."""
    said = f"{finding.quote}{finding.speaker or ''}{finding.place or ''}{finding.words or ''}"
    return _FINDING_BYTES + len(escape(visible(said)).encode())


def _part(article: Article, rows: Sequence[Row], number: int, n_parts: int) -> Article:
    start, end = rows[0].start, rows[-1].end
    text = article.document.text
    found = [finding for finding in article.findings if start <= finding.span.start < end]
    n_words = len(text[start:end].split())
    return replace(
        article,
        findings=tuple(found),
        text=rows_html(rows, prefix=article.prefix),
        strip=charts.strip(end - start, found, start=start),
        n_words=n_words,
        tallies=tuple(tallies(found, n_words)),
        paragraphs=tuple(row for row in paragraphs(text, found) if rows[0].line <= row.line <= rows[-1].line),
        part=Part(number, n_parts, rows[0].line, rows[-1].line, len(article.findings), article.n_words),
    )
