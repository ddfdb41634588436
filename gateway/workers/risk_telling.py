"""Tells the velocity counters of frauds and complaints until they have acknowledged them, and measures the queue.

Both are told in the order in which they became known. A fraud counts once by its payment's id, a complaint by its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.pool import Connection
from gateway.kernel.errors import ApiError
from gateway.kernel.metrics import RISK_CASES_OLDEST_AGE, RISK_CASES_OPEN, RISK_CASES_OVERDUE
from risk.cases.gauges import measured
from risk.cases.store import SQL as CASES
from risk.facts import Facts
from risk.labels.store import SQL as LABELS
from risk.velocity.spec import Series

_log: Final = logging.getLogger("mashang.risk")
_PAUSE_S: Final = 1.0
_AT_ONCE: Final = 100
_ACKNOWLEDGED_WITHIN_S: Final = 2.0


class Counters(Protocol):
    """Who counts (`risk.velocity.telling.Telling`)."""

    def tell(self, series: Series, facts: Facts, identity: str, amount_fen: int, at: datetime) -> asyncio.Future[bool]:
        """Whether it is counted."""


FactsOf = Callable[[str, str], Awaitable[Facts | None]]
"""The facts of a payment (its id and its merchant's), as far as they are still known; None where it is gone."""


class RiskTelling:
    """One loop of the worker; any number of workers may run."""

    def __init__(self, pool: asyncpg.Pool, counters: Counters, facts_of: FactsOf) -> None:
        self._pool = pool
        self._counters = counters
        self._facts_of = facts_of

    async def run(self) -> None:
        """Tell and measure, through any trouble; run until cancelled."""
        while True:
            told = 0
            try:
                await self.measure()
                told = await self.tell_frauds() + await self.tell_complaints()
            except (*BROKEN, asyncpg.PostgresError, ApiError) as error:
                _log.warning("the velocity counters are not told: %s", type(error).__name__)
            except Exception:  # the end of this loop would be the worker's
                _log.exception("the velocity counters are not told")
            await asyncio.sleep(0 if told >= _AT_ONCE else _PAUSE_S)

    async def tell_frauds(self) -> int:
        """Those that became known and are not told; how many are settled."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(LABELS["untold"], _AT_ONCE)
            heard = await asyncio.gather(*[self._tell_fraud(row) for row in rows])
            done = [row for row, is_had in zip(rows, heard, strict=True) if is_had]
            await _mark(connection, LABELS["told"], [(row["payment_id"], row["merchant_id"]) for row in done])
        return len(done)

    async def tell_complaints(self) -> int:
        """The same of complaints."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(CASES["untold"], _AT_ONCE)
            heard = await asyncio.gather(*[self._tell(Series.COMPLAINTS, row, row["id"], row["at"]) for row in rows])
            done = [row for row, is_had in zip(rows, heard, strict=True) if is_had]
            await _mark(connection, CASES["told"], [(row["id"], row["merchant_id"]) for row in done])
        return len(done)

    async def measure(self) -> None:
        """Read the gauges of the queue."""
        for kind, standing in (await measured(self._pool)).items():
            RISK_CASES_OPEN.labels(kind).set(standing.open)
            RISK_CASES_OVERDUE.labels(kind).set(standing.overdue)
            RISK_CASES_OLDEST_AGE.labels(kind).set(standing.oldest_s)

    async def _tell_fraud(self, row: asyncpg.Record) -> bool:
        if row["needless"]:
            return True
        return await self._tell(Series.FRAUDS, row, row["payment_id"], row["known_at"])

    async def _tell(self, series: Series, row: asyncpg.Record, identity: str, at: datetime) -> bool:
        """Whether there is nothing left to tell."""
        facts = await self._facts_of(row["payment_id"], row["merchant_id"])
        if facts is None:
            return True
        told = self._counters.tell(series, facts, identity, row["amount_fen"], at)
        try:
            return await asyncio.wait_for(told, _ACKNOWLEDGED_WITHIN_S)
        except TimeoutError:
            return False


async def _mark(connection: Connection, statement: str, keys: list[tuple[str, str]]) -> None:
    if keys:
        await connection.executemany(statement, keys)
