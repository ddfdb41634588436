"""What an intent takes of campaigns: guarded against the present rows, all or nothing, and never twice."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from gateway.database.intents import IntentResult, IntentRow, intent_batch
from gateway.database.redemptions import Refusal, RefusalKind
from gateway.kernel.ids import new_id
from promotions.facts import EVER
from tests.support.campaign_rows import campaign, coupon, drawing, grant, state, taken, today, use


async def flush(pool: asyncpg.Pool, *rows: IntentRow) -> list[IntentResult]:
    """What became of each row; none may fail."""
    found = await intent_batch(pool).flush(rows)
    assert all(isinstance(result, IntentResult) for result in found), found
    return found  # type: ignore[return-value]


async def used(pool: asyncpg.Pool, campaign_id: str) -> list[tuple[int, int]]:
    """Used fen and count, slice by slice."""
    found = await pool.fetch(
        "SELECT used, used_count FROM campaign_slices WHERE campaign_id = $1 ORDER BY day, slice", campaign_id
    )
    return [tuple(row) for row in found]


def payment() -> str:
    return new_id("pay")


@pytest.fixture
async def day(pool: asyncpg.Pool) -> date:
    return await today(pool)


@pytest.fixture
def cid() -> str:
    return new_id("cmp")


async def test_a_payment_takes_its_discount_and_its_uses(pool: asyncpg.Pool, cid: str, day: date) -> None:
    await campaign(pool, cid)
    await grant(pool, cid, 500)
    counters = (use(cid, EVER, 2), use(cid, day, None, 300))
    row = drawing(payment(), taken(cid, day, 120, counters=counters, fee_off=3), customer=b"c", pricing="[]")
    [result] = await flush(pool, row)
    assert (result.inserted, result.refusal) == (True, None)
    assert await used(pool, cid) == [(123, 1)]
    uses = await pool.fetch("SELECT day, used_count, used FROM campaign_uses WHERE campaign_id = $1 ORDER BY day", cid)
    assert [tuple(found) for found in uses] == [(EVER, 1, 123), (day, 1, 123)]
    stored = await pool.fetchrow("SELECT promoted, customer, pricing FROM payments WHERE id = $1", row.payment_id)
    assert tuple(stored) == (True, b"c", "[]")
    kept = await pool.fetchrow("SELECT * FROM redemptions WHERE payment_id = $1", row.payment_id)
    assert (kept["seq"], kept["discount"], kept["fee_off"], kept["slice"], kept["day"]) == (1, 120, 3, 0, day)


async def test_a_batch_that_exceeds_what_is_left_lets_its_neighbours_through(
    pool: asyncpg.Pool, cid: str, day: date
) -> None:
    await campaign(pool, cid)
    await grant(pool, cid, 250)
    plain = drawing(payment())
    rows = [drawing(payment(), taken(cid, day, fen)) for fen in (100, 100, 100, 50, 1)]
    results = await flush(pool, *rows[:3], plain, *rows[3:])
    assert [result.inserted for result in results] == [True, True, False, True, True, False]
    assert results[2].refusal == Refusal(cid, RefusalKind.EXHAUSTED, 50, None)
    assert results[5].refusal == Refusal(cid, RefusalKind.EXHAUSTED, 0, None)
    assert await used(pool, cid) == [(250, 3)]


async def test_a_refused_payment_writes_nothing_and_may_come_again_with_less(
    pool: asyncpg.Pool, cid: str, day: date
) -> None:
    await campaign(pool, cid)
    await grant(pool, cid, 99)
    before = await state(pool)
    row = drawing(payment(), taken(cid, day, 100, counters=[use(cid, day, 1)]), key="k", replaces=payment())
    [result] = await flush(pool, row)
    assert result.refusal == Refusal(cid, RefusalKind.EXHAUSTED, 99, None)
    assert await state(pool) == before
    for table in ("idempotency_keys", "replacements", "attempts", "events", "recovery_tasks"):
        assert not await pool.fetch(f"SELECT FROM {table} WHERE payment_id = $1", row.payment_id)
    [result] = await flush(pool, row._replace(payable=row.amount, redemptions=()))
    assert result.inserted


async def test_a_payment_has_all_of_its_campaigns_or_none(pool: asyncpg.Pool, cid: str, day: date) -> None:
    other = new_id("cmp")
    for name, fen in ((cid, 300), (other, 100)):
        await campaign(pool, name)
        await grant(pool, name, fen)
    rows = [drawing(payment(), taken(cid, day, 100), taken(other, day, fen)) for fen in (100, 1)]
    last = drawing(payment(), taken(cid, day, 200))
    results = await flush(pool, *rows, last)
    assert [result.inserted for result in results] == [True, False, True]
    assert results[1].refusal == Refusal(other, RefusalKind.EXHAUSTED, 0, None)
    assert (await used(pool, cid), await used(pool, other)) == ([(300, 2)], [(100, 1)])


async def test_the_number_of_redemptions_is_limited_like_the_money(pool: asyncpg.Pool, cid: str, day: date) -> None:
    await campaign(pool, cid, budget=None, count=2)
    await grant(pool, cid, None, counts=[2])
    results = await flush(pool, *[drawing(payment(), taken(cid, day)) for _ in range(3)])
    assert [result.inserted for result in results] == [True, True, False]
    assert results[2].refusal == Refusal(cid, RefusalKind.EXHAUSTED, None, 0)
    assert await used(pool, cid) == [(200, 2)]


async def test_one_customer_gets_his_share_and_no_more_also_within_a_batch(
    pool: asyncpg.Pool, cid: str, day: date
) -> None:
    await campaign(pool, cid)
    await grant(pool, cid, 10_000)
    mine, other = use(f"{cid}-mine", EVER, 2), use(f"{cid}-other", EVER, 2)
    rows = [drawing(payment(), taken(cid, day, 100, counters=[who])) for who in (mine, mine, other, mine)]
    results = await flush(pool, *rows)
    assert [result.inserted for result in results] == [True, True, True, False]
    assert results[3].refusal == Refusal(cid, RefusalKind.LIMIT, None, 0)
    assert await used(pool, cid) == [(300, 3)]
    fen = use(f"{cid}-fen", day, None, 150)
    results = await flush(pool, *[drawing(payment(), taken(cid, day, 80, counters=[fen])) for _ in range(2)])
    assert results[1].refusal == Refusal(cid, RefusalKind.LIMIT, 70, None)


async def test_who_takes_no_money_is_not_held_up_by_a_limit_in_money_that_was_lowered(
    pool: asyncpg.Pool, cid: str, day: date
) -> None:
    await campaign(pool, cid)
    await grant(pool, cid, 10_000)
    fens = [(100, 100), (0, 50), (1, 50)]
    rows = [drawing(payment(), taken(cid, day, fen, counters=[use(cid, EVER, None, most)])) for fen, most in fens]
    assert [result.inserted for row in rows for result in await flush(pool, row)] == [True, True, False]


async def test_somebody_refused_leaves_no_counter_behind(pool: asyncpg.Pool, cid: str, day: date) -> None:
    await campaign(pool, cid)
    await grant(pool, cid, 10_000)
    counters = [use(f"{cid}-a", EVER, 5), use(f"{cid}-b", EVER, 0)]
    [result] = await flush(pool, drawing(payment(), taken(cid, day, 100, counters=counters)))
    assert result.refusal == Refusal(cid, RefusalKind.LIMIT, None, 0)
    assert not await pool.fetch("SELECT FROM campaign_uses WHERE campaign_id = $1", cid)


@pytest.mark.parametrize(
    "change",
    [
        "status = 'paused'",
        "status = 'ended'",
        "version = 2",
        "starts_at = now() + interval '1 minute'",
        "ends_at = now() - interval '1 second'",
        "budget = NULL",
    ],
)
async def test_nothing_is_taken_of_a_campaign_that_has_changed(
    pool: asyncpg.Pool, cid: str, day: date, change: str
) -> None:
    await campaign(pool, cid)
    await grant(pool, cid, 10_000)
    await pool.execute(f"UPDATE campaigns SET {change} WHERE id = $1", cid)
    [result] = await flush(pool, drawing(payment(), taken(cid, day)))
    assert result.refusal is not None
    assert (result.refusal.campaign_id, result.refusal.kind) == (cid, RefusalKind.CHANGED)
    assert await used(pool, cid) == [(0, 0)]


async def test_a_campaign_that_is_unknown_or_has_no_such_slice_or_another_day_gives_nothing(
    pool: asyncpg.Pool, cid: str, day: date
) -> None:
    await campaign(pool, cid)
    await grant(pool, cid, 10_000)
    await grant(pool, cid, 10_000, day=day - timedelta(days=1))
    rows = [
        drawing(payment(), taken(new_id("cmp"), day)),
        drawing(payment(), taken(cid, day, slice=1)),
        drawing(payment(), taken(cid, day - timedelta(days=1))),
        drawing(payment(), taken(cid, day + timedelta(days=1))),
        drawing(payment(), taken(cid, day)),
    ]
    kinds = [None if result.refusal is None else result.refusal.kind for result in await flush(pool, *rows)]
    assert kinds == [
        RefusalKind.CHANGED, RefusalKind.NO_SLICE, RefusalKind.OTHER_DAY, RefusalKind.OTHER_DAY, None,
    ]  # fmt: skip


async def test_a_campaign_without_a_budget_has_no_slices_and_touches_no_counter(
    pool: asyncpg.Pool, cid: str, day: date
) -> None:
    await campaign(pool, cid, budget=None)
    results = await flush(
        pool, drawing(payment(), taken(cid, day, slice=None)), drawing(payment(), taken(cid, day, slice=0))
    )
    assert results[0].inserted
    assert results[1].refusal is not None
    assert results[1].refusal.kind is RefusalKind.CHANGED
    assert await used(pool, cid) == []


async def test_a_coupon_is_redeemed_once_by_the_customer_who_holds_it(pool: asyncpg.Pool, cid: str, day: date) -> None:
    await campaign(pool, cid)
    await grant(pool, cid, 10_000)
    mine = await coupon(pool, new_id("cpn"), cid, b"me")
    old = await coupon(pool, new_id("cpn"), cid, b"me", expires_at=(await pool.fetchval("SELECT now()")))

    def by(who: bytes, coupon_id: str) -> IntentRow:
        return drawing(payment(), taken(cid, day, coupon_id=coupon_id), customer=who)

    rows = [by(b"you", mine), by(b"me", old), by(b"me", "cpn_none"), by(b"me", mine), by(b"me", mine)]
    results = await flush(pool, *rows)
    assert [result.inserted for result in results] == [False, False, False, True, False]
    assert {result.refusal.kind for result in results if result.refusal} == {RefusalKind.COUPON}
    assert await pool.fetchval("SELECT payment_id FROM coupons WHERE id = $1", mine) == rows[3].payment_id
    [result] = await flush(pool, by(b"me", mine))
    assert result.refusal is not None
    assert await used(pool, cid) == [(100, 1)]


async def test_two_who_redeem_one_coupon_at_once_are_not_both_admitted(pool: asyncpg.Pool, cid: str, day: date) -> None:
    """Though there is room for both, and nothing else is refused."""
    await campaign(pool, cid)
    await grant(pool, cid, 300)
    mine = await coupon(pool, new_id("cpn"), cid, b"me")
    rows = [drawing(payment(), taken(cid, day, 100, coupon_id=mine), customer=b"me") for _ in range(2)]
    assert [result.inserted for result in await flush(pool, *rows)] == [True, False]
    assert await used(pool, cid) == [(100, 1)]


async def test_a_coupon_that_a_neighbour_redeems_is_gone_before_the_slice_is_looked_at(
    pool: asyncpg.Pool, cid: str, day: date
) -> None:
    """One at a time, the second one would hear of its coupon first, too."""
    await campaign(pool, cid)
    await grant(pool, cid, 300)
    mine = await coupon(pool, new_id("cpn"), cid, b"me")
    rows = [drawing(payment(), taken(cid, day, fen, coupon_id=mine), customer=b"me") for fen in (1, 301)]
    results = await flush(pool, *rows)
    assert [result.refusal and result.refusal.kind for result in results] == [None, RefusalKind.COUPON]


async def test_the_same_batch_again_takes_nothing_twice(pool: asyncpg.Pool, cid: str, day: date) -> None:
    await campaign(pool, cid)
    await grant(pool, cid, 250)
    rows = [drawing(payment(), taken(cid, day, 100, counters=[use(cid, day, 9)])) for _ in range(2)]
    assert all(result.inserted for result in await flush(pool, *rows))
    before = await state(pool)
    for result in await flush(pool, *rows):
        assert (result.inserted, result.refusal) == (False, None)
    assert await state(pool) == before


@pytest.mark.parametrize("by", ["number", "key", "replaces"])
async def test_an_order_that_belongs_to_another_payment_takes_nothing(
    pool: asyncpg.Pool, cid: str, day: date, by: str
) -> None:
    await campaign(pool, cid)
    await grant(pool, cid, 10_000)
    merchant, earlier = new_id("mer"), payment()
    shared: dict[str, Any] = {
        "number": {"merchant_order_no": "o1"}, "key": {"idempotency_key": "k1"}, "replaces": {"replaces": earlier},
    }[by]  # fmt: skip
    first, second, third = [
        drawing(payment(), taken(cid, day, 100, counters=[use(cid, day, 9)]), merchant_id=merchant)._replace(**shared)
        for _ in range(3)
    ]
    results = await flush(pool, first, second)
    assert [(result.inserted, result.refusal) for result in results] == [(True, None), (False, None)]
    neighbour = drawing(payment(), taken(cid, day, 100))
    results = await flush(pool, third, neighbour)
    assert [(result.inserted, result.refusal) for result in results] == [(False, None), (True, None)]
    assert await used(pool, cid) == [(200, 2)]
    assert await pool.fetchval("SELECT used_count FROM campaign_uses WHERE campaign_id = $1", cid) == 1
