"""A process that falls asleep while it holds slices keeps payments waiting for a moment, not for half a minute."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from gateway.database.batches import BROKEN
from gateway.database.intents import intent_batch
from gateway.database.pool import Connection
from gateway.kernel.ids import new_id
from promotions.budget.grants import ensure_day
from promotions.budget.loading import SQL
from promotions.campaigns.store import await_takers
from tests.support.campaign_rows import campaign, drawing, grant, taken, today

HELD_S_MAX = 6.0
"""Two seconds, and what a busy machine adds."""
_TRY = "SELECT FROM campaign_slices WHERE campaign_id = $1 FOR UPDATE NOWAIT"


async def a_refund(connection: Connection, campaign_id: str) -> None:
    payment_id = await connection.fetchval("SELECT payment_id FROM redemptions WHERE campaign_id = $1", campaign_id)
    await connection.execute("SELECT return_redemptions($1, '{1}', '{5}', false)", payment_id)


async def a_grant(connection: Connection, campaign_id: str) -> None:
    await ensure_day(connection, campaign_id, await today(connection))


async def leftovers_gathered(connection: Connection, campaign_id: str) -> None:
    await connection.fetch(SQL["hold_slices"], campaign_id, await today(connection))


async def a_pause(connection: Connection, campaign_id: str) -> None:
    await await_takers(connection, campaign_id)


async def test_slices_of_whoever_sleeps_are_free_again_before_a_batch_gives_up(pool: asyncpg.Pool) -> None:
    await asyncio.gather(*(_sleeps(pool, hold) for hold in (a_refund, a_grant, leftovers_gathered, a_pause)))


async def _sleeps(pool: asyncpg.Pool, hold: Callable[[Connection, str], Awaitable[None]]) -> None:
    campaign_id = await campaign(pool, new_id("cmp"))
    await grant(pool, campaign_id, 1_000)
    [result] = await intent_batch(pool).flush([drawing(new_id("pay"), taken(campaign_id, await today(pool), 100))])
    assert not isinstance(result, Exception), result
    async with pool.acquire() as sleeper:
        transaction = sleeper.transaction()
        await transaction.start()
        await hold(sleeper, campaign_id)
        asleep = time.monotonic()
        with pytest.raises(asyncpg.LockNotAvailableError):
            await pool.execute(_TRY, campaign_id)
        while not await _is_free(pool, campaign_id):
            assert time.monotonic() < asleep + HELD_S_MAX, hold.__name__
            await asyncio.sleep(0.05)
        with pytest.raises(BROKEN):
            await transaction.commit()


async def _is_free(pool: asyncpg.Pool, campaign_id: str) -> bool:
    try:
        await pool.execute(_TRY, campaign_id)
    except asyncpg.LockNotAvailableError:
        return False
    return True
