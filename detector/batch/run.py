"""A corpus → a folder of parts: what is missing is found, scored by an engine, and put on record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from detector.batch.choices import Engine
from detector.batch.parts import Part, cut_parts
from detector.batch.pool import InlinePool, Pool, ProcessPool
from detector.batch.records import Meter, read_records
from detector.batch.schema import SCHEMA_VERSION
from detector.batch.sources import DATASET_PREFIX, STANDARD_INPUT, check_once, check_outside, find_sources, total_size
from detector.batch.store import Store, open_store
from detector.batch.work import Receipt, Settings, Task, part_name, read_receipt, receipt_name
from detector.errors import ConfigError, InputError
from detector.writers.json import dumps

if TYPE_CHECKING:
    from detector.detect import Detector

MANIFEST = "manifest.json"
ERRORS = "errors.jsonl"


@dataclass(frozen=True, slots=True)
class Job:
    """A run: which corpus, with which settings, to where, by whom.

    ``shard`` is ``(i, n)``: every n-th part, from the i-th on (counted from 1). ``model`` and ``device`` are as in
    `detect.load`; ``workers`` is the number of processes, 1 for this one alone. ``precision`` is what was measured of
    the model at this strictness, for the manifest.
    """

    corpus: tuple[str, ...]
    out: str
    settings: Settings
    model: str | None = None
    device: str = "cpu"
    split: str | None = None
    engine: Engine = Engine.LOCAL
    workers: int = 1
    shard: tuple[int, int] = (1, 1)
    retry_errors: bool = False
    precision: float | None = None

    def __post_init__(self) -> None:
        if not self.out:
            raise ConfigError("--out '': names no folder: name one for the results")
        index, n_shards = self.shard
        if not 1 <= index <= n_shards:
            raise ConfigError(f"--shard {index}/{n_shards}: give I/N with I from 1 to N, such as 1/8")
        if self.split is not None and not any(name.startswith(DATASET_PREFIX) for name in self.corpus):
            raise ConfigError(
                f"--split {self.split}: only a data set has splits, and none is named ({DATASET_PREFIX}NAME)"
            )
        if STANDARD_INPUT in self.corpus and (self.engine == Engine.RAY or self.corpus.count(STANDARD_INPUT) > 1):
            raise InputError("-: standard input can be read once, by the local engine: write it to a file first")

    def task(self) -> Task:
        """What the workers need."""
        return Task(self.out, self.settings, self.model, self.device)


@dataclass(slots=True)
class Progress:
    """How far a run is. Documents, errors and pieces are those of this run; ``n_kept`` were there before.

    ``fraction`` is the share of the corpus that has been read, None where its size is not known.
    """

    n_parts: int = 0
    n_kept: int = 0
    n_documents: int = 0
    n_pieces: int = 0
    n_errors: int = 0
    fraction: float | None = None
    scoring_since: float | None = None
    fraction_before: float = 0.0

    def seconds(self) -> float:
        """Seconds since scoring began."""
        return 0.0 if self.scoring_since is None else time.monotonic() - self.scoring_since

    def seconds_left(self) -> float | None:
        """An estimate from the share read since scoring began; None while there is nothing to go by."""
        if self.fraction is None or self.fraction <= self.fraction_before or not self.n_documents:
            return None
        return self.seconds() * (1 - self.fraction) / (self.fraction - self.fraction_before)

    def tick(self, n_documents: int, n_pieces: int) -> None:
        """Counts what was done inside a part."""
        self.n_documents += n_documents
        self.n_pieces += n_pieces


@dataclass(frozen=True, slots=True)
class Summary:
    """What a folder holds after a run. ``finished`` is False where parts are missing still.

    ``n_foreign`` counts documents in languages that the model was not trained on, ``n_switched_off`` those whose text
    switches the detector off somewhere.
    """

    finished: bool
    n_parts: int
    n_documents: int
    n_errors: int
    first_error: str | None = None
    n_foreign: int = 0
    n_switched_off: int = 0


OnProgress = Callable[[Progress], None]


@dataclass(slots=True)
class Plan:
    """Walks through the parts of a corpus and yields those that are still to be made."""

    job: Job
    store: Store
    meter: Meter = field(default_factory=Meter)
    n_parts: int = 0
    n_kept: int = 0
    complete: bool = False

    def missing(self, *, stdin: BinaryIO | None = None) -> Iterator[Part]:
        """The parts to make, in order. Raises InputError where the corpus is not the one the folder was made from."""
        columns = self.job.settings.columns
        records = read_records(self.job.corpus, columns, split=self.job.split, stdin=stdin, meter=self.meter)
        index, n_shards = self.job.shard
        for part in cut_parts(records, n_documents=self.job.settings.part_size):
            self.n_parts += 1
            _check_first(part)
            if part.number % n_shards == index - 1 and not self._is_kept(part):
                yield part
        if not self.n_parts:
            raise InputError(f"{' '.join(self.job.corpus)}: holds no document: nothing to score")
        self.complete = True

    def _is_kept(self, part: Part) -> bool:
        receipt = read_receipt(self.store, part.number, self.job.settings)
        if receipt is None or not self._fits(part, receipt):
            return False
        self.n_kept += receipt.n_documents
        return True

    def _fits(self, part: Part, receipt: Receipt) -> bool:
        """Whether the part that is there need not be made again."""
        if receipt.input == part.digest():
            return not (self.job.retry_errors and any(error["kind"] == "scoring" for error in receipt.errors))
        if self.job.retry_errors:
            return False
        unreadable = {(error["source"], error["row"]) for error in receipt.errors if error["kind"] != "scoring"}
        if receipt.input == part.digest(unreadable=unreadable):
            return True
        place = f"{part.records[0].source}:{part.records[0].row}"
        raise InputError(
            f"{self.job.out}: part {part.number} was made from other documents than those from {place} on: the corpus "
            "has changed: --retry-errors scores what has changed, another --out begins anew"
        )


def score_corpus(
    job: Job,
    *,
    detector: Detector | None = None,
    stdin: BinaryIO | None = None,
    on_progress: OnProgress = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> Summary:
    """Scores what is missing in the folder and returns what it then holds.

    ``detector``, on one thread, spares loading it where there is one worker. When ``stop`` says so, the parts in hand
    are finished and the rest is left for the next run. Raises InputError for a corpus or folder that cannot be used,
    and for a full disk; what is done stays done.
    """
    check_outside(job.out, job.corpus)
    check_once(job.corpus)
    if STANDARD_INPUT in job.corpus and stdin is None:
        raise InputError(f"{STANDARD_INPUT}: standard input is closed: name a file")
    for _ in find_sources(job.corpus):  # so that a path that is not there is told before any work
        pass
    store = open_store(job.out)
    with store.lock(shard=job.shard):
        begin(store, job)
        plan = Plan(job, store)
        if job.engine == Engine.RAY:
            from detector.batch.ray_engine import score_with_ray

            score_with_ray(job, plan, on_progress=on_progress, stop=stop)
        else:
            _score_locally(job, plan, detector=detector, stdin=stdin, on_progress=on_progress, stop=stop)
        return assemble(store, job, n_parts=plan.n_parts if plan.complete else None)


def _score_locally(
    job: Job,
    plan: Plan,
    *,
    detector: Detector | None,
    stdin: BinaryIO | None,
    on_progress: OnProgress,
    stop: Callable[[], bool],
) -> None:
    progress, size = Progress(), total_size(job.corpus)

    def tell() -> None:
        progress.n_parts, progress.n_kept = plan.n_parts, plan.n_kept
        progress.fraction = min(1.0, plan.meter.position() / size) if size else None
        on_progress(progress)

    def tick(n_documents: int, n_pieces: int) -> None:
        progress.tick(n_documents, n_pieces)
        tell()

    parts = _watched(plan.missing(stdin=stdin), progress, tell)
    for receipt in _work(parts, lambda: _open_pool(job, detector, tick), stop):
        progress.n_errors += len(receipt.errors)
        tell()


def _watched(parts: Iterable[Part], progress: Progress, tell: Callable[[], None]) -> Iterator[Part]:
    for part in parts:
        if progress.scoring_since is None:
            tell()
            progress.scoring_since = time.monotonic()
            progress.fraction_before = progress.fraction or 0.0
        yield part


def _open_pool(job: Job, detector: Detector | None, tick: Callable[[int, int], None]) -> Pool:
    if job.workers > 1:
        return ProcessPool(job.task(), n_workers=job.workers, tick=tick)
    return InlinePool(job.task(), detector=detector, tick=tick)


def _work(parts: Iterator[Part], open_pool: Callable[[], Pool], stop: Callable[[], bool]) -> Iterator[Receipt]:
    """Receipts of the parts in the order of finishing; no worker is started where there is nothing to do."""
    part = next(parts, None)
    if part is None:
        return
    with open_pool() as pool:
        while (part is not None and not stop()) or pool.busy:
            while part is not None and pool.has_room() and not stop():
                pool.submit(part)
                part = next(parts, None)
            if stop():
                pool.cancel()
            yield from pool.wait()


def _check_first(part: Part) -> None:
    """Refuses a corpus whose first records all lack the column: that is a slip in the command, not in the corpus."""
    failures = [record.failure for record in part.records]
    if part.number == 0 and all(failure is not None and failure.kind == "column" for failure in failures):
        raise InputError(failures[0].message if failures[0] else "")


def begin(store: Store, job: Job) -> None:
    """Puts the settings of a new folder on record, or checks those of an old one against this run's."""
    with store.assembling():
        data = store.read(MANIFEST)
        # A slip in a first command made no part and binds to nothing; but another shard may be about to make one.
        begun = job.shard != (1, 1) or bool(store.names("receipts"))
        if data is not None:
            _check_manifest(data, job, begun=begun)
        if data is None or not begun:
            _write_manifest(store, job, receipts=[], finished=False)
    if job.shard == (1, 1):
        store.clean()


