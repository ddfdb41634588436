"""Tells the velocity counters of frauds and complaints until they have acknowledged them, and measures the queue.

Both are told in the order in which they became known. A fraud counts once by its payment's id, a complaint by its own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.pool import Connection
from gateway.kernel.errors import ApiError
from gateway.kernel.metrics import RISK_CASES_OLDEST_AGE, RISK_CASES_OPEN, RISK_CASES_OVERDUE
from gateway.kernel.secrets import SealBroken
from gateway.workers.tasks import SQL
from risk.cases.gauges import measured
from risk.cases.store import SQL as CASES
from risk.facts import Facts
from risk.labels.store import SQL as LABELS
from risk.velocity.spec import Series

_log: Final = logging.getLogger("mashang.risk")
_PAUSE_S: Final = 1.0
_MEASURED_EVERY_S: Final = 5.0
_AT_ONCE: Final = 100
_ACKNOWLEDGED_WITHIN_S: Final = 2.0
_PUT_OFF_S: Final = 300.0
"""Before a payment that could not be recalled is looked at again."""


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
        self._measure_at_s = 0.0
        self._put_off_until_s: dict[str, float] = {}

    async def run(self) -> None:
        """Tell and measure, through any trouble; run until cancelled."""
        while True:
            told = 0
            try:
                if time.monotonic() >= self._measure_at_s:
                    await self.measure()
                told = await self.tell()
            except (*BROKEN, asyncpg.PostgresError, ApiError) as error:
                _log.warning("the velocity counters are not told", extra={"error": type(error).__name__})
            except Exception:  # the end of this loop would be the worker's
                _log.exception("the velocity counters are not told")
            await asyncio.sleep(0 if told >= _AT_ONCE else _PAUSE_S)

    async def tell(self) -> int:
        """Tell of what is to be told: how many are settled.

        One look comes before: nearly always there is nothing, and two transactions are six trips.
        """
        untold = await self._pool.fetchrow(SQL["untold"])
        assert untold is not None
        told = await self.tell_frauds() if untold["frauds"] else 0
        return told + (await self.tell_complaints() if untold["complaints"] else 0)

    async def tell_frauds(self) -> int:
        """Those that became known and are not told; how many are settled."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(LABELS["untold"], _AT_ONCE, self._still_put_off())
            telling = [await self._begin_fraud(row) for row in rows]
            done = await _acknowledged(rows, telling)
            await _mark(connection, LABELS["told"], [(row["payment_id"], row["merchant_id"]) for row in done])
        return len(done)

    async def tell_complaints(self) -> int:
        """The same of complaints."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(CASES["untold"], _AT_ONCE, self._still_put_off())
            telling = [await self._begin(Series.COMPLAINTS, row, row["id"], row["at"]) for row in rows]
            done = await _acknowledged(rows, telling)
            await _mark(connection, CASES["told"], [(row["id"], row["merchant_id"]) for row in done])
        return len(done)

    async def measure(self) -> None:
        """Read the gauges of the queue."""
        self._measure_at_s = time.monotonic() + _MEASURED_EVERY_S
        for kind, standing in (await measured(self._pool)).items():
            RISK_CASES_OPEN.labels(kind).set(standing.open)
            RISK_CASES_OVERDUE.labels(kind).set(standing.overdue)
            RISK_CASES_OLDEST_AGE.labels(kind).set(standing.oldest_s)

    async def _begin_fraud(self, row: asyncpg.Record) -> asyncio.Future[bool] | None:
        if row["needless"]:
            return None
        return await self._begin(Series.FRAUDS, row, row["payment_id"], row["known_at"])

    async def _begin(
        self, series: Series, row: asyncpg.Record, identity: str, at: datetime
    ) -> asyncio.Future[bool] | None:
        """None where there is nothing to tell: the payment is gone, or nobody can read its request any more.

        What cannot be recalled for another reason is put off, and holds up none of the others.
        """
        try:
            facts = await self._facts_of(row["payment_id"], row["merchant_id"])
        except SealBroken:
            _log.warning("a payment's request does not open", extra={"payment_id": row["payment_id"]})
            return None
        except (*BROKEN, asyncpg.PostgresError):
            raise  # of the database, not of this payment: none of the others could be told either
        except Exception:
            _log.exception("a payment cannot be recalled", extra={"payment_id": row["payment_id"]})
            return self._put_off(row["payment_id"])
        return None if facts is None else self._counters.tell(series, facts, identity, row["amount_fen"], at)

    def _put_off(self, payment_id: str) -> asyncio.Future[bool]:
        """It stays to be told, but not at once: a hundred of its kind would be all that is ever looked at."""
        self._put_off_until_s[payment_id] = time.monotonic() + _PUT_OFF_S
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        answer.set_result(False)
        return answer

    def _still_put_off(self) -> list[str]:
        now_s = time.monotonic()
        self._put_off_until_s = {each: until_s for each, until_s in self._put_off_until_s.items() if until_s > now_s}
        return [*self._put_off_until_s]


async def _acknowledged(
    rows: Sequence[asyncpg.Record], telling: Sequence[asyncio.Future[bool] | None]
) -> list[asyncpg.Record]:
    """The rows of which there is nothing left to tell."""
    waited_for = [told for told in telling if told is not None]
    if waited_for:
        await asyncio.wait(waited_for, timeout=_ACKNOWLEDGED_WITHIN_S)
    return [row for row, told in zip(rows, telling, strict=True) if told is None or (told.done() and told.result())]


async def _mark(connection: Connection, statement: str, keys: list[tuple[str, str]]) -> None:
    if keys:
        await connection.executemany(statement, keys)
