"""One row that cannot be written, or not yet, keeps no other row of its batch waiting."""

from __future__ import annotations

import asyncio
import time

import asyncpg

from gateway.database.intents import IntentResult, intent_batch
from gateway.database.outcomes import OutcomeResult, outcome_batch
from gateway.kernel.errors import Unavailable
from gateway.payments.states import Event
from tests.support.rows import intent, outcome


async def test_a_payment_that_somebody_has_locked_fails_alone_and_within_a_bound(pool: asyncpg.Pool) -> None:
    rows = [intent(f"pay_locked_{number}", "mer_locked") for number in range(8)]
    await intent_batch(pool).flush(rows)
    async with pool.acquire() as somebody, somebody.transaction():
        await somebody.execute("SELECT 1 FROM payments WHERE id = $1 FOR UPDATE", rows[3].payment_id)
        began = time.monotonic()
        results = await outcome_batch(pool).flush([outcome(row, Event.CAPTURED) for row in rows])
        assert time.monotonic() - began < 6
    applied = [isinstance(found, OutcomeResult) and found.applied for found in results]
    assert applied == [True, True, True, False, True, True, True, True]
    assert isinstance(results[3], Unavailable)


async def test_a_lock_that_is_let_go_in_time_costs_nothing_but_time(pool: asyncpg.Pool) -> None:
    rows = [intent(f"pay_briefly_{number}", "mer_briefly") for number in range(2)]
    await intent_batch(pool).flush(rows)
    async with pool.acquire() as somebody:
        transaction = somebody.transaction()
        await transaction.start()
        await somebody.execute("SELECT 1 FROM payments WHERE id = $1 FOR UPDATE", rows[0].payment_id)
        flushing = asyncio.create_task(outcome_batch(pool).flush([outcome(row, Event.CAPTURED) for row in rows]))
        await asyncio.sleep(1.5)
        await transaction.rollback()
    assert [found.applied for found in await flushing] == [True, True]  # type: ignore[union-attr]


async def test_a_value_that_no_column_holds_fails_its_own_row_at_once(pool: asyncpg.Pool) -> None:
    rows = [intent(f"pay_value_{number}", "mer_value") for number in range(3)]
    await intent_batch(pool).flush(rows)
    outcomes = [outcome(row, Event.CAPTURED) for row in rows]
    outcomes[1] = outcomes[1]._replace(payer_paid=2**63)
    began = time.monotonic()
    results = await outcome_batch(pool).flush(outcomes)
    assert time.monotonic() - began < 2
    assert [isinstance(found, OutcomeResult) for found in results] == [True, False, True]


async def test_an_intent_with_such_a_value_fails_alone_too(pool: asyncpg.Pool) -> None:
    rows = [intent(f"pay_intent_value_{number}", "mer_intent_value") for number in range(3)]
    rows[1] = rows[1]._replace(amount=2**63)
    results = await intent_batch(pool).flush(rows)
    assert [isinstance(found, IntentResult) for found in results] == [True, False, True]
