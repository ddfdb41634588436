"""Where payments are made: a store's own category and region or its merchant's, in memory, soon after every change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import asyncpg
import pytest

from gateway.database.pool import open_pool
from gateway.database.revision import RevisionWatch
from gateway.kernel.errors import Unavailable
from gateway.kernel.secrets import Vault
from gateway.merchants import stores as module
from gateway.merchants.directory import Directory
from gateway.merchants.settings import find_settings, save_settings
from gateway.merchants.store import Merchant, Scope, create_key, create_merchant
from gateway.merchants.stores import Place, Store, StoreBook, delete_store, find_store, list_stores, put_stores
from tests.support.campaign_lives import active
from tests.support.rows import MASTER_KEY, settings
from tests.support.waiting import eventually

VAULT = Vault(MASTER_KEY)


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await open_pool(settings(database_url))
    yield opened
    await opened.close()


@pytest.fixture
async def merchant(pool: asyncpg.Pool) -> Merchant:
    made = await create_merchant(pool, VAULT, "A chain", customer_realm="group", category="cafe", region="上海")
    return made.merchant


@pytest.fixture
async def book(pool: asyncpg.Pool) -> StoreBook:
    """As a process has it after its first look at the directory."""
    opened = StoreBook(pool)
    await opened.reload()
    return opened


class Counted:
    """A pool whose reads are counted."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.reads = 0

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        return await self._pool.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: object) -> object:
        self.reads += 1
        return await self._pool.fetchrow(query, *arguments)

    async def fetchval(self, query: str) -> object:
        return await self._pool.fetchval(query)


async def since(pool: asyncpg.Pool, merchant: Merchant) -> datetime:
    """When the merchant was made known."""
    found: datetime = await pool.fetchval("SELECT created_at FROM merchants WHERE id = $1", merchant.id)
    return found


async def test_a_stores_own_stands_before_its_merchants(
    pool: asyncpg.Pool, merchant: Merchant, book: StoreBook
) -> None:
    await put_stores(pool, merchant.id, [Store("s-1", "First", region="杭州"), Store("s-2", category="bakery")])
    usual = Place("group", "cafe", "上海", await since(pool, merchant), risk_open_amount_max=500_000)
    assert await book.get(merchant.id, "s-1") == usual._replace(region="杭州")
    assert await book.get(merchant.id, "s-2") == usual._replace(category="bakery")
    for store_id in ("unknown", None):
        assert await book.get(merchant.id, store_id) == usual


async def test_what_risk_rules_look_at_is_the_stores_place_and_the_merchants_tier(
    pool: asyncpg.Pool, merchant: Merchant, book: StoreBook
) -> None:
    await put_stores(pool, merchant.id, [Store("s-1", latitude=31.25, longitude=121.5)])
    before = await find_settings(pool, merchant.id)
    assert before is not None
    await save_settings(pool, replace(before, risk_tier="new", risk_open_amount_max=None))
    place = await book.get(merchant.id, "s-1")
    assert (place.latitude, place.longitude) == (31.25, 121.5)
    assert (place.risk_tier, place.risk_open_amount_max) == ("new", None)
    await save_settings(pool, replace(before, risk_open_amount_max=0))
    await book.reload()
    assert (await book.get(merchant.id, "s-1")).risk_open_amount_max == 0


async def test_a_merchant_without_a_realm_has_customers_of_its_own(pool: asyncpg.Pool, book: StoreBook) -> None:
    alone = (await create_merchant(pool, VAULT, "Alone")).merchant
    place = await book.get(alone.id, "s-1")
    assert place == Place(alone.id, None, None, await since(pool, alone), risk_open_amount_max=500_000)
    assert await book.get("mer_nobody", None) == Place("mer_nobody", None, None)


