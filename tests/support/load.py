"""Steady load of patient tills, and what they were told while a fault was in force."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.book import PatientTill
from tests.support.till import WALLETS, new_order


@dataclass(frozen=True, slots=True)
class Sale:
    """One payment from the first request to its end; times are on the monotonic clock."""

    began_s: float
    ended_s: float
    payment: Mapping[str, Any]


def any_wallet(number: int) -> dict[str, Any]:
    """One wallet after the other, each sale of another amount."""
    return new_order(WALLETS[number % len(WALLETS)], amount=100 + number)


@dataclass(slots=True)
class Load:
    """Sales that begin at an even rate, whatever becomes of the ones before."""

    till: PatientTill
    per_s: float
    order: Callable[[int], Mapping[str, Any]] = any_wallet
    """What the customer with that number buys."""
    sales: list[Sale] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def begun(self) -> int:
        """How many sales have been begun."""
        return len(self._tasks)

    def within(self, from_s: float, to_s: float) -> list[Sale]:
        """The sales that both began and ended in that time."""
        return [sale for sale in self.sales if from_s <= sale.began_s and sale.ended_s <= to_s]

    async def wait_for(self, more: int, timeout_s: float = 60) -> None:
        """Wait until so many more sales have ended than had when this was called."""
        wanted, deadline = len(self.sales) + more, time.monotonic() + timeout_s
        while len(self.sales) < wanted:
            assert time.monotonic() < deadline, f"{wanted - len(self.sales)} of {more} sales have not come to an end"
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.01)

    async def new_sales(self, count: int, timeout_s: float = 90) -> list[Sale]:
        """So many sales that were begun after this call, once they have ended."""
        asked_s, deadline = time.monotonic(), time.monotonic() + timeout_s
        while len(found := [sale for sale in self.sales if sale.began_s > asked_s]) < count:
            assert time.monotonic() < deadline, f"only {len(found)} of {count} new sales have come to an end"
            await asyncio.sleep(0.02)
        return found

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Begin sales for as long as the block lasts, and then see every one to its end."""
        beginning = asyncio.create_task(self._begin())
        try:
            yield
        finally:
            beginning.cancel()
            await asyncio.gather(beginning, return_exceptions=True)
            await asyncio.gather(*self._tasks)

    async def _begin(self) -> None:
        began = time.monotonic()
        for number in itertools.count():
            await asyncio.sleep(max(0.0, began + number / self.per_s - time.monotonic()))
            self._tasks.append(asyncio.create_task(self._sell(number)))

    async def _sell(self, number: int) -> None:
        began = time.monotonic()
        payment = await self.till.ring_up(self.order(number), gateway=number, wait_s=5, cancel_after_s=8)
        self.sales.append(Sale(began, time.monotonic(), payment))
