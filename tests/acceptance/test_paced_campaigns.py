"""A paced campaign at the running service: its day is granted along the curve, and only a share of customers has it."""

from __future__ import annotations

import asyncio
from collections import Counter

import asyncpg
import pytest

from promotions.pacing.controller import LEAD_S
from tests.support.gateway import GatewayStack
from tests.support.manager import Manager, manager
from tests.support.till import Till
from tests.support.waiting import eventually

__all__ = ["manager"]
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

PER_DAY = 864_000_000
SALE = {"amount": 2_599, "currency": "CNY", "wallet": "wechat"}


PART_OF_THE_DAY = """
SELECT
    extract(epoch FROM now() - activated_at)::float8 AS gone_s,
    86400 - extract(epoch FROM (activated_at AT TIME ZONE 'Asia/Shanghai')::time)::float8 AS whole_s
FROM campaigns WHERE id = $1
"""
"""A campaign that began today spends the day's budget from there to midnight."""


async def test_a_days_budget_is_granted_along_its_curve(manager: Manager, database: asyncpg.Connection) -> None:
    campaign_id = await manager.start(limits={"budget_per_day": PER_DAY}, pacing={"curve": "even"})

    async def granted() -> float:
        found = await database.fetchval(
            "SELECT coalesce(sum(granted), 0)::float8 FROM campaign_slices WHERE campaign_id = $1", campaign_id
        )
        return float(found) / PER_DAY

    async def follows() -> bool:
        day = await database.fetchrow(PART_OF_THE_DAY, campaign_id)
        due = min(1.0, (day["gone_s"] + LEAD_S) / day["whole_s"])
        return due - 0.001 <= await granted() <= due + 0.006

    await eventually(follows)


async def test_only_a_share_of_the_customers_has_it_and_a_quote_says_so(
    stack: GatewayStack, manager: Manager, till: Till, database: asyncpg.Connection
) -> None:
    campaign_id = await manager.start(limits={"budget_per_day": PER_DAY}, pacing={"curve": "even"})
    await eventually(lambda: known(database, campaign_id))
    await database.execute("UPDATE campaign_pace SET share = 0.3 WHERE campaign_id = $1", campaign_id)

    async def reasons() -> Counter[str]:
        answers = await asyncio.gather(
            *[till.client.post("/v1/quotes", json=SALE | {"customer": {"id": f"p-{number}"}}) for number in range(60)]
        )
        rows = [row for answer in answers for row in answer.json()["considered"] if row["campaign_id"] == campaign_id]
        return Counter(row["reason"] for row in rows)

    async def shared() -> bool:
        found = await reasons()
        return found["throttled"] > 15 and found["applied"] > 3

    await eventually(shared)


async def known(database: asyncpg.Connection, campaign_id: str) -> bool:
    """Whether the worker has looked at it."""
    return bool(await database.fetchval("SELECT true FROM campaign_pace WHERE campaign_id = $1", campaign_id))
