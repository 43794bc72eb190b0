"""Web pages that a browser saved in one file (.mhtml, .mht) → `Document`: the page in it, read as one by itself."""

from __future__ import annotations

from detector.errors import InputError
from detector.readers.email import parsed_message, payload
from detector.readers.html import read_html
from detector.readers.limits import Limits
from detector.spans import Document


def read_mhtml(data: bytes, *, id: str, limits: Limits) -> Document:
    """The article of a saved page; raises InputError where there is no page in the file, or no article in the page."""
    page = parsed_message(data).get_body(preferencelist=("html",))
    if page is None:
        raise InputError(f"{id}: there is no web page in this file: save the page anew, or its text")
    location = str(page.get("content-location", ""))
    url = location if location.startswith(("http://", "https://")) else None
    return read_html(payload(page), id=id, limits=limits, charset=page.get_content_charset(), url=url)
