"""The JSON bodies of requests → values, each key checked; what is wrong is told by its name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from detector.errors import InputError
from detector.selection import QUOTES, Selection, technique_names
from detector.spans import Document, Span
from detector.techniques import NAMES, Inventory, inventory, technique

MOST_DOCUMENTS = 256
MOST_SPANS = 1000
_DOCUMENT_KEYS = ("id", "text")
_CHOICES = ("strictness", "min_confidence", "only", "ignore", "thresholds", "quotes")


@dataclass(frozen=True, slots=True)
class Choices:
    """How a text is annotated: the strictness, and which findings are kept."""

    strictness: str
    selection: Selection


@dataclass(frozen=True, slots=True)
class AnnotateRequest:
    """Documents to annotate; ``alone`` where the request has one text and no list."""

    documents: tuple[Document, ...]
    choices: Choices
    alone: bool


@dataclass(frozen=True, slots=True)
class ClassifyRequest:
    """A document whose spans are to be named, in the request's order, with the techniques of an inventory."""

    document: Document
    within: Inventory


def parsed(body: bytes) -> Mapping[str, Any]:
    """The JSON object in a body; raises InputError where it is none."""
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"the body is not JSON in UTF-8 ({reason!s:.100}): send an object") from None
    if not isinstance(value, dict):
        raise InputError(f"the body is a JSON {type(value).__name__}: send an object")
    return value


def annotate_request(given: Mapping[str, Any], usual: Choices, strictnesses: tuple[str, ...]) -> AnnotateRequest:
    """The request to annotate, its choices in place of the usual ones; raises InputError, TechniqueError."""
    alone = "documents" not in given
    _known(given, (*(_DOCUMENT_KEYS if alone else ("documents",)), *_CHOICES))
    rows = [given] if alone else given["documents"]
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST_DOCUMENTS:
        raise InputError(f"documents: must be a list of 1 to {MOST_DOCUMENTS} objects with id and text")
    documents = []
    for i, row in enumerate(rows):
        place = "" if alone else f"documents[{i}]: "
        if not isinstance(row, dict):
            raise InputError(f"{place}must be an object with id and text")
        if not alone:
            _known(row, _DOCUMENT_KEYS, place)
        documents.append(_document(row, place))
    return AnnotateRequest(tuple(documents), _choices(given, usual, strictnesses), alone)


def classify_request(given: Mapping[str, Any]) -> ClassifyRequest:
    """The request to name spans; raises InputError, TechniqueError."""
    _known(given, (*_DOCUMENT_KEYS, "spans", "within"))
    document = _document(given)
    rows = given.get("spans")
    if not isinstance(rows, list) or len(rows) > MOST_SPANS:
        raise InputError(f"spans: must be a list of at most {MOST_SPANS} objects with start and end")
    spans = tuple(_span(row, f"spans[{i}]", document.text) for i, row in enumerate(rows))
    within = given.get("within", "detector")
    if not isinstance(within, str):
        raise InputError("within: must be the name of an inventory, such as ptc-14")
    return ClassifyRequest(replace(document, spans=spans), inventory(within))


def _document(row: Mapping[str, Any], place: str = "") -> Document:
    text, id = row.get("text"), row.get("id", "-")
    if not isinstance(text, str):
        raise InputError(f"{place}text: must be a string, and there must be one")
    if not isinstance(id, str):
        raise InputError(f"{place}id: must be a string")
    return Document(id, text)


def _span(row: object, place: str, text: str) -> Span:
    start, end = (row.get("start"), row.get("end")) if isinstance(row, dict) else (None, None)
    if type(start) is not int or type(end) is not int:
        raise InputError(f"{place}: must be an object with start and end, in whole characters")
    if not 0 <= start < end <= len(text):
        raise InputError(f"{place}: [{start}, {end}) is not inside the text ({len(text)} characters)")
    return Span(start, end, NAMES[0])  # any technique: the model gives it its own


def _choices(given: Mapping[str, Any], usual: Choices, strictnesses: tuple[str, ...]) -> Choices:
    strictness = given.get("strictness", usual.strictness)
    if strictness not in strictnesses:
        raise InputError(f"strictness {strictness!r:.40}: take {', '.join(strictnesses)}")
    wanted: dict[str, Any] = {}
    if "min_confidence" in given:
        wanted["min_confidence"] = _probability(given["min_confidence"], "min_confidence")
    for key in ("only", "ignore"):
        if key in given:
            wanted[key] = technique_names(_names(given[key], key))
    if "thresholds" in given:
        wanted["thresholds"] = _thresholds(given["thresholds"])
    if "quotes" in given:
        if given["quotes"] not in QUOTES:
            raise InputError(f"quotes {given['quotes']!r:.40}: take {', '.join(QUOTES)}")
        wanted["quotes"] = given["quotes"]
    only, ignore = wanted.get("only", usual.selection.only), wanted.get("ignore", usual.selection.ignore)
    if not set(only or NAMES).difference(ignore):
        raise InputError("ignore: no technique is left: ignore fewer")
    return Choices(strictness, replace(usual.selection, **wanted))


def _names(value: object, key: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InputError(f'{key}: must be a list of techniques, such as ["doubt", "slogans"]')
    return value


def _thresholds(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        raise InputError('thresholds: must be an object, such as {"doubt": 0.7}')
    return {technique(name).name: _probability(number, f"thresholds: {name!r:.40}") for name, number in value.items()}


def _probability(value: object, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"{place}: must be a number from 0 to 1")
    return float(value)


def _known(given: Mapping[str, Any], keys: tuple[str, ...], place: str = "") -> None:
    for key in given:
        if key not in keys:
            raise InputError(f"{place}there is no {key!r:.60} here: take {', '.join(keys)}")
