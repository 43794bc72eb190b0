"""spaCy's ``DocBin``: documents with the spans in ``doc.spans["sc"]``, as its span categoriser is trained on.

Tokens are those of spaCy's English tokenizer, cut wherever a span begins or ends; confidences are in
``doc.spans["sc"].attrs["scores"]``, id and meta in ``doc.user_data``.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from detector.errors import InputError
from detector.spans import Document
from detector.writers.carried import checked, reading, utf8
from detector.writers.conll import refuse_spaced
from detector.writers.provenance import Provenance

KEY = "sc"


def write_docbin(documents: Iterable[Document], provenance: Provenance) -> Iterator[bytes]:
    """The bytes of one ``.spacy`` file, in one piece. Raises InputError where spaCy is missing."""
    spacy, language = _spacy(), _english()
    bin = spacy.tokens.DocBin(store_user_data=True)
    for document in documents:
        refuse_spaced(document, "spaCy")
        bin.add(_doc(document, language, spacy))
    yield bin.to_bytes()


def read_docbin(path: Path) -> Iterator[Document]:
    """The documents of a ``.spacy`` file, whoever made it; the spans of ``doc.spans["sc"]``."""
    spacy = _spacy()
    with reading(path, "a spaCy DocBin"):
        data = path.read_bytes()
        try:
            docs = list(spacy.tokens.DocBin(store_user_data=True).from_bytes(data).get_docs(_english().vocab))
        except Exception as error:  # zlib, msgpack and spaCy each have their own
            raise ValueError(error) from None
        for number, doc in enumerate(docs):
            yield _document(doc, number, path)


def _doc(document: Document, language: Any, spacy: Any) -> Any:
    words, spaces, starts, ends = _words(document, language)
    doc = spacy.tokens.Doc(language.vocab, words=words, spaces=spaces)
    spans = [spacy.tokens.Span(doc, starts[s.start], ends[s.end] + 1, label=s.technique) for s in document.spans]
    doc.spans[KEY] = spacy.tokens.SpanGroup(
        doc, name=KEY, spans=spans, attrs={"scores": [span.confidence for span in document.spans]}
    )
    doc.user_data["id"] = document.id.encode("utf-8", "replace").decode()  # as in Parquet
    doc.user_data["meta"] = json.dumps(dict(document.meta), default=str)
    doc.user_data["n_characters_read"] = document.n_read
    return doc


def _words(document: Document, language: Any) -> tuple[list[str], list[bool], dict[int, int], dict[int, int]]:
    """The words that spaCy sees and whether a space follows each; and which word starts, or ends, at an offset."""
    utf8(document.text, place=document.id)  # spaCy keeps strings in UTF-8
    edges = sorted({edge for span in document.spans for edge in (span.start, span.end)})
    words, spaces, starts, ends = list[str](), list[bool](), dict[int, int](), dict[int, int]()
    for token in language.make_doc(document.text):
        first, last = token.idx, token.idx + len(token.text)
        cuts = [first, *edges[bisect.bisect_right(edges, first) : bisect.bisect_left(edges, last)], last]
        for start, end in pairwise(cuts):
            starts[start], ends[end] = len(words), len(words)
            words.append(document.text[start:end])
            spaces.append(end == last and bool(token.whitespace_))
    return words, spaces, starts, ends


def _document(doc: Any, number: int, path: Path) -> Document:
    group = doc.spans.get(KEY, ())
    scores = list(getattr(group, "attrs", {}).get("scores", ())) or [1.0] * len(group)
    id = str(doc.user_data.get("id", number))
    spans = [
        checked(s.start_char, s.end_char, s.label_, doc.text, place=f"{path}: {id!r:.60}", confidence=float(score))
        for s, score in zip(group, scores, strict=True)
    ]
    meta, n_read = json.loads(doc.user_data.get("meta", "{}")), doc.user_data.get("n_characters_read")
    return Document(id, doc.text, meta=meta).with_spans(spans, n_read=n_read)


@cache
def _english() -> Any:
    """The tokenizer, which takes a while to make."""
    language = _spacy().blank("en")
    language.max_length = 2**62  # nothing is parsed, so length costs nothing
    return language


def _spacy() -> Any:
    try:
        import spacy
        import spacy.tokens
    except ImportError:
        raise InputError("the format spacy needs the package spacy: pip install 'rhetoric-detector[spacy]'") from None
    return spacy