async def test_a_place_in_use_costs_no_query_whatever_else_changes(pool: asyncpg.Pool, merchant: Merchant) -> None:
    counted = Counted(pool)
    book = StoreBook(counted)  # type: ignore[arg-type]
    await book.reload()
    for _ in range(5):
        await book.get(merchant.id, "s-1")
    await active(pool)
    await create_merchant(pool, VAULT, "Another")
    await book.reload()
    await book.get(merchant.id, "s-1")
    assert counted.reads == 1, "campaigns and other merchants are no reason to read it again"
    await put_stores(pool, merchant.id, [Store("s-9")])
    await book.reload()
    await book.get(merchant.id, "s-1")
    assert counted.reads == 2


async def test_every_process_follows_a_change(pool: asyncpg.Pool, merchant: Merchant) -> None:
    book = StoreBook(pool)
    watch = RevisionWatch(pool, [book.reload])
    await watch.check()
    running = asyncio.create_task(watch.run())

    async def becomes(wanted: str | None) -> None:
        async def is_so() -> bool:
            return (await book.get(merchant.id, "s-1")).region == wanted

        await eventually(is_so)

    try:
        await becomes("上海")
        await put_stores(pool, merchant.id, [Store("s-1", region="杭州")])
        await becomes("杭州")
        await delete_store(pool, merchant.id, "s-1")
        await becomes("上海")
        known = await find_settings(pool, merchant.id)
        assert known is not None
        await save_settings(pool, replace(known, region=None))
        await becomes(None)
    finally:
        running.cancel()


async def test_what_was_read_before_a_change_does_not_outlive_it(pool: asyncpg.Pool, merchant: Merchant) -> None:
    reading, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Counted):
        async def fetchrow(self, query: str, *arguments: object) -> object:
            found = await super().fetchrow(query, *arguments)
            reading.set()
            await go_on.wait()
            return found

    slow = Slow(pool)
    book = StoreBook(slow)  # type: ignore[arg-type]
    await book.reload()
    early = asyncio.create_task(book.get(merchant.id, "s-1"))
    await reading.wait()
    await put_stores(pool, merchant.id, [Store("s-1", region="杭州")])
    await book.reload()
    go_on.set()
    assert (await early).region == "上海"
    assert (await book.get(merchant.id, "s-1")).region == "杭州"


async def test_the_memory_is_bounded(pool: asyncpg.Pool, merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_MAX", 3)
    book = StoreBook(pool)
    for number in range(10):
        await book.get(merchant.id, f"made-up-{number}")
    assert len(book._places) == 3


async def test_a_place_that_cannot_be_read_is_told_as_such(merchant: Merchant) -> None:
    class Away:
        async def fetchrow(self, *_: object) -> object:
            raise ConnectionRefusedError

    with pytest.raises(Unavailable):
        await StoreBook(Away()).get(merchant.id, "s-1")  # type: ignore[arg-type]


async def test_stores_are_written_over_listed_and_deleted(pool: asyncpg.Pool, merchant: Merchant) -> None:
    await put_stores(pool, merchant.id, [Store(f"s-{number}", f"name {number}") for number in range(5)])
    await put_stores(pool, merchant.id, [Store("s-1", None, "bakery", None)])
    assert await find_store(pool, merchant.id, "s-1") == Store("s-1", None, "bakery", None)
    page = await list_stores(pool, merchant.id, 2, after="s-0")
    assert [store.store_id for store in page] == ["s-1", "s-2"]
    assert await delete_store(pool, merchant.id, "s-1")
    assert not await delete_store(pool, merchant.id, "s-1")
    assert await find_store(pool, merchant.id, "s-1") is None
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await put_stores(pool, "mer_nobody", [Store("s-1")])


async def test_whoever_is_authenticated_carries_what_campaigns_look_at(pool: asyncpg.Pool, merchant: Merchant) -> None:
    key = await create_key(pool, VAULT, merchant.id)
    holder = await Directory(pool, VAULT).authenticate(f"Bearer {key.secret}", Scope.PAY)
    assert holder.merchant == merchant
    assert (merchant.customer_realm, merchant.category, merchant.region) == ("group", "cafe", "上海")
