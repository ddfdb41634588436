"""Many take of the same campaigns at once: no deadlock, no fen too much, nobody more than his share."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import asyncpg
import pytest

from gateway.database.intents import IntentResult, IntentRow, intent_batch
from gateway.database.outcomes import outcome_batch
from gateway.database.redemptions import RedemptionRow, RefusalKind, UseRow
from gateway.kernel.ids import new_id
from gateway.payments.states import Event
from promotions.budget import grants
from promotions.budget.gathering import Free, gather
from promotions.budget.loading import rooms_of
from promotions.facts import EVER
from tests.support.campaign_rows import campaign, drawing, grant, taken, today, use
from tests.support.rows import outcome


class Counting:
    """A pool that counts what went wrong."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.errors: Counter[str] = Counter()

    async def fetch(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        try:
            return await self._pool.fetch(statement, *arguments)
        except asyncpg.PostgresError as error:
            self.errors[type(error).__name__] += 1
            raise


@pytest.fixture
async def day(pool: asyncpg.Pool) -> date:
    return await today(pool)


async def of_campaign(pool: asyncpg.Pool, campaign_id: str) -> dict[str, Any]:
    """What the slices have used, and what the redemptions of payments that stand took."""
    row = await pool.fetchrow(
        "SELECT sum(used)::bigint AS used, sum(used_count)::bigint AS used_count, sum(granted)::bigint AS granted,"
        " (SELECT coalesce(sum(discount), 0)::bigint FROM redemptions r JOIN payments p ON p.id = r.payment_id"
        "  WHERE r.campaign_id = $1 AND p.status <> 'failed') AS taken,"
        " (SELECT count(*) FROM redemptions r JOIN payments p ON p.id = r.payment_id"
        "  WHERE r.campaign_id = $1 AND p.status <> 'failed') AS taken_count"
        " FROM campaign_slices WHERE campaign_id = $1",
        campaign_id,
    )
    return dict(row)


async def test_one_slice_with_overlapping_customers_is_spent_exactly_and_nobody_waits_in_a_circle(
    pool: asyncpg.Pool, day: date
) -> None:
    cids = [await campaign(pool, new_id("cmp")) for _ in range(3)]
    for cid in cids:
        await grant(pool, cid, 4_000)
    counting = Counting(pool)
    admitted: list[IntentRow] = []
    refused: list[tuple[IntentRow, Any]] = []

    async def shop(seed: int) -> None:
        chance, batch = random.Random(seed), intent_batch(counting)  # type: ignore[arg-type]
        for _ in range(12):
            rows = [drawing(new_id("pay"), *some_of(chance)) for _ in range(12)]
            for row, result in zip(rows, await batch.flush(rows), strict=True):
                assert isinstance(result, IntentResult), result
                (admitted if result.inserted else refused).append(row if result.inserted else (row, result.refusal))  # type: ignore[arg-type]

    def some_of(chance: random.Random) -> list[RedemptionRow]:
        """Of one to three campaigns in any order, counted with two customers in any order."""
        cids_drawn = chance.sample(cids, chance.randint(1, 3))
        return [taken(cid, day, chance.randint(1, 60), counters=counters_of(chance, cid, day)) for cid in cids_drawn]

    await asyncio.gather(*(shop(seed) for seed in range(6)))
    assert counting.errors == Counter()
    for cid in cids:
        found = await of_campaign(pool, cid)
        assert found["used"] == found["taken"] <= 4_000
        assert found["used_count"] == found["taken_count"]
        room = 4_000 - found["used"]
        for row, refusal in refused:
            if refusal.kind is RefusalKind.EXHAUSTED and refusal.campaign_id == cid:
                assert next(part.discount for part in row.redemptions if part.campaign_id == cid) > room
        assert await highest_use(pool, cid, admitted) == 8
    assert {refusal.kind for _, refusal in refused} == {RefusalKind.EXHAUSTED, RefusalKind.LIMIT}


async def test_counters_that_many_raise_and_put_back_in_any_order_are_exact_where_no_slice_is_waited_for_before(
    pool: asyncpg.Pool, day: date
) -> None:
    cid = await campaign(pool, new_id("cmp"), budget=None)
    counting = Counting(pool)
    admitted: list[IntentRow] = []

    async def shop(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(12):
            rows = [
                drawing(new_id("pay"), taken(cid, day, 10, counters=counters_of(chance, cid, day), slice=None))
                for _ in range(12)
            ]
            results = await intent_batch(counting).flush(rows)  # type: ignore[arg-type]
            written = [row for row, result in zip(rows, results, strict=True) if result.inserted]  # type: ignore[union-attr]
            if failed := written[::3]:
                await outcome_batch(counting).flush([outcome(row, Event.DECLINED) for row in failed])  # type: ignore[arg-type]
            admitted.extend(row for row in written if row not in failed)

    await asyncio.gather(*(shop(seed) for seed in range(6)))
    assert counting.errors == Counter()
    assert await highest_use(pool, cid, admitted) in {7, 8}


def counters_of(chance: random.Random, cid: str, day: date) -> list[UseRow]:
    """Of one of 25 customers ever, and of one on the day; one of them comes so often that he meets his limit."""
    customers = [0 if chance.random() < 1 / 6 else chance.randrange(25) for _ in range(2)]
    counters = [use(f"{cid}-{customers[0]}", EVER, 8), use(f"{cid}-{customers[1]}", day, 6)]
    chance.shuffle(counters)
    return counters


async def highest_use(pool: asyncpg.Pool, cid: str, admitted: Sequence[IntentRow]) -> int:
    """How often the campaign's most frequent customer took; all of its counters are what was admitted."""
    expected: Counter[Any] = Counter()
    for part in [part for row in admitted for part in row.redemptions if part.campaign_id == cid]:
        for counter in part.counters:
            expected[counter.key, counter.day, "count"] += 1
            expected[counter.key, counter.day, "fen"] += part.discount
    counted = await pool.fetch("SELECT key, day, used_count, used FROM campaign_uses WHERE campaign_id = $1", cid)
    found = {
        (row["key"], row["day"], what): row[column]
        for row in counted
        for what, column in (("count", "used_count"), ("fen", "used"))
    }
    assert Counter(found) == expected
    return max(row["used_count"] for row in counted)


async def test_taking_giving_back_and_granting_at_once_never_deadlock_and_add_up(pool: asyncpg.Pool, day: date) -> None:
    cids = [await campaign(pool, new_id("cmp"), budget=4_000, slices=2) for _ in range(2)]
    counting = Counting(pool)
    for cid in cids:
        await grants.ensure_day(pool, cid, day)

    async def shop(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(15):
            rows = [
                drawing(
                    new_id("pay"),
                    *(
                        taken(
                            cid,
                            day,
                            chance.randint(1, 80),
                            slice=chance.randrange(2),
                            counters=[use(f"k{seed % 2}", day)],
                        )
                        for cid in chance.sample(cids, 2)
                    ),
                )
                for _ in range(6)
            ]
            results = await intent_batch(counting).flush(rows)  # type: ignore[arg-type]
            written = [row for row, result in zip(rows, results, strict=True) if result.inserted]  # type: ignore[union-attr]
            failed = chance.sample(written, len(written) // 2)
            if failed:
                await outcome_batch(counting).flush([outcome(row, Event.DECLINED) for row in failed])  # type: ignore[arg-type]

    async def regrant(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(30):
            cid = chance.choice(cids)
            await grants.ensure_day(pool, cid, day)
            await gather(pool, [Free(room) for room in await rooms_of(pool, cid, day)], chance.randint(1, 500))

    await asyncio.gather(*(shop(seed) for seed in range(4)), regrant(9))
    assert counting.errors == Counter()
    for cid in cids:
        found = await of_campaign(pool, cid)
        assert found["used"] == found["taken"]
        assert found["used_count"] == found["taken_count"] > 0
        assert found["granted"] <= 4_000
        uses = await pool.fetchrow(
            "SELECT sum(used_count) AS n, sum(used) AS fen FROM campaign_uses WHERE campaign_id = $1", cid
        )
        assert tuple(uses) == (found["taken_count"], found["taken"])


async def test_the_same_order_fifty_times_takes_once(pool: asyncpg.Pool, day: date) -> None:
    cid = await campaign(pool, new_id("cmp"))
    await grant(pool, cid, 10_000)
    merchant = new_id("mer")
    redemption = taken(cid, day, 100, counters=[use(cid, day, 50)])
    rows = [drawing(new_id("pay"), redemption, merchant_id=merchant, merchant_order_no="o") for _ in range(50)]
    parts = [rows[first : first + 5] for first in range(0, 50, 5)]
    results = [
        result
        for found in await asyncio.gather(*(intent_batch(pool).flush(part) for part in parts))
        for result in found
    ]
    assert [result.inserted for result in results].count(True) == 1  # type: ignore[union-attr]
    assert {result.refusal for result in results} == {None}  # type: ignore[union-attr]
    found = await of_campaign(pool, cid)
    assert (found["used"], found["used_count"], found["taken"]) == (100, 1, 100)
    assert await pool.fetchval("SELECT used_count FROM campaign_uses WHERE campaign_id = $1", cid) == 1


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("UPDATE campaigns SET status = 'paused' WHERE id = $1", RefusalKind.CHANGED),
        ("UPDATE campaigns SET status = 'ended' WHERE id = $1", RefusalKind.CHANGED),
        ("UPDATE campaigns SET version = version + 1 WHERE id = $1", RefusalKind.CHANGED),
        ("UPDATE campaigns SET budget = 50 WHERE id = $1", RefusalKind.EXHAUSTED),
        ("UPDATE campaigns SET budget = 200 WHERE id = $1", None),
    ],
)
async def test_a_change_that_commits_while_an_intent_waits_for_the_slice_is_obeyed(
    pool: asyncpg.Pool, day: date, change: str, kind: RefusalKind | None
) -> None:
    """Paused, ended, edited, its budget lowered, or topped up: by whoever holds the campaign."""
    cid = await campaign(pool, new_id("cmp"), budget=99)
    await grants.ensure_day(pool, cid, day)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT FROM campaign_slices WHERE campaign_id = $1 FOR UPDATE", cid)
        taking = asyncio.create_task(intent_batch(pool).flush([drawing(new_id("pay"), taken(cid, day, 100))]))
        await until_waiting(pool)
        await connection.execute(change, cid)
        await grants.regrant(connection, cid)
        await transaction.commit()
    [result] = await taking
    assert isinstance(result, IntentResult)
    assert (result.refusal and result.refusal.kind) == kind
    assert (await of_campaign(pool, cid))["used"] == (100 if kind is None else 0)


@pytest.mark.parametrize("event", [Event.DECLINED, Event.REVERSED])
async def test_a_payment_that_comes_to_nothing_gives_all_of_it_back_once(
    pool: asyncpg.Pool, day: date, event: Event
) -> None:
    cid = await campaign(pool, new_id("cmp"))
    await grant(pool, cid, 10_000)
    rows = [
        drawing(new_id("pay"), taken(cid, day, 100, returns_budget=False, counters=[use(f"{cid}-k", EVER, 9)]))
        for _ in range(3)
    ]
    await intent_batch(pool).flush(rows)
    settled = [outcome(row, event) for row in rows[:2]]
    flushed = await asyncio.gather(*(outcome_batch(pool).flush(settled) for _ in range(5)))
    assert [result.applied for results in flushed for result in results].count(True) == 2  # type: ignore[union-attr]
    found = await of_campaign(pool, cid)
    assert (found["used"], found["used_count"]) == (100, 1)
    counted = await pool.fetchrow("SELECT used_count, used FROM campaign_uses WHERE campaign_id = $1", cid)
    assert tuple(counted) == (1, 100)


async def until_waiting(pool: asyncpg.Pool) -> None:
    """Wait until somebody waits for a lock."""
    for _ in range(1_000):
        if await pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            return
        await asyncio.sleep(0.005)
    raise TimeoutError
