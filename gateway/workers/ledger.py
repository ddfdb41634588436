"""Watches the books: soon after they are taken, payments are compared with their postings, so that an alert can page.

One worker at a time has the watch.  It begins an hour back and looks at each payment once, five minutes after it was
made; a payment whose postings are not what its state makes them is looked at again every turn, until it is mended.
What is decided or refunded later, and all that this does not compare, is for the audit (`mashang audit`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import Final, NoReturn

import asyncpg
import orjson

from gateway.database.batches import BROKEN
from gateway.database.pool import Connection, named_statements
from gateway.kernel.business_metrics import (
    LEDGER_CHECKED,
    LEDGER_CHECKED_AT,
    LEDGER_IMBALANCE,
    LEDGER_MISMATCHES,
)
from gateway.kernel.clock import utc_now
from gateway.kernel.ids import first_ulid_at

SQL: Final = named_statements("gateway.workers", "ledger.sql")
BACK_S: Final = 3_600.0
AFTER_S: Final = 300.0
PAYMENTS_MAX: Final = 2_000
"""In one turn, some 30 ms of PostgreSQL; a turn a second keeps up with as many payments a second."""
_BEHIND_S: Final = 1.0
_EVERY_S: Final = 10.0
_LEAD_EVERY_S: Final = 30.0
_LOCK: Final = 0x6C65_6467_6572
_KNOWN_MAX: Final = 1_000

_log: Final = logging.getLogger("mashang.ledger")


class LedgerWatch:
    """Where the watch stands: the last payment that was looked at, and those that are known to be off, by id in fen."""

    def __init__(self, *, back_s: float = BACK_S, after_s: float = AFTER_S) -> None:
        self._after_s = after_s
        self._cursor = _id_before(back_s)
        self._known: dict[str, int] = {}

    async def turn(self, connection: Connection) -> bool:
        """Look at the next payments, and again at those that are off; True where more are waiting."""
        row = await connection.fetchrow(SQL["checked"], self._cursor, _id_before(self._after_s), PAYMENTS_MAX)
        assert row is not None
        self._cursor = row["last_id"] or self._cursor
        await self._look_again(connection)
        self._tell(orjson.loads(row["mismatches"]))
        LEDGER_CHECKED.inc(row["payments"])
        LEDGER_IMBALANCE.set(sum(self._known.values()))
        LEDGER_CHECKED_AT.set(time.time())
        return bool(row["payments"] == PAYMENTS_MAX)

    async def _look_again(self, connection: Connection) -> None:
        for payment_id in tuple(self._known):
            row = await connection.fetchrow(SQL["checked"], payment_id[:-1], f"{payment_id}!", 1)
            fen = orjson.loads(row["mismatches"]).get(payment_id) if row is not None else None
            if fen is None:
                del self._known[payment_id]
                _log.warning("the postings of a payment are right again", extra={"payment_id": payment_id})
            else:
                self._known[payment_id] = fen

    def _tell(self, mismatches: dict[str, int]) -> None:
        for payment_id, fen in mismatches.items():
            LEDGER_MISMATCHES.inc()
            _log.error("the postings of a payment are off", extra={"payment_id": payment_id, "fen": fen})
            if len(self._known) < _KNOWN_MAX:
                self._known[payment_id] = fen


async def watch_ledger(pool: asyncpg.Pool) -> None:
    """Have the watch, or wait for it, until cancelled; after trouble it goes on where it was, unless another has it."""
    watch: LedgerWatch | None = None
    while True:
        try:
            async with pool.acquire() as connection:
                if await connection.fetchval(SQL["lead"], _LOCK):
                    watch = watch or LedgerWatch()
                    await _watch(connection, watch)
                watch = None
                LEDGER_IMBALANCE.set(0)  # what is off is now the other's to tell
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("the ledger could not be watched", extra={"error": type(error).__name__})
        except Exception:  # the end of this loop would be the worker's
            _log.exception("the ledger could not be watched")
        await asyncio.sleep(_LEAD_EVERY_S)


async def _watch(connection: Connection, watch: LedgerWatch) -> NoReturn:
    """As long as nothing goes wrong: the lock is the connection's own.

    The connection ends with it: back in the pool, which resets nothing, it would hold the lock with nobody watching.
    """
    try:
        while True:
            is_behind = await watch.turn(connection)
            await asyncio.sleep(_BEHIND_S if is_behind else _EVERY_S)
    finally:
        connection.terminate()


def _id_before(seconds: float) -> str:
    """Below every payment's id since so long ago, above every earlier one's."""
    return f"pay_{first_ulid_at(utc_now() - timedelta(seconds=seconds))}"
