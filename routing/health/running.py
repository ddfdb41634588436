"""Starts everything that keeps health alive in a process, and ends it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Final

from gateway.database.valkey import Valkey
from routing.health.gauges import HealthGauges
from routing.health.health import TICK_S, Health
from routing.health.probing import Accounts, Prober
from routing.health.sharing import HealthExchange

_TICKS_TO_PUBLISH: Final = 10

_log: Final = logging.getLogger("mashang.health")


@asynccontextmanager
async def keeping(health: Health, valkey: Valkey, book: Accounts) -> AsyncIterator[None]:
    """This process's health ticks, is shared with the others, and has accounts probed until the block ends."""
    exchange = HealthExchange(valkey, health, secrets.token_hex(8))
    loops: list[Awaitable[None]] = [_tick(health), exchange.run(), Prober(book, health, valkey).run()]
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _tick(health: Health) -> None:
    gauges, ticks = HealthGauges(health), 0
    while True:
        await asyncio.sleep(TICK_S)
        try:
            health.tick()
            ticks += 1
            if ticks % _TICKS_TO_PUBLISH == 0:
                gauges.publish()
        except Exception:  # were this loop to end, a breaker that is open would stay so for ever
            _log.exception("the health of accounts could not be kept")
