"""What is known of customers when their payments are priced, read for all that wait in one statement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta

import asyncpg
import pytest

from gateway.database.pool import open_pool
from promotions.campaigns.campaign import Scope
from promotions.customers.reading import Histories, Read, Wanted
from promotions.facts import EVER, History, Uses
from tests.support.rows import settings

MINE, HIS, DEVICE = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await open_pool(settings(database_url))
    yield opened
    await opened.close()


async def _use(pool: asyncpg.Pool, key: bytes, scope: Scope, day: date, count: int = 1) -> None:
    await pool.execute(
        "INSERT INTO campaign_uses (key, campaign_id, scope, day, used_count, used)"
        " VALUES ($1, 'cam_1', $2, $3, $4, 5)",
        key.hex(),
        scope,
        day,
        count,
    )


@pytest.fixture(autouse=True)
async def nobody(pool: asyncpg.Pool) -> None:
    await pool.execute("TRUNCATE campaign_uses, customers, coupons")


async def _read(pool: asyncpg.Pool, *wanted: Wanted) -> list[History]:
    read = await Histories(pool).flush(wanted)
    assert all(isinstance(each, Read) for each in read), read
    return [each.history for each in read if isinstance(each, Read)]


def _of(customer: bytes, device: bytes | None = None) -> Wanted:
    return Wanted(customer, customer.hex(), None if device is None else device.hex(), None, "mer_1", None)


async def test_everybody_who_waits_is_read_in_their_order(pool: asyncpg.Pool) -> None:
    await _use(pool, MINE, Scope.CUSTOMER, EVER, 3)
    await _use(pool, DEVICE, Scope.DEVICE, EVER, 2)
    his, mine = await _read(pool, _of(HIS), _of(MINE, DEVICE))
    assert his.uses == {}
    assert mine.uses == {
        ("cam_1", Scope.CUSTOMER, EVER): Uses(3, 5),
        ("cam_1", Scope.DEVICE, EVER): Uses(2, 5),
    }


async def test_a_device_whose_id_is_another_customers_brings_none_of_what_he_took(pool: asyncpg.Pool) -> None:
    await _use(pool, HIS, Scope.CUSTOMER, EVER)
    await _use(pool, MINE, Scope.DEVICE, EVER)
    [mine] = await _read(pool, _of(MINE, HIS))
    assert mine.uses == {}


async def test_an_id_of_both_a_customer_and_his_device_counts_for_each(pool: asyncpg.Pool) -> None:
    await _use(pool, MINE, Scope.CUSTOMER, EVER, 3)
    await _use(pool, MINE, Scope.DEVICE, EVER, 2)
    [mine] = await _read(pool, _of(MINE, MINE))
    assert [mine.uses["cam_1", scope, EVER].times for scope in (Scope.CUSTOMER, Scope.DEVICE)] == [3, 2]


async def test_days_that_are_over_everywhere_are_left_out(pool: asyncpg.Pool) -> None:
    today: date = await pool.fetchval("SELECT (now() AT TIME ZONE 'UTC')::date")
    for ago in (0, 1, 2):
        await _use(pool, MINE, Scope.CUSTOMER, today - timedelta(days=ago))
    [mine] = await _read(pool, _of(MINE))
    assert {day for _, _, day in mine.uses} == {today, today - timedelta(days=1)}
