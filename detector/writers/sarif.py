"""SARIF 2.1.0, for code-scanning tools and editors: a run, a rule a technique, a result a finding.

Columns and offsets count code points (``columnKind``). The texts are in it (``artifacts[].contents``), so it can be
read back. ``rank`` is the confidence in per cent; the confidence itself is in ``properties``.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from detector.spans import Document, LineIndex, text_hash
from detector.techniques import NAMES, members, technique
from detector.writers.carried import checked, id_of, loaded_json, reading, uri_of
from detector.writers.json import dumps, span_records
from detector.writers.provenance import Provenance

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def write_sarif(documents: Iterable[Document], provenance: Provenance) -> Iterator[bytes]:
    """One log with one run, in one piece. What is the same is in it once: a document, a finding in it."""
    artifacts: list[dict[str, Any]] = []
    kept: dict[str, tuple[int, list[dict[str, Any]]]] = {}  # by what an artifact says: its index and its results
    for document in documents:
        artifact = _artifact(document)
        key = text_hash(dumps(artifact))
        index, found = kept.setdefault(key, (len(kept), []))
        if index == len(artifacts):
            artifacts.append(artifact)
        found += [result for result in _results(document, index) if result not in found]
    run = {
        "tool": {"driver": _driver(provenance)},
        "columnKind": "unicodeCodePoints",
        "newlineSequences": ["\r\n", "\n", "\r"],
        "invocations": [{"executionSuccessful": True}],
        "artifacts": artifacts,
        "results": [result for _, found in kept.values() for result in found],
        "properties": {"model": dict(provenance.model()), "settings": dict(provenance.settings())},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    yield (dumps(log, indent=1) + "\n").encode()


def read_sarif(path: Path) -> Iterator[Document]:
    """The documents of a log that `write_sarif` made; raises CorpusError for another program's."""
    log = loaded_json(path, "SARIF with the texts in it")
    with reading(path, "SARIF with the texts in it"):
        for run in log["runs"]:
            results = defaultdict(list)
            for result in run["results"]:
                place = result["locations"][0]["physicalLocation"]["artifactLocation"]
                results[place["index"]].append(result)
            for index, artifact in enumerate(run["artifacts"]):
                id, text = id_of(artifact["location"]["uri"]), artifact["contents"]["text"]
                meta = artifact.get("properties", {})
                document = Document(id, text, meta=meta.get("meta", {}), n_read=meta.get("n_characters_read"))
                spans = [_span(result, document.text, f"{path}: {id}") for result in results[index]]
                yield document.with_spans(spans, n_read=document.n_read)


def stated_in(path: Path) -> Mapping[str, Any]:
    """What a log that `write_sarif` made says of tool, model and settings."""
    run = loaded_json(path, "SARIF")["runs"][0]
    return {"tool": run["tool"]["driver"], **run["properties"]}


def _span(result: dict[str, Any], text: str, place: str) -> Any:
    region = result["locations"][0]["physicalLocation"]["region"]
    start, confidence = region["charOffset"], result["properties"]["confidence"]
    return checked(start, start + region["charLength"], result["ruleId"], text, place=place, confidence=confidence)


def _driver(provenance: Provenance) -> dict[str, Any]:
    rules = [
        {
            "id": name,
            "name": technique(name).title,
            "shortDescription": {"text": technique(name).title},
            "fullDescription": {"text": technique(name).definition},
            "help": {"text": f"{technique(name).recognise} {technique(name).question}"},
            "defaultConfiguration": {"level": "note"},
            "properties": {"family": technique(name).family, "code": technique(name).code},
        }
        for name in NAMES
    ]
    return {"name": "rhetoric-detector", "version": provenance.version, "rules": rules}


def _artifact(document: Document) -> dict[str, Any]:
    properties: dict[str, Any] = {"meta": json.loads(json.dumps(dict(document.meta), default=str))}
    if document.n_read is not None:
        properties["n_characters_read"] = document.n_read
    return {
        "location": {"uri": uri_of(document.id)},
        "contents": {"text": document.text},
        "encoding": "utf-8",
        "hashes": {"sha-256": text_hash(document.text).removeprefix("sha256:")},
        "properties": properties,
    }


def _results(document: Document, index: int) -> Iterator[dict[str, Any]]:
    lines = LineIndex(document.text)
    seen: Counter[str] = Counter()
    uri = uri_of(document.id)
    for span in span_records(document):
        end_line, end_column = lines.position(span["end"])
        region = {
            "startLine": span["line"],
            "startColumn": span["column"],
            "endLine": end_line,
            "endColumn": end_column,
            "charOffset": span["start"],
            "charLength": span["end"] - span["start"],
            "snippet": {"text": span["quote"]},
        }
        key = f"{document.id}\0{span['technique']}\0{span['quote']}"
        seen[key] += 1
        rule = members(span["technique"])
        yield {
            "ruleId": span["technique"],
            **({"ruleIndex": NAMES.index(rule[0])} if len(rule) == 1 else {}),
            "level": "note",
            "kind": "fail",
            "message": {"text": f"{span['title']} ({span['confidence']:.0%}): “{span['quote']}”"},
            "rank": round(100 * span["confidence"], 2),
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri, "index": index}, "region": region}}],
            "partialFingerprints": {"quoteAndTechnique/v1": _fingerprint(f"{key}\0{seen[key]}")},
            "properties": {key: span[key] for key in ("confidence", "family", "place", "in_quote", "speaker")},
        }


def _fingerprint(text: str) -> str:
    """Stays the same while the words stay the same, wherever in the text they move."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
