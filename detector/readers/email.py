"""E-mail (.eml) → `Document`: the subject and the text of the message; the HTML part where no plain one has words.

``meta``: ``title`` (the subject), ``author``, ``date``, ``attachments`` (their names). What is attached is read as
documents of their own: `attachments` finds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from pathlib import PurePath

from detector.errors import InputError
from detector.readers.blocks import Blocks, one_line
from detector.readers.limits import Limits
from detector.readers.markup import add_markup
from detector.readers.package import parsed_markup
from detector.readers.text import decode_text
from detector.spans import Document

_MOST_PARTS = 1000
_HEADER_END = re.compile(rb"\r?\n\r?\n")


def read_email(data: bytes, *, id: str, limits: Limits) -> Document:
    """The text of a message; raises InputError where it has none."""
    message = parsed_message(data)
    if not message.keys() or sum(1 for _ in message.walk()) > _MOST_PARTS:
        raise InputError(f"{id}: is no e-mail (it has no header lines, or too many parts): give an .eml file")
    subject = one_line(str(message.get("subject", "")))
    blocks, warnings = Blocks(), list[str]()
    blocks.add(subject)
    n_subject = len(blocks)
    for subtype in ("plain", "html"):
        part = message.get_body(preferencelist=(subtype,))
        if part is not None and len(blocks) == n_subject:
            content, _, warnings = decode_text(payload(part), id=id, declared=part.get_content_charset())
            _add(blocks, content, subtype, id)
    if not blocks.text:
        raise InputError(f"{id}: the message has no text, and nothing is attached that can be read: leave it out")
    names = [name for part in _attached_parts(message) if (name := part.get_filename())]
    stated = {"title": subject, "author": _author(message), "date": _date(message)}
    return Document(id, blocks.text, meta=blocks.meta(format="email", **stated, attachments=names, warnings=warnings))


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a message carries: its name, else its place such as ``part 2``; how it is read; its bytes."""

    name: str
    kind: str
    data: bytes


def attachments(data: bytes, *, suffixes: Mapping[str, str], media_types: Mapping[str, str]) -> list[Attachment]:
    """What is attached to a message and is of a kind that its suffix, else its media type, means.

    Plain text comes as UTF-8, whatever it was sent as.
    """
    found = []
    for number, part in enumerate(_attached_parts(parsed_message(data)), start=1):
        name = part.get_filename() or f"part {number}"
        kind = suffixes.get(PurePath(name).suffix.lower()) or media_types.get(part.get_content_type())
        if kind:
            found.append(Attachment(name, kind, _attached(part, name)))
    return found


def _attached_parts(message: MIMEPart, *, in_forms: bool = False) -> Iterator[MIMEPart]:
    """What a message carries beside its text, at whatever depth: a signed one has all of it inside a part.

    A message that is nothing but a file carries itself. ``in_forms``: this is one of several forms of the text, in
    which only what has the name of a file is something else.
    """
    kind = message.get_content_maintype()
    if kind != "multipart" and (kind != "text" or message.is_attachment()):
        yield message
    in_forms = in_forms or message.get_content_subtype() == "alternative"
    beside = set(message.iter_attachments())
    for part in message.iter_parts():
        if part.get_content_maintype() == "multipart":
            yield from _attached_parts(part, in_forms=in_forms)
        elif part.get_filename() if in_forms else part in beside:
            yield part


def _attached(part: MIMEPart, name: str) -> bytes:
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        return inner[0].as_bytes() if isinstance(inner, list) and isinstance(inner[0], EmailMessage) else b""
    data = payload(part)
    if part.get_content_type() != "text/plain" or b"\0" in data:
        return data
    try:
        return decode_text(data, id=name, declared=part.get_content_charset())[0].encode("utf-8", "surrogatepass")
    except InputError:
        return data  # whoever reads it will say so, of this attachment alone


def parsed_message(data: bytes) -> EmailMessage:
    """The message in these bytes; header lines in bytes that are neither ASCII nor UTF-8 are decoded as texts are."""
    data = data.lstrip()
    found = _HEADER_END.search(data)
    end = found.start() if found else len(data)
    with suppress(InputError):  # of what is text in no encoding, the parser makes what it can
        data = decode_text(data[:end], id="header lines")[0].encode() + data[end:]
    return BytesParser(policy=policy.default).parsebytes(data)


def _add(blocks: Blocks, content: str, subtype: str, id: str) -> None:
    if subtype == "plain":
        blocks.add(content.replace("\r\n", "\n").strip("\n"))
        return
    root = parsed_markup(content.encode("utf-8", "replace"), id=id, kind="HTML mail", extra="html")
    if root is not None:
        add_markup(blocks, root)


def payload(part: MIMEPart) -> bytes:
    """The bytes of a part; none where it is made of parts."""
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _author(message: EmailMessage) -> str:
    """Who sent it; as it stands in the header where the address is too broken for Python's parser."""
    try:
        return str(message.get("from", ""))
    except Exception:  # it raises whatever it stumbles over
        return next(str(value) for name, value in message.raw_items() if name.lower() == "from")


def _date(message: EmailMessage) -> str:
    """The day it was sent, as year, month and day; empty where the header is missing or wrong."""
    sent = getattr(message.get("date"), "datetime", None)
    return sent.date().isoformat() if sent else ""
