"""Grants: the sum of what is granted stays within the budget, whoever grants, paces, tops up, gathers or takes."""

from __future__ import annotations

import asyncio
import random
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from gateway.database.intents import IntentResult, intent_batch
from gateway.database.redemptions import RefusalKind
from gateway.kernel.ids import new_id
from promotions.budget import grants
from promotions.budget.gathering import Free, gather
from promotions.budget.grants import BelowSpent
from promotions.budget.loading import rooms_of
from promotions.facts import EVER
from tests.support.campaign_rows import campaign, drawing, grant, taken, today


@pytest.fixture
async def day(pool: asyncpg.Pool) -> date:
    return await today(pool)


async def granted(pool: asyncpg.Pool, campaign_id: str, of_day: date | None = None) -> list[tuple[int | None, int]]:
    """(granted, used) slice by slice."""
    found = await pool.fetch(
        "SELECT granted, used FROM campaign_slices WHERE campaign_id = $1 AND ($2::date IS NULL OR day = $2)"
        " ORDER BY day, slice",
        campaign_id, of_day,
    )  # fmt: skip
    return [tuple(row) for row in found]


async def counts(pool: asyncpg.Pool, campaign_id: str) -> list[tuple[int | None, int]]:
    """(granted, used) in redemptions."""
    found = await pool.fetch(
        "SELECT granted_count, used_count FROM campaign_slices WHERE campaign_id = $1 ORDER BY day, slice", campaign_id
    )
    return [tuple(row) for row in found]


async def take(pool: asyncpg.Pool, campaign_id: str, day: date, *fens: int, slice_: int = 0) -> list[IntentResult]:
    """What became of payments that take so much."""
    rows = [drawing(new_id("pay"), taken(campaign_id, day, fen, slice=slice_)) for fen in fens]
    found = await intent_batch(pool).flush(rows)
    assert all(isinstance(result, IntentResult) for result in found), found
    return found  # type: ignore[return-value]


async def test_the_first_who_needs_a_day_grants_it_evenly_and_once(pool: asyncpg.Pool, day: date) -> None:
    cid = await campaign(pool, new_id("cmp"), budget=1_000, budget_per_day=101, count=10, slices=4)
    assert await asyncio.gather(*(grants.ensure_day(pool, cid, day) for _ in range(5))) == [True] * 5
    assert await granted(pool, cid) == [(26, 0), (25, 0), (25, 0), (25, 0)]
    assert await counts(pool, cid) == [(3, 0), (3, 0), (2, 0), (2, 0)]


@pytest.mark.parametrize(
    ("columns", "fen", "count"),
    [
        ({"budget": 1_000}, 1_000, None),
        ({"budget": 1_000, "budget_per_day": 5_000}, 1_000, None),
        ({"budget": None, "budget_per_day": 500}, 500, None),
        ({"budget": None, "count": 7, "count_per_day": 3}, None, 3),
        ({"budget": 0}, 0, None),
    ],
)
async def test_a_day_gets_what_its_campaign_allows(
    pool: asyncpg.Pool, day: date, columns: dict[str, Any], fen: int | None, count: int | None
) -> None:
    cid = await campaign(pool, new_id("cmp"), **columns)
    assert await grants.ensure_day(pool, cid, day)
    assert [(room.fen, room.count) for room in await rooms_of(pool, cid, day)] == [(fen, count)]


@pytest.mark.parametrize("columns", [{"budget": None}, {"status": "draft"}, {"status": "ended"}])
async def test_nothing_is_granted_without_limits_or_out_of_its_life(
    pool: asyncpg.Pool, day: date, columns: dict[str, Any]
) -> None:
    cid = await campaign(pool, new_id("cmp"), **columns)
    assert not await grants.ensure_day(pool, cid, day)
    assert await granted(pool, cid) == []


async def test_only_the_present_day_is_granted(pool: asyncpg.Pool, day: date) -> None:
    cid = await campaign(pool, new_id("cmp"))
    assert not await grants.ensure_day(pool, cid, day + timedelta(days=1))
    assert not await grants.ensure_day(pool, cid, day - timedelta(days=1))
    assert await granted(pool, cid, day + timedelta(days=1)) == []


