"""Reads that cost much keep no cheap one waiting."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg

from gateway.database.intents import intent_batch
from gateway.database.pool import open_pool
from gateway.kernel.errors import Unavailable
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault
from gateway.payments.store import ListFilter, PaymentStore
from tests.support.campaign_rows import campaign, drawing, taken, today
from tests.support.rows import MASTER_KEY, intent, settings


async def test_lists_that_take_their_time_leave_connections_for_payments(database_url: str) -> None:
    pool = await open_pool(settings(database_url))
    store = PaymentStore(pool, Vault(MASTER_KEY))
    async with pool.acquire() as somebody, somebody.transaction():
        await somebody.execute("LOCK TABLE payments IN ACCESS EXCLUSIVE MODE")  # as slow as a list can be
        lists = [asyncio.create_task(store.list("mer_1", ListFilter(), 20, None)) for _ in range(40)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        assert await store.payment_of_key("mer_1", "k") is None
        assert time.monotonic() - began < 0.5
        found = await asyncio.gather(*lists, return_exceptions=True)
    assert sum(isinstance(each, Unavailable) for each in found) >= 30, "who waits too long is told so"
    assert await store.list("mer_1", ListFilter(), 20, None) == []
    await pool.close()


class Counted:
    """A pool that counts what is fetched from it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.fetches = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    async def fetch(self, *query: Any) -> Any:
        self.fetches += 1
        return await self._pool.fetch(*query)


async def test_a_page_reads_the_redemptions_of_all_its_payments_at_once_and_none_where_there_are_none(
    database_url: str,
) -> None:
    pool = await open_pool(settings(database_url))
    campaign_id = await campaign(pool, new_id("cam"), budget=None)
    day, merchants = await today(pool), (new_id("mer"), new_id("mer"))
    drawing_rows = [drawing(new_id("pay"), taken(campaign_id, day, fen, slice=None)) for fen in (100, 200, 300)]
    rows = [row._replace(merchant_id=merchants[0]) for row in drawing_rows]
    plain = [intent(new_id("pay"), merchant_id) for merchant_id in merchants]
    assert all(result.inserted for result in await intent_batch(pool).flush([*rows, *plain]))  # type: ignore[union-attr]
    counted = Counted(pool)
    store = PaymentStore(counted, Vault(MASTER_KEY))  # type: ignore[arg-type]
    page = await store.list(merchants[0], ListFilter(), 20, None)
    assert {payment.id: [each.discount_fen for each in payment.promotions] for payment in page} == {
        plain[0].payment_id: [],
        **{row.payment_id: [row.redemptions[0].discount] for row in rows},
    }
    assert counted.fetches == 2
    assert [payment.promotions for payment in await store.list(merchants[1], ListFilter(), 20, None)] == [()]
    assert counted.fetches == 3
    await pool.close()
