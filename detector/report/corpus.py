"""A corpus as a folder of pages: an index with rates, examples and a table of documents, and a page for each document.

Files come out one by one while documents go in, so memory holds one document at a time, and a few numbers for each
before it. The table is filled by ``assets/corpus.js`` from ``data/documents-0001.js`` and its successors; scripts are
what a browser lets a page from the file system read. For readers without scripting, each of these files has the same
rows as a page, ``documents/list-0001.html`` and its successors. No file exceeds 2 MB: a document whose page would is
cut over several.
"""

from __future__ import annotations

import heapq
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.report import charts
from detector.report.html import Article, asset_context, document_name, page_context, view_article
from detector.report.listing import Listing, row_context
from detector.report.pages import data_block, render, script, style_sheet
from detector.report.rates import Rate, rates
from detector.report.results import Result
from detector.report.split import split
from detector.report.terminal import VERDICT, likelihood
from detector.spans import Document, Span
from detector.techniques import NAMES, Technique, all_techniques, families, members
from detector.writers.naming import family_of
from detector.writers.provenance import Provenance

_PAGES_PER_FOLDER = 1000
_N_EXAMPLES = 5
_CONTEXT = 110
_MOST_GROUPS = 40
_FEWEST = 5  # documents that an interval is told from
_FAMILIES = tuple(family.name for family in families())
_COLUMNS = (*NAMES, *_FAMILIES, "all")
_DATE = re.compile(r"(\d{4})(?:[-/](\d\d?)(?:[-/](\d\d?))?|(\d\d)(\d\d))?(?!\d)")


@dataclass(frozen=True, slots=True)
class Example:
    """A finding in context: the words before it, its quote, the words after it, and where its page is."""

    before: str
    quote: str
    after: str
    percent: int
    likelihood: str
    document: str
    href: str


@dataclass(frozen=True, slots=True)
class RateRow:
    """A technique or family with its rate over the corpus; ``bar`` is the chart of rate and interval."""

    title: str
    code: str
    family: str
    rate: Rate
    bar: Any


@dataclass(frozen=True, slots=True)
class Group:
    """The documents of one outlet or one time; ``by_family`` has a rate for each family in order."""

    name: str
    n_documents: int
    n_words: int
    total: Rate
    by_family: tuple[Rate, ...]

    @property
    def has_interval(self) -> bool:
        """Whether there are enough documents: drawn again, one or two always come out the same."""
        return self.n_documents >= _FEWEST

    @property
    def highest(self) -> float:
        """What a chart must have room for."""
        return self.total.high if self.has_interval else self.total.rate


@dataclass(slots=True)
class _Totals:
    """What is kept of each document, and the strongest examples so far."""

    counts: array[int] = field(default_factory=lambda: array("q"))
    n_words: array[int] = field(default_factory=lambda: array("q"))
    outlets: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    n_likely: int = 0
    provenances: dict[str, Provenance] = field(default_factory=dict)
    examples: dict[str, list[tuple[float, int, Example]]] = field(default_factory=dict)

    def table(self) -> npt.NDArray[np.int64]:
        """The counts ``(n_documents, n_columns)``."""
        return np.frombuffer(self.counts, dtype=np.int64).reshape(-1, len(_COLUMNS))

    def words(self) -> npt.NDArray[np.int64]:
        """The number of words of each document ``(n_documents,)``."""
        return np.frombuffer(self.n_words, dtype=np.int64)


def corpus_files(results: Iterable[Result], *, name: str, created: date) -> Iterator[tuple[str, str]]:
    """The files of a report on a corpus as (path inside its folder, text), in a stream; ``index.html`` is the last.

    Each document is read once. Raises TechniqueError for a span whose technique no inventory knows.
    """
    yield "assets/report.css", style_sheet()
    yield "assets/report.js", script("report.js")
    yield "assets/corpus.js", script("corpus.js")
    totals, listing = _Totals(), Listing(name)
    for number, (document, provenance) in enumerate(results, start=1):
        pages = dict(zip(_part_paths(number), split(view_article(document, provenance)), strict=False))
        for path, article in pages.items():
            yield path, document_page(article, list(pages), created=created)
        row = _add(totals, document, provenance, pages)
        yield from listing.add(row)
    yield from listing.end()
    yield "index.html", _index(totals, listing, created=created)


