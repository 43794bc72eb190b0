"""Requests that come at the same time are worked on together: a queue, and one thread for the model.

What arrives within a few milliseconds is one batch; while it is worked on, the next one gathers.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class Full(Exception):
    """The queue is full; ``seconds`` is when to come again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Stopping(Exception):
    """Nothing new is taken any more."""


class Batcher(Generic[Job, Result]):
    """Jobs in, results out, in batches.

    ``work`` gets the jobs of a batch in a thread of its own and returns a result or an exception for each, in order.
    ``size`` is the size of a job. At most ``n_waiting`` jobs wait; a batch ends at a size of ``most``, and holds what
    has come by ``window`` seconds after the first.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Job]], Sequence[Result | Exception]],
        size: Callable[[Job], int],
        *,
        n_waiting: int,
        most: int,
        window: float,
    ) -> None:
        self._work = work
        self._size = size
        self._n_waiting = n_waiting
        self._most = most
        self._window = window
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._waiting: deque[tuple[Job, asyncio.Future[Result]]] = deque()
        self._running: asyncio.Task[None] | None = None
        self._speed = 0.0  # size per second of the last batch
        self.stopping = False
        self.n_taken = 0
        self.n_batches = 0

    @property
    def n_in_queue(self) -> int:
        """How many jobs wait for their batch."""
        return len(self._waiting)

    async def result(self, job: Job) -> Result:
        """The result of a job, which may raise; raises Full and Stopping where it is not taken at all."""
        if self.stopping:
            raise Stopping
        if len(self._waiting) >= self._n_waiting:
            raise Full(self._seconds_left())
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, future))
        self.n_taken += 1
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await future

    async def drain(self) -> None:
        """Takes nothing new, and returns when all that was taken is done."""
        self.stopping = True
        if self._running is not None:
            await self._running
        self._thread.shutdown()

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._window)
            batch = self._batch()
            jobs = [job for job, _ in batch]
            started = time.perf_counter()
            try:
                results = await asyncio.get_running_loop().run_in_executor(self._thread, self._work, jobs)
            except Exception as error:
                results = [error] * len(jobs)
            self._speed = sum(map(self._size, jobs)) / max(time.perf_counter() - started, 1e-6)
            self.n_batches += 1
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():  # whoever asked has gone
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)

    def _batch(self) -> list[tuple[Job, asyncio.Future[Result]]]:
        """The first jobs that wait: one at least, and more as long as they fit."""
        batch = [self._waiting.popleft()]
        room = self._most - self._size(batch[0][0])
        while self._waiting and (room := room - self._size(self._waiting[0][0])) >= 0:
            batch.append(self._waiting.popleft())
        return batch

    def _seconds_left(self) -> int:
        """How long the queue will take, as far as the last batch tells; 1 to 120."""
        size = sum(self._size(job) for job, _ in self._waiting)
        return min(120, max(1, math.ceil(size / self._speed))) if self._speed else 1
