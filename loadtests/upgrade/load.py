"""Payments that begin at an even rate through the balancer, each told under the phase in which it began."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from gateway.processes.errors import StackError
from loadtests.traffic.generator import book_line
from loadtests.traffic.orders import MIX, Orders, new_run_number, spread
from loadtests.upgrade.balancer import Balancer, Reply

_SUCCEEDED: Final = b'"status":"succeeded"'
_LAST_S: Final = 40.0
"""After the last payment began: its till's wait, and a little."""
_SHOWN: Final = 5
_HEARD_S: Final = 5.0
"""By then every process goes by what was changed over the admin API; a second is promised."""
_WARM_UP: Final = 20


class Sold(NamedTuple):
    """One request and what came of it; `failure` is empty where a payment was taken."""

    phase: str
    latency_ms: float
    failure: str


@dataclass(frozen=True, slots=True)
class PhaseFigures:
    """One line of the table."""

    phase: str
    payments: int
    failed: int
    p50_ms: float
    p99_ms: float
    slowest_ms: float


@dataclass(slots=True)
class Load:
    """One run's orders, and the client's book of all that was asked and told."""

    balancer: Balancer
    key: str
    book: Path
    phase: str = "old code"
    sold: list[Sold] = field(default_factory=list)
    _orders: Iterator[tuple[bytes, bytes]] = field(init=False)
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._orders = iter(Orders(new_run_number(), spread(MIX)))

    @asynccontextmanager
    async def running(self, per_s: float) -> AsyncIterator[None]:
        """Begin payments while this is open, and await the last one's answer."""
        beginning = asyncio.create_task(self._begin(per_s))
        try:
            yield
        finally:
            beginning.cancel()
            [ended] = await asyncio.gather(beginning, return_exceptions=True)
            if self._open:
                await asyncio.wait(self._open, timeout=_LAST_S)
            self.sold += [Sold(self.phase, _LAST_S * 1000, "never answered") for _ in self._open]
            if isinstance(ended, Exception):
                raise ended

    async def warm_up(self) -> None:
        """Some payments one after the other, again while not all succeed: processes hear of new accounts by and by.

        Raises StackError where that does not end: then there is nothing to upgrade.
        """
        until = time.monotonic() + _HEARD_S
        while True:
            self.sold.clear()
            for _ in range(_WARM_UP):
                await self._pay()
            if not self.failures:
                break
            if time.monotonic() > until:
                raise StackError(f"the old code takes no payments as it is: {next(worst(self.failures))}")
            await asyncio.sleep(0.2)
        self.sold.clear()

    async def capacity_per_s(self, open_requests: int, seconds: float) -> float:
        """What the gateways take with so many requests open all the time; the first third warms up."""
        warm_at, until = time.monotonic() + seconds / 3, time.monotonic() + seconds
        counted = 0

        async def customer() -> None:
            nonlocal counted
            while time.monotonic() < until:
                await self._pay()
                counted += time.monotonic() > warm_at

        await asyncio.gather(*(customer() for _ in range(open_requests)))
        self.sold.clear()
        return counted / (time.monotonic() - warm_at)

    @property
    def failures(self) -> Counter[str]:
        """What went wrong, and how often."""
        return Counter(sold.failure for sold in self.sold if sold.failure)

    def figures(self) -> Sequence[PhaseFigures]:
        """A line for each phase, in their order."""
        return [self._figures_of(phase) for phase in dict.fromkeys(sold.phase for sold in self.sold)]

    def _figures_of(self, phase: str) -> PhaseFigures:
        of_phase = [sold for sold in self.sold if sold.phase == phase]
        p50, p99, slowest = np.percentile([sold.latency_ms for sold in of_phase], (50, 99, 100))
        failed = sum(bool(sold.failure) for sold in of_phase)
        return PhaseFigures(phase, len(of_phase), failed, float(p50), float(p99), float(slowest))

    async def _begin(self, per_s: float) -> None:
        next_s = time.monotonic()
        while True:
            next_s += 1 / per_s
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))
            task = asyncio.create_task(self._pay())
            self._open.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What a till itself has lost is lost as well."""
        self._open.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.sold.append(Sold(self.phase, 0.0, f"the till broke: {type(error).__name__} {error}"))

    async def _pay(self) -> None:
        order_no, body = next(self._orders)
        phase, began = self.phase, time.monotonic()
        reply = await self.balancer.send(self._head(len(body)), body)
        self.sold.append(Sold(phase, (time.monotonic() - began) * 1000, _failure_of(reply)))
        with self.book.open("ab") as book:
            book.write(book_line(order_no, body, reply.status, reply.body))

    def _head(self, length: int) -> bytes:
        return (
            f"POST /v1/payments HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {self.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        ).encode()


def _failure_of(reply: Reply) -> str:
    if reply.status == 201 and _SUCCEEDED in reply.body:
        return ""
    return f"{reply.status or 'no answer'}: {reply.body[:800].decode(errors='replace')}"


def worst(failures: Counter[str]) -> Iterator[str]:
    """The failures that came most, a line each."""
    for failure, times in failures.most_common(_SHOWN):
        yield f"{times} × {failure}"
