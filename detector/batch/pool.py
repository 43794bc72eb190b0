"""Where parts are scored: in this process, or in several."""

from __future__ import annotations

import multiprocessing
import signal
import time
import traceback
from collections import deque
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from detector.batch.parts import Part
from detector.batch.work import PartScorer, Receipt, Task, Tick
from detector.errors import DetectorError

if TYPE_CHECKING:
    from detector.detect import Detector

TICK_SECONDS = 1.0


class Pool(Protocol):
    """Takes parts while it has room and gives back receipts in any order."""

    def has_room(self) -> bool:
        """Whether a part can be submitted now."""

    def submit(self, part: Part) -> None:
        """Hands a part over."""

    def wait(self) -> list[Receipt]:
        """Receipts of parts done since; returns after a moment even if there are none."""

    def cancel(self) -> None:
        """Forgets the parts that are not in hand yet."""

    @property
    def busy(self) -> bool:
        """Whether parts are in hand or wait."""

    def __enter__(self) -> Self:
        """The pool, at work."""

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """Ends whatever is still at work."""


class InlinePool:
    """Scores in this process, one part at a time."""

    def __init__(self, task: Task, *, detector: Detector | None, tick: Tick) -> None:
        self.scorer = PartScorer(task, detector=detector)
        self.tick = tick
        self.part: Part | None = None

    def has_room(self) -> bool:
        """See `Pool.has_room`."""
        return self.part is None

    def submit(self, part: Part) -> None:
        """See `Pool.submit`."""
        self.part = part

    def wait(self) -> list[Receipt]:
        """See `Pool.wait`."""
        part, self.part = self.part, None
        return [self.scorer(part, tick=self.tick)] if part else []

    def cancel(self) -> None:
        """See `Pool.cancel`."""
        self.part = None

    @property
    def busy(self) -> bool:
        """See `Pool.busy`."""
        return self.part is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        pass


class ProcessPool:
    """Scores in ``n_workers`` processes, started one by one as there are parts for them.

    Each has a pipe of its own, so a worker whose parent was killed finds its pipe closed and ends.
    """

    def __init__(self, task: Task, *, n_workers: int, tick: Tick) -> None:
        self.task = task
        self.n_workers = n_workers
        self.tick = tick
        self.context = multiprocessing.get_context("spawn")
        self.processes: dict[Connection, Any] = {}
        self.idle: list[Connection] = []
        self.parts: dict[Connection, int] = {}
        self.waiting: deque[Part] = deque()

    def has_room(self) -> bool:
        """See `Pool.has_room`: a part for each worker, and one more that the next to be done can begin at once."""
        return len(self.parts) + len(self.waiting) < self.n_workers + 1

    def submit(self, part: Part) -> None:
        """See `Pool.submit`."""
        if self.idle:
            self._send(self.idle.pop(), part)
            return
        self.waiting.append(part)
        if len(self.processes) < self.n_workers:
            self._start()

    def cancel(self) -> None:
        """See `Pool.cancel`."""
        self.waiting.clear()

    def wait(self) -> list[Receipt]:
        """See `Pool.wait`."""
        receipts = []
        for connection in wait(list(self.processes), timeout=0.5):
            assert isinstance(connection, Connection)
            receipts += self._hear(connection)
        return receipts

    @property
    def busy(self) -> bool:
        """See `Pool.busy`."""
        return bool(self.parts or self.waiting)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for connection, process in self.processes.items():
            connection.close()
            if error is not None:
                process.kill()
            process.join()

    def _start(self) -> None:
        ours, theirs = self.context.Pipe()
        task = _on_device(self.task, len(self.processes))
        process = self.context.Process(target=serve, args=(theirs, task), daemon=True)
        process.start()
        theirs.close()
        self.processes[ours] = process

    def _send(self, connection: Connection, part: Part) -> None:
        self.parts[connection] = part.number
        try:
            connection.send(part)
        except OSError:
            raise self._lost(connection) from None

    def _hear(self, connection: Connection) -> list[Receipt]:
        """What a worker has to say: it is ready or done, has progressed, or has failed."""
        try:
            message = connection.recv()
        except (EOFError, OSError):
            raise self._lost(connection) from None
        if isinstance(message, DetectorError):
            raise message
        if isinstance(message, str):
            raise RuntimeError(message)
        if isinstance(message, tuple):
            self.tick(*message)
            return []
        self.parts.pop(connection, None)
        self.idle.append(connection)
        if self.waiting:
            self._send(self.idle.pop(), self.waiting.popleft())
        return [message] if message is not None else []

    def _lost(self, connection: Connection) -> DetectorError:
        number = self.parts.get(connection)
        where = f"while it scored part {number}" if number is not None else "while it had no part"
        return DetectorError(
            f"a worker was ended {where} (memory may have run out): the same command goes on, with fewer --workers"
        )


def serve(connection: Connection, task: Task) -> None:
    """A worker: says None when ready, then answers each part with ticks and a receipt, until the pipe is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the group's are for the parent, which lets the part in hand end
        signal.signal(number, signal.SIG_IGN)
    try:
        scorer = PartScorer(task)
        connection.send(None)
        while True:
            part = connection.recv()
            ticker = Ticker(connection)
            receipt = scorer(part, tick=ticker)
            ticker.flush()
            connection.send(receipt)
    except (EOFError, ConnectionError):
        return
    except DetectorError as error:
        connection.send(error)
    except Exception:
        connection.send(traceback.format_exc())


class Ticker:
    """Sends what has been done since it last did, at most once in `TICK_SECONDS`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.sums = [0, 0]
        self.last = time.monotonic()

    def __call__(self, n_documents: int, n_pieces: int) -> None:
        """See `Tick`."""
        self.sums[0] += n_documents
        self.sums[1] += n_pieces
        if time.monotonic() - self.last >= TICK_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Sends what has not been sent."""
        self.connection.send((self.sums[0], self.sums[1]))
        self.sums, self.last = [0, 0], time.monotonic()


def _on_device(task: Task, index: int) -> Task:
    """The task of the worker of this number: with ``cuda``, workers take the GPUs in turn."""
    if task.device != "cuda":
        return task
    from dataclasses import replace

    import torch

    return replace(task, device=f"cuda:{index % max(1, torch.cuda.device_count())}")
