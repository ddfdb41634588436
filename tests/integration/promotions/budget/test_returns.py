"""What refunds return of redemptions: by each campaign's own rules, to the slice and the counters that it came from."""

from __future__ import annotations

from datetime import date
from typing import Any

import asyncpg
import pytest

from gateway.database.intents import IntentResult, intent_batch
from gateway.database.outcomes import outcome_batch
from gateway.kernel.ids import new_id
from gateway.payments.states import Event
from promotions.facts import EVER
from tests.support.campaign_rows import campaign, coupon, drawing, grant, taken, today, use
from tests.support.rows import outcome


@pytest.fixture
async def day(pool: asyncpg.Pool) -> date:
    return await today(pool)


async def paid(pool: asyncpg.Pool, *redemptions: Any, **changes: Any) -> str:
    """A payment that was captured; its id."""
    row = drawing(new_id("pay"), *redemptions, **changes)
    [result] = await intent_batch(pool).flush([row])
    assert isinstance(result, IntentResult)
    assert result.inserted, result
    await outcome_batch(pool).flush([outcome(row, Event.CAPTURED)])
    return row.payment_id


async def refund(pool: asyncpg.Pool, payment_id: str, *fens: int, is_full: bool = False) -> list[tuple[Any, ...]]:
    """As the refund's transaction does it; what went back to which slice."""
    found = await pool.fetch(
        "SELECT campaign_id, fen, count FROM return_redemptions($1, $2, $3, $4)",
        payment_id, list(range(1, len(fens) + 1)), fens, is_full,
    )  # fmt: skip
    return [tuple(row) for row in found]


async def slice_of(pool: asyncpg.Pool, campaign_id: str) -> tuple[int, int]:
    row = await pool.fetchrow("SELECT used, used_count FROM campaign_slices WHERE campaign_id = $1", campaign_id)
    return tuple(row)


async def uses_of(pool: asyncpg.Pool, campaign_id: str) -> set[tuple[int, int]]:
    found = await pool.fetch("SELECT used_count, used FROM campaign_uses WHERE campaign_id = $1", campaign_id)
    return {tuple(row) for row in found}


async def test_partial_refunds_return_budget_and_the_last_one_the_limits(pool: asyncpg.Pool, day: date) -> None:
    generous, strict = new_id("cmp"), new_id("cmp")
    for cid in (generous, strict):
        await campaign(pool, cid)
        await grant(pool, cid, 1_000)
    payment_id = await paid(
        pool,
        taken(generous, day, 100, returns_limits=True, counters=[use(generous, EVER, 1), use(generous, day, 1)]),
        taken(strict, day, 60, returns_budget=False, counters=[use(strict, EVER, 1)]),
    )
    assert await refund(pool, payment_id, 30, 20) == [(generous, 30, 0)]
    assert (await slice_of(pool, generous), await slice_of(pool, strict)) == ((70, 1), (60, 1))
    assert await refund(pool, payment_id, 70, 40, is_full=True) == [(generous, 70, 1)]
    assert (await slice_of(pool, generous), await slice_of(pool, strict)) == ((0, 0), (60, 1))
    assert (await uses_of(pool, generous), await uses_of(pool, strict)) == ({(0, 0)}, {(1, 60)})


@pytest.mark.parametrize(
    ("terms", "free_after"),
    [
        ("{}", {"refund": True, "cancel": True, "failure": True}),
        (
            '{"coupon": {"returns_on_refund": false, "returns_on_cancel": false}}',
            {"refund": False, "cancel": False, "failure": True},
        ),
    ],
)
async def test_a_coupon_goes_back_by_the_rule_of_the_version_that_it_was_redeemed_under(
    pool: asyncpg.Pool, day: date, terms: str, free_after: dict[str, bool]
) -> None:
    """One whose payment failed always does."""
    cid = await campaign(pool, new_id("cmp"))
    await pool.execute("INSERT INTO campaign_versions (campaign_id, version, document) VALUES ($1, 1, $2)", cid, terms)
    await grant(pool, cid, 1_000)
    for how, is_free in free_after.items():
        mine = await coupon(pool, new_id("cpn"), cid, b"me")
        row = drawing(new_id("pay"), taken(cid, day, 100, coupon_id=mine), customer=b"me")
        await intent_batch(pool).flush([row])
        if how != "failure":
            await outcome_batch(pool).flush([outcome(row, Event.CAPTURED)])
        if how == "refund":
            await refund(pool, row.payment_id, 50)
            assert await pool.fetchval("SELECT payment_id FROM coupons WHERE id = $1", mine) == row.payment_id
            await refund(pool, row.payment_id, 50, is_full=True)
        else:
            await outcome_batch(pool).flush([outcome(row, Event.REVERSED)])
        assert await pool.fetchval("SELECT payment_id IS NULL FROM coupons WHERE id = $1", mine) is is_free, how


async def test_what_is_returned_after_the_campaigns_end_lowers_what_was_used(pool: asyncpg.Pool, day: date) -> None:
    cid = await campaign(pool, new_id("cmp"))
    await grant(pool, cid, 1_000)
    payment_id = await paid(pool, taken(cid, day, 100))
    await pool.execute("UPDATE campaigns SET status = 'ended' WHERE id = $1", cid)
    assert await refund(pool, payment_id, 100, is_full=True) == [(cid, 100, 0)]
    assert await slice_of(pool, cid) == (0, 1)


async def test_a_payment_without_redemptions_returns_nothing(pool: asyncpg.Pool) -> None:
    assert await refund(pool, await paid(pool), is_full=True) == []


async def test_a_campaign_without_slices_gets_its_counters_back(pool: asyncpg.Pool, day: date) -> None:
    cid = await campaign(pool, new_id("cmp"), budget=None)
    payment_id = await paid(pool, taken(cid, day, 100, slice=None, returns_limits=True, counters=[use(cid, EVER, 1)]))
    assert await refund(pool, payment_id, 100, is_full=True) == []
    assert await uses_of(pool, cid) == {(0, 0)}
