"""The worker's looks at paced campaigns: shares and grants follow the curve, whoever looks and how often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import orjson
import pytest

from gateway.kernel.ids import new_id
from promotions.pacing.book import PaceBook
from promotions.pacing.controller import GRANT_STEPS, LEAD_S, STEP_MAX
from promotions.pacing.keeping import look

ZONE = f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"
"""Where it is about noon just now."""
PER_DAY = 864_000


@dataclass
class Paced:
    """A campaign that began with the present day, and what the tests do to it."""

    pool: asyncpg.Pool
    id: str

    @classmethod
    async def begun(cls, pool: asyncpg.Pool, pacing: dict[str, Any] | None = None, **columns: Any) -> Paced:
        await pool.execute("TRUNCATE campaigns, campaign_versions, campaign_top_ups, campaign_pace, campaign_grants")
        await pool.execute("TRUNCATE campaign_slices")
        document = orjson.dumps({"name": "paced", "pacing": pacing or {"curve": "even"}}).decode()
        row = {"id": new_id("cam"), "status": "active", "document": document, "timezone": ZONE}
        row |= columns or {"budget_per_day": PER_DAY}
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await pool.execute(f"INSERT INTO campaigns ({', '.join(row)}) VALUES ({places})", *row.values())
        return cls(pool, row["id"])

    async def part_of_day(self) -> float:
        """How far the campaign's day has come."""
        moment = await self.pool.fetchval("SELECT now()")
        here = moment.astimezone(ZoneInfo(ZONE))
        return (here.hour * 3_600 + here.minute * 60 + here.second) / 86_400

    async def today(self) -> date:
        found: date = await self.pool.fetchval("SELECT (now() AT TIME ZONE $1)::date", ZONE)
        return found

    async def granted(self) -> int:
        """Of today."""
        found: int = await self.pool.fetchval(
            "SELECT coalesce(sum(granted), 0)::bigint FROM campaign_slices WHERE campaign_id = $1 AND day = $2",
            self.id,
            await self.today(),
        )
        return found

    async def spend(self, fen: int) -> None:
        await self.pool.execute("UPDATE campaign_slices SET used = used + $2 WHERE campaign_id = $1", self.id, fen)

    async def wait(self, seconds: float) -> None:
        """Let time pass since the last look."""
        await self.pool.execute("UPDATE campaign_pace SET updated_at = updated_at - make_interval(secs => $1)", seconds)

    async def share(self) -> float | None:
        found: float | None = await self.pool.fetchval(
            "SELECT share FROM campaign_pace WHERE campaign_id = $1", self.id
        )
        return found


async def test_the_grants_of_a_paced_day_follow_its_curve(pool: asyncpg.Pool) -> None:
    paced = await Paced.begun(pool)
    await look(pool)
    due = min(1.0, await paced.part_of_day() + LEAD_S / 86_400)
    assert due * PER_DAY - 1 <= await paced.granted() <= min(1.0, due + 1 / GRANT_STEPS) * PER_DAY + 100


async def test_what_is_ahead_of_its_curve_is_throttled_step_by_step(pool: asyncpg.Pool) -> None:
    shape = [1.0] * 24
    paced = await Paced.begun(pool, {"curve": "shape", "shape": shape})
    await look(pool)
    assert await paced.share() == 1.0
    await paced.spend(await paced.granted())
    shares = []
    for _ in range(3):
        await paced.wait(5)
        await look(pool)
        shares.append(await paced.share())
    assert shares == [pytest.approx(1 / STEP_MAX**step) for step in (1, 2, 3)]


async def test_a_look_right_after_another_workers_changes_nothing(pool: asyncpg.Pool) -> None:
    paced = await Paced.begun(pool)
    await look(pool)
    before = await pool.fetchrow("SELECT * FROM campaign_pace")
    await look(pool)
    assert await pool.fetchrow("SELECT * FROM campaign_pace") == before
    assert before["campaign_id"] == paced.id


async def test_a_total_with_an_end_is_spread_over_its_days(pool: asyncpg.Pool) -> None:
    now = await pool.fetchval("SELECT now()")
    midnight = (now.astimezone(ZoneInfo(ZONE)) + timedelta(days=10)).replace(hour=0, minute=0, second=0, microsecond=0)
    paced = await Paced.begun(pool, budget=10 * PER_DAY, ends_at=midnight)
    await look(pool)
    due = min(1.0, await paced.part_of_day() + LEAD_S / 86_400)
    assert due * PER_DAY - 1 <= await paced.granted() <= min(1.0, due + 1 / GRANT_STEPS) * PER_DAY + 100


async def test_a_number_is_paced_where_there_is_no_budget(pool: asyncpg.Pool) -> None:
    paced = await Paced.begun(pool, count_per_day=10_000)
    await look(pool)
    granted = await pool.fetchval("SELECT sum(granted_count) FROM campaign_slices WHERE campaign_id = $1", paced.id)
    due = min(1.0, await paced.part_of_day() + LEAD_S / 86_400)
    assert due * 10_000 - 2 <= granted <= min(1.0, due + 1 / GRANT_STEPS) * 10_000 + 2


async def test_whoever_is_no_longer_paced_has_all_of_its_day_and_lets_everybody_through(pool: asyncpg.Pool) -> None:
    paced, book = await Paced.begun(pool), PaceBook(pool)
    await look(pool)
    await pool.execute("UPDATE campaign_pace SET share = 0.25")
    await book.reload()
    assert book.shares == {paced.id: 0.25}
    await pool.execute("UPDATE campaigns SET document = '{}'")
    await look(pool)
    await book.reload()
    assert book.shares == {}
    assert await paced.granted() == PER_DAY


async def test_a_campaign_without_any_limit_has_nothing_to_pace(pool: asyncpg.Pool) -> None:
    paced = await Paced.begun(pool, slices=1)
    await look(pool)
    assert await paced.share() is None


async def test_a_new_day_begins_with_the_share_of_the_old_one_and_its_own_spend(pool: asyncpg.Pool) -> None:
    paced = await Paced.begun(pool)
    await look(pool)
    await pool.execute("UPDATE campaign_pace SET share = 0.5, day = day - 1, used = 700000")
    await paced.wait(5)
    await look(pool)
    row = await pool.fetchrow("SELECT share, day, used, spent FROM campaign_pace")
    assert (row["day"], row["used"], row["spent"]) == (await paced.today(), 0, 0.0)
    assert row["share"] >= 0.5