async def test_what_past_days_left_over_comes_back(pool: asyncpg.Pool, day: date) -> None:
    cid = await campaign(pool, new_id("cmp"), budget=1_000)
    yesterday = day - timedelta(days=1)
    await grant(pool, cid, 600, 400, counts=[None, None], day=yesterday)
    await pool.execute("UPDATE campaign_slices SET used = 150 WHERE campaign_id = $1 AND slice = 1", cid)
    assert cid in await grants.reclaim(pool)
    assert await granted(pool, cid, yesterday) == [(0, 0), (150, 150)]
    assert await granted(pool, cid, day) == [(850, 0)]
    assert cid not in await grants.reclaim(pool)


async def test_a_payment_that_gives_back_yesterdays_money_makes_it_todays(pool: asyncpg.Pool, day: date) -> None:
    cid = await campaign(pool, new_id("cmp"), budget=1_000)
    await grants.ensure_day(pool, cid, day)
    [result] = await take(pool, cid, day, 300)
    assert result.inserted
    await pool.execute("UPDATE redemptions SET day = $2 WHERE campaign_id = $1", cid, day - timedelta(days=1))
    await pool.execute(
        "UPDATE campaign_slices SET day = $2, granted = used WHERE campaign_id = $1", cid, day - timedelta(days=1)
    )
    await grants.ensure_day(pool, cid, day)
    assert await granted(pool, cid) == [(300, 300), (700, 0)]
    payment_id = await pool.fetchval("SELECT payment_id FROM redemptions WHERE campaign_id = $1", cid)
    await pool.fetch("SELECT * FROM give_back_redemptions($1)", [payment_id])
    await grants.reclaim(pool)
    assert await granted(pool, cid) == [(0, 0), (1_000, 0)]


async def test_a_top_up_reaches_todays_slices_at_once_and_touches_nothing_held(pool: asyncpg.Pool, day: date) -> None:
    cid = await campaign(pool, new_id("cmp"), budget=100, slices=2)
    await grants.ensure_day(pool, cid, day)
    await take(pool, cid, day, 50)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE campaigns SET budget = 301 WHERE id = $1", cid)
        await grants.regrant(connection, cid)
    assert await granted(pool, cid) == [(151, 50), (150, 0)]


async def test_a_lowered_budget_takes_back_what_is_left_and_never_what_is_used(pool: asyncpg.Pool, day: date) -> None:
    cid = await campaign(pool, new_id("cmp"), budget=1_000, slices=2)
    await grants.ensure_day(pool, cid, day)
    await take(pool, cid, day, 400)

    async def lower(budget: int) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("UPDATE campaigns SET budget = $2 WHERE id = $1", cid, budget)
            await grants.regrant(connection, cid)

    await lower(600)
    assert await granted(pool, cid) == [(500, 400), (100, 0)]
    await lower(400)
    assert await granted(pool, cid) == [(400, 400), (0, 0)]
    with pytest.raises(BelowSpent) as caught:
        await lower(399)
    assert (caught.value.fen, caught.value.count) == (400, 1)
    assert await pool.fetchval("SELECT budget FROM campaigns WHERE id = $1", cid) == 400


async def test_the_grant_follows_the_pace_up_and_down(pool: asyncpg.Pool, day: date) -> None:
    cid = await campaign(pool, new_id("cmp"), budget=10_000, budget_per_day=1_000, document='{"pacing": {}}')
    await grants.ensure_day(pool, cid, day)
    assert await granted(pool, cid) == [(41, 0)]
    assert await grants.pace_to(pool, cid, day, 0.5)
    assert await granted(pool, cid) == [(500, 0)]
    await take(pool, cid, day, 300)
    await grants.ensure_day(pool, cid, day)
    assert await grants.pace_to(pool, cid, day, 0.25)
    assert await granted(pool, cid) == [(300, 300)]
    assert not await grants.pace_to(pool, cid, day - timedelta(days=1), 1.0)
    assert await granted(pool, cid) == [(300, 300)]
    assert await gathered(pool, cid, day, 1) is None
    assert await grants.pace_to(pool, cid, day, 1.0)
    assert await granted(pool, cid) == [(1_000, 300)]


