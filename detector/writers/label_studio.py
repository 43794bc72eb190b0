"""Label Studio: a JSON list of tasks with predictions; offsets are UTF-16 code units, as its editor counts.

``data`` holds ``text``, ``id`` and, in ``meta``, what else came with the text. A result has the labels of one span
(several for joined techniques) and the confidence as ``score``. `labelling_setup` is the project's set-up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from detector.errors import CorpusError
from detector.spans import Document, Span
from detector.techniques import NAMES, families, join, members, technique
from detector.writers.carried import checked, loaded_json, reading, slug_for
from detector.writers.json import dumps
from detector.writers.provenance import Provenance
from detector.writers.utf16 import Utf16Index

FROM, TO = "technique", "text"
_COLOURS = ("#b44b9c", "#0b72b5", "#b5540b", "#2b8a5a", "#8a6d0b", "#5b5bd6")


def write_label_studio(documents: Iterable[Document], provenance: Provenance) -> Iterator[bytes]:
    """The list of tasks, a piece a document."""
    before = "[\n"
    for document in documents:
        yield (before + dumps(_task(document, provenance))).encode()
        before = ",\n"
    yield ("[]\n" if before == "[\n" else "\n]\n").encode()


def read_label_studio(path: Path) -> Iterator[Document]:
    """The documents of an import file or an export: the first annotation of each task, else its first prediction."""
    tasks = loaded_json(path, "a list of Label Studio tasks")
    with reading(path, "a list of Label Studio tasks"):
        for i, task in enumerate([tasks] if isinstance(tasks, dict) else tasks):
            data = task["data"]
            id = str(data.get("id", task.get("id", i)))
            document = Document(id, data[TO], meta=data.get("meta") or {}, n_read=data.get("n_characters_read"))
            yield document.with_spans(_spans(task, data[TO], f"{path}: task {id!r:.60}"), n_read=document.n_read)


def labelling_setup() -> str:
    """The labelling interface for a Label Studio project, in its XML: a label a technique, coloured by family."""
    colours = {family.name: _COLOURS[i % len(_COLOURS)] for i, family in enumerate(families())}
    labels = "\n".join(
        f'    <Label value="{name}" background="{colours[technique(name).family]}" hint="{technique(name).title}"/>'
        for name in NAMES
    )
    shown = f'  <Text name="{TO}" value="${TO}"/>'
    return f'<View>\n  <Labels name="{FROM}" toName="{TO}">\n{labels}\n  </Labels>\n{shown}\n</View>\n'


def _task(document: Document, provenance: Provenance) -> dict[str, Any]:
    index = Utf16Index(document.text)
    results = [_result(document, span, index) for span in document.spans]
    scores = [span.confidence for span in document.spans]
    data = {
        TO: document.text,
        "id": document.id,
        "meta": json.loads(json.dumps(dict(document.meta), default=str)),
        "n_characters_read": document.n_read,
    }
    prediction = {
        "model_version": f"{provenance.model_name} {provenance.model_hash[:19]}".strip() or "unknown",
        "score": round(sum(scores) / len(scores), 4) if scores else 0.0,
        "result": results,
    }
    return {"data": data, "predictions": [prediction]}


def _result(document: Document, span: Span, index: Utf16Index) -> dict[str, Any]:
    key = f"{document.id}\0{span.start}\0{span.end}\0{span.technique}"
    return {
        "id": hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:10],
        "from_name": FROM,
        "to_name": TO,
        "type": "labels",
        "score": span.confidence,
        "value": {
            "start": index.units(span.start),
            "end": index.units(span.end),
            "text": document.quote(span),
            "labels": list(members(span.technique)),
        },
    }


def _spans(task: dict[str, Any], text: str, place: str) -> Iterator[Span]:
    made = (
        [one for one in task.get("annotations") or [] if not one.get("was_cancelled")] or task.get("predictions") or []
    )
    index = Utf16Index(text)
    for result in made[0].get("result", []) if made else ():
        if result.get("type") != "labels":
            continue
        value = result["value"]
        name = join([slug_for(one, place=place) for one in value["labels"]])
        start, end = index.points(value["start"]), index.points(value["end"])
        if start is None or end is None:
            raise CorpusError(f"{place}: [{value['start']}, {value['end']}) begins or ends inside a character")
        score = result.get("score")
        yield checked(start, end, name, text, place=place, confidence=1.0 if score is None else score)
