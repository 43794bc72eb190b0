"""Trees of HTML, XHTML and the like → `Blocks`. White space is shown as a browser would; scripts are left out, and what
is hidden, such as the preview line of a newsletter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from detector.readers.blocks import Blocks, one_line

if TYPE_CHECKING:
    from lxml.etree import _Element


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the names of elements mean: those that begin a block, that quote, that break a line, that are no text."""

    blocks: frozenset[str]
    quotes: frozenset[str]
    breaks: frozenset[str]
    left_out: frozenset[str]
    cells: frozenset[str]


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


HTML = Dialect(
    blocks=_names(
        "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure "
        "footer form h1 h2 h3 h4 h5 h6 header hgroup hr li main ol p pre section summary table tr ul"
    ),
    quotes=frozenset(["blockquote"]),
    breaks=frozenset(["br"]),
    left_out=_names("audio canvas head iframe noscript object script select style svg template video"),
    cells=frozenset(["td", "th"]),
)


_NOT_SHOWN = re.compile(r"(?:^|;)\s*display\s*:\s*none", re.IGNORECASE)


@dataclass(slots=True)
class _Walk:
    """A walk through a tree: what it has read of the block it is in."""

    blocks: Blocks
    pieces: list[str] = field(default_factory=list)
    n_quotes: int = 0

    def flush(self) -> None:
        """Ends the block: its lines without the white space of the markup."""
        lines = "".join(self.pieces).split("\0")
        self.blocks.add("\n".join(filter(None, map(one_line, lines))), quote=self.n_quotes > 0)
        self.pieces.clear()


def add_markup(blocks: Blocks, root: _Element, dialect: Dialect = HTML) -> None:
    """Adds the text of a tree, block by block; the walk is no recursion, so depth does not matter."""
    walk = _Walk(blocks)
    for opens, element in _events(root, dialect):
        name = _name(element)
        if opens:
            _open(walk, element, name, dialect)
        else:
            if name in dialect.blocks:
                walk.flush()
            walk.n_quotes -= name in dialect.quotes
            if element is not root:
                walk.pieces.append(_text(element.tail))
    walk.flush()


def _open(walk: _Walk, element: _Element, name: str, dialect: Dialect) -> None:
    if name in dialect.blocks:
        walk.flush()
    elif name in dialect.breaks:
        walk.pieces.append("\0")
    elif name in dialect.cells:
        walk.pieces.append(" ")
    walk.n_quotes += name in dialect.quotes
    if _is_read(element, dialect):
        walk.pieces.append(_text(element.text))


def _events(root: _Element, dialect: Dialect) -> Iterator[tuple[bool, Any]]:
    """Each element as it opens and as it closes; comments and what is left out have nothing inside."""
    stack: list[tuple[Any, Iterator[Any]]] = [(root, iter(root))]
    yield True, root
    while stack:
        element, children = stack[-1]
        child = next(children, None)
        if child is None:
            yield False, element
            stack.pop()
            continue
        yield True, child
        stack.append((child, iter(child) if _is_read(child, dialect) else iter(())))


def _is_read(element: Any, dialect: Dialect) -> bool:
    """Whether what is inside an element is text of the page; not in a comment, a script, or what is hidden."""
    name = _name(element)
    if not name or name in dialect.left_out:
        return False
    return element.get("hidden") is None and not _NOT_SHOWN.search(element.get("style") or "")


def _name(element: Any) -> str:
    """The element's name without its namespace; empty for a comment or an instruction."""
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def _text(text: str | None) -> str:
    return (text or "").replace("\0", "")
