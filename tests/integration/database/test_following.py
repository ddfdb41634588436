"""What the end of a payment does to its customer and its campaigns, in the outcome's own commit."""

from __future__ import annotations

import random
from typing import Any

import asyncpg
import orjson
import pytest

from gateway.database.intents import IntentRow, intent_batch
from gateway.database.outcomes import OutcomeRow, outcome_batch
from gateway.kernel.ids import new_id
from gateway.payments.states import Event, Status
from tests.support.campaign_rows import campaign, drawing, grant, taken, today, use
from tests.support.rows import intent, outcome


async def begin(pool: asyncpg.Pool, *rows: IntentRow) -> None:
    assert all(result.inserted for result in await intent_batch(pool).flush(rows))  # type: ignore[union-attr]


async def end(pool: asyncpg.Pool, *rows: OutcomeRow) -> list[bool]:
    return [result.applied for result in await outcome_batch(pool).flush(rows)]  # type: ignore[union-attr]


async def known(pool: asyncpg.Pool, customer: bytes) -> tuple[Any, ...] | None:
    """Orders, spent, and the counters by wallet, bank and merchant."""
    row = await pool.fetchrow("SELECT * FROM customers WHERE customer = $1", customer)
    if row is None:
        return None
    counters = [orjson.loads(row[name]) for name in ("by_wallet", "by_bin", "by_merchant")]
    return (row["orders"], row["spent"], *counters)


async def used(pool: asyncpg.Pool, campaign_id: str) -> list[int]:
    """Fen, redemptions, and those of the customer."""
    query = "SELECT used, used_count FROM campaign_slices WHERE campaign_id = $1"
    times = await pool.fetchval("SELECT used_count FROM campaign_uses WHERE campaign_id = $1", campaign_id)
    return [*await pool.fetchrow(query, campaign_id), times]


async def promoted(pool: asyncpg.Pool, *, rewards: bool = False) -> tuple[IntentRow, str]:
    """A payment that holds 100 fen of a new campaign."""
    campaign_id = await campaign(pool, new_id("cam"))
    await grant(pool, campaign_id, 1_000, counts=[10])
    redemption = taken(campaign_id, await today(pool), counters=[use(campaign_id)], rewards=rewards)
    row = drawing(new_id("pay"), redemption, customer=new_id("c").encode())
    await begin(pool, row)
    assert await used(pool, campaign_id) == [100, 1, 1]
    return row, campaign_id


async def test_many_payments_of_one_customer_in_one_batch_are_all_counted(pool: asyncpg.Pool) -> None:
    ada, bob, bank = new_id("c").encode(), new_id("c").encode(), b"a bank"
    rows = [intent(new_id("pay"), customer=ada, wallet=wallet) for wallet in ("wechat", "alipay", "wechat")]
    rows += [intent(new_id("pay"), "mer_2", customer=bob, card_bin=bank), intent(new_id("pay"))]
    await begin(pool, *rows)
    assert all(await end(pool, *[outcome(row, Event.CAPTURED) for row in rows]))
    assert await known(pool, ada) == (3, 3 * 2_599, {"wechat": 2, "alipay": 1}, {}, {"mer_1": 3})
    assert await known(pool, bob) == (1, 2_599, {"wechat": 1}, {bank.hex(): 1}, {"mer_2": 1})
    assert await end(pool, outcome(rows[0], Event.CAPTURED)) == [False]
    assert (await known(pool, ada))[:2] == (3, 3 * 2_599), "what is not applied counts for nothing"  # type: ignore[index]
    back = outcome(rows[0], Event.REVERSED, from_states=Status.SUCCEEDED)
    assert await end(pool, back) == [True]
    assert await known(pool, ada) == (2, 2 * 2_599, {"wechat": 1, "alipay": 1}, {}, {"mer_1": 2})


@pytest.mark.parametrize("event", [Event.DECLINED, Event.UNSENT, Event.NOT_CREATED, Event.CLOSED, Event.REVERSED])
async def test_a_payment_that_comes_to_nothing_gives_back_and_is_no_order(pool: asyncpg.Pool, event: Event) -> None:
    row, campaign_id = await promoted(pool)
    assert await end(pool, outcome(row, event)) == [True]
    assert await used(pool, campaign_id) == [0, 0, 0]
    assert await known(pool, row.customer or b"") is None
    assert await end(pool, outcome(row, event)) == [False]
    assert await used(pool, campaign_id) == [0, 0, 0], "once"