async def test_leftovers_of_the_slices_are_gathered_until_the_last_fen_is_spent(pool: asyncpg.Pool, day: date) -> None:
    cid = await campaign(pool, new_id("cmp"), budget=1_000, slices=8)
    await grants.ensure_day(pool, cid, day)
    chance, spent = random.Random(7), 0
    for _ in range(400):
        fen = chance.randint(1, 90)
        [result] = await take(pool, cid, day, fen, slice_=chance.randrange(8))
        if result.inserted:
            spent += fen
            continue
        found = await gathered(pool, cid, day, fen)
        assert (found is not None) is (1_000 - spent >= fen)
        if found is not None:
            [result] = await take(pool, cid, day, fen, slice_=found)
            assert result.inserted
            spent += fen
    assert spent == 1_000
    assert await gathered(pool, cid, day, 1) is None


async def test_counters_of_days_long_past_are_forgotten_and_those_for_ever_are_not(
    pool: asyncpg.Pool, day: date
) -> None:
    cid = await campaign(pool, new_id("cmp"))
    for old in (EVER, day, day - timedelta(days=39), day - timedelta(days=42)):
        await pool.execute(
            "INSERT INTO campaign_uses (key, campaign_id, scope, day, used_count) VALUES ('k', $1, 'customer', $2, 1)",
            cid, old,
        )  # fmt: skip
    await grants.forget_uses(pool)
    kept = await pool.fetch("SELECT day FROM campaign_uses WHERE campaign_id = $1 ORDER BY day", cid)
    assert [row["day"] for row in kept] == [EVER, day - timedelta(days=39), day]


async def test_whoever_began_before_midnight_and_waits_over_it_is_refused(pool: asyncpg.Pool) -> None:
    """The intent holds on to yesterday; when it gets the slice, its leftover is the new day's."""
    cid = await campaign(pool, new_id("cmp"), budget=1_000, timezone=await midnight_soon(pool))
    day = await today(pool, await zone(pool, cid))
    assert await grants.ensure_day(pool, cid, day)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT FROM campaign_slices WHERE campaign_id = $1 FOR UPDATE", cid)
        taking = asyncio.create_task(take(pool, cid, day, 100))
        await connection.execute("SELECT pg_sleep_until(date_trunc('second', now()) + interval '1.01 seconds')")
        assert await today(pool, await zone(pool, cid)) > day
        assert await connection.fetchval("SELECT grant_day($1, NULL, NULL)", cid) == day + timedelta(days=1)
        await transaction.commit()
        [result] = await taking
    assert result.refusal is not None
    assert result.refusal.kind is RefusalKind.EXHAUSTED
    assert await granted(pool, cid) == [(0, 0), (1_000, 0)]
    [late] = await take(pool, cid, day, 100)
    assert late.refusal is not None
    assert late.refusal.kind is RefusalKind.OTHER_DAY


async def test_a_day_that_changes_under_load_is_never_overspent(pool: asyncpg.Pool) -> None:
    cid = await campaign(pool, new_id("cmp"), budget=3_000, slices=2, timezone=await midnight_soon(pool, 2))
    first = await today(pool, await zone(pool, cid))
    second = first + timedelta(days=1)
    admitted: list[int] = []
    seen: set[RefusalKind] = set()
    granted_late: set[date] = set()

    async def pay(number: int) -> None:
        chance = random.Random(number)
        while second not in granted_late or RefusalKind.EXHAUSTED not in seen:
            day = await today(pool, await zone(pool, cid))
            fens = [chance.randint(1, 9) for _ in range(3)]
            for fen, result in zip(fens, await take(pool, cid, day, *fens, slice_=chance.randrange(2)), strict=True):
                if result.inserted:
                    admitted.append(fen)
                elif result.refusal is not None:
                    seen.add(result.refusal.kind)
                    if result.refusal.kind is RefusalKind.NO_SLICE:
                        await grants.ensure_day(pool, cid, day)
                        granted_late.add(day)

    await asyncio.gather(*(pay(number) for number in range(4)))
    rows = await pool.fetch("SELECT day, granted, used FROM campaign_slices WHERE campaign_id = $1", cid)
    assert {row["day"] for row in rows} == {first, second}
    assert sum(row["granted"] for row in rows) <= 3_000
    assert sum(row["used"] for row in rows) == sum(admitted)


