"""One part → its file and its receipt: the function that every engine runs, in whatever process or machine.

The bytes of a part depend on its records and the settings alone. The encoder's last bits depend on the shape of its
batches, so batches are made from the part and from nothing else, and on the CPU a worker computes on one thread.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from detector.batch.choices import PartFormat
from detector.batch.parts import Part
from detector.batch.records import Columns, Failure, Record, printable
from detector.batch.schema import SCHEMA_VERSION, encode, make_row
from detector.batch.store import Store, open_store
from detector.decode import decode
from detector.memory import keep_no_large_blocks
from detector.quotes import quotations
from detector.readers.language import TRAINED_ON, language_of
from detector.selection import Selection, switched_off
from detector.spans import Document, Span, in_reading_order

if TYPE_CHECKING:
    from detector.detect import Detector

BLOCK_CHARACTERS = 400_000
"""Longer texts are scored in blocks cut where a line ends, so that memory does not depend on a text's length."""

Tick = Callable[[int, int], None]
"""Told of progress inside a part: documents and pieces since the last call."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything but the corpus that the bytes of the parts depend on; ``device`` is its kind, cpu or cuda.

    ``backend`` is the one that was chosen; ``auto`` stands for the default of `load`.

    ``language_guard``: ``warn`` puts languages into the rows, ``skip`` scores no text in a language that the model was
    not trained on either, ``off`` does not look.
    """

    version: str
    model_name: str
    model_hash: str
    strictness: str = "balanced"
    selection: Selection = field(default_factory=Selection)
    language_guard: str = "warn"
    device: str = "cpu"
    backend: str = "auto"
    format: PartFormat = PartFormat.PARQUET
    part_size: int = 100
    columns: Columns = field(default_factory=Columns)

    def as_json(self) -> dict[str, Any]:
        """The settings by name, in JSON types."""
        flat = {one.name: getattr(self, one.name) for one in fields(self)}
        columns, selection = flat.pop("columns"), flat.pop("selection")
        flat |= {"strictness": str(self.strictness), "language_guard": str(self.language_guard)}
        flat |= {"format": str(self.format), **selection.as_json()}
        return flat | {"text_column": columns.text, "id_column": columns.id, "keep": list(columns.keep)}

    def hash(self) -> str:
        """``sha256:`` and the digest of the settings and the version of the schema."""
        value = {"schema_version": SCHEMA_VERSION, **self.as_json()}
        return "sha256:" + hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker needs besides its parts. ``device`` is a torch device."""

    out: str
    settings: Settings
    model: str | None = None
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of a part that is done: its presence is what makes it done. ``errors`` are rows in JSON types.

    ``n_foreign`` counts documents in languages that the model was not trained on, ``n_switched_off`` those whose text
    switches the detector off somewhere.
    """

    part: int
    file: str
    sha256: str
    n_bytes: int
    n_documents: int
    n_characters: int
    n_pieces: int
    n_spans: int
    n_foreign: int
    n_switched_off: int
    input: str
    settings: str
    errors: tuple[Mapping[str, Any], ...] = ()

    def to_bytes(self) -> bytes:
        """The receipt as a JSON file."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Receipt | None:
        """The receipt of a JSON file; None for a damaged one."""
        try:
            value = json.loads(data)
            receipt = cls(**{**value, "errors": tuple(value["errors"])})
            return receipt if receipt.is_as_written() else None
        except (ValueError, TypeError, KeyError, RecursionError):
            return None

    def is_as_written(self) -> bool:
        """Whether each value is of the kind that `PartScorer` gives it."""
        flat = [(one.type, getattr(self, one.name)) for one in fields(self) if one.name != "errors"]
        kinds = all(type(value).__name__ == kind and (kind == "str" or value >= 0) for kind, value in flat)
        named = self.file in {part_name(self.part, format) for format in PartFormat}
        errors = ((type(e["source"]), type(e["row"]), type(e["kind"]), type(e["error"])) for e in self.errors)
        return kinds and named and set(errors) <= {(str, int, str, str)}


def part_name(number: int, format: PartFormat) -> str:
    """The file of a part: ``part-000012.parquet``."""
    return f"part-{number:06d}.{format}"


def receipt_name(number: int) -> str:
    """The file of a part's receipt."""
    return f"receipts/part-{number:06d}.json"


def read_receipt(store: Store, number: int, settings: Settings) -> Receipt | None:
    """The receipt of a part that is there, whole, and made with these settings; None where it must be made."""
    data = store.read(receipt_name(number))
    receipt = Receipt.from_bytes(data) if data is not None else None
    if receipt is None or receipt.settings != settings.hash():
        return None
    content = store.read(receipt.file)
    return receipt if content is not None and _digest(content) == receipt.sha256 else None


