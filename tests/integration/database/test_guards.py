"""What the hot statements refuse row by row: codes that may not be shown, outcomes that would undo what is settled."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from gateway.database.intents import IntentRow, intent_batch
from gateway.database.outcomes import outcome_batch
from gateway.database.shown import ShownResult, ShownRow, shown_batch
from gateway.kernel.ids import new_id
from gateway.payments.states import Event
from tests.support.rows import content, intent, outcome


async def begun(pool: asyncpg.Pool, count: int = 1, **changes: Any) -> list[IntentRow]:
    """Payments whose intent is committed."""
    merchant = new_id("mer")
    rows = [intent(new_id("pay"), merchant, **changes) for _ in range(count)]
    assert all(found.inserted for found in await intent_batch(pool).flush(rows))  # type: ignore[union-attr]
    return rows


def shown(row: IntentRow, seq: int = 1) -> ShownRow:
    """The code that the channel gave for it."""
    return ShownRow(row.payment_id, row.merchant_id, seq, "weixin://x", 5.0, new_id("evt"))


async def show(pool: asyncpg.Pool, *rows: ShownRow) -> list[bool]:
    """Whether each was shown."""
    found = await shown_batch(pool).flush(list(rows))
    return [isinstance(result, ShownResult) and result.applied for result in found]


@pytest.mark.parametrize(
    "change",
    ["reversal = 'pending'", "review = 'x'", "status = 'closed'", "expires_at = now()", "attempt_seq = 2"],
)
async def test_a_code_that_may_not_be_shown_is_left_out_and_its_neighbours_are_shown(
    pool: asyncpg.Pool, change: str
) -> None:
    rows = await begun(pool, 3, method="qrcode")
    await pool.execute(f"UPDATE payments SET {change} WHERE id = $1", rows[1].payment_id)
    before = await pool.fetchrow("SELECT * FROM payments WHERE id = $1", rows[1].payment_id)
    assert await show(pool, *map(shown, rows)) == [True, False, True]
    assert await pool.fetchrow("SELECT * FROM payments WHERE id = $1", rows[1].payment_id) == before
    written = await content(pool, [rows[0].merchant_id])
    assert len([event for event in written["events"] if event[3] == "payment.code_shown"]) == 2


async def test_showing_again_writes_nothing(pool: asyncpg.Pool) -> None:
    [row] = await begun(pool, method="qrcode")
    code = shown(row)
    assert await show(pool, code) == [True]
    before = await content(pool, [row.merchant_id])
    assert await show(pool, code) == [False]
    assert await content(pool, [row.merchant_id]) == before


async def test_a_code_and_its_outcome_in_either_order_leave_the_outcome(pool: asyncpg.Pool) -> None:
    first, second = await begun(pool, 2, method="qrcode")
    assert await show(pool, shown(first)) == [True]
    settled = [outcome(row, Event.CAPTURED) for row in (first, second)]
    assert [result.applied for result in await outcome_batch(pool).flush(settled)] == [True, True]  # type: ignore[union-attr]
    assert await show(pool, shown(second)) == [False]
    written = await content(pool, [first.merchant_id])
    assert {payment[3] for payment in written["payments"]} == {"succeeded"}


async def test_a_payment_that_has_refunds_is_not_reversed(pool: asyncpg.Pool) -> None:
    """Alipay calls a trade closed when all of it was refunded."""
    refunded, untouched = await begun(pool, 2)
    captured = [outcome(row, Event.CAPTURED) for row in (refunded, untouched)]
    await outcome_batch(pool).flush(captured)
    await pool.execute("UPDATE payments SET refund_held = 1, refund_count = 1 WHERE id = $1", refunded.payment_id)
    reversals = [outcome(row, Event.REVERSED) for row in (refunded, untouched)]
    results: list[Any] = await outcome_batch(pool).flush(reversals)
    assert [(result.applied, result.status) for result in results] == [(False, "succeeded"), (True, "reversed")]


async def test_an_outcome_of_an_earlier_attempt_is_not_applied(pool: asyncpg.Pool) -> None:
    [row] = await begun(pool, method="qrcode", status="requires_action", qr_code="x")
    await pool.execute("UPDATE payments SET attempt_seq = 2 WHERE id = $1", row.payment_id)
    for event in (Event.CAPTURED, Event.CLOSED, Event.REVERSED):
        [result] = await outcome_batch(pool).flush([outcome(row, event)])
        assert result.applied is False  # type: ignore[union-attr]
    assert (await content(pool, [row.merchant_id]))["transfers"] == []


async def test_an_attempt_that_was_over_before_its_payment_stays_as_it_was(pool: asyncpg.Pool) -> None:
    [row] = await begun(pool, method="qrcode", status="requires_action", qr_code="x")
    await pool.execute(
        "UPDATE attempts SET state = 'closed', channel_code = '61', finished_at = created_at WHERE payment_id = $1",
        row.payment_id,
    )
    [result] = await outcome_batch(pool).flush([outcome(row, Event.CLOSED, attempt_state="closed")])
    assert result.applied  # type: ignore[union-attr]
    kept = await pool.fetchrow(
        "SELECT state, channel_code, finished_at = created_at AS as_it_was FROM attempts WHERE payment_id = $1",
        row.payment_id,
    )
    assert tuple(kept) == ("closed", "61", True)


async def test_a_code_for_any_wallet_replaces_an_earlier_payment_like_any_other(pool: asyncpg.Pool) -> None:
    merchant, earlier = new_id("mer"), new_id("pay")
    fields = {"status": "requires_action", "account_id": None, "failure_code": None, "qr_code": "x"}
    first, second = [intent(new_id("pay"), merchant, method="qrcode", replaces=earlier, **fields) for _ in range(2)]
    assert [result.inserted for result in await intent_batch(pool).flush([first, second])] == [True, False]  # type: ignore[union-attr]
    assert await pool.fetchval("SELECT payment_id FROM replacements WHERE replaced_id = $1", earlier) == (
        first.payment_id
    )
