"""A process that sleeps inside of a transaction: its rows are free again, and it finds out when it wakes."""

from __future__ import annotations

import asyncpg
import pytest

from gateway.database.batches import BROKEN
from tests.support.waiting import eventually

_HOLD = "SELECT revision FROM directory_revision FOR UPDATE"
_TRY = "SELECT revision FROM directory_revision FOR UPDATE NOWAIT"


async def test_the_gateways_transactions_may_not_idle_for_ever(pool: asyncpg.Pool) -> None:
    assert await pool.fetchval("SHOW idle_in_transaction_session_timeout") == "30s"


async def test_rows_of_a_process_that_sleeps_are_free_again_and_its_transaction_is_gone(pool: asyncpg.Pool) -> None:
    async def is_free() -> bool:
        try:
            await pool.execute(_TRY)
        except asyncpg.LockNotAvailableError:
            return False
        return True

    async with pool.acquire() as sleeper:
        await sleeper.execute("SET idle_in_transaction_session_timeout = '500ms'")
        transaction = sleeper.transaction()
        await transaction.start()
        await sleeper.fetch(_HOLD)
        assert not await is_free()
        await eventually(is_free)
        with pytest.raises(BROKEN):
            await sleeper.execute("UPDATE directory_revision SET revision = revision + 1")
        with pytest.raises(BROKEN):
            await transaction.commit()