def _check_manifest(data: bytes, job: Job, *, begun: bool) -> None:
    """Refuses what is no manifest, and other settings than those that the parts there were made with."""
    place = f"{job.out}/{MANIFEST}"
    try:
        manifest = json.loads(data)
        there, schema = dict(manifest["settings"]), manifest["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{place}: is not what this program writes: name another folder with --out") from None
    here = json.loads(json.dumps(job.settings.as_json()))
    different = [f"{name} {there.get(name)!r}, now {here[name]!r}" for name in here if there.get(name) != here[name]]
    if schema != SCHEMA_VERSION:
        different.append(f"schema version {schema}, now {SCHEMA_VERSION}")
    if begun and different:
        raise InputError(
            f"{job.out}: was begun with other settings ({'; '.join(different)}): give the same, or another --out"
        )


def assemble(store: Store, job: Job, *, n_parts: int | None) -> Summary:
    """Writes ``errors.jsonl`` and ``manifest.json`` from the receipts, and returns what they say.

    ``n_parts`` is how many the corpus makes, None where it was not read to its end. Raises InputError, when both files
    are written, where parts lie past the end of the corpus and the job does not say to score what has changed.
    """
    settings = job.settings
    with store.assembling():
        if n_parts is not None and job.retry_errors:
            _remove_past(store, settings, n_parts)
        while True:
            told: list[_Told] = []
            store.write(ERRORS, _error_lines(read_receipts(store, settings), told))
            receipts = [one.receipt for one in told]
            finished = _is_whole(receipts, n_parts)
            _write_manifest(store, job, receipts=told, finished=finished)
            # Where nothing keeps other shards from writing the manifest, the last to do so may have read too early.
            if finished or not _is_whole(read_receipts(store, settings), n_parts):
                break
        if finished:
            store.clean()
    if n_parts is not None and any(receipt.part >= n_parts for receipt in receipts):
        raise InputError(
            f"{job.out}: the parts from {n_parts} on lie past the end of this corpus, which has become shorter: "
            "--retry-errors removes them, another --out begins anew"
        )
    return Summary(
        finished=finished,
        n_parts=len(receipts),
        n_documents=sum(receipt.n_documents for receipt in receipts),
        n_errors=sum(one.n_errors for one in told),
        first_error=next((one.first_error for one in told if one.n_errors), None),
        n_foreign=sum(receipt.n_foreign for receipt in receipts),
        n_switched_off=sum(receipt.n_switched_off for receipt in receipts),
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What a receipt says, without the rows that failed: there may be millions of them."""

    receipt: Receipt
    n_errors: int
    first_error: str | None


def _error_lines(receipts: Iterable[Receipt], told: list[_Told]) -> Iterator[bytes]:
    """The lines of ``errors.jsonl``, receipt by receipt; what else each says is added to ``told``."""
    for receipt in receipts:
        yield from map(_line, receipt.errors)
        first = receipt.errors[0]["error"] if receipt.errors else None
        told.append(_Told(replace(receipt, errors=()), len(receipt.errors), first))


def read_receipts(store: Store, settings: Settings) -> Iterator[Receipt]:
    """The receipts in the store that these settings made, by part."""
    for name in store.names("receipts"):
        data = store.read(f"receipts/{name}")
        receipt = Receipt.from_bytes(data) if data is not None else None
        if receipt is not None and receipt.settings == settings.hash():
            yield receipt


def _is_whole(receipts: Iterable[Receipt], n_parts: int | None) -> bool:
    """Whether these are the parts of the corpus, each of them and no other; False where their number is not known."""
    return n_parts is not None and sorted(receipt.part for receipt in receipts) == list(range(n_parts))


def _remove_past(store: Store, settings: Settings, n_parts: int) -> None:
    """Removes parts past the end of the corpus, which has become shorter: receipts last, by which they are found."""
    for part in [receipt.part for receipt in read_receipts(store, settings) if receipt.part >= n_parts]:
        store.remove(part_name(part, settings.format))
        store.remove(receipt_name(part))


def _write_manifest(store: Store, job: Job, *, receipts: list[_Told], finished: bool) -> None:
    """Writes what the folder holds; nothing of when or how fast, so that equal runs give equal bytes."""
    settings = job.settings
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "rhetoric-detector", "version": settings.version},
        "model": {"name": settings.model_name, "hash": settings.model_hash, "precision": job.precision},
        "settings": settings.as_json(),
        "settings_hash": settings.hash(),
        "finished": finished,
        "n_parts": len(receipts),
        "n_documents": sum(one.receipt.n_documents for one in receipts),
        "n_errors": sum(one.n_errors for one in receipts),
        "n_characters": sum(one.receipt.n_characters for one in receipts),
        "n_pieces": sum(one.receipt.n_pieces for one in receipts),
        "n_spans": sum(one.receipt.n_spans for one in receipts),
        "n_foreign": sum(one.receipt.n_foreign for one in receipts),
        "n_switched_off": sum(one.receipt.n_switched_off for one in receipts),
        "parts": [_manifest_part(one) for one in receipts],
    }
    store.write(MANIFEST, [(json.dumps(manifest, indent=1) + "\n").encode()])


def _manifest_part(told: _Told) -> dict[str, Any]:
    receipt = told.receipt
    return {
        "file": receipt.file,
        "sha256": receipt.sha256,
        "n_bytes": receipt.n_bytes,
        "n_documents": receipt.n_documents,
        "n_errors": told.n_errors,
    }


def _line(value: Any) -> bytes:
    return (dumps(value) + "\n").encode()
