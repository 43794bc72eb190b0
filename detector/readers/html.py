"""Web pages → `Document`: trafilatura takes the article out of the page.

The text is the headline, where the article does not begin with it, and the article's blocks. ``meta`` has what the
page states of ``title``, ``author``, ``date``, ``outlet`` and ``url``.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from detector.errors import InputError
from detector.readers.blocks import Blocks, one_line
from detector.readers.limits import Limits, needed
from detector.readers.markup import Dialect, add_markup
from detector.readers.text import decode_text
from detector.spans import Document

# The elements that trafilatura writes, which are those of TEI.
_ARTICLE = Dialect(
    blocks=frozenset(["body", "head", "p", "quote", "item", "list", "row", "table", "code", "div"]),
    quotes=frozenset(["quote"]),
    breaks=frozenset(["lb"]),
    left_out=frozenset(["graphic"]),
    cells=frozenset(["cell"]),
)
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_XML = re.compile(r"\s*<\?xml[^>]{0,200}\?>")
_PRE = re.compile(r"(</?pre\b[^<>]{0,1000}>)", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
_QUOTED = re.compile(r"""<q(?:\s[^<>]*)?>(["“]?)|(["”]?)</q\s*>""", re.IGNORECASE)
# What could be read so far is in no such encoding: browsers take it for UTF-8, too.
_MEANT = dict.fromkeys(("utf-16", "utf-16le", "utf-16be", "utf-32"), "utf-8")


def read_html(data: bytes, *, id: str, limits: Limits, charset: str | None = None, url: str | None = None) -> Document:
    """The article of a web page; ``charset`` is what the server said. Raises InputError where the page has none."""
    if len(data) > limits.n_markup:
        raise InputError(
            f"{id}: has more than {limits.n_markup:,} bytes, as no article does: save its text and name it"
        )
    text, _, warnings = decode_text(data, id=id, declared=charset or _declared(data))
    page = _extracted(_with_marks(_with_lines(_XML.sub("", text, count=1))), id=id, url=url)
    blocks = Blocks()
    if page is not None:
        _add_headline(blocks, page)
        _keep_in_line(page.body)
        add_markup(blocks, page.body, _ARTICLE)
    if not blocks.text:
        raise InputError(f"{id}: no article was found in this page: save its text, or give the page of one article")
    meta = blocks.meta(
        format="html",
        title=page.title,
        author=page.author,
        date=page.date,
        outlet=page.sitename or page.hostname,
        url=page.url or url,
        warnings=warnings,
    )
    return Document(id, blocks.text, meta=meta)


def _extracted(text: str, *, id: str, url: str | None) -> Any:
    trafilatura = needed(lambda: __import__("trafilatura"), id=id, kind="HTML", extra="html")
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it tells its log what we tell the user
    return trafilatura.bare_extraction(text, url=url, with_metadata=True, include_comments=False)


def _add_headline(blocks: Blocks, page: Any) -> None:
    """Adds the title, unless the article begins with it: a headline is where techniques are at home."""
    first = next((one_line("".join(e.itertext())) for e in page.body if "".join(e.itertext()).strip()), "")
    title = one_line(page.title or "")
    if title and title.casefold() != first.casefold():
        blocks.add(title)


def _with_marks(text: str) -> str:
    """The page with quotation marks in place of ``<q>``, as a browser shows it: trafilatura takes it for a block."""
    return _QUOTED.sub(lambda at: (at[1] or "“") if at[2] is None else (at[2] or "”"), text)


def _with_lines(text: str) -> str:
    """The page with paragraphs in place of ``<pre>``, their lines kept: trafilatura takes it for a block quote."""
    parts = _PRE.split(text)
    for i in range(1, len(parts) - 2, 2):
        opening, inside, closing = parts[i : i + 3]
        if not opening.startswith("</") and closing.startswith("</") and "<code" not in inside.lower():
            parts[i : i + 3] = "<p>", _LINE_END.sub("<br>", inside.strip("\r\n")), "</p>"
    return "".join(parts)


def _keep_in_line(body: Any) -> None:
    """Makes code in a paragraph, a heading or an item words of it."""
    for element in list(body.iter("code")):
        if element.getparent().tag in ("p", "head", "item"):
            element.tag = "hi"


def _declared(data: bytes) -> str | None:
    """The encoding that the page states in its first bytes."""
    found = _CHARSET.search(data, 0, 4096)
    name = found[1].decode("ascii").lower() if found else None
    return _MEANT.get(name, name) if name else None
