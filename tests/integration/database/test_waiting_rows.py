"""Batches over payments of several months, some of which somebody else has just changed: none of them is lost.

One statement over all of them makes PostgreSQL 18.6 lose rows, or crash: a crash is settled by sending again, so that
only the server's start tells of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import pytest

from gateway.database import failovers
from gateway.database.failovers import failover_batch
from gateway.database.intents import IntentRow, intent_batch
from gateway.database.outcomes import outcome_batch
from gateway.database.pool import sql
from gateway.database.shown import ShownRow, shown_batch
from gateway.kernel.ids import new_id, new_ulid
from gateway.payments.states import Event
from tests.integration.database.test_unknown_fate import until_waiting
from tests.support.rows import failing_over, intent, outcome

_UNCHANGED: Final = "version = version"
_START: Final = "SELECT stats_reset FROM pg_stat_wal"
"""After a crash the server begins to count anew."""


def shown(row: IntentRow) -> ShownRow:
    """The row's code, about to be shown."""
    return ShownRow(row.payment_id, row.merchant_id, 1, "weixin://a-code", 5.0, new_id("evt"))


def _id_of_next_month() -> str:
    """It lies in another partition than those of now."""
    month_ahead = datetime.now(UTC).replace(day=28) + timedelta(days=7)
    return f"pay_{new_ulid(int(month_ahead.timestamp() * 1000))}"


Flush = Callable[[asyncpg.Pool, Sequence[IntentRow]], Awaitable[Sequence[Any]]]
STATEMENTS: Final[dict[str, tuple[str, Flush]]] = {
    "an outcome while it is cancelled": (
        "reversal = 'pending'",
        lambda pool, rows: outcome_batch(pool).flush([outcome(row, Event.DECLINED) for row in rows]),
    ),
    "a capture while it goes to review": (
        "review = 'amount_mismatch'",
        lambda pool, rows: outcome_batch(pool).flush([outcome(row, Event.CAPTURED) for row in rows]),
    ),
    "a code that is shown": (_UNCHANGED, lambda pool, rows: shown_batch(pool).flush([shown(row) for row in rows])),
    "the next attempt": (
        _UNCHANGED,
        lambda pool, rows: failover_batch(pool).flush([failing_over(row) for row in rows]),
    ),
    "the next attempt that stands already": (
        "attempt_seq = 2, account_id = 'wechat_second', attempt_at = now()",
        lambda pool, rows: failover_batch(pool).flush([failing_over(row) for row in rows]),
    ),
}


@pytest.mark.parametrize("analysed", [False, True])
@pytest.mark.parametrize("statement", STATEMENTS)
async def test_rows_that_changed_while_they_were_waited_for_are_found_in_every_month(
    pool: asyncpg.Pool, statement: str, *, analysed: bool
) -> None:
    """Plans differ where tables were analysed: nearly empty ones are joined by hash."""
    change, flush = STATEMENTS[statement]
    merchant = new_id("mer")
    ids = [new_id("pay") if number % 2 else _id_of_next_month() for number in range(24)]
    rows = [intent(payment_id, merchant) for payment_id in ids]
    await intent_batch(pool).flush(rows)
    if analysed:
        await pool.execute("VACUUM ANALYZE")
    started = await pool.fetchval(_START)
    results = await _while_changing(pool, ids[4:16], change, flush(pool, rows))
    assert [found.applied for found in results] == [True] * len(rows)
    assert await pool.fetchval(_START) == started


async def test_a_sending_that_waits_for_an_earlier_one_of_the_same_rows_does_the_server_no_harm(
    pool: asyncpg.Pool,
) -> None:
    rows = [intent(new_id("pay"), new_id("mer")) for _ in range(3)]
    await intent_batch(pool).flush(rows)
    crashes = await pool.fetchval(_START)
    for row in rows:
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            first = await connection.fetchrow(sql("fail_over"), *failovers._arguments([failing_over(row)]))
            assert first is not None
            again = asyncio.ensure_future(failover_batch(pool).flush([failing_over(row)]))
            await until_waiting(pool, None)
            await transaction.commit()
            assert await again == [failovers._result(first)]
    assert await pool.fetchval(_START) == crashes


async def _while_changing(
    pool: asyncpg.Pool, ids: Sequence[str], change: str, work: Awaitable[Sequence[Any]]
) -> Sequence[Any]:
    """Let the statement wait for a transaction that changes some of its rows, and commit that one."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(f"UPDATE payments SET {change} WHERE id = ANY ($1)", ids)
        flushing = asyncio.ensure_future(work)
        await until_waiting(pool, None)
        await transaction.commit()
        return await flushing
