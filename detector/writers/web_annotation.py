"""W3C Web Annotation (JSON-LD): a page of annotations, each with a quote and a position selector.

Positions are code points, as the recommendation counts characters. ``source`` is the address of a page that was
fetched, else the id as a relative address. The texts are not in it: reading it back needs them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from detector.errors import CorpusError
from detector.spans import Document, Span
from detector.techniques import members
from detector.writers.carried import Texts, checked, id_of, loaded_json, reading, slug_for, text_of, uri_of
from detector.writers.json import dumps, span_records
from detector.writers.provenance import Provenance

_CONTEXT = ["http://www.w3.org/ns/anno.jsonld", {"confidence": "urn:rhetoric-detector:confidence"}]
_AROUND = 32  # characters of prefix and suffix, so that the quote is found again in a text that has changed


def write_web_annotation(documents: Iterable[Document], provenance: Provenance) -> Iterator[bytes]:
    """An annotation page, a piece a document."""
    head = {"@context": _CONTEXT, "type": "AnnotationPage", "generator": _generator(provenance)}
    yield (dumps(head)[:-1] + ', "items": [').encode()
    between = "\n"
    for document in documents:
        for span, record in zip(document.spans, span_records(document), strict=True):
            yield (between + dumps(_annotation(document, span, record))).encode()
            between = ",\n"
    yield b"\n]}\n"


def read_web_annotation(path: Path, texts: Texts | None = None) -> Iterator[Document]:
    """The documents of ``texts`` with the spans of the annotations; of equal ones, one.

    Raises CorpusError where a quote is not there.
    """
    page = loaded_json(path, "a page of Web Annotations")
    spans: dict[str, dict[Span, None]] = {}
    with reading(path, "a page of Web Annotations"):
        for item in page["items"]:
            id = id_of(item["target"]["source"])
            place = f"{path}: {item.get('id', id)!r:.60}"
            text = text_of(id, texts, place=place).text
            selectors = {selector["type"]: selector for selector in item["target"]["selector"]}
            position = selectors["TextPositionSelector"]
            bodies = [body["value"] for body in item["body"] if body.get("purpose") == "tagging"]
            name = "+".join(slug_for(body, place=place) for body in bodies)
            confidence = item.get("confidence", 1.0)
            span = checked(position["start"], position["end"], name, text, place=place, confidence=confidence)
            if text[span.start : span.end] != selectors["TextQuoteSelector"]["exact"]:
                raise CorpusError(f"{place}: [{span.start}, {span.end}) is not its quote: the text is another one")
            spans.setdefault(id, {})[span] = None
    yield from (document.with_spans(spans.get(id, ())) for id, document in (texts or {}).items())


def _annotation(document: Document, span: Span, record: dict[str, Any]) -> dict[str, Any]:
    text, bodies = document.text, [_body(name) for name in members(span.technique)]
    key = f"{document.id}\0{span.start}\0{span.end}\0{span.technique}"
    return {
        "id": f"urn:sha256:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}",
        "type": "Annotation",
        "motivation": "tagging",
        "body": bodies,
        "confidence": record["confidence"],
        "target": {
            "source": uri_of(document.id),
            "selector": [
                {
                    "type": "TextQuoteSelector",
                    "exact": record["quote"],
                    "prefix": text[max(0, span.start - _AROUND) : span.start],
                    "suffix": text[span.end : span.end + _AROUND],
                },
                {"type": "TextPositionSelector", "start": span.start, "end": span.end},
            ],
        },
    }


def _body(name: str) -> dict[str, str]:
    return {"type": "TextualBody", "purpose": "tagging", "format": "text/plain", "value": name}


def _generator(provenance: Provenance) -> dict[str, str]:
    shown = f"rhetoric-detector {provenance.version}, model {provenance.model_name}"
    return {"type": "Software", "name": shown}
