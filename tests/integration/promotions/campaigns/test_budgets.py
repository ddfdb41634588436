"""Budgets of campaigns that run: raised and lowered under way, and never a fen unaccounted for."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from datetime import date
from typing import Any

import asyncpg
import pytest

from gateway.database.intents import IntentResult, IntentRow, intent_batch
from gateway.database.outcomes import outcome_batch
from gateway.database.redemptions import RefusalKind
from gateway.kernel.ids import new_id
from gateway.payments.states import Event
from promotions.campaigns import store
from promotions.campaigns.balances import Balance, find_balance
from promotions.campaigns.lifecycle import BelowUsed, Change, IllegalStep, Step, TopUpReused
from tests.support.campaign_lives import active, amended, drafted, edited, topped_up
from tests.support.campaign_lives import taken as stepped
from tests.support.campaign_rows import drawing, taken, today
from tests.support.rows import outcome

ONE_FEN = {"type": "amount_off", "tiers": [{"spend": 2, "off": 1}]}
"""A budget that is below the smallest discount is refused by itself."""
SMALL = {"budget": 1_000, "budget_per_day": None, "per_customer": None}


@pytest.fixture
async def day(pool: asyncpg.Pool) -> date:
    return await today(pool)


async def balance(pool: asyncpg.Pool, campaign_id: str) -> Balance:
    """As it is now; its parts come to the whole."""
    found = await find_balance(pool, campaign_id)
    assert found is not None
    shown = found.to_json()
    if shown["total"] is not None:
        parts = [shown[name] for name in ("spent", "held", "left", "returned_to_sponsor")]
        assert sum(parts) == shown["total"], shown
        assert min(parts) >= 0, shown
    return found


async def amounts(pool: asyncpg.Pool, campaign_id: str) -> tuple[int | None, ...]:
    """Total, spent, held, left, returned."""
    shown = (await balance(pool, campaign_id)).to_json()
    return tuple(shown[name] for name in ("total", "spent", "held", "left", "returned_to_sponsor"))


def pay(campaign_id: str, day: date, fen: int, **changes: Any) -> IntentRow:
    """A payment that takes so much."""
    return drawing(new_id("pay"), taken(campaign_id, day, fen, **changes))


async def take(pool: asyncpg.Pool, *rows: IntentRow) -> list[IntentResult]:
    """What became of payments."""
    found = await intent_batch(pool).flush(rows)
    assert all(isinstance(result, IntentResult) for result in found), found
    return found  # type: ignore[return-value]


async def settle(pool: asyncpg.Pool, event: Event, *rows: IntentRow) -> None:
    """The end of payments."""
    results: list[Any] = await outcome_batch(pool).flush([outcome(row, event) for row in rows])
    assert all(result.applied for result in results)


async def test_what_is_held_is_spent_or_comes_back(pool: asyncpg.Pool, day: date) -> None:
    running = await active(pool, limits=SMALL)
    assert await amounts(pool, running.id) == (1_000, 0, 0, 1_000, 0)
    good, bad = pay(running.id, day, 300), pay(running.id, day, 250, fee_off=50)
    await take(pool, good, bad)
    assert await amounts(pool, running.id) == (1_000, 0, 600, 400, 0)
    await settle(pool, Event.CAPTURED, good)
    assert await amounts(pool, running.id) == (1_000, 300, 300, 400, 0)
    await settle(pool, Event.DECLINED, bad)
    assert await amounts(pool, running.id) == (1_000, 300, 0, 700, 0)
    shown = (await balance(pool, running.id)).to_json()
    assert shown["count"] == {"total": None, "used": 1, "held": 0, "left": None}
    assert shown["today"] == {
        "day": day.isoformat(),
        "budget": None,
        "used": 300,
        "left": 700,
        "count": None,
        "count_used": 1,
        "count_left": None,
    }


async def test_what_waits_for_a_person_is_held_too(pool: asyncpg.Pool, day: date) -> None:
    running = await active(pool, limits=SMALL)
    row = pay(running.id, day, 300)
    await take(pool, row)
    await pool.execute("UPDATE payments SET review = 'amount_mismatch' WHERE id = $1", row.payment_id)
    assert await amounts(pool, running.id) == (1_000, 0, 300, 700, 0)
    await pool.execute("DELETE FROM recovery_tasks WHERE payment_id = $1", row.payment_id)
    assert await amounts(pool, running.id) == (1_000, 0, 300, 700, 0)


async def test_without_limits_what_payments_took_is_added_up(pool: asyncpg.Pool, day: date) -> None:
    limits = {"budget": None, "budget_per_day": None, "per_customer": None}
    running = await active(pool, limits=limits)
    rows = [pay(running.id, day, fen, slice=None) for fen in (100, 200, 400)]
    keeps = pay(running.id, day, 800, slice=None, returns_budget=False)
    await take(pool, *rows, keeps)
    assert await amounts(pool, running.id) == (None, 0, 1_500, None, None)
    await settle(pool, Event.CAPTURED, rows[0], rows[1], keeps)
    await settle(pool, Event.DECLINED, rows[2])
    for row, returned in ((rows[1], 150), (keeps, 300)):
        await refund(pool, row, running.id, returned)
    assert await amounts(pool, running.id) == (None, 100 + 50 + 800, 0, None, None)
    shown = (await balance(pool, running.id)).to_json()
    assert (shown["count"]["used"], shown["today"]["used"], shown["today"]["count_used"]) == (3, 950, 3)


async def refund(pool: asyncpg.Pool, row: IntentRow, campaign_id: str, returned: int) -> None:
    """A refund of a part, as far as balances look at it."""
    funding = [{"sponsor": "bank", "amount": returned, "campaign_id": campaign_id, "of_fee": False}]
    await pool.execute(
        "INSERT INTO refunds (id, merchant_id, payment_id, merchant_refund_no, seq, attempt_seq, account_id, amount,"
        " returned_to_customer, discount_returned, fee_returned, funding, currency, status, next_at, created_at,"
        " completed_at)"
        " VALUES ($1, $2, $3, $1, 1, 1, 'wechat_direct', $4, 0, $4, 0, $5, 'CNY', 'succeeded', now(), now(), now())",
        new_id("ref"), row.merchant_id, row.payment_id, returned, json.dumps(funding),
    )  # fmt: skip
    await pool.execute(
        "UPDATE payments SET amount_refunded = $2, refund_held = $2 WHERE id = $1", row.payment_id, returned
    )


async def test_a_day_has_no_more_left_than_the_campaign(pool: asyncpg.Pool, day: date) -> None:
    limits = SMALL | {"budget_per_day": 800, "count": 5, "count_per_day": 4}
    running = await active(pool, limits=limits)
    await pool.execute(
        "INSERT INTO campaign_slices (campaign_id, day, slice, granted, used, granted_count, used_count)"
        " VALUES ($1, $2::date - 1, 0, 500, 500, 3, 3)",
        running.id, day,
    )  # fmt: skip
    shown = (await balance(pool, running.id)).to_json()
    assert (shown["left"], shown["today"]["left"]) == (500, 500)
    assert (shown["count"]["left"], shown["today"]["count_left"]) == (2, 2)


async def test_the_end_gives_the_leftover_back_and_what_is_held_follows(pool: asyncpg.Pool, day: date) -> None:
    running = await active(pool, limits=SMALL)
    rows = [pay(running.id, day, fen) for fen in (100, 200)]
    await take(pool, *rows)
    await stepped(pool, running.id, Step.END)
    assert await amounts(pool, running.id) == (1_000, 0, 300, 0, 700)
    await settle(pool, Event.DECLINED, rows[1])
    assert await amounts(pool, running.id) == (1_000, 0, 100, 0, 900)
    await settle(pool, Event.CAPTURED, rows[0])
    assert await amounts(pool, running.id) == (1_000, 100, 0, 0, 900)


async def test_fifty_top_ups_with_one_key_add_once(pool: asyncpg.Pool, day: date) -> None:
    running = await active(pool, limits=SMALL)
    await take(pool, held := pay(running.id, day, 900))
    ends = await asyncio.gather(*[topped_up(pool, running.id, "key", 500) for _ in range(50)])
    assert Counter(end.before == end.after for end in ends) == {True: 49, False: 1}
    assert await amounts(pool, running.id) == (1_500, 0, 900, 600, 0)
    with pytest.raises(TopUpReused) as caught:
        await topped_up(pool, running.id, "key", 501)
    assert caught.value.amount_fen == 500
    [result] = await take(pool, pay(running.id, day, 600))
    assert result.inserted, "today's slices have the new money at once"
    await settle(pool, Event.CAPTURED, held)
    assert await amounts(pool, running.id) == (1_500, 900, 600, 0, 0)


async def test_top_ups_with_keys_of_their_own_all_add(pool: asyncpg.Pool) -> None:
    running = await active(pool, limits=SMALL)
    await asyncio.gather(*[topped_up(pool, running.id, f"key {number}", number) for number in range(1, 21)])
    found = await store.find(pool, running.id)
    assert found is not None
    assert (found.caps.budget_fen, found.version) == (1_210, 1), "no new version: what is on its way goes on"
    other = await active(pool, limits=SMALL)
    assert (await topped_up(pool, other.id, "key 1", 7)).after.caps.budget_fen == 1_007, "a key belongs to a campaign"


async def test_more_than_the_budget_can_be_is_not_added(pool: asyncpg.Pool) -> None:
    running = await active(pool, limits=SMALL | {"budget": 10**15})
    with pytest.raises(IllegalStep, match="above"):
        await topped_up(pool, running.id, "key", 1)


async def test_a_draft_is_topped_up_too(pool: asyncpg.Pool) -> None:
    created = await drafted(pool, limits=SMALL)
    assert (await topped_up(pool, created.id, "key", 1)).after.document["limits"]["budget"] == 1_001
    await stepped(pool, created.id, Step.ACTIVATE)
    assert await amounts(pool, created.id) == (1_001, 0, 0, 1_001, 0)


async def test_a_budget_is_lowered_down_to_what_is_used(pool: asyncpg.Pool, day: date) -> None:
    running = await active(pool, benefit=ONE_FEN, limits=SMALL, slices=4)
    await take(pool, pay(running.id, day, 200, slice=0), pay(running.id, day, 200, slice=3))
    with pytest.raises(BelowUsed) as caught:
        await amended(pool, running.id, limits={"budget": 399})
    assert (caught.value.path, caught.value.used) == ("limits.budget", 400)
    assert await amounts(pool, running.id) == (1_000, 0, 400, 600, 0), "nothing was changed"
    after = (await amended(pool, running.id, limits={"budget": 450})).after
    assert await amounts(pool, running.id) == (450, 0, 400, 50, 0)
    results = await take(pool, *[pay(running.id, day, 50, slice=n, version=after.version) for n in range(4)])
    assert sum(result.inserted for result in results) <= 1
    await amended(pool, running.id, limits={"budget": 450 if any(result.inserted for result in results) else 400})


async def test_a_number_is_lowered_down_to_what_is_used(pool: asyncpg.Pool, day: date) -> None:
    running = await active(pool, benefit=ONE_FEN, limits=SMALL | {"count": 10})
    await take(pool, *[pay(running.id, day, 10) for _ in range(3)])
    with pytest.raises(BelowUsed) as caught:
        await amended(pool, running.id, limits={"count": 2})
    assert (caught.value.path, caught.value.used) == ("limits.count", 3)
    await amended(pool, running.id, limits={"count": 3})
    [result] = await take(pool, pay(running.id, day, 10, version=2))
    assert result.refusal is not None
    assert result.refusal.kind is RefusalKind.EXHAUSTED


async def test_a_days_budget_below_what_is_used_ends_the_day(pool: asyncpg.Pool, day: date) -> None:
    running = await active(pool, benefit=ONE_FEN, limits=SMALL | {"budget_per_day": 800})
    await take(pool, pay(running.id, day, 300))
    await amended(pool, running.id, limits={"budget_per_day": 100})
    shown = (await balance(pool, running.id)).to_json()
    assert (shown["left"], shown["today"]["left"]) == (700, 0)
    [result] = await take(pool, pay(running.id, day, 1, version=2))
    assert not result.inserted


async def test_a_raised_budget_can_be_taken_at_once(pool: asyncpg.Pool, day: date) -> None:
    running = await active(pool, benefit=ONE_FEN, limits=SMALL)
    await take(pool, pay(running.id, day, 1_000))
    await amended(pool, running.id, limits={"budget": 1_500})
    [result] = await take(pool, pay(running.id, day, 500, version=2))
    assert result.inserted
    assert await amounts(pool, running.id) == (1_500, 0, 1_500, 0, 0)


async def test_nothing_is_taken_of_an_older_version_or_once_a_pause_is_answered(pool: asyncpg.Pool, day: date) -> None:
    running = await active(pool, benefit=ONE_FEN, limits=SMALL)
    await edited(pool, running.id, {**running.document, "name": "second"})
    [result] = await take(pool, pay(running.id, day, 100))
    assert result.refusal is not None
    assert result.refusal.kind is RefusalKind.CHANGED
    paused = asyncio.Event()
    late: list[bool] = []

    async def customers() -> None:
        while True:
            began_late = paused.is_set()
            [taken_now] = await take(pool, pay(running.id, day, 1, version=2))
            if began_late:
                late.append(taken_now.inserted)
                return

    paying = [asyncio.create_task(customers()) for _ in range(3)]
    await asyncio.sleep(0)
    await stepped(pool, running.id, Step.PAUSE)
    used = (await balance(pool, running.id)).taken.used_fen
    paused.set()
    await asyncio.gather(*paying)
    assert late == [False] * 3
    assert (await balance(pool, running.id)).taken.used_fen == used, "payments that were on their way are counted"
    await stepped(pool, running.id, Step.RESUME)
    [result] = await take(pool, pay(running.id, day, 1, version=2))
    assert result.inserted


async def test_whatever_managers_do_meanwhile_every_fen_is_somewhere(pool: asyncpg.Pool, day: date) -> None:
    """Payments, their ends, top-ups, raised and lowered budgets, pauses; the balance holds at every moment."""
    dice = random.Random(5)
    running = await active(pool, benefit=ONE_FEN, limits=SMALL | {"budget": 5_000, "budget_per_day": 4_000}, slices=3)
    done = asyncio.Event()

    async def customers(number: int) -> None:
        for _ in range(40):
            found = await store.find(pool, running.id)
            assert found is not None
            row = pay(running.id, day, dice.randint(1, 120), slice=number % 3, version=found.version)
            [result] = await take(pool, row)
            if result.inserted:
                await settle(pool, dice.choice([Event.CAPTURED, Event.DECLINED]), row)

    async def manager() -> None:
        for number in range(25):
            limits = {"budget": dice.randint(1_000, 6_000), "budget_per_day": dice.choice([None, 3_000])}
            ends = await asyncio.gather(
                amended(pool, running.id, limits=limits),
                topped_up(pool, running.id, f"storm {number}", 10),
                stepped(pool, running.id, dice.choice([Step.PAUSE, Step.RESUME])),
                stepped(pool, running.id, Step.RESUME),
                return_exceptions=True,
            )
            for end in ends:
                assert isinstance(end, Change | BelowUsed | IllegalStep), end
        done.set()

    async def onlooker() -> None:
        while not done.is_set():
            await balance(pool, running.id)

    await asyncio.gather(*[customers(number) for number in range(3)], manager(), onlooker())
    found = await balance(pool, running.id)
    assert found.taken.held_fen == 0
    spent = await pool.fetchval(
        "SELECT coalesce(sum(r.discount), 0) FROM redemptions r JOIN payments p ON p.id = r.payment_id"
        " WHERE r.campaign_id = $1 AND p.status = 'succeeded'",
        running.id,
    )
    assert found.spent_fen == spent > 0