def page_path(number: int) -> str:
    """Where the page of the document with this number (from 1) lies.

    >>> page_path(1001)
    'documents/0002/001001.html'
    """
    return f"documents/{(number - 1) // _PAGES_PER_FOLDER + 1:04d}/{number:06d}.html"


def _part_paths(number: int) -> Iterator[str]:
    """Where the page of a document lies, and where the further ones of its text: ``….html``, ``…-2.html`` and so on."""
    yield page_path(number)
    for part in count(2):
        yield page_path(number).replace(".html", f"-{part}.html")


def document_page(article: Article, pages: Sequence[str], *, created: date) -> str:
    """The page of an article of a corpus, which shares its assets with the others.

    ``pages`` are the paths of all parts of its text, in one folder; the path of this page alone where it is whole.
    """
    context = page_context([article], created=created, shared_assets="../../assets")
    links = [path.rpartition("/")[2] for path in pages]
    return render(
        "articles.html", title=article.heading, **{**context, "index": "../../index.html", "part_links": links}
    )


def _add(totals: _Totals, document: Document, provenance: Provenance, pages: Mapping[str, Article]) -> dict[str, Any]:
    """Count a document in; its row of the table comes back. ``pages``: what it shows, by path."""
    spans = list(dict.fromkeys(filter(len, document.spans)))
    counts = dict.fromkeys(_COLUMNS, 0)
    for span in spans:
        for column in (*members(span.technique), family_of(span.technique), "all"):
            counts[column] += 1
    n_words = len(document.text.split())
    n_likely = sum(likelihood(span.confidence) == "likely" for span in spans)
    outlet, published = (_text(document.meta.get(key)) for key in ("outlet", "date"))
    totals.counts.extend(counts.values())
    totals.n_words.append(n_words)
    totals.outlets.append(outlet)
    totals.dates.append(_date(published))
    totals.n_likely += n_likely
    totals.provenances[repr(provenance)] = provenance
    hrefs = {one.span: f"{path}#f{one.number}" for path, article in pages.items() for one in article.findings}
    _keep_strongest(totals, document, hrefs)
    used = [[i, counts[name]] for i, name in enumerate(NAMES) if counts[name]]
    return {
        "page": next(iter(pages)),
        "name": document_name(document),
        "outlet": outlet,
        "date": published,
        "n_words": n_words,
        "n_findings": len(spans),
        "n_likely": n_likely,
        "used": used,
    }


def _text(value: object) -> str:
    return "" if value is None else " ".join(str(value).split())[:120]


def _date(published: str) -> str:
    """The date that a text begins with, as far as it is told; empty where it begins with none.

    >>> _date("20240105T10:15"), _date("2024/1"), _date("soon")
    ('2024-01-05', '2024-01', '')
    """
    found = _DATE.match(published)
    return "-".join(f"{part:0>2}" for part in found.groups() if part) if found else ""


def _keep_strongest(totals: _Totals, document: Document, hrefs: Mapping[Span, str]) -> None:
    """Keep the document's strongest finding of each technique if it is among the strongest so far."""
    best: dict[str, Span] = {}
    for span in hrefs:
        for name in members(span.technique):
            if name not in best or span.confidence > best[name].confidence:
                best[name] = span
    for name, span in best.items():
        heap = totals.examples.setdefault(name, [])
        entry = (span.confidence, -len(totals.n_words), _example(document, span, hrefs[span]))
        if len(heap) < _N_EXAMPLES:
            heapq.heappush(heap, entry)
        elif entry[:2] > heap[0][:2]:
            heapq.heapreplace(heap, entry)


def _example(document: Document, span: Span, href: str) -> Example:
    text = document.text
    before, after = text[max(0, span.start - _CONTEXT) : span.start], text[span.end : span.end + _CONTEXT]
    if span.start > _CONTEXT:
        before = "… " + before.partition(" ")[2]
    if span.end + _CONTEXT < len(text):
        after = after.rpartition(" ")[0] + " …"
    quote = document.quote(span)
    shown = quote if len(quote) <= 400 else quote[:400] + "…"
    percent = round(span.confidence * 100)
    return Example(before, shown, after, percent, likelihood(span.confidence), document_name(document), href)


