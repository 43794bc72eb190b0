"""Word documents → `Document`: the paragraphs of the body, as they read once all changes are accepted.

Left out: deleted text, comments, headers and footers. Footnotes and endnotes come after the text, in the order in which
it refers to them. Cells of a table are tab-separated, rows are blocks. Paragraphs whose style is a quotation are block
quotes. ``meta``: ``title``, ``author``, ``date``; ``anchors`` name the notes.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from detector.errors import InputError
from detector.readers.blocks import Blocks
from detector.readers.limits import Limits
from detector.readers.package import Package, opened, parsed_xml
from detector.spans import Document

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAIN = "word/document.xml"  # where it is in nearly all; the links say where else
_LEFT_OUT = frozenset(["del", "moveFrom", "instrText", "delText", "Fallback", "txbxContent"])
_DELETED = frozenset(["del", "moveFrom", "Fallback"])
_NOTES = ("footnote", "endnote")
_STANDS_FOR = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011", "softHyphen": "\xad"}
_QUOTES = ("quote", "blocktext", "blockquotation", "zitat", "citation")


def read_docx(data: bytes, *, id: str, limits: Limits) -> Document:
    """The text of a Word document; raises InputError for a damaged, locked, hostile or empty one."""
    with opened(data, id=id, limits=limits) as package:
        main = _linked(package, "", "officeDocument", id) or _MAIN
        body = _parsed(package, main, id).find("{*}body") if main in package else None
        if body is None:
            raise InputError(f"{id}: is no Word document (no {_MAIN} in it): save it as .docx")
        blocks = Blocks()
        for text, quote in _paragraphs(body):
            blocks.add(text, quote=quote)
        for kind in _NOTES:
            part = _linked(package, main, f"{kind}s", id) or f"word/{kind}s.xml"
            _add_notes(blocks, package, body, kind, part, id)
        stated = _stated(package, id)
    return Document(id, blocks.text, meta=blocks.meta(format="docx", **stated))


def _parsed(package: Package, name: str, id: str) -> _Element:
    return parsed_xml(package.read(name), id=id, kind="DOCX", extra="docx")


def _linked(package: Package, part: str, kind: str, id: str) -> str:
    """The name of the part of a kind that a part links to, or for ``""`` the package itself; empty for no such link."""
    folder, _, name = part.rpartition("/")
    links = posixpath.join(folder, "_rels", f"{name}.rels")
    for link in _parsed(package, links, id).iterfind("{*}Relationship") if links in package else ():
        if link.get("Type", "").endswith(f"/{kind}"):
            return posixpath.normpath(posixpath.join("/", folder, link.get("Target", ""))).lstrip("/")
    return ""


def _paragraphs(body: _Element) -> Iterator[tuple[str, bool]]:
    """The text of each paragraph or table row, and whether it is a block quote."""
    in_row: set[_Element] = set()
    begun = ""
    for element in body.iter("{*}p", "{*}tr"):
        if element in in_row or not _is_kept(element):
            continue
        if _name(element) == "tr":
            yield begun, False
            begun = ""
            in_row.update(element.iter("{*}p", "{*}tr"))
            cells = (" ".join(_text(p) for p in cell.iter("{*}p") if _is_kept(p)) for cell in _cells(element))
            yield "\t".join(cells), False
        elif _goes_on(element):
            begun += _text(element)
        else:
            yield begun + _text(element), _is_quote(element)
            begun = ""
    yield begun, False


def _cells(row: _Element) -> Iterator[_Element]:
    """The cells of a table row; forms have some in a content control."""
    for child in row.iterchildren():
        if _name(child) == "tc":
            yield child
        elif _name(child) in ("sdt", "sdtContent"):
            yield from _cells(child)


def _is_kept(element: _Element) -> bool:
    """Whether an element is not in what was deleted, or in what Word keeps for programs that cannot show the rest."""
    return not _DELETED.intersection(_around(element))


def _goes_on(paragraph: _Element) -> bool:
    """Whether the end of a paragraph was deleted or moved away, so that the next one goes on with it.

    Not where a text box lies inside, whose paragraphs would come next.
    """
    mark = paragraph.find("{*}pPr/{*}rPr")
    gone = mark is not None and any(_name(change) in _DELETED for change in mark)
    return gone and paragraph.find(".//{*}txbxContent") is None


def _add_notes(blocks: Blocks, package: Package, body: _Element, kind: str, part: str, id: str) -> None:
    """Adds the notes of a kind that the text refers to; what it does not refer to is no note, such as their rule."""
    if part not in package:
        return
    notes = {_id(note): note for note in _parsed(package, part, id).iter(f"{{*}}{kind}")}
    kept = filter(_is_kept, body.iter(f"{{*}}{kind}Reference"))
    referred = (notes[number] for number in dict.fromkeys(map(_id, kept)) if number in notes)
    for n, note in enumerate(referred, start=1):
        blocks.anchor(f"{kind} {n}")
        for text, quote in _paragraphs(note):
            blocks.add(text.strip(), quote=quote)


def _around(element: _Element) -> Iterator[str]:
    return map(_name, element.iterancestors())


def _id(element: _Element) -> str:
    return next((str(value) for name, value in element.attrib.items() if str(name).endswith("}id")), "")


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
