"""The same work on a Ray cluster: one task reads the corpus part by part, actors score and write them.

What travels back to the driver is receipts. Rows and files are those of the local engine.
"""

from __future__ import annotations

import logging
import os
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from detector.batch.work import PartScorer, Task
from detector.errors import ConfigError, DetectorError

if TYPE_CHECKING:
    from detector.batch.run import Job, OnProgress, Plan

PIECES_A_BLOCK = 1  # bytes: makes Ray put each part into a block of its own, so that every actor gets some


def score_with_ray(job: Job, plan: Plan, *, on_progress: OnProgress, stop: Callable[[], bool]) -> None:
    """Scores the parts that ``plan`` finds missing on the cluster that ``RAY_ADDRESS`` names, else on this machine.

    Fills in what the plan has counted. Raises ConfigError without Ray, and whatever reading the corpus raises.
    """
    ray, ours = _start_ray(job)
    from detector.batch.run import Progress

    progress = Progress(scoring_since=time.monotonic())
    try:
        for row in _results(ray, job, plan):
            if row["error"]:
                raise DetectorError(row["error"])
            if row["end"]:
                plan.n_parts, plan.n_kept, plan.complete = row["n_parts"], row["n_kept"], True
            progress.tick(row["n_documents"], row["n_pieces"])
            progress.n_errors += row["n_errors"]
            progress.n_parts, progress.n_kept = plan.n_parts, plan.n_kept
            on_progress(progress)
            if stop():
                plan.complete = False
                return
    except ray.exceptions.RayError as error:
        raise RuntimeError(" ".join(str(error).split())[-500:]) from None
    finally:
        if ours:
            ray.shutdown()


class RayScorer:
    """An actor: loads the detector once, then turns rows that hold a part into rows that hold its receipt."""

    def __init__(self, task: Task) -> None:
        self.score = PartScorer(task)

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row of the part's receipt; rows without a part are passed on."""
        if not row["part"]:
            return dict(row)
        try:
            receipt = self.score(pickle.loads(row["part"]))
        except DetectorError as error:  # a row, because Ray would wrap it beyond recognition
            return _row(error=str(error))
        return _row(n_documents=receipt.n_documents, n_pieces=receipt.n_pieces, n_errors=len(receipt.errors))


def _row(*, part: bytes = b"", end: bool = False, error: str = "", **counts: int) -> dict[str, Any]:
    """A row as it travels: one schema for parts, receipts, the end and what went wrong."""
    zero = dict.fromkeys(("n_parts", "n_kept", "n_documents", "n_pieces", "n_errors"), 0)
    return {"part": part, "end": end, "error": error, **zero, **counts}


def rows_to_score(plan: Plan) -> Iterator[dict[str, Any]]:
    """The parts that are missing, each pickled into a row, and last a row with what was counted."""
    try:
        for part in plan.missing():
            yield _row(part=pickle.dumps(part))
    except DetectorError as error:
        yield _row(error=str(error))
    else:
        yield _row(end=True, n_parts=plan.n_parts, n_kept=plan.n_kept)


def _results(ray: Any, job: Job, plan: Plan) -> Iterable[Mapping[str, Any]]:
    """The rows that the actors give back, as they come."""
    import pyarrow as pa
    from ray.data import ActorPoolStrategy, DataContext, Datasource, ReadTask
    from ray.data.block import BlockMetadata

    class Parts(Datasource):  # type: ignore[misc]
        """The missing parts as a data source of one streaming task, which orders them as the local engine does."""

        def estimate_inmemory_data_size(self) -> int | None:
            """Not known before the corpus has been read."""
            return None

        def get_read_tasks(self, parallelism: int, *args: Any, **options: Any) -> list[ReadTask]:
            """One task, which yields a block a part."""
            metadata = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
            return [ReadTask(lambda: (pa.Table.from_pylist([row]) for row in rows_to_score(plan)), metadata)]

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = PIECES_A_BLOCK
    gpus = {"num_gpus": 1} if job.settings.device == "cuda" else {"num_cpus": 1}
    # A share of a core of its own keeps Ray from joining reader and actors, and with them all parts, in one actor.
    parts = ray.data.read_datasource(Parts(), override_num_blocks=1, num_cpus=0.5)
    scored = parts.map(
        RayScorer, fn_constructor_args=(job.task(),), compute=ActorPoolStrategy(size=job.workers), **gpus
    )
    rows: Iterable[Mapping[str, Any]] = scored.iter_rows()
    return rows


def _start_ray(job: Job) -> tuple[Any, bool]:
    """Ray's module, connected, and whether it was this function that connected it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anyone
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError:
        raise ConfigError("--engine ray: Ray is not installed: pip install 'rhetoric-detector[ray]'") from None
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    ours = not ray.is_initialized()
    if ours:
        remote = os.environ.get("RAY_ADDRESS")
        here: dict[str, Any] = {} if remote else {"num_cpus": job.workers + 1, "include_dashboard": False}
        ray.init(address=remote, logging_level=logging.ERROR, log_to_driver=False, **here)
    return ray, ours