class PartScorer:
    """Scores parts and writes them: the part's file first, then its receipt."""

    def __init__(self, task: Task, *, detector: Detector | None = None) -> None:
        self.settings = task.settings
        self.store = open_store(task.out)
        self.detector = detector or load_for(task)
        self.hashes = {"model_hash": task.settings.model_hash, "settings_hash": task.settings.hash()}

    def __call__(self, part: Part, *, tick: Tick = lambda n_documents, n_pieces: None) -> Receipt:
        """The receipt of the part, which is in the store now."""
        languages = [self._language(record) for record in part.records]
        skipped = {i for i, name in enumerate(languages) if self.settings.language_guard == "skip" and is_foreign(name)}
        found, failures = self._find(part.records, skipped, tick)
        keep = self.settings.columns.keep
        rows = [
            self._row(record, findings, language)
            for record, findings, language in zip(part.records, found, languages, strict=True)
            if findings is not None
        ]
        name = part_name(part.number, self.settings.format)
        data = encode(rows, format=self.settings.format, keep=keep)
        self.store.write(name, [data])
        receipt = Receipt(
            part=part.number,
            file=name,
            sha256=_digest(data),
            n_bytes=len(data),
            n_documents=len(rows),
            n_characters=sum(row["n_characters"] for row in rows),
            n_pieces=sum(f.n_pieces for f in found if f is not None),
            n_spans=sum(row["n_spans"] for row in rows),
            n_foreign=sum(is_foreign(row["language"]) for row in rows),
            n_switched_off=sum(
                bool(switched_off(record.text or ""))
                for record, findings in zip(part.records, found, strict=True)
                if findings is not None
            ),
            input=part.digest(),
            settings=self.hashes["settings_hash"],
            errors=tuple(error_row(r, failures[i]) for i, r in enumerate(part.records) if i in failures),
        )
        self.store.write(receipt_name(part.number), [receipt.to_bytes()])
        return receipt

    def _language(self, record: Record) -> str | None:
        if self.settings.language_guard == "off" or record.text is None:
            return None
        return language_of(record.text)

    def _row(self, record: Record, findings: Findings, language: str | None) -> dict[str, Any]:
        """The row of a document; what is kept, and who is quoted, is asked of the whole text, which blocks cut."""
        text = record.text or ""
        spans = self.settings.selection.apply(Document(record.id, text, findings.spans)).spans
        quoted = quotations(text) if spans else ()
        keep, n_read = self.settings.columns.keep, findings.n_read
        return make_row(record, spans, quoted=quoted, language=language, n_read=n_read, hashes=self.hashes, keep=keep)

    def _find(
        self, records: Sequence[Record], skipped: Collection[int], tick: Tick
    ) -> tuple[list[Findings | None], dict[int, Failure]]:
        """What was found in each record, None where a failure says why not; failures by position.

        Nothing is looked for, and found, at the positions that are skipped.
        """
        failures = {i: r.failure for i, r in enumerate(records) if r.failure}
        readable = [i for i in range(len(records)) if i not in failures and i not in skipped]
        tick(len(skipped), 0)
        try:
            found = dict(self._findings(records, readable, tick))
        except Exception:  # whatever a strange text may set off in a tokenizer or an encoder: find which text it is
            failures |= {i: failure for i in readable if (failure := self._try_alone(records, i))}
            found = dict(self._findings(records, [i for i in readable if i not in failures], tick))
        found |= {i: Findings() for i in skipped}
        return [found.get(i) for i in range(len(records))], failures

    def _try_alone(self, records: Sequence[Record], position: int) -> Failure | None:
        try:
            list(self._findings(records, [position], lambda n_documents, n_pieces: None))
        except Exception as error:
            what = printable(" ".join(f"{type(error).__name__}: {error}".split()))
            return Failure("scoring", f"{records[position].source}:{records[position].row}: cannot be scored ({what})")
        return None

    def _findings(
        self, records: Sequence[Record], positions: Sequence[int], tick: Tick
    ) -> Iterator[tuple[int, Findings]]:
        """The findings of the records at these positions, in order."""
        setting = self.detector.setting(self.settings.strictness)
        found = {i: Findings() for i in positions}
        remaining = {i: len(blocks(records[i].text or "")) for i in positions}
        for document, scores in self.detector.score(_documents(records, positions)):
            i, start = document.meta["position"], document.meta["start"]
            spans = decode(document.text, scores, setting, gap=self.detector.info.gap)
            found[i] = found[i].plus(
                (replace(s, start=s.start + start, end=s.end + start) for s in spans),
                n_read=len(document.text),
                n_pieces=len(scores.pieces),
            )
            remaining[i] -= 1
            tick(0 if remaining[i] else 1, len(scores.pieces))
            if not remaining[i]:
                yield i, found.pop(i)


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in one document so far."""

    spans: tuple[Span, ...] = ()
    n_read: int = 0
    n_pieces: int = 0

    def plus(self, spans: Iterator[Span], *, n_read: int, n_pieces: int) -> Findings:
        """These findings and those of the next block."""
        return Findings(in_reading_order((*self.spans, *spans)), self.n_read + n_read, self.n_pieces + n_pieces)


def is_foreign(language: str | None) -> bool:
    """Whether a text in this language is in one that the model was not trained on; False where it is not known."""
    return language is not None and language not in TRAINED_ON


def load_for(task: Task) -> Detector:
    """The detector of a task; on the CPU of one thread: workers share the cores, and torch's last bits depend on it."""
    from detector.detect import load

    keep_no_large_blocks()
    threads = 1 if task.device == "cpu" else None
    return load(task.model, device=task.device, backend=task.settings.backend, threads=threads)


def error_row(record: Record, failure: Failure) -> dict[str, Any]:
    """A line of errors.jsonl."""
    return {
        "source": record.source,
        "row": record.row,
        "id": record.id,
        "kind": failure.kind,
        "error": failure.message,
    }


def blocks(text: str) -> list[tuple[int, int]]:
    """Ranges of at most `BLOCK_CHARACTERS` that tile the text, cut after a line end, else a space, where there is one.

    An empty text is one empty block.
    """
    ranges = []
    start = 0
    while len(text) - start > BLOCK_CHARACTERS:
        limit = start + BLOCK_CHARACTERS
        cuts = (text.rfind(mark, start + BLOCK_CHARACTERS // 2, limit) + 1 for mark in ("\n", " "))
        end = next((cut for cut in cuts if cut), limit)
        ranges.append((start, end))
        start = end
    return [*ranges, (start, len(text))]


def _documents(records: Sequence[Record], positions: Sequence[int]) -> Iterator[Document]:
    for i in positions:
        text = records[i].text or ""
        for start, end in blocks(text):
            yield Document(records[i].id, text[start:end], meta={"position": i, "start": start})


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
