"""Statements over one month's partitions, and ids for whose month there are none."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg

from gateway.database.intents import intent_batch
from gateway.database.months import of_month
from gateway.database.outcomes import outcome_batch
from gateway.database.partitions import month_of
from gateway.database.pool import sql
from gateway.kernel.ids import first_ulid_at, new_id
from gateway.payments.states import Event
from tests.support.plans import generic_plan, scans
from tests.support.rows import intent, outcome


async def test_an_outcome_is_written_without_a_plan_for_other_months(pool: asyncpg.Pool) -> None:
    month = month_of(new_id("pay"))
    plan = await generic_plan(pool, of_month(sql("outcome"), month))
    for table in ("payments", "attempts"):
        assert {scan["Relation Name"] for scan in scans(plan, table)} == {f"{table}_{month}"}


async def test_payments_of_a_month_without_partitions_are_written_all_the_same(pool: asyncpg.Pool) -> None:
    far = datetime(2042, 3, 1, tzinfo=UTC)
    rows = [intent(f"pay_{first_ulid_at(far)[:-1]}{digit}") for digit in "ABC"] + [intent(new_id("pay"))]
    assert [each.inserted for each in await intent_batch(pool).flush(rows)] == [True] * 4  # type: ignore[union-attr]
    ends = await outcome_batch(pool).flush([outcome(row, Event.CAPTURED) for row in rows])
    assert [each.applied for each in ends] == [True] * 4  # type: ignore[union-attr]
    stored = await pool.fetch(
        "SELECT tableoid::regclass::text AS part, status FROM payments WHERE id = ANY ($1) ORDER BY id",
        [row.payment_id for row in rows],
    )
    here = f"payments_{month_of(rows[-1].payment_id)}"
    assert [tuple(row) for row in stored] == [(here, "succeeded"), *[("payments_default", "succeeded")] * 3]
