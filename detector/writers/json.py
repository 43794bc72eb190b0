"""A document with its spans ↔ one JSON object.

The object (schema version 1):

=================== ==============================================================================================
``schema_version``  1; it grows when a key changes its meaning or goes, not when one is added
``tool``            ``name`` and ``version`` of this program
``model``           ``name`` and ``hash`` of the model; ``precision``, the share of findings at this strictness that
                    proved right on held-out articles, where that was measured
``settings``        ``strictness``, ``min_confidence``, ``only`` and ``ignore`` (lists of techniques)
``id``              the path as given, ``-`` for standard input
``meta``            what else is known, such as ``encoding``; ``warnings``, sentences on why findings in this text
                    are worth less: its language, its length, how unlike the training it is, how it was read
``text_hash``       ``sha256:`` and the digest of the text in UTF-8
``n_characters``    length of the text
``n_characters_read``  how many of them the model has seen; null where no model has
``text``            the text, exactly
``spans``           in reading order; each with ``start`` and ``end`` (Unicode code points, end not included),
                    ``quote``, ``technique``, ``title``, ``code``, ``family``, ``confidence`` (a calibrated
                    probability, four digits), ``line`` and ``column`` of its start (both from 1), ``place`` (the
                    page, chapter or time where it begins, or null), ``in_quote`` (whether it lies in somebody's
                    quoted or reported words) and ``speaker`` (of those words, or null); where it was asked for also
                    ``why``, the words that carried it, strongest first, each with ``start``, ``end``, ``quote`` and
                    ``weight`` (how much lower the log-odds of the technique are without it)
``n_spans``         how many spans; ``n_in_quote`` how many of them lie in quotations
=================== ==============================================================================================

What would upset a terminal or a reader of lines (control and direction-changing characters, U+2028) is written as a
``\\u`` escape, and so is a lone surrogate: the output is valid UTF-8 in any case. (JSON cannot tell a high surrogate
and a low one after it from the one character they encode; no reader of this package lets either through.)
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from detector.errors import CorpusError
from detector.quotes import Quotation, document_quotations, quotation_of
from detector.spans import Cue, Document, LineIndex, Span, text_hash
from detector.techniques import members
from detector.writers.naming import family_of, place_of, short_code, title
from detector.writers.provenance import Provenance

SCHEMA_VERSION = 1
_USUAL_SETTINGS = ("strictness", "min_confidence", "only", "ignore")
_TO_ESCAPE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def annotation(document: Document, provenance: Provenance) -> dict[str, Any]:
    """The document as the object that this module describes, in JSON types."""
    spans = span_records(document)
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "rhetoric-detector", "version": provenance.version},
        "model": provenance.model(),
        "settings": provenance.settings(),
        "id": document.id,
        "meta": dict(document.meta),
        "text_hash": text_hash(document.text),
        "n_characters": len(document.text),
        "n_characters_read": document.n_read,
        "text": document.text,
        "spans": spans,
        "n_spans": len(spans),
        "n_in_quote": sum(span["in_quote"] for span in spans),
    }


def span_records(document: Document) -> list[dict[str, Any]]:
    """The spans of a document with all that is known of each, in JSON types, as this module describes them."""
    lines, quoted = LineIndex(document.text), document_quotations(document) if document.spans else ()
    return [_span_record(document, span, lines, quotation_of(span, quoted)) for span in document.spans]


def dumps(value: Any, *, indent: int | None = None) -> str:
    """The value as JSON that is safe to print: valid UTF-8, one line unless ``indent`` is given."""
    written = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return _TO_ESCAPE.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def read_annotation(record: Mapping[str, Any]) -> Document:
    """The document of an object that `annotation` made: same id, text, spans, meta and characters read.

    Raises CorpusError where the object is of another schema, lacks a key, or has a text or a quote that is not what
    its hash or its offsets say.
    """
    place = f"annotation {record.get('id')!r}"
    if record.get("schema_version") != SCHEMA_VERSION:
        raise CorpusError(
            f"{place}: schema_version is {record.get('schema_version')!r}, this version reads {SCHEMA_VERSION}: "
            "annotate the text again"
        )
    try:
        text = record["text"]
        spans = tuple(_read_span(span, text, place) for span in record["spans"])
        if text_hash(text) != record["text_hash"]:
            raise CorpusError(f"{place}: the text is not the one that was annotated (text_hash): annotate it again")
        return Document(record["id"], text, spans, record["meta"], record["n_characters_read"])
    except KeyError as error:
        raise CorpusError(f"{place}: the key {error} is missing: annotate the text again") from None
    except (TypeError, AttributeError) as error:
        raise CorpusError(f"{place}: a value has the wrong type ({error}): annotate the text again") from None


def read_provenance(record: Mapping[str, Any]) -> Provenance:
    """How the spans of an object that `annotation` made came about. Raises CorpusError where that is not in it."""
    try:
        model, settings = record["model"], record["settings"]
        json.dumps([record["tool"], model, settings], ensure_ascii=False).encode()  # fails for half a surrogate pair
        precision = model.get("precision")
        return Provenance(
            version=str(record["tool"]["version"]),
            model_name=str(model["name"]),
            model_hash=str(model["hash"]),
            strictness=str(settings["strictness"]),
            min_confidence=float(settings["min_confidence"]),
            only=tuple(map(str, settings["only"])),
            ignore=tuple(map(str, settings["ignore"])),
            precision=None if precision is None else float(precision),
            chosen={name: value for name, value in settings.items() if name not in _USUAL_SETTINGS},
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        place = f"annotation {record.get('id')!r}"
        raise CorpusError(f"{place}: tool, model or settings are not as written ({error}): annotate it again") from None


def _span_record(document: Document, span: Span, lines: LineIndex, quotation: Quotation | None) -> dict[str, Any]:
    line, column = lines.position(span.start)
    return {
        "start": span.start,
        "end": span.end,
        "quote": document.quote(span),
        "technique": span.technique,
        "title": title(span.technique),
        "code": short_code(span.technique),
        "family": family_of(span.technique),
        "confidence": round(span.confidence, 4),
        "line": line,
        "column": column,
        "place": place_of(document, span),
        "in_quote": quotation is not None,
        "speaker": quotation.speaker if quotation else None,
        **({} if span.why is None else {"why": [_cue_record(document, cue) for cue in span.why]}),
    }


def _cue_record(document: Document, cue: Cue) -> dict[str, Any]:
    return {"start": cue.start, "end": cue.end, "quote": document.text[cue.start : cue.end], "weight": cue.weight}


def _read_span(record: Mapping[str, Any], text: str, place: str) -> Span:
    why = None if record.get("why") is None else tuple(_read_cue(cue, text, place) for cue in record["why"])
    span = Span(record["start"], record["end"], record["technique"], record["confidence"], why)
    if not isinstance(span.confidence, int | float) or not 0 <= span.confidence <= 1:
        raise CorpusError(f"{place}: a confidence is {span.confidence!r:.60}, not from 0 to 1: annotate the text again")
    members(span.technique)  # raises for a technique that no inventory knows
    if not 0 <= span.start <= span.end <= len(text) or text[span.start : span.end] != record["quote"]:
        raise CorpusError(
            f"{place}: span [{span.start}, {span.end}) of {len(text)} characters is not {record['quote']!r:.60}: "
            "annotate the text again"
        )
    return span


def _read_cue(record: Mapping[str, Any], text: str, place: str) -> Cue:
    cue = Cue(record["start"], record["end"], record["weight"])
    if isinstance(cue.weight, bool) or not isinstance(cue.weight, int | float) or not abs(cue.weight) < math.inf:
        raise CorpusError(f"{place}: a weight is {cue.weight!r:.60}, not a number: annotate the text again")
    if not 0 <= cue.start < cue.end <= len(text) or text[cue.start : cue.end] != record["quote"]:
        raise CorpusError(
            f"{place}: why [{cue.start}, {cue.end}) is not {record['quote']!r:.60} in the text: annotate it again"
        )
    return cue
