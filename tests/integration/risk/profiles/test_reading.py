"""Profiles are read for all payments that wait, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from gateway.database.group_commit import GroupCommit
from risk.profiles.following import Following
from risk.profiles.reading import Profile, ProfileReading, Profiles
from tests.support.profiles import catch_up, pay, take_back

ADA, BOB, NOBODY = (name.encode() * 4 for name in ("ada", "bob", "new"))
WALLET = b"w" * 16


async def _read(pool: asyncpg.Pool, *customers: bytes) -> list[Any]:
    return list(await ProfileReading(pool).flush(customers))


async def test_everybody_who_waits_is_read_in_their_order(pool: asyncpg.Pool) -> None:
    await pay(pool, ADA, 1_000, payer=WALLET, payable=900)
    await pay(pool, ADA, 3_000, store_id="s-1", payable=2_500)
    await pay(pool, BOB, 500, merchant_id="mer_2")
    await catch_up(pool, Following(pool, lag_s=0.0))
    nobody, bob, ada = await _read(pool, NOBODY, BOB, ADA)
    assert nobody == Profile(hours=[0] * 24, regions=[])
    assert (ada.orders, ada.spent_fen, ada.payments, ada.amount_fen) == (2, 3_400, 2, 4_000)
    assert (ada.highest_fen, sum(ada.hours), ada.regions) == (3_000, 2, ["310000", "320000"])
    assert (ada.payers, ada.shared_payer) == ((WALLET.hex(),), False)
    assert ada.first_at < ada.last_at
    assert (bob.orders, bob.regions, bob.payers) == (1, [], ())


async def test_a_customer_of_this_moment_has_orders_before_his_habits_are_known(pool: asyncpg.Pool) -> None:
    await pay(pool, ADA)
    [ada] = await _read(pool, ADA)
    assert (ada.orders, ada.payments, ada.highest_fen) == (1, 0, None)


async def test_somebody_whose_only_payment_was_reversed_is_new_again(pool: asyncpg.Pool) -> None:
    await take_back(pool, await pay(pool, ADA))
    await catch_up(pool, Following(pool, lag_s=0.0))
    [ada] = await _read(pool, ADA)
    assert (ada.orders, ada.first_at, ada.payments, ada.highest_fen) == (0, None, 0, None)


async def test_customers_in_segments_are_read_before_they_have_paid(pool: asyncpg.Pool) -> None:
    await pool.execute("INSERT INTO customers (customer, segments) VALUES ($1, '{vip,staff}')", ADA)
    [ada] = await _read(pool, ADA)
    assert (ada.orders, ada.segments) == (0, ("vip", "staff"))


async def test_those_who_ask_in_one_moment_are_read_together_and_one_who_gives_up_holds_nobody_up(
    pool: asyncpg.Pool,
) -> None:
    batches = []

    class Noting(ProfileReading):
        async def flush(self, customers: Sequence[bytes]) -> list[Profile | Exception]:
            batches.append(len(customers))
            return await super().flush(customers)

    await pay(pool, ADA)
    reading = Noting(pool)
    profiles = Profiles(GroupCommit("profile", reading.flush, rows_max=64, queue_max=64, linger_ms_max=0.0))
    waiting = [profiles.begin(each.hex()) for each in (NOBODY, ADA, BOB)]
    waiting[0].cancel()
    assert [(await each).orders for each in waiting[1:]] == [1, 0]
    assert batches == [3]


async def test_a_database_that_is_away_reaches_everybody_who_asked(pool: asyncpg.Pool) -> None:
    class Away(ProfileReading):
        async def flush(self, customers: Sequence[bytes]) -> list[Profile | Exception]:
            raise asyncpg.PostgresConnectionError("gone")

    profiles = Profiles(GroupCommit("profile", Away(pool).flush, rows_max=8, queue_max=8, linger_ms_max=0.0))
    asked = profiles.begin(ADA.hex())
    with pytest.raises(asyncpg.PostgresConnectionError):
        await asked
