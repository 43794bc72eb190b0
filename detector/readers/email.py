"""E-mail (.eml) → `Document`: the subject and the text of the message; the HTML part where there is no plain one.

``meta``: ``title`` (the subject), ``author``, ``date``, ``attachments`` (their names; they are not read).
"""

from __future__ import annotations

from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser

from detector.errors import InputError
from detector.readers.blocks import Blocks, one_line
from detector.readers.limits import Limits
from detector.readers.markup import add_markup
from detector.readers.package import parsed_markup
from detector.readers.text import decode_text
from detector.spans import Document

_MOST_PARTS = 1000


def read_email(data: bytes, *, id: str, limits: Limits) -> Document:
    """The text of a message; raises InputError where it has none."""
    message = BytesParser(policy=policy.default).parsebytes(data.lstrip())
    if not message.keys() or sum(1 for _ in message.walk()) > _MOST_PARTS:
        raise InputError(f"{id}: is no e-mail (it has no header lines, or too many parts): give an .eml file")
    subject = one_line(str(message.get("subject", "")))
    blocks, warnings = Blocks(), list[str]()
    blocks.add(subject)
    part = message.get_body(preferencelist=("plain", "html"))
    if part is not None:
        content, _, warnings = decode_text(_payload(part), id=id, declared=part.get_content_charset())
        _add(blocks, content, part.get_content_subtype(), id)
    if not blocks.text:
        raise InputError(f"{id}: the message has no text: its attachments are not read, save them and name them")
    names = [name for part in message.iter_attachments() if (name := part.get_filename())]
    stated = {"title": subject, "author": str(message.get("from", "")), "date": _date(message)}
    return Document(id, blocks.text, meta=blocks.meta(format="email", **stated, attachments=names, warnings=warnings))


def _add(blocks: Blocks, content: str, subtype: str, id: str) -> None:
    if subtype == "plain":
        blocks.add(content.replace("\r\n", "\n").strip("\n"))
        return
    root = parsed_markup(content.encode("utf-8", "replace"), id=id, kind="HTML mail", extra="html")
    if root is not None:
        add_markup(blocks, root)


def _payload(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _date(message: EmailMessage) -> str:
    """The day it was sent, as year, month and day; empty where the header is missing or wrong."""
    sent = getattr(message.get("date"), "datetime", None)
    return sent.date().isoformat() if sent else ""
