"""PDF → `Document`: pypdf reads the text, and `pdf_layout` the pages that come out wrong.

Lines of a paragraph are joined, words divided at a line's end are whole again, and headers and footers that return
on most pages are left out. ``meta["anchors"]`` names the pages; ``title``, ``author`` and ``date`` are the document's.
"""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from detector.errors import InputError
from detector.readers.blocks import Blocks, one_line
from detector.readers.limits import Clock, Limits, needed
from detector.readers.pdf_layout import Chunk, has_odd_words, read_by_layout, second_column
from detector.spans import Document

_DIVIDED = re.compile(r"(\w)[-\u2010\xad]$")
_SENTENCE_END = re.compile(r"""[.!?:…]["'”’»)\]]*$""")
_N_EDGE_LINES = 2


def read_pdf(data: bytes, *, id: str, limits: Limits) -> Document:
    """The text of a PDF, with a warning where pages are damaged.

    Raises InputError for one that is locked or hostile, a scan without text, or of which nothing can be read.
    """
    pypdf = needed(lambda: __import__("pypdf"), id=id, kind="PDF", extra="pdf")
    for name in ("pypdf", "pdfminer"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError(f"{id}: is locked with a password: save it without one")
        read, damaged = _pages(reader, data, id, limits)
        pages = _without_running_heads(read)
        stated = _stated(reader)
    except pypdf.errors.LimitReachedError:
        raise InputError(
            f"{id}: a part of it unpacks to too many bytes: leave it out, or print it to a new PDF"
        ) from None
    except pypdf.errors.PyPdfError as error:
        raise InputError(f"{id}: is no intact PDF ({one_line(str(error))}): save or fetch it anew") from None
    blocks = Blocks()
    for number, lines in pages:
        blocks.anchor(f"page {number}")
        for paragraph in paragraphs(lines):
            blocks.add(paragraph)
    if not blocks.text and damaged:
        raise InputError(f"{id}: none of its pages can be read ({next(iter(damaged.values()))}): save or fetch it anew")
    if not blocks.text:
        raise InputError(f"{id}: has no text, only images: run text recognition on it first, such as ocrmypdf")
    said = f"damaged pages were left out ({', '.join(map(str, damaged)):.80}): the others were read"
    return Document(id, blocks.text, meta=blocks.meta(format="pdf", **stated, warnings=[said] if damaged else []))


def paragraphs(lines: Sequence[str]) -> Iterator[str]:
    """The paragraphs of a page: a blank line ends one, and so does a short line at the end of a sentence.

    >>> list(paragraphs(["It took a long time until the gov-", "ernment fell.", "A new one came."]))
    ['It took a long time until the government fell.', 'A new one came.']
    """
    width = max((len(line) for line in lines), default=0)
    gathered = ""
    for line in lines:
        joined = _DIVIDED.sub(r"\1", gathered) if line[:1].islower() else gathered
        glue = "" if joined != gathered or not gathered else " "
        gathered = joined + glue + line
        if not line or (len(line) < 0.8 * width and _SENTENCE_END.search(line)) or _ends_fully(line, width):
            yield from filter(None, [gathered.strip()])
            gathered = ""
    yield from filter(None, [gathered.strip()])


def _ends_fully(line: str, width: int) -> bool:
    """Whether a line is a heading: much shorter than the others and without a comma or a hyphen at its end."""
    return len(line) < 0.5 * width and line[-1:].isalnum() and line[:1].isupper() and width > 40


def _pages(reader: Any, data: bytes, id: str, limits: Limits) -> tuple[list[tuple[int, list[str]]], dict[int, str]]:
    """The number and the lines of each page, and what is wrong with each that cannot be read.

    Raises InputError when time or what may be unpacked runs out.
    """
    from pypdf.errors import LimitReachedError

    clock, n_left, pages, damaged = Clock(id, limits), limits.n_unpacked, [], dict[int, str]()
    if len(reader.pages) > limits.n_pages:
        raise InputError(f"{id}: has more than {limits.n_pages:,} pages: split it")
    for number, page in enumerate(reader.pages, start=1):
        try:
            text = _page_text(page, data, number, id, clock)
        except (InputError, LimitReachedError, MemoryError):
            raise
        except Exception as error:  # of many kinds, as pages may be damaged in many ways
            text, damaged[number] = "", f"{type(error).__name__}: {one_line(str(error)):.80}"
        n_left -= len(text)
        if n_left < 0 or not clock.left:
            raise InputError(f"{id}: holds more than {limits.n_unpacked:,} characters: split it")
        if number not in damaged:
            pages.append((number, [one_line(line) for line in text.split("\n")]))
    return pages, damaged


def _page_text(page: Any, data: bytes, number: int, id: str, clock: Clock) -> str:
    chunks: list[Chunk] = []
    text = str(
        page.extract_text(
            visitor_operand_before=lambda *_: clock.left,  # a page of forms in forms may never come to its end
            visitor_text=lambda text, _, at, *rest: chunks.append((text, at[4], at[5])),
        )
    )
    gutter = second_column(chunks)
    if gutter is not None or has_odd_words(text):
        text = read_by_layout(data, number, id=id, gutter=gutter) or text
    return text


def _without_running_heads(pages: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The pages without the first and last lines that stand, page numbers aside, on most of at least three pages."""
    edges = Counter(key for _, lines in pages for key in {_key(lines[i]) for i in _edges(lines)})
    running = {key for key, n in edges.items() if key and n >= 3 and n > len(pages) / 2}
    return [
        (number, [line for i, line in enumerate(lines) if not (i in _edges(lines) and _key(line) in running)])
        for number, lines in pages
    ]


def _edges(lines: Sequence[str]) -> set[int]:
    return {i for i in range(len(lines)) if i < _N_EDGE_LINES or i >= len(lines) - _N_EDGE_LINES}


def _key(line: str) -> str:
    return re.sub(r"\d+", "#", line)


def _stated(reader: Any) -> dict[str, str]:
    about = reader.metadata or {}
    created = re.match(r"D:(\d{4})(\d\d)?(\d\d)?", str(about.get("/CreationDate", "")))
    date = "-".join(filter(None, created.groups())) if created else ""
    return {"title": str(about.get("/Title") or ""), "author": str(about.get("/Author") or ""), "date": date}
