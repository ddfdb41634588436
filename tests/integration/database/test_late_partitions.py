"""Where nobody made a month's partitions in time, its rows lie in the default ones, and come out of them again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from gateway.database import partitions
from gateway.database.intents import intent_batch
from gateway.database.partitions import MONTHLY, ensure_partitions, month_start
from gateway.database.pool import open_pool
from gateway.kernel.ids import new_ulid
from tests.support.rows import intent, settings
from tests.support.servers import TestServers


@pytest.fixture
async def pool(migrated_servers: TestServers) -> AsyncIterator[asyncpg.Pool]:
    """Of a database of the test's own."""
    url = migrated_servers.clone_database()
    opened = await open_pool(settings(url))
    yield opened
    await opened.close()
    migrated_servers.drop_database(url)


async def pay_at(pool: asyncpg.Pool, moment: datetime) -> str:
    """A payment of that time."""
    row = intent(f"pay_{new_ulid(int(moment.timestamp() * 1000))}", "mer_1")
    results: list[Any] = await intent_batch(pool).flush([row])
    assert results[0].inserted
    return row.payment_id


async def lies_in(pool: asyncpg.Pool, payment_id: str) -> str:
    """The payment's partition."""
    found: str = await pool.fetchval("SELECT tableoid::regclass::text FROM payments WHERE id = $1", payment_id)
    return found


async def test_the_worker_comes_back_after_months(pool: asyncpg.Pool) -> None:
    later = month_start(datetime.now(UTC), 5) + timedelta(days=3)
    payment = await pay_at(pool, later)
    await pool.execute(
        "INSERT INTO risk_decisions"
        " (payment_id, merchant_id, version, verdict, score, no_discount, beyond_tolerance, at)"
        " VALUES ($1, 'mer_1', 1, 'approve', 0, false, false, now())",
        payment,
    )
    assert await lies_in(pool, payment) == "payments_default"
    async with pool.acquire() as connection:
        made = await ensure_partitions(connection, later)
    assert len(made) == 3 * len(MONTHLY)
    assert await lies_in(pool, payment) == f"payments_{later:%Y_%m}"
    for table in ("payments", "attempts", "events", "risk_decisions"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}_default") == 0
        assert await pool.fetchval(f"SELECT count(*) FROM {table}_{later:%Y_%m}") == 1
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await pool.execute("DELETE FROM risk_decisions")


async def test_where_too_much_lies_there_the_next_months_are_made_all_the_same(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_MOVED_MAX", 0)
    later = month_start(datetime.now(UTC), 5) + timedelta(days=3)
    payment = await pay_at(pool, later)
    async with pool.acquire() as connection:
        await ensure_partitions(connection, later)
    assert await lies_in(pool, payment) == "payments_default"
    assert await lies_in(pool, await pay_at(pool, month_start(later, 1))) == f"payments_{month_start(later, 1):%Y_%m}"
