"""Customers are put into segments and taken out: counted exactly, all or nothing, locked as outcomes lock them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable

import asyncpg
import pytest

from gateway.database.batches import BROKEN
from gateway.database.pool import open_pool
from promotions.customers import segments
from promotions.customers.reading import Histories, Read, Wanted
from promotions.customers.segments import (
    CUSTOMERS_AT_ONCE_MAX,
    SEGMENTS_PER_CUSTOMER_MAX,
    SQL,
    CustomerFull,
    TooManySegments,
    add_customers,
    delete_some,
    hold,
    hold_or_create,
    read_segments,
    remove_customers,
    segments_of,
)
from promotions.facts import History
from tests.support.plans import conditions, generic_plan
from tests.support.rows import settings
from tests.support.waiting import eventually

COUNT_ORDER = "SELECT count_order($1, 1000, 'wechat', NULL, 'mer_1', 1)"
UPDATES = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'customers'"
"""All of this transaction's so far (and what its connection has not told yet), and those that touched no index."""


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await open_pool(settings(database_url))
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
async def nobody(pool: asyncpg.Pool) -> None:
    await pool.execute("TRUNCATE customers, segments")


def customers(count: int) -> list[bytes]:
    """In no order."""
    return [hashlib.sha256(str(number).encode()).digest() for number in range(count)]


async def put(pool: asyncpg.Pool, name: str, those: Iterable[bytes]) -> int:
    async with pool.acquire() as connection, connection.transaction():
        await hold_or_create(connection, name)
        return await add_customers(connection, name, those)


async def take_out(pool: asyncpg.Pool, name: str, those: list[bytes]) -> int:
    async with pool.acquire() as connection, connection.transaction():
        assert await hold(connection, name) is not None
        return await remove_customers(connection, name, those)


async def counted(pool: asyncpg.Pool) -> dict[str, int]:
    """As the list shows it; held against the customers' own rows."""
    shown = {each.name: each.customers for each in await read_segments(pool)}
    rows = await pool.fetch("SELECT s, count(*) FROM customers, unnest(segments) AS s GROUP BY s")
    assert {name: count for name, count in shown.items() if count} == {row["s"]: row["count"] for row in rows}
    return shown


async def test_customers_come_in_once_and_go_out_once(pool: asyncpg.Pool) -> None:
    ada, bob, eve = customers(3)
    assert await put(pool, "vip", [ada, bob, ada]) == 2
    assert await put(pool, "vip", [bob, eve]) == 1
    assert await put(pool, "vip", [bob, eve]) == 0
    assert await put(pool, "staff", [eve]) == 1
    assert await counted(pool) == {"staff": 1, "vip": 3}
    assert await segments_of(pool, eve) == ["staff", "vip"]
    assert await take_out(pool, "vip", [eve, ada, customers(4)[3]]) == 2
    assert await take_out(pool, "vip", [eve]) == 0
    assert await counted(pool) == {"staff": 1, "vip": 1}
    assert await segments_of(pool, eve) == ["staff"]
    assert await segments_of(pool, customers(4)[3]) == []


async def test_somebody_who_is_in_a_segment_and_has_not_paid_is_new_until_he_pays(pool: asyncpg.Pool) -> None:
    [ada] = customers(1)
    await put(pool, "vip", [ada])
    before = await history_of(pool, ada)
    assert (before.orders, before.spent_fen, before.first_at, before.last_at) == (0, 0, None, None)
    assert before.segments == ("vip",)
    await pool.execute(COUNT_ORDER, ada)
    after = await history_of(pool, ada)
    assert (after.orders, after.spent_fen, after.segments) == (1, 1000, ("vip",))
    assert after.first_at == after.last_at == await pool.fetchval("SELECT max(first_at) FROM customers")
    assert after.first_at is not None


async def history_of(pool: asyncpg.Pool, customer: bytes) -> History:
    [read] = await Histories(pool).flush([Wanted(customer, customer.hex(), None, None, "mer_1", None)])
    assert isinstance(read, Read)
    return read.history


async def test_what_a_customer_has_paid_stays_as_it_is(pool: asyncpg.Pool) -> None:
    [ada] = customers(1)
    await pool.execute(COUNT_ORDER, ada)
    before = await pool.fetchrow("SELECT * FROM customers")
    await put(pool, "vip", [ada])
    await take_out(pool, "vip", [ada])
    assert await pool.fetchrow("SELECT * FROM customers") == before