def _index(totals: _Totals, listing: Listing, *, created: date) -> str:
    words, table = totals.words(), totals.table()
    every = rates(table, words) if len(words) else [Rate(0, 0.0, 0.0, 0.0)] * len(_COLUMNS)
    most = max((rate.high for rate in every[:-1]), default=0.0)
    used = [t for t in all_techniques() if every[NAMES.index(t.name)].n]
    return render(
        "corpus.html",
        title=listing.corpus,
        n_documents=len(words),
        n_words=int(words.sum()),
        n_findings=every[-1].n,
        n_likely=totals.n_likely,
        total=every[-1],
        rows=_rate_rows(every, most),
        most=most,
        outlets=_groups(totals.outlets, table, words, by_size=True),
        times=_groups(_times(totals.dates), table, words, by_size=False),
        chart=lambda groups: charts.line([_point(group) for group in groups], max(one.highest for one in groups)),
        interval=_group_interval,
        fewest=_FEWEST,
        families=families(),
        techniques=used,
        examples=_examples(totals, used),
        listing=listing,
        **row_context(),
        verdict=VERDICT,
        provenances=list(totals.provenances.values()),
        created=f"{created.day} {created:%B %Y}",
        record=data_block(_record(totals, len(listing.pages), created)),
        **asset_context("corpus.js", shared="assets"),
    )


def _rate_rows(every: Sequence[Rate], most: float) -> list[RateRow]:
    by_column = dict(zip(_COLUMNS, every, strict=True))
    rows = []
    for family in families():
        if by_column[family.name].n:
            rate = by_column[family.name]
            rows.append(RateRow(family.title, "", family.name, rate, _interval(rate, most, family.name)))
        for one in all_techniques():
            if one.family == family.name and by_column[one.name].n:
                rate = by_column[one.name]
                rows.append(RateRow(one.title, one.code, one.family, rate, _interval(rate, most, one.family)))
    return rows


def _interval(rate: Rate, most: float, family: str) -> Any:
    return charts.interval(rate.rate, rate.low, rate.high, most, family)


def _group_interval(group: Group, groups: Sequence[Group]) -> Any:
    rate = group.total
    low, high = (rate.low, rate.high) if group.has_interval else (rate.rate, rate.rate)
    return charts.interval(rate.rate, low, high, max(one.highest for one in groups), "outlet")


def _examples(totals: _Totals, used: Iterable[Technique]) -> list[tuple[Technique, list[Example]]]:
    return [(one, [entry[2] for entry in sorted(totals.examples[one.name], reverse=True)]) for one in used]


def _times(dates: Sequence[str]) -> list[str]:
    """The dates cut to days, months or years: as fine as leaves a chart readable."""
    for length, most in ((10, 31), (7, 60), (4, _MOST_GROUPS)):
        cut = [value[:length] for value in dates]
        if len(set(filter(None, cut))) <= most:
            break
    return cut


def _groups(
    names: Sequence[str], table: npt.NDArray[np.int64], words: npt.NDArray[np.int64], *, by_size: bool
) -> list[Group]:
    """The documents by name, largest groups or earliest names first; documents without a name are in no group."""
    members_of: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        if name:
            members_of.setdefault(name, []).append(i)
    order = sorted(members_of, key=(lambda n: (-len(members_of[n]), n)) if by_size else None)
    chosen = order[:_MOST_GROUPS] if by_size else order[-60:]
    return [_group(name, table[members_of[name]], words[members_of[name]]) for name in chosen]


def _group(name: str, table: npt.NDArray[np.int64], words: npt.NDArray[np.int64]) -> Group:
    *by_family, total = rates(table[:, len(NAMES) :], words)
    return Group(name, len(words), int(words.sum()), total, tuple(by_family))


def _point(group: Group) -> charts.Point:
    bounds = (group.total.low, group.total.high) if group.has_interval else None
    return charts.Point(group.name, group.total.rate, bounds)


def _record(totals: _Totals, n_data_files: int, created: date) -> dict[str, Any]:
    """What the script of the index and a reader who makes the report again need, in JSON types."""
    return {
        "created": created.isoformat(),
        "n_documents": len(totals.n_words),
        "n_data_files": n_data_files,
        "techniques": [
            {"name": t.name, "code": t.code, "title": t.title, "family": t.family} for t in all_techniques()
        ],
        "made_by": [
            {
                "tool": {"name": "rhetoric-detector", "version": one.version},
                "model": one.model(),
                "settings": one.settings(),
            }
            for one in totals.provenances.values()
        ],
    }