async def test_a_capture_keeps_what_it_took_until_it_is_reversed(pool: asyncpg.Pool) -> None:
    row, campaign_id = await promoted(pool)
    assert await end(pool, outcome(row, Event.CAPTURED)) == [True]
    assert await used(pool, campaign_id) == [100, 1, 1]
    assert await end(pool, outcome(row, Event.REVERSED, from_states=Status.SUCCEEDED)) == [True]
    assert await used(pool, campaign_id) == [0, 0, 0]
    assert (await known(pool, row.customer or b"") or ())[:2] == (0, 0)


async def test_who_earns_a_reward_is_given_to_the_worker_with_the_capture(pool: asyncpg.Pool) -> None:
    earning, _ = await promoted(pool, rewards=True)
    plain, _ = await promoted(pool)
    failing, _ = await promoted(pool, rewards=True)
    events = {earning: Event.CAPTURED, plain: Event.CAPTURED, failing: Event.DECLINED}
    assert all(await end(pool, *[outcome(row, event) for row, event in events.items()]))
    owed = await pool.fetch(
        "SELECT payment_id FROM recovery_tasks WHERE purpose = 'reward' AND payment_id = ANY ($1)",
        [row.payment_id for row in events],
    )
    assert [record["payment_id"] for record in owed] == [earning.payment_id]


async def test_one_row_of_a_batch_that_is_not_applied_moves_nothing_of_its_neighbours(pool: asyncpg.Pool) -> None:
    (first, its), (second, others) = await promoted(pool), await promoted(pool)
    await end(pool, outcome(first, Event.CAPTURED))
    assert await end(pool, outcome(first, Event.DECLINED), outcome(second, Event.DECLINED)) == [False, True]
    assert [await used(pool, its), await used(pool, others)] == [[100, 1, 1], [0, 0, 0]]


async def test_a_till_that_names_new_cards_for_ever_fills_no_disk(pool: asyncpg.Pool) -> None:
    ada = new_id("c").encode()
    for number in range(70):
        await pool.fetchval("SELECT count_order($1, 1, 'wechat', $2, 'mer_1', 1)", ada, number.to_bytes(2))
    orders, spent, _, by_bin, _ = await known(pool, ada) or ()
    assert (orders, spent, len(by_bin)) == (70, 70, 64)


@pytest.mark.parametrize("seed", range(8))
async def test_a_batch_counts_captures_as_if_each_came_alone(pool: asyncpg.Pool, seed: int) -> None:
    """Few customers, so that they come again in a batch; more banks than are kept of one; some are known already."""
    draw = random.Random(seed)
    people = [new_id("c").encode() for _ in range(4)]
    banks = [None, *[number.to_bytes(2) for number in range(1 if seed % 2 else 70)]]
    orders = [
        (draw.choice(people), draw.randrange(1, 9_999), draw.choice(("wechat", "alipay")), draw.choice(banks), merchant)
        for merchant in draw.choices(("mer_1", 'mer_"2"', "mer_3"), k=150)
    ]

    async def counted(*, at_once: bool) -> list[Any]:
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await connection.fetchval("SELECT count_order($1, 5, 'wechat', NULL, 'mer_1', 1)", people[0])
            if at_once:
                people_of, fens, wallets, bins, merchants = map(list, zip(*orders, strict=True))
                states, nobody = ["succeeded"] * len(orders) + ["failed"], [*people_of, people[0]]
                await connection.execute(
                    "SELECT count_captures($1, $2, $3, $4, $5, $6, $7)",
                    *(len(orders), states, nobody, [*fens, 1], [*wallets, "wechat"], [*bins, None], [*merchants, "m"]),
                )
            else:
                await connection.executemany("SELECT count_order($1, $2, $3, $4, $5, 1)", orders)
            rows = await connection.fetch("SELECT * FROM customers WHERE customer = ANY ($1) ORDER BY customer", people)
            await transaction.rollback()
            return [{**row, "first_at": row["first_at"] is None, "last_at": row["last_at"] is None} for row in rows]

    assert await counted(at_once=True) == await counted(at_once=False)
