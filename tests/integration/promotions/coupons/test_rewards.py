"""Rewards follow their payment: issued once it stands, void once it does not, whatever the order of things."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import asyncpg
import orjson
import pytest

from gateway.database.intents import intent_batch
from gateway.kernel.ids import new_id
from promotions.campaigns.campaign import CouponTerms, Status
from promotions.coupons.campaigns import CouponCampaign
from promotions.coupons.rewards import Rewarded, reward
from tests.support.coupons import campaign, document, save
from tests.support.rows import intent

_NUMBERS = itertools.count(1)


async def _film(pool: asyncpg.Pool, terms: CouponTerms | None = None) -> CouponCampaign:
    return await save(pool, campaign(new_id("cam"), terms or CouponTerms(claimable=False)))


async def _dinner(pool: asyncpg.Pool, film: CouponCampaign, count: int = 2) -> str:
    """The campaign that rewards; its id."""
    benefit = {"type": "coupon", "campaign": film.id, "count": count}
    dinner_id = new_id("cam")
    written = {**document(film, benefit), "coupon": None, "funding": []}
    await pool.execute(
        "INSERT INTO campaigns (id, status, document, timezone) VALUES ($1, 'active', $2, 'Asia/Shanghai')",
        dinner_id,
        orjson.dumps(written).decode(),
    )
    await pool.execute(
        "INSERT INTO campaign_versions (campaign_id, version, document) SELECT id, version, document FROM campaigns"
        " WHERE id = $1",
        dinner_id,
    )
    return dinner_id


async def _payment(pool: asyncpg.Pool, *dinners: str, returns_budget: bool = True, **columns: Any) -> str:
    """A payment that took of these campaigns and stands as the columns say; succeeded without them."""
    payment_id = new_id("pay")
    [result] = await intent_batch(pool).flush([intent(payment_id, order_no=f"R-{next(_NUMBERS)}")])
    assert not isinstance(result, Exception), result
    await _change(pool, payment_id, **{"status": "succeeded", "customer": b"customer", **columns})
    for seq, dinner in enumerate(dinners, start=1):
        await pool.execute(
            "INSERT INTO redemptions (payment_id, merchant_id, seq, campaign_id, campaign_version, name, day, discount,"
            " funding, rewards, returns_budget, returns_limits, created_at)"
            " VALUES ($1, 'mer_1', $2, $3, 1, '餐后观影', now()::date, 0, '[]', true, $4, false, now())",
            payment_id,
            seq,
            dinner,
            returns_budget,
        )
    return payment_id


async def _change(pool: asyncpg.Pool, payment_id: str, **columns: Any) -> None:
    for name, value in columns.items():
        await pool.execute(f"UPDATE payments SET {name} = $2 WHERE id = $1", payment_id, value)


async def _reward(pool: asyncpg.Pool, payment_id: str) -> Rewarded:
    async with pool.acquire() as connection, connection.transaction():
        return await reward(connection, payment_id, "mer_1")


@pytest.fixture(scope="module", autouse=True)
async def merchant(pool: asyncpg.Pool) -> None:
    await pool.execute("INSERT INTO merchants (id, name, webhook_secret_sealed) VALUES ('mer_1', 'shop', '')")


async def test_a_payment_earns_of_each_of_its_campaigns_and_once(pool: asyncpg.Pool) -> None:
    film = await _film(pool)
    payment_id = await _payment(pool, await _dinner(pool, film, 2), await _dinner(pool, film, 3))
    assert len((await _reward(pool, payment_id)).issued) == 5
    again = await _reward(pool, payment_id)
    assert (again.issued, again.voided, again.missing) == ([], [], 0)
    assert await pool.fetchval("SELECT count(*) FROM coupons WHERE earned_by = $1", payment_id) == 5


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "reversed"},
        {"status": "failed"},
        {"status": "closed"},
        {"refund_held": 2599, "amount_refunded": 2599},
        {"status": "processing"},
        {"customer": None},
    ],
)
async def test_a_payment_that_does_not_stand_earns_nothing(pool: asyncpg.Pool, columns: dict[str, Any]) -> None:
    payment_id = await _payment(pool, await _dinner(pool, await _film(pool)), **columns)
    done = await _reward(pool, payment_id)
    assert (done.issued, done.missing) == ([], 0)
    assert await pool.fetchval("SELECT count(*) FROM coupons WHERE earned_by = $1", payment_id) == 0


async def test_what_was_issued_is_void_once_the_payment_is_reversed(pool: asyncpg.Pool) -> None:
    payment_id = await _payment(pool, await _dinner(pool, await _film(pool)))
    issued = (await _reward(pool, payment_id)).issued
    await _change(pool, payment_id, status="reversed")
    assert sorted((await _reward(pool, payment_id)).voided) == sorted(issued)
    assert (await _reward(pool, payment_id)).voided == []


async def test_a_campaign_that_keeps_its_budget_leaves_the_reward_after_a_refund(pool: asyncpg.Pool) -> None:
    payment_id = await _payment(pool, await _dinner(pool, await _film(pool)), returns_budget=False)
    await _reward(pool, payment_id)
    await _change(pool, payment_id, refund_held=2599, amount_refunded=2599)
    assert (await _reward(pool, payment_id)).voided == []


async def test_an_edited_campaign_gives_what_it_gives_now(pool: asyncpg.Pool) -> None:
    film = await _film(pool)
    payment_id = await _payment(pool, await _dinner(pool, film, 3))
    await save(pool, replace(film, terms=CouponTerms(claimable=False, stock=2)))
    done = await _reward(pool, payment_id)
    assert (len(done.issued), done.missing) == (2, 1)


@pytest.mark.parametrize(("status", "issued"), [(Status.PAUSED, 2), (Status.ENDED, 0), (Status.DRAFT, 0)])
async def test_a_pause_keeps_the_promise_and_an_end_does_not(pool: asyncpg.Pool, status: Status, issued: int) -> None:
    film = await save(pool, replace(await _film(pool), status=status))
    done = await _reward(pool, await _payment(pool, await _dinner(pool, film)))
    assert (len(done.issued), done.missing) == (issued, 2 - issued)
