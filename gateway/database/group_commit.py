"""Group commit: the rows of all waiting requests go to PostgreSQL in one statement and one commit.

One statement is in flight per process.  A row that finds nothing in flight and few arrivals leaves at once; under load
the next batch lingers up to a few milliseconds, chosen from the arrival rate and the time that a commit takes, because
a batch of eight costs PostgreSQL a third of eight single rows (PERFORMANCE.md).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from gateway.database.lingering import Lingering
from gateway.kernel.errors import Unavailable
from gateway.kernel.metrics import BATCH_ROWS, BATCH_SECONDS, QUEUE_DEPTH

Row = TypeVar("Row")
Result = TypeVar("Result")

Flush = Callable[[Sequence[Row]], Awaitable[Sequence[Result]]]


class GroupCommit(Generic[Row, Result]):
    """Collects rows and hands them to `flush` in batches, one batch at a time, in order of arrival.

    `flush` gives one result or one exception per row, in order; an exception raised by it reaches every row.
    """

    def __init__(
        self, name: str, flush: Flush[Row, Result | Exception], *, rows_max: int, queue_max: int, linger_ms_max: float
    ) -> None:
        self._flush = flush
        self._rows_max = rows_max
        self._queue_max = queue_max
        self._waiting: deque[tuple[Row, asyncio.Future[Result]]] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._full = asyncio.Event()
        self._lingering = Lingering(linger_ms_max / 1000, time.monotonic())
        self._rows_metric = BATCH_ROWS.labels(name)
        self._seconds_metric = BATCH_SECONDS.labels(name)
        self._depth_metric = QUEUE_DEPTH.labels(name)

    async def submit(self, row: Row) -> Result:
        """Commit one row together with its neighbours.  Raises Unavailable where too many rows wait already."""
        return await self.begin(row)

    def begin(self, row: Row) -> asyncio.Future[Result]:
        """The same, without waiting for it yet.  Whoever no longer wants the result cancels it; the row still goes."""
        if len(self._waiting) >= self._queue_max:
            raise Unavailable("database_busy", "Too much is waiting for the database: try again.", retry_after_s=1)
        self._lingering.arrived(time.monotonic())
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, done))
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        elif len(self._waiting) >= self._rows_max:
            self._full.set()
        return done

    @property
    def linger_s(self) -> float:
        """How long the next batch waits for company."""
        return self._lingering.linger_s

    async def _run(self) -> None:
        """Send batches until nothing waits.  Only one such loop runs at a time, so one commit is in flight."""
        try:
            while self._waiting:
                if (linger_s := self.linger_s) and len(self._waiting) < self._rows_max:
                    await self._linger(linger_s)
                await self._send_batch()
        finally:
            self._runner = None
            if self._waiting:
                self._runner = asyncio.create_task(self._run())

    async def _linger(self, seconds: float) -> None:
        self._full.clear()
        handle = asyncio.get_running_loop().call_later(seconds, self._full.set)
        try:
            await self._full.wait()
        finally:
            handle.cancel()

    async def _send_batch(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._rows_max))]
        self._rows_metric.observe(len(batch))
        self._depth_metric.set(len(self._waiting))
        began = time.monotonic()
        try:
            results = await self._flush([row for row, _ in batch])
            answered = list(zip(batch, results, strict=True))
        except Exception as error:
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
            return
        except asyncio.CancelledError:  # we are shutting down: nobody is left waiting for an answer that never comes
            for _, done in batch:
                done.cancel()
            raise
        took = time.monotonic() - began
        self._lingering.took(took)
        self._seconds_metric.observe(took)
        for (_, done), result in answered:
            if done.done():  # the request was cancelled; its row is committed all the same and the worker finishes it
                continue
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)
