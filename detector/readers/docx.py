"""Word documents → `Document`: the paragraphs of the body, as they read once all changes are accepted.

Left out: deleted text, comments, footnotes, headers and footers. Cells of a table are tab-separated, rows are blocks.
Paragraphs whose style is a quotation are block quotes. ``meta``: ``title``, ``author``, ``date``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detector.errors import InputError
from detector.readers.blocks import Blocks
from detector.readers.limits import Limits
from detector.readers.package import Package, opened, parsed_xml
from detector.spans import Document

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAIN = "word/document.xml"
_LEFT_OUT = frozenset(["del", "moveFrom", "instrText", "delText", "Fallback", "txbxContent", "footnoteReference"])
_STANDS_FOR = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011", "softHyphen": "\xad"}
_QUOTES = ("quote", "blocktext", "blockquotation", "zitat", "citation")


def read_docx(data: bytes, *, id: str, limits: Limits) -> Document:
    """The text of a Word document; raises InputError for a damaged, locked, hostile or empty one."""
    with opened(data, id=id, limits=limits) as package:
        if _MAIN not in package:
            raise InputError(f"{id}: is no Word document (no {_MAIN} in it): save it as .docx")
        body = _parsed(package, _MAIN, id).find("{*}body")
        blocks = Blocks()
        for text, quote in _paragraphs(body) if body is not None else ():
            blocks.add(text, quote=quote)
        stated = _stated(package, id)
    return Document(id, blocks.text, meta=blocks.meta(format="docx", **stated))


def _parsed(package: Package, name: str, id: str) -> _Element:
    return parsed_xml(package.read(name), id=id, kind="DOCX", extra="docx")


def _paragraphs(body: _Element) -> Iterator[tuple[str, bool]]:
    """The text of each paragraph or table row, and whether it is a block quote."""
    in_row: set[_Element] = set()
    for element in body.iter("{*}p", "{*}tr"):
        if element in in_row:
            continue
        if _name(element) == "tr":
            in_row.update(element.iter("{*}p", "{*}tr"))
            cells = (" ".join(map(_text, cell.iter("{*}p"))) for cell in element.iterchildren("{*}tc"))
            yield "\t".join(cells), False
        else:
            yield _text(element), _is_quote(element)


def _text(paragraph: _Element) -> str:
    return "".join(_pieces(paragraph)).strip("\n")


def _pieces(paragraph: _Element) -> Iterator[str]:
    """The pieces of text inside, in order, without what is left out; text boxes come as paragraphs of their own."""
    stack = [paragraph]
    while stack:
        element = stack.pop()
        name = _name(element)
        if name == "t":
            yield element.text or ""
        elif name in _STANDS_FOR and element.getparent() is not None and _name(element.getparent()) != "tabs":
            yield _STANDS_FOR[name]
        elif name and name not in _LEFT_OUT:
            stack.extend(reversed(element))


def _is_quote(paragraph: _Element) -> bool:
    style = paragraph.find("{*}pPr/{*}pStyle")
    name = next(iter(style.attrib.values()), "") if style is not None else ""
    return any(word in str(name).lower().replace(" ", "").replace("-", "") for word in _QUOTES)


def _stated(package: Package, id: str) -> dict[str, str | None]:
    """What the document states of itself."""
    if "docProps/core.xml" not in package:
        return {}
    core = _parsed(package, "docProps/core.xml", id)
    created = (core.findtext("{*}created") or "")[:10]
    return {"title": core.findtext("{*}title"), "author": core.findtext("{*}creator"), "date": created}


def _name(element: _Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
