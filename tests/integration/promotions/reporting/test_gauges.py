"""Campaigns for Prometheus: the largest ones each, the others together, and never more than so many series."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from gateway.database.pool import open_pool
from gateway.kernel.ids import new_id
from promotions.offer import Reason
from promotions.reporting import gauges
from promotions.reporting.counting import Counting
from promotions.reporting.gauges import CAMPAIGNS_MAX, DETAILED_MAX, OTHERS, CampaignGauges
from tests.support.rows import settings


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await open_pool(settings(database_url))
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
async def nothing(pool: asyncpg.Pool) -> None:
    await pool.execute("TRUNCATE campaigns, campaign_versions, campaign_top_ups, campaign_pace, campaign_grants")
    await pool.execute("TRUNCATE campaign_slices, campaign_hours, redemptions, payments, recovery_tasks")


async def campaign(pool: asyncpg.Pool, used: int, *, status: str = "active", yesterday: int = 0) -> str:
    """A campaign of 10,000 fen that has given so much today."""
    campaign_id = new_id("cam")
    await pool.execute(
        "INSERT INTO campaigns (id, status, document, budget, timezone) VALUES ($1, $2, '{}', 10000, 'Asia/Shanghai')",
        campaign_id,
        status,
    )
    await pool.execute(
        "INSERT INTO campaign_slices (campaign_id, day, slice, granted, used)"
        " SELECT $1, (now() AT TIME ZONE 'Asia/Shanghai')::date - d.ago, 0, 5000, d.used"
        " FROM (VALUES (0, $2::bigint), (1, $3::bigint)) AS d (ago, used)",
        campaign_id,
        used,
        yesterday,
    )
    return campaign_id


async def samples(found: CampaignGauges) -> dict[tuple[str, ...], float]:
    """By name, campaign and reason."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in await found.metrics()
        for sample in metric.samples
    }


async def hold(pool: asyncpg.Pool, campaign_id: str, fen: int) -> None:
    """A payment that is not decided has taken so much."""
    payment_id = new_id("pay")
    await pool.execute(
        "INSERT INTO payments (id, merchant_id, merchant_order_no, status, amount, payable, currency, method,"
        " attempt_seq, request_fingerprint, risk_decision, risk_score, created_at, expires_at, promoted)"
        " VALUES ($1, 'mer_1', $1, 'processing', 2000, 2000 - $2::bigint, 'CNY', 'barcode', 1, '', 'approve', 0, now(),"
        " now(), true)",
        payment_id,
        fen,
    )
    await pool.execute(
        "INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)"
        " VALUES ($1, 'mer_1', 'resolve', now(), now())",
        payment_id,
    )
    await pool.execute(
        "INSERT INTO redemptions (payment_id, merchant_id, seq, campaign_id, campaign_version, name, day, slice,"
        " discount, funding, returns_budget, returns_limits, created_at)"
        " VALUES ($1, 'mer_1', 1, $2, 1, '', current_date, 0, $3, '[]', true, false, now())",
        payment_id,
        campaign_id,
        fen,
    )


async def test_a_campaign_shows_what_it_spent_holds_and_has_left(pool: asyncpg.Pool) -> None:
    campaign_id = await campaign(pool, 1_500, yesterday=4_000)
    await hold(pool, campaign_id, 500)
    counting = Counting()
    counting.count(campaign_id, Reason.BELOW_SPEND)
    counting.count(campaign_id, "considered")
    await counting.flush(pool)
    assert await samples(CampaignGauges(pool)) == {
        ("mashang_campaign_today_fen", campaign_id): 1_500,
        ("mashang_campaign_spent_fen", campaign_id): 5_000,
        ("mashang_campaign_held_fen", campaign_id): 500,
        ("mashang_campaign_budget_fen", campaign_id): 10_000,
        ("mashang_campaign_left_fen", campaign_id): 4_500,
        ("mashang_campaign_granted_left_fen", campaign_id): 3_500,
        ("mashang_campaign_paced_ratio", campaign_id): 1,
        ("mashang_campaign_refusals", campaign_id, "below_spend"): 1,
    }


async def test_the_largest_stand_alone_and_the_others_together(pool: asyncpg.Pool) -> None:
    counting = Counting()
    ids = [await campaign(pool, 100 + number) for number in range(CAMPAIGNS_MAX + 3)]
    for campaign_id in ids:
        for reason in Reason:
            counting.count(campaign_id, reason)
    await counting.flush(pool)
    await campaign(pool, 4_999, status="ended")
    found = await samples(CampaignGauges(pool))
    assert found["mashang_campaign_today_fen", OTHERS] == 100 + 101 + 102
    assert len({key[1] for key in found}) == CAMPAIGNS_MAX + 1
    assert len(found) <= CAMPAIGNS_MAX * 6 + DETAILED_MAX * (2 + len(Reason)) + 1
    detailed = {key[1] for key in found if key[0] == "mashang_campaign_refusals"}
    assert detailed == set(ids[: -DETAILED_MAX - 1 : -1])


async def test_the_rate_is_what_went_between_two_looks(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    moment: dict[str, Any] = {"now": 100.0}
    monkeypatch.setattr(gauges.time, "monotonic", lambda: moment["now"])
    campaign_id, found = await campaign(pool, 1_000), CampaignGauges(pool)
    assert ("mashang_campaign_fen_per_second", campaign_id) not in await samples(found)
    await pool.execute("UPDATE campaign_slices SET used = used + 300 WHERE used > 0")
    moment["now"] += 10
    assert (await samples(found))["mashang_campaign_fen_per_second", campaign_id] == 30
    await pool.execute("UPDATE campaign_slices SET used = used + 300 WHERE used > 0")
    moment["now"] += 1
    assert (await samples(found))["mashang_campaign_fen_per_second", campaign_id] == 30


async def test_without_campaigns_there_is_nothing_to_show(pool: asyncpg.Pool) -> None:
    assert await samples(CampaignGauges(pool)) == {}