async def test_one_customer_in_too_many_segments_keeps_all_of_them_out(pool: asyncpg.Pool) -> None:
    ada, bob = customers(2)
    for number in range(SEGMENTS_PER_CUSTOMER_MAX):
        await put(pool, f"s{number}", [ada])
    with pytest.raises(CustomerFull):
        await put(pool, "vip", [bob, ada])
    assert "vip" not in await counted(pool)
    assert await put(pool, "s0", [bob, ada]) == 1, "he is in it already"


async def test_there_are_only_so_many_segments(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENTS_MAX", 2)
    ada, bob = customers(2)
    await put(pool, "a", [ada])
    await put(pool, "b", [ada])
    with pytest.raises(TooManySegments):
        await put(pool, "c", [ada])
    assert await put(pool, "b", [bob]) == 1
    assert await counted(pool) == {"a": 1, "b": 2}


async def test_a_large_segment_is_deleted_in_steps_and_no_other_with_it(pool: asyncpg.Pool) -> None:
    everybody = customers(2 * CUSTOMERS_AT_ONCE_MAX + 1)
    await put(pool, "vip", everybody)
    await put(pool, "staff", everybody[:5])
    steps: list[tuple[int, bool]] = []
    while not steps or not steps[-1][1]:
        async with pool.acquire() as connection, connection.transaction():
            assert await hold(connection, "vip") == len(everybody) - sum(removed for removed, _ in steps)
            steps.append(await delete_some(connection, "vip"))
        await counted(pool)
    assert steps == [(CUSTOMERS_AT_ONCE_MAX, False), (CUSTOMERS_AT_ONCE_MAX, False), (1, True)]
    assert await counted(pool) == {"staff": 5}
    async with pool.acquire() as connection:
        assert await hold(connection, "vip") is None


async def test_segments_and_payments_of_the_same_customers_never_wait_for_each_other_in_a_ring(
    pool: asyncpg.Pool,
) -> None:
    everybody = customers(300)

    async def pay() -> None:  # as a batch of outcomes does: in the order of its customers
        async with pool.acquire() as connection, connection.transaction():
            for customer in sorted(everybody):
                await connection.execute(COUNT_ORDER, customer)

    async def move(name: str) -> None:
        assert await put(pool, name, everybody) == 300
        assert await take_out(pool, name, everybody[::2]) == 150

    await asyncio.gather(*(move(f"s{number}") for number in range(4)), *(pay() for _ in range(4)))
    assert await counted(pool) == {f"s{number}": 150 for number in range(4)}
    assert await pool.fetchval("SELECT sum(orders) FROM customers") == 1200


async def test_two_who_fill_the_same_segment_count_each_customer_once(pool: asyncpg.Pool) -> None:
    everybody = customers(200)
    added = await asyncio.gather(*(put(pool, "vip", everybody[number:]) for number in (0, 50, 100)))
    assert sum(added) == 200
    assert await counted(pool) == {"vip": 200}


async def test_a_process_that_falls_asleep_in_the_middle_lets_go_of_its_customers(pool: asyncpg.Pool) -> None:
    [ada] = customers(1)

    async def is_paid() -> bool:
        try:
            await pool.execute(COUNT_ORDER, ada)
        except asyncpg.LockNotAvailableError:
            return False
        return True

    async with pool.acquire() as sleeper:
        transaction = sleeper.transaction()
        await transaction.start()
        await hold_or_create(sleeper, "vip")
        await add_customers(sleeper, "vip", [ada])
        assert not await is_paid(), "a payment waits, and is tried again"
        await eventually(is_paid, 10)
        with pytest.raises(BROKEN):
            await transaction.commit()
    assert await segments_of(pool, ada) == []
    assert await counted(pool) == {}


async def test_a_payment_of_somebody_in_a_segment_changes_no_index(pool: asyncpg.Pool) -> None:
    [ada] = customers(1)
    await pool.execute(COUNT_ORDER, ada)
    await put(pool, "vip", [ada])
    async with pool.acquire() as connection, connection.transaction():
        before = await connection.fetchrow(UPDATES)
        await connection.execute(COUNT_ORDER, ada)
        after = await connection.fetchrow(UPDATES)
    assert before is not None
    assert after is not None
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1]


async def test_a_segments_customers_are_found_by_the_index_and_customers_by_their_key(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO customers (customer, segments)"
        " SELECT sha256(n::text::bytea), CASE WHEN n % 100 = 0 THEN '{vip}'::text[] ELSE '{}' END"
        " FROM generate_series(1, 50000) n"
    )
    await pool.execute("ANALYZE customers")
    of_segment = conditions(await generic_plan(pool, SQL["any_of"]), "customers")
    assert of_segment == {"(segments @> ARRAY[$1])"}
    of_customers = conditions(await generic_plan(pool, SQL["remove"]), "customers")
    assert all("customer = " in each for each in of_customers), of_customers
    assert of_customers