async def test_whatever_many_do_at_once_no_more_is_granted_than_there_is(pool: asyncpg.Pool, day: date) -> None:
    cid = await campaign(pool, new_id("cmp"), budget=5_000, budget_per_day=3_000, slices=4)
    await grants.ensure_day(pool, cid, day)
    over: list[Any] = []

    async def watch(done: asyncio.Event) -> None:
        while not done.is_set():
            over.extend(
                await pool.fetch(
                    "SELECT c.budget, sum(s.granted) FROM campaigns c JOIN campaign_slices s ON s.campaign_id = c.id"
                    " WHERE c.id = $1 GROUP BY c.id HAVING sum(s.granted) > least(c.budget, c.budget_per_day)",
                    cid,
                )
            )

    async def act(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(25):
            match chance.randrange(5):
                case 0:
                    await grants.ensure_day(pool, cid, day)
                case 1:
                    await gathered(pool, cid, day, chance.randint(1, 400))
                case 2:
                    await grants.pace_to(pool, cid, day, chance.choice([0.3, 0.7, 1.0]))
                case 3:
                    await take(pool, cid, day, *[chance.randint(1, 40) for _ in range(4)], slice_=chance.randrange(4))
                case _:
                    await change_budget(pool, cid, chance.randint(1_000, 6_000))

    done = asyncio.Event()
    watching = asyncio.create_task(watch(done))
    await asyncio.gather(*(act(seed) for seed in range(4)))
    done.set()
    await watching
    assert over == []
    row = await pool.fetchrow(
        "SELECT (SELECT sum(used) FROM campaign_slices WHERE campaign_id = $1) AS used,"
        " (SELECT sum(discount) FROM redemptions WHERE campaign_id = $1) AS taken",
        cid,
    )
    assert row["used"] == row["taken"] > 0


async def gathered(pool: asyncpg.Pool, campaign_id: str, day: date, fen: int) -> int | None:
    """The slice into which everything that is left was moved."""
    return await gather(pool, [Free(room) for room in await rooms_of(pool, campaign_id, day)], fen)


async def change_budget(pool: asyncpg.Pool, campaign_id: str, budget: int) -> None:
    """As the manager does it: what is spent is the least."""
    async with pool.acquire() as connection:
        try:
            async with connection.transaction():
                await connection.execute("UPDATE campaigns SET budget = $2 WHERE id = $1", campaign_id, budget)
                await grants.regrant(connection, campaign_id)
        except BelowSpent:
            return


async def zone(pool: asyncpg.Pool, campaign_id: str) -> str:
    found: str = await pool.fetchval("SELECT timezone FROM campaigns WHERE id = $1", campaign_id)
    return found


async def midnight_soon(pool: asyncpg.Pool, seconds: int = 1) -> str:
    """A time zone (in POSIX notation: how far it is west of UTC) in which it is midnight in so many seconds."""
    await pool.execute("SELECT pg_sleep_until(date_trunc('second', now()) + interval '1.01 seconds')")
    west = (await pool.fetchval("SELECT extract(epoch FROM now())::bigint") + seconds) % 86_400
    if west > 43_200:
        west -= 86_400
    sign, west = ("-" if west < 0 else ""), abs(west)
    return f"<X>{sign}{west // 3600}:{west // 60 % 60:02}:{west % 60:02}"
