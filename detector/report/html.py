"""The page of one article or several: the text with its findings, beside them a list, below them counts and cards.

Everything is in the page; it works without scripting, and scripting adds the controls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup

from detector.report import charts
from detector.report.article import article_html
from detector.report.findings import Finding, findings
from detector.report.pages import data_block, inline_policy, render, script, style_sheet
from detector.report.terminal import VERDICT, shortened
from detector.spans import LIKELY, Document, LineIndex, text_hash
from detector.techniques import NAMES, Technique, families, members, technique
from detector.writers.naming import family_of, short_code, title
from detector.writers.provenance import Provenance

_LONGEST_HEADLINE = 140
_WRAPPED_LINE = 160


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a technique (``name``: slug or joined slugs) or a family occurs; ``rate`` is per 1,000 words."""

    name: str
    title: str
    code: str
    family: str
    n_likely: int
    n_possible: int
    rate: float

    @property
    def n(self) -> int:
        """How often, likely and possible together."""
        return self.n_likely + self.n_possible


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A line of the text that is not blank: its number, first words, size, and its findings as (code, family, n)."""

    line: int
    opening: str
    n_words: int
    codes: tuple[tuple[str, str, int], ...]
    n_findings: int


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a text an article shows: the lines from ``first_line`` to ``last_line``, as ``number`` of ``n``.

    ``n_findings`` and ``n_words`` are those of the whole text.
    """

    number: int
    n: int
    first_line: int
    last_line: int
    n_findings: int
    n_words: int


@dataclass(frozen=True, slots=True)
class Article:
    """A document as a page shows it; ``prefix`` starts the ids of its lines, so that a page can hold several.

    Where a ``part`` is named, findings and counts are those of this part; ``document`` is always the whole.
    """

    document: Document
    provenance: Provenance
    prefix: str
    findings: tuple[Finding, ...]
    text: Markup
    strip: Markup
    n_words: int
    tallies: tuple[Tally, ...]
    paragraphs: tuple[Paragraph, ...]
    part: Part | None = None

    @property
    def name(self) -> str:
        """The title that came with the text, or the name of its file."""
        return document_name(self.document)

    @property
    def heading(self) -> str:
        """What the page is called: the title that came with the text, else its headline, else the name of its file."""
        return self.name if _given_title(self.document) or not self._headline else shortened(self._headline, 200)

    @property
    def source(self) -> str:
        """Outlet and date, as far as they came with the text."""
        return document_source(self.document)

    @property
    def n_likely(self) -> int:
        """How many findings are likely."""
        return sum(finding.likelihood == "likely" for finding in self.findings)

    @property
    def rate(self) -> float:
        """Findings per 1,000 words."""
        return per_thousand(len(self.findings), self.n_words)

    @property
    def layout(self) -> str:
        """Classes for the text: its lines are paragraphs, the first of them is a headline, it is long."""
        lines = self.document.text.splitlines()
        filled = [line for line in lines if line.strip()]
        blank = len(lines) - len(filled)
        spaced = not blank and sum(map(len, filled)) > _WRAPPED_LINE * len(filled)
        names = {"spaced": spaced, "headline": bool(self._headline), "long": len(self.document.text) > 100_000}
        return " ".join(name for name, holds in names.items() if holds)

    @property
    def _headline(self) -> str:
        """The first line, if it looks like a headline and more follows."""
        first, _, rest = self.document.text.partition("\n")
        return first.strip() if rest.strip() and first.strip() and _is_headline(first) else ""

    def tally(self, name: str) -> Tally | None:
        """The tally of this technique or family; None where it does not occur."""
        return next((tally for tally in self.tallies if tally.name == name), None)


def article_page(document: Document, provenance: Provenance, *, created: date) -> str:
    """The page of one document. Raises TechniqueError for a span whose technique no inventory knows."""
    return articles_page([(document, provenance)], created=created)


def articles_page(results: Sequence[tuple[Document, Provenance]], *, created: date) -> str:
    """One page with these documents one after another, at least one."""
    articles = view_articles(results)
    name = articles[0].heading if len(articles) == 1 else f"{len(articles)} texts"
    return render("articles.html", title=name, **page_context(articles, created=created))


def view_articles(results: Iterable[tuple[Document, Provenance]]) -> list[Article]:
    """The documents as a page shows them, their findings numbered through."""
    results = list(results)
    articles: list[Article] = []
    for i, (document, provenance) in enumerate(results, start=1):
        first_number = 1 + sum(len(article.findings) for article in articles)
        prefix = f"a{i}-" if len(results) > 1 else ""
        articles.append(view_article(document, provenance, prefix=prefix, first_number=first_number))
    return articles


def view_article(document: Document, provenance: Provenance, *, prefix: str = "", first_number: int = 1) -> Article:
    """One document as a page shows it."""
    found = findings(document, first_number=first_number)
    n_words = len(document.text.split())
    return Article(
        document=document,
        provenance=provenance,
        prefix=prefix,
        findings=tuple(found),
        text=article_html(document, found, prefix=prefix),
        strip=charts.strip(len(document.text), found),
        n_words=n_words,
        tallies=tuple(tallies(found, n_words)),
        paragraphs=tuple(paragraphs(document.text, found)),
    )


