"""E-books → `Document`: the chapters in reading order (zip and XML, no further package than lxml).

``meta["anchors"]`` names the chapters; ``title``, ``author``, ``date`` and ``outlet`` (the publisher) are
the book's own.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

from detector.errors import InputError
from detector.readers.blocks import Blocks, one_line
from detector.readers.limits import Limits
from detector.readers.markup import add_markup
from detector.readers.package import LostPartError, Package, opened, parsed_markup, parsed_xml
from detector.spans import Document

if TYPE_CHECKING:
    from lxml.etree import _Element

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


def read_epub(data: bytes, *, id: str, limits: Limits) -> Document:
    """The text of an e-book, with a warning where chapters are missing or damaged.

    Raises InputError for one that is locked or hostile, or of which nothing can be read.
    """
    with opened(data, id=id, limits=limits) as package:
        if _CONTAINER not in package:
            raise InputError(f"{id}: is no e-book (no {_CONTAINER} in it): give an EPUB")
        _refuse_locked(package, id)
        rootfile = _parsed(package, _CONTAINER, id).find(".//{*}rootfile")
        path = rootfile.get("full-path", "") if rootfile is not None else ""
        book = _parsed(package, path, id)
        blocks, lost = Blocks(), list[str]()
        for number, page in enumerate(_spine(book, path), start=1):
            try:
                _add_page(blocks, package.read(page), number, id)
            except LostPartError:
                lost.append(page)
    if lost and not blocks.text:
        raise InputError(f"{id}: none of its chapters can be read ({', '.join(lost):.80}): give a whole copy")
    said = f"parts of the book are missing or damaged ({', '.join(lost):.80}): the others were read"
    warnings = [said] if lost else []
    names = {"title": "title", "author": "creator", "date": "date", "outlet": "publisher"}
    stated = {key: one_line(book.findtext(f".//{{*}}metadata/{{*}}{name}") or "") for key, name in names.items()}
    return Document(id, blocks.text, meta=blocks.meta(format="epub", **stated, warnings=warnings))


def _add_page(blocks: Blocks, data: bytes, number: int, id: str) -> None:
    root = parsed_markup(data, id=id, kind="EPUB", extra="epub")
    if root is None:
        return
    headings = (one_line("".join(map(str, heading.itertext()))) for heading in root.iter("h1", "h2", "h3"))
    blocks.anchor(next(filter(None, headings), f"part {number}"))
    add_markup(blocks, root)


def _spine(book: _Element, path: str) -> Iterator[str]:
    """The names of the pages in reading order, the table of contents aside."""
    items = {item.get("id"): item for item in book.iterfind(".//{*}manifest/{*}item")}
    for reference in book.iterfind(".//{*}spine/{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is None or item.get("media-type") not in _PAGES or "nav" in (item.get("properties") or "").split():
            continue
        yield posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(item.get("href", ""))))


def _refuse_locked(package: Package, id: str) -> None:
    """Raises InputError for a book whose pages are encrypted; fonts may be."""
    if _ENCRYPTION not in package:
        return
    for method in _parsed(package, _ENCRYPTION, id).iterfind(".//{*}EncryptionMethod"):
        if method.get("Algorithm") not in _FONTS:
            raise InputError(f"{id}: the book is locked (DRM): give a copy without it")


def _parsed(package: Package, name: str, id: str) -> _Element:
    return parsed_xml(package.read(name), id=id, kind="EPUB", extra="epub")
