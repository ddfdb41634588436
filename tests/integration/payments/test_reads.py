"""Reads that cost much keep no cheap one waiting."""

from __future__ import annotations

import asyncio
import time

from gateway.database.pool import open_pool
from gateway.kernel.errors import Unavailable
from gateway.kernel.secrets import Vault
from gateway.payments.store import ListFilter, PaymentStore
from tests.support.rows import MASTER_KEY, settings


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
