"""What the formats share: text as bytes, the names of techniques in them, and spans that a format cannot hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from detector.errors import CorpusError, InputError, TechniqueError
from detector.quotes import document_quotations
from detector.readers.text import is_address
from detector.spans import Document, Span, text_hash
from detector.techniques import NAMES, join, technique

Texts = Mapping[str, Document]
"""Documents by id: the texts for formats that do not hold them."""
_LARGEST = 2**63 - 1  # that Parquet can hold
_IN_ADDRESSES = "/%:?#[]@!$&'()*+,;="


def utf8(text: str, *, place: str) -> bytes:
    """The text in UTF-8; raises InputError where it holds half a surrogate pair, which UTF-8 cannot."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: character {error.start} is half a surrogate pair, which this format cannot hold: write JSON"
        ) from None


def uri_of(id: str) -> str:
    """The id as a URI: an address as it is, anything else as a relative one, from which `id_of` gives it back.

    >>> uri_of("https://example.org/a?b=c"), uri_of("news/a b.txt")
    ('https://example.org/a?b=c', 'news/a%20b.txt')
    """
    data = id.encode("utf-8", "surrogatepass")
    return id if is_address(id) and quote(data, safe=_IN_ADDRESSES) == id else quote(data, safe="/")


def id_of(uri: str) -> str:
    """The id that `uri_of` made this of."""
    return uri if is_address(uri) else unquote(uri, errors="surrogatepass")


def slug_for(name: object, *, place: str) -> str:
    """Our name of a technique that a file names in our spelling or in that of any inventory; raises CorpusError."""
    if not isinstance(name, str):
        raise CorpusError(f"{place}: the technique {name!r:.60} must be a name")
    parts = name.split("+")
    try:
        return join(parts) if set(parts).issubset(NAMES) else technique(name).name
    except TechniqueError as error:
        raise CorpusError(f"{place}: {error}") from None


def checked(start: object, end: object, name: object, text: str, *, place: str, confidence: object = 1.0) -> Span:
    """The span that a file states; raises CorpusError where it is not inside the text."""
    if type(start) is not int or type(end) is not int or not 0 <= start <= end <= len(text):
        raise CorpusError(f"{place}: span [{start!r:.20}, {end!r:.20}) is not inside the text ({len(text)} characters)")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
        raise CorpusError(f"{place}: the confidence {confidence!r:.40} must be a number from 0 to 1")
    return Span(start, end, slug_for(name, place=place), float(confidence))


def checked_document(document: Document) -> Document:
    """The document, if all that a file states beside its spans can be used; raises CorpusError otherwise."""
    stated = (document.id, str), (document.text, str), (document.meta, Mapping), (document.n_read, int | None)
    for value, kind in stated:
        if not isinstance(value, kind):
            raise CorpusError(f"{document.id!r:.60}: {value!r:.40} is of another type than written: annotate it again")
    n_read = document.n_read
    if n_read is not None and (isinstance(n_read, bool) or not 0 <= n_read <= _LARGEST):
        raise CorpusError(f"{document.id!r:.60}: {n_read!r:.40} is no number of characters read: annotate it again")
    try:
        document_quotations(document)
        places = [_place(*anchor) for anchor in document.meta.get("anchors") or ()]
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        told = f"block_quotes or anchors are not as written ({error!s:.100})"
        raise CorpusError(f"{document.id!r:.60}: {told}: annotate the text again") from None
    if places != sorted(places):
        raise CorpusError(f"{document.id!r:.60}: anchors are out of order: annotate the text again")
    return document


def _place(start: Any, name: Any) -> int:
    """Where an anchor is; raises ValueError or TypeError for a name that is no text in UTF-8."""
    if not isinstance(name, str):
        raise TypeError(f"the name {name!r:.40} must be a text")
    name.encode("utf-8")  # fails for half a surrogate pair, which no reader lets through
    return int(start)


def refuse(document: Document, span: Span, why: str) -> InputError:
    """The error about a span that a format cannot hold."""
    return InputError(
        f"{document.id}: span [{span.start}, {span.end}) {why}: write JSON, which holds everything, or leave it out"
    )


def claim(taken: dict[str, str], name: str, document: Document) -> None:
    """Notes whose text is the one of this name; raises InputError where another text has it."""
    if taken.setdefault(name, text_hash(document.text)) != text_hash(document.text):
        raise InputError(f"{document.id!r:.60}: is the id of two texts, or becomes it in this format: rename one")


def text_of(id: str, texts: Texts | None, *, place: str) -> Document:
    """The document of this id among those that were given; raises CorpusError where it is missing."""
    found = (texts or {}).get(id)
    if found is None:
        missing = "there is no such text among those of --texts: name each as annotate was given it"
        rule = "the format holds no texts: give them with --texts" if texts is None else missing
        raise CorpusError(f"{place}: the text of {id!r:.80} is needed: {rule}")
    return found


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turns what goes wrong while a file of another program is read into one line about that file."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError) as error:
        raise CorpusError(
            f"{path}: is not {kind} ({type(error).__name__}: {error!s:.100}): check how it was made"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}): check the path") from None


def loaded_json(path: Path, kind: str) -> Any:
    """The JSON value in a file; raises CorpusError where it is none."""
    with reading(path, kind):
        return json.loads(path.read_bytes().decode("utf-8-sig"))
