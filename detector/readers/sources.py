"""Whatever a PATH argument names → documents: the kind is told by suffix, by first bytes, or by the server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePath
from typing import BinaryIO, TypeVar

from detector.errors import DetectorError, InputError
from detector.readers.limits import Limits
from detector.readers.text import STANDARD_INPUT, file_bytes, is_address, read_bytes, too_large
from detector.spans import Document

SUFFIXES = {
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    ".markdown": "text",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".mhtml": "mhtml",
    ".mht": "mhtml",
    ".pdf": "pdf",
    ".docx": "docx",
    ".epub": "epub",
    ".srt": "subtitles",
    ".vtt": "subtitles",
    ".ass": "subtitles",
    ".ssa": "subtitles",
    ".eml": "email",
    ".zip": "zip",
}
"""The kind of file that a suffix means; any other suffix means text."""

KINDS = tuple(dict.fromkeys(("text", *SUFFIXES.values())))
_MEDIA_TYPES = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/plain": "text",
    "text/markdown": "text",
    "application/pdf": "pdf",
    "application/epub+zip": "epub",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/zip": "zip",
    "message/rfc822": "email",
    "text/vtt": "subtitles",
}

Read = Callable[[bytes], Document]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sources:
    """How sources are read. ``kind``: one of `KINDS` whatever the suffix says; ``fetch``: addresses are fetched."""

    kind: str | None = None
    fetch: bool = False
    allow_private: bool = False
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise InputError(f"kind {self.kind!r:.40} is none that is read; choose from {', '.join(KINDS)}")

    def read(self, path: str, *, stdin: BinaryIO | None = None) -> Iterator[Document | InputError]:
        """The documents of one file, address or, for ``-``, of ``stdin``; an error stands in the place of each
        that cannot be read."""
        try:
            if path == STANDARD_INPUT:
                if stdin is None:
                    raise InputError("-: standard input is closed: name a file")
                yield from self._documents(stdin.read(), id=path)
            elif is_address(path):
                yield self._fetched(path)
            else:
                yield from self._documents(self._bytes(path), id=path)
        except InputError as error:
            yield error

    def read_all(self, paths: Iterable[str], *, stdin: BinaryIO | None = None) -> Iterator[Document | InputError]:
        """The documents of all paths, read one by one."""
        for path in paths:
            yield from self.read(path, stdin=stdin)

    def _bytes(self, path: str) -> bytes:
        by_suffix = self.kind or SUFFIXES.get(PurePath(path).suffix.lower(), "text")
        return file_bytes(path, n_bytes=None if by_suffix == "text" else self.limits.n_bytes)

    def _fetched(self, url: str) -> Document:
        if not self.fetch:
            raise InputError(f"{url}: is an address, and nothing is fetched unasked: add --fetch")
        from detector.readers.fetch import fetch

        got = fetch(url, limits=self.limits, allow_private=self.allow_private)
        kind = self.kind or _MEDIA_TYPES.get(got.media_type) or kind_of(got.data, url)
        if kind == "zip":
            raise InputError(f"{url}: is an archive: save it and name the file")
        if kind == "html":
            from detector.readers.html import read_html

            read: Read = partial(read_html, id=url, limits=self.limits, charset=got.charset, url=got.url)
            return guarded(read, got.data, id=url, kind=kind)
        document = self._document(got.data, url, kind)
        return replace(document, meta={**document.meta, "url": got.url})

    def _documents(
        self, data: bytes, *, id: str, depth: int = 0, kind: str | None = None
    ) -> Iterator[Document | InputError]:
        kind = kind or (self.kind if depth == 0 else None) or kind_of(data, id)
        if depth == 0 and kind != "text" and len(data) > self.limits.n_bytes:
            raise too_large(id, self.limits.n_bytes)
        if kind == "email":
            yield from self._mail(data, id, depth)
            return
        if kind != "zip":
            yield self._document(data, id, kind)
            return
        from detector.readers.archive import read_archive

        known = tuple(SUFFIXES)
        yield from read_archive(data, id=id, limits=self.limits, depth=depth, known=known, read=self._documents)

    def _mail(self, data: bytes, id: str, depth: int) -> Iterator[Document | InputError]:
        """The message, where it has a text, and then what is attached to it; ``mail.eml!plan.pdf`` is the id of one."""
        from detector.readers.email import attachments

        find = partial(attachments, suffixes=SUFFIXES, media_types=_MEDIA_TYPES)
        files = guarded(find, data, id=id, kind="email")
        try:
            yield self._document(data, id, "email")
        except InputError:
            if not files:
                raise
        if files and depth >= self.limits.depth:
            where = f"lie in {depth} archives or messages, one in the other"
            raise InputError(f"{id}: its attachments {where}: save them and name them")
        for file in files:
            try:
                yield from self._documents(file.data, id=f"{id}!{file.name}", depth=depth + 1, kind=file.kind)
            except InputError as error:
                yield error

    def _document(self, data: bytes, id: str, kind: str) -> Document:
        return guarded(partial(_reader(kind), id=id, limits=self.limits), data, id=id, kind=kind)


_HTML = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:[^-]|-(?!->))*-->\s*)*(?:<!doctype html|<html)\b", re.IGNORECASE)
"""How a web page begins, behind an XML declaration and comments."""


def kind_of(data: bytes, name: str) -> str:
    """The kind of a file: what its suffix means, else what its first bytes say, else text.

    >>> kind_of(b"%PDF-1.7", "report"), kind_of(b"Once upon", "story.md"), kind_of(b"", "x.eml")
    ('pdf', 'text', 'email')
    """
    suffix = PurePath(name.partition("?")[0] if is_address(name) else name).suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if data.startswith(b"%PDF-"):
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        if b"mimetypeapplication/epub+zip" in data[:100]:
            return "epub"
        return "docx" if b"word/document.xml" in data else "zip"
    head = data[:4096].removeprefix(b"\xef\xbb\xbf")
    return "html" if _HTML.match(head) else "text"


def guarded(read: Callable[[bytes], T], data: bytes, *, id: str, kind: str) -> T:
    """What ``read`` makes of the bytes; whatever a parser stumbles over becomes an InputError."""
    try:
        return read(data)
    except DetectorError:
        raise
    except (Exception, RecursionError, MemoryError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{id}: cannot be read as {kind} ({type(error).__name__}: {reason}): save it anew, or as text"
        ) from None


def _reader(kind: str) -> Callable[..., Document]:
    """The function that reads a kind of file; each module, and what it needs, is imported when it is asked for."""
    match kind:
        case "html":
            from detector.readers.html import read_html

            return read_html
        case "mhtml":
            from detector.readers.mhtml import read_mhtml

            return read_mhtml
        case "pdf":
            from detector.readers.pdf import read_pdf

            return read_pdf
        case "docx":
            from detector.readers.docx import read_docx

            return read_docx
        case "epub":
            from detector.readers.epub import read_epub

            return read_epub
        case "subtitles":
            from detector.readers.subtitles import read_subtitles

            return read_subtitles
        case "email":
            from detector.readers.email import read_email

            return read_email
    return _read_text


def _read_text(data: bytes, *, id: str, limits: Limits) -> Document:
    if data.startswith(b"{\\rtf"):  # the bytes of a text, and none that a person wrote
        raise InputError(f"{id}: is RTF, whose commands would be taken for words: save it as .docx, or as text")
    return read_bytes(data, id=id)