def page_context(articles: Sequence[Article], *, created: date, shared_assets: str = "") -> dict[str, Any]:
    """What the templates of a page with articles ask for; ``shared_assets`` is the folder of a corpus' assets."""
    used = techniques_used(articles)
    every = [finding for article in articles for finding in article.findings]
    n_by_technique = Counter(name for finding in every for name in finding.techniques)
    return {
        "articles": articles,
        "techniques": used,
        "n_by_technique": n_by_technique,
        "n_by_family": Counter(finding.family for finding in every),
        "used_families": [f for f in families() if any(one.family == f.name for one in used)],
        "verdict": VERDICT,
        "likely_from": f"{LIKELY:.0%}",
        "precision": precision_sentence(articles[0].provenance),
        "created": f"{created.day} {created:%B %Y}",
        "record": data_block(record(articles, created=created)),
        "bar": charts.bar,
        **asset_context("report.js", shared=shared_assets),
    }


def asset_context(script_name: str, *, shared: str = "") -> dict[str, Any]:
    """Where a template finds style sheet and script: in itself, or in the folder ``shared``."""
    from detector.report.pages import file_policy

    inline = {"style": Markup(style_sheet()), "script": Markup(script(script_name))}
    policy = file_policy() if shared else inline_policy(script_name)
    return {"policy": policy, "shared": shared, "script_name": script_name, **inline}


def techniques_used(articles: Iterable[Article]) -> list[Technique]:
    """The techniques that occur, in inventory order."""
    used = {name for article in articles for finding in article.findings for name in finding.techniques}
    return [technique(name) for name in NAMES if name in used]


def tallies(found: Sequence[Finding], n_words: int) -> list[Tally]:
    """The families that occur in inventory order, each followed by its techniques."""
    likely = Counter(f.span.technique for f in found if f.likelihood == "likely")
    every = Counter(f.span.technique for f in found)
    rows: list[Tally] = []
    for family in families():
        names = sorted((n for n in every if family_of(n) == family.name), key=lambda n: [*map(NAMES.index, members(n))])
        if names:
            n_likely, n = sum(likely[name] for name in names), sum(every[name] for name in names)
            rate = per_thousand(n, n_words)
            rows.append(Tally(family.name, family.title, "", family.name, n_likely, n - n_likely, rate))
        for name in names:
            rate = per_thousand(every[name], n_words)
            counts = likely[name], every[name] - likely[name]
            rows.append(Tally(name, title(name), short_code(name), family.name, *counts, rate))
    return rows


def paragraphs(text: str, found: Sequence[Finding]) -> list[Paragraph]:
    """The lines that are not blank, with the findings that start in each."""
    starts = LineIndex(text).starts
    by_line: dict[int, Counter[tuple[str, str]]] = {}
    for finding in found:
        by_line.setdefault(finding.line, Counter())[finding.code, finding.family] += 1
    rows = []
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(text)], strict=True), start=1):
        words = text[start:end].split()
        if words:
            codes = by_line.get(number, Counter())
            listed = tuple((code, family, n) for (code, family), n in codes.most_common())
            opening = shortened(" ".join(words[:14]), 64)
            rows.append(Paragraph(number, opening, len(words), listed, codes.total()))
    return rows


def precision_sentence(provenance: Provenance) -> str:
    """How often the model was right at this setting where it was measured; nothing where that is not known."""
    if provenance.precision is None:
        return ""
    return (
        f"On articles held out from training, {provenance.precision:.0%} of what was marked at this setting "
        f"({provenance.strictness}) was also marked by trained annotators."
    )


def record(articles: Sequence[Article], *, created: date) -> Mapping[str, Any]:
    """All that it takes to make a page again, in JSON types: tool, models, settings, texts by hash, date."""
    return {
        "created": created.isoformat(),
        "documents": [
            {
                "id": article.document.id,
                "text_hash": text_hash(article.document.text),
                "n_characters": len(article.document.text),
                "n_characters_read": article.document.n_read,
                "n_findings": article.part.n_findings if article.part else len(article.findings),
                "tool": {"name": "rhetoric-detector", "version": article.provenance.version},
                "model": article.provenance.model(),
                "settings": article.provenance.settings(),
                **({"part": article.part.number, "n_parts": article.part.n} if article.part else {}),
            }
            for article in articles
        ],
    }


def document_name(document: Document) -> str:
    """The title in the document's meta, or the last part of its id."""
    if given := _given_title(document):
        return shortened(given, 200)
    return "Standard input" if document.id == "-" else document.id.rstrip("/").rsplit("/", 1)[-1] or "Untitled"


def document_source(document: Document) -> str:
    """Outlet and date in the document's meta, joined; empty where it has neither."""
    return " · ".join(str(document.meta[key]) for key in ("outlet", "date") if document.meta.get(key))


def per_thousand(n: int, n_words: int) -> float:
    """A count per 1,000 words; 0.0 in an empty text."""
    return 1000 * n / n_words if n_words else 0.0


def _is_headline(line: str) -> bool:
    return len(line) <= _LONGEST_HEADLINE and not line.rstrip().endswith((".", ",", ";", ":"))


def _given_title(document: Document) -> str:
    given = document.meta.get("title")
    return given.strip() if isinstance(given, str) else ""
