"""Profiles follow the events, each counted once: whoever commits late, whoever works at the same time, whoever dies."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import asyncpg
import pytest

from gateway.database.batches import BROKEN
from gateway.database.outcomes import write_outcome
from gateway.database.pool import open_pool
from gateway.kernel.ids import new_id
from gateway.payments.states import Event
from risk.profiles.following import Following
from tests.support.profiles import (
    begin,
    catch_up,
    end,
    pay,
    recounted,
    sharing,
    sharing_recounted,
    stored,
    take_back,
)
from tests.support.rows import intent, outcome, settings

ADA, BOB, CAROL = (name.encode() * 4 for name in ("ada", "bob", "eve"))
WALLET, OTHER_WALLET = b"w" * 16, b"o" * 16


@pytest.fixture
def following(pool: asyncpg.Pool) -> Following:
    return Following(pool, lag_s=0.0)


async def test_captured_payments_make_the_profile(pool: asyncpg.Pool, following: Following) -> None:
    await pay(pool, ADA, 1_000)
    await pay(pool, ADA, 5_000, store_id="s-1")
    await pay(pool, ADA, 700, merchant_id="mer_2")
    await pay(pool, None)
    declined = intent(new_id("pay"), customer=BOB)
    await begin(pool, declined)
    await end(pool, outcome(declined, Event.DECLINED))
    await catch_up(pool, following)
    kept = await stored(pool)
    assert set(kept) == {ADA}
    payments, amount, highest, hours, regions = kept[ADA]
    assert (payments, amount, highest) == (3, 6_700, 5_000)
    assert regions == {"310000": 1, "320000": 1}
    assert sum(hours.values()) == 3
    assert kept == await recounted(pool)


async def test_a_reversed_capture_is_taken_back_and_a_reversal_of_what_was_not_captured_is_none(
    pool: asyncpg.Pool, following: Following
) -> None:
    await pay(pool, ADA, 1_000)
    reversed_ = await pay(pool, ADA, 90_000, store_id="s-1")
    await catch_up(pool, following)
    unpaid = intent(new_id("pay"), customer=ADA)
    await begin(pool, unpaid)
    await end(pool, outcome(unpaid, Event.REVERSED))
    await take_back(pool, reversed_)
    await catch_up(pool, following)
    assert (await stored(pool))[ADA][:3] == (1, 1_000, 1_000)
    assert await stored(pool) == await recounted(pool)


async def test_an_event_whose_transaction_commits_late_is_counted(pool: asyncpg.Pool, following: Following) -> None:
    late = intent(new_id("pay"), customer=ADA)
    await begin(pool, late)
    async with pool.acquire() as connection, connection.transaction():
        await write_outcome(connection, outcome(late, Event.CAPTURED))
        await pay(pool, BOB)
        while await following.step():
            pass
        assert ADA not in await stored(pool)
    await catch_up(pool, following)
    assert set(await stored(pool)) == {ADA, BOB}


async def test_an_event_of_a_transaction_that_has_only_begun_is_counted(
    pool: asyncpg.Pool, following: Following
) -> None:
    """It has written nothing yet, but its event will have the time at which it began."""
    late = intent(new_id("pay"), customer=ADA)
    await begin(pool, late)
    async with pool.acquire() as connection, connection.transaction():
        await connection.fetchval("SELECT now()")
        await pay(pool, BOB)
        while await following.step():
            pass
        await write_outcome(connection, outcome(late, Event.CAPTURED))
    await catch_up(pool, following)
    assert set(await stored(pool)) == {ADA, BOB}


async def test_the_last_seconds_are_left_to_come(pool: asyncpg.Pool) -> None:
    await pay(pool, ADA)
    following = Following(pool, lag_s=600.0)
    while await following.step():
        pass
    assert await stored(pool) == {}


async def test_a_turn_tells_how_far_behind_the_profiles_are(pool: asyncpg.Pool, following: Following) -> None:
    await pay(pool, ADA)
    assert following.behind_s is None
    await catch_up(pool, following)
    assert following.behind_s is not None
    assert 0.0 <= following.behind_s < 5.0
    await pool.execute("UPDATE risk_profiling SET followed_until = now() - interval '1 day'")
    await following.step()
    assert 86_400 - 4_000 < following.behind_s < 86_401


async def test_what_is_too_much_for_one_transaction_comes_in_several(pool: asyncpg.Pool) -> None:
    for _ in range(12):
        await pay(pool, ADA)
    await pool.execute("UPDATE risk_profiling SET followed_until = (SELECT min(at) FROM events)")
    steps = Following(pool, lag_s=0.0, changes_max=5)
    assert await steps.step()
    first = (await stored(pool))[ADA][0]
    assert 0 < first < 12
    await catch_up(pool, steps)
    assert (await stored(pool))[ADA][0] == 12


async def test_a_whole_batch_of_one_time_is_taken_at_once_though_it_is_too_much(pool: asyncpg.Pool) -> None:
    rows = [intent(new_id("pay"), customer=ADA) for _ in range(5)]
    await begin(pool, *rows)
    await end(pool, *[outcome(row, Event.CAPTURED) for row in rows])
    await catch_up(pool, Following(pool, lag_s=0.0, changes_max=6))
    assert (await stored(pool))[ADA][0] == 5


async def test_payers_of_two_customers_mark_both_within_a_realm(pool: asyncpg.Pool, following: Following) -> None:
    await pay(pool, ADA, payer=WALLET)
    await pay(pool, ADA, payer=OTHER_WALLET)
    await pay(pool, CAROL, payer=WALLET, merchant_id="mer_2")
    await catch_up(pool, following)
    assert await sharing(pool) == set()
    await pay(pool, BOB, payer=WALLET)
    await catch_up(pool, following)
    assert await sharing(pool) == {ADA, BOB} == await sharing_recounted(pool)


async def test_merchants_of_one_realm_have_the_same_customers(pool: asyncpg.Pool, following: Following) -> None:
    await pay(pool, ADA, payer=WALLET, merchant_id="mer_a")
    await pay(pool, BOB, payer=WALLET, merchant_id="mer_b")
    await catch_up(pool, following)
    assert await sharing(pool) == {ADA, BOB}


async def test_only_one_worker_has_its_turn(pool: asyncpg.Pool, following: Following) -> None:
    await pay(pool, ADA)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM risk_profiling FOR UPDATE")
        assert not await following.step()
    assert await stored(pool) == {}


async def _take_payments(pool: asyncpg.Pool, chance: random.Random, number: int) -> None:
    """Captures, a few of them reversed, of nine customers with five wallets."""
    for _ in range(number):
        customer, payer = bytes([chance.randrange(9)]) * 8, bytes([chance.randrange(5)]) * 16
        where = {"merchant_id": chance.choice(["mer_1", "mer_2", "mer_a"])}
        customer += where["merchant_id"].encode()
        row = await pay(pool, customer, chance.randrange(1, 9_999), payer=chance.choice([None, payer]), **where)
        if chance.random() < 0.2:
            await take_back(pool, row)


async def _work_and_die(database_url: str, chance: random.Random, until: asyncio.Event) -> int:
    """A worker that is killed again and again: its connection is cut, or its task ends, wherever it happens to be."""
    deaths = 0
    while not until.is_set():
        pool = await open_pool(settings(database_url), size=1)
        working = asyncio.create_task(_follow_for_ever(Following(pool, lag_s=0.02, changes_max=20)))
        await asyncio.sleep(chance.uniform(0.0, 0.03))
        if chance.random() < 0.5:
            pool.terminate()
        working.cancel()
        with suppress(asyncio.CancelledError, *BROKEN, asyncpg.PostgresError):
            await working
        pool.terminate()
        deaths += 1
    return deaths


async def _follow_for_ever(following: Following) -> None:
    while True:
        await following.step()
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", [1, 2])
async def test_workers_that_die_anywhere_count_everything_once(
    pool: asyncpg.Pool, database_url: str, seed: int
) -> None:
    chance, until = random.Random(seed), asyncio.Event()
    workers = [asyncio.create_task(_work_and_die(database_url, chance, until)) for _ in range(2)]
    await asyncio.gather(*[_take_payments(pool, random.Random(seed * 100 + till), 40) for till in range(3)])
    until.set()
    assert all(deaths > 3 for deaths in await asyncio.gather(*workers))
    await catch_up(pool, Following(pool, lag_s=0.0))
    assert await stored(pool) == await recounted(pool)
    assert len(await stored(pool)) > 9
    assert await sharing(pool) == await sharing_recounted(pool) != set()
