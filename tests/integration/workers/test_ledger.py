"""The watch over the ledger: right books are at peace, a posting that is off is told until it is mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from prometheus_client import REGISTRY

from gateway.database.outcomes import outcome_batch
from gateway.kernel.business_metrics import LEDGER_CHECKED_AT, LEDGER_IMBALANCE
from gateway.payments.states import Event
from gateway.workers.ledger import _LOCK, SQL, LedgerWatch, watch_ledger
from tests.integration.workers.conftest import House
from tests.support.rows import outcome
from tests.support.waiting import eventually, until

_SOON_S = -1.0
"""Not five minutes after a payment was made, but at once."""


def told() -> tuple[float, float, float]:
    """Payments checked, mismatches found, fen that they are off by now."""
    names = ("checked_payments_total", "mismatches_total", "imbalance_fen")
    return tuple(REGISTRY.get_sample_value(f"mashang_ledger_{name}") or 0.0 for name in names)  # type: ignore[return-value]


@pytest.fixture(autouse=True)
async def nothing(house: House) -> None:
    """No payment of another test."""
    await house.pool.execute("TRUNCATE payments, transfers, recovery_tasks")


async def turn(house: House, watch: LedgerWatch) -> bool:
    async with house.pool.acquire() as connection:
        return await watch.turn(connection)


async def test_payments_whose_postings_are_right_are_checked_once_and_not_told(house: House) -> None:
    await house.begin()
    await house.begin(Event.DECLINED)
    taken = await house.begin(Event.CAPTURED)
    back = await house.begin(Event.CAPTURED)
    payment = await house.payment(back)
    await house.cancel(back)
    await house.base.charging.commit_reversal(payment)
    assert await house.pool.fetchval("SELECT status FROM payments WHERE id = $1", back.payment_id) == "reversed"
    before, watch = told(), LedgerWatch(after_s=_SOON_S)
    assert not await turn(house, watch)
    await turn(house, watch)
    assert told() == (before[0] + 4, before[1], 0)
    assert taken.payment_id <= back.payment_id


async def test_a_posting_that_is_missing_or_wrong_is_told_until_it_is_mended(house: House) -> None:
    lost, wrong = await house.begin(Event.CAPTURED), await house.begin(Event.CAPTURED)
    kept = await house.pool.fetch("DELETE FROM transfers WHERE payment_id = $1 RETURNING *", lost.payment_id)
    await house.pool.execute(
        "UPDATE transfers SET amount = amount - 100 WHERE payment_id = $1 AND kind = 'capture'", wrong.payment_id
    )
    before, watch = told(), LedgerWatch(after_s=_SOON_S)
    await turn(house, watch)
    assert told() == (before[0] + 2, before[1] + 2, lost.amount + 100)
    await house.pool.execute(
        "UPDATE transfers SET amount = amount + 100 WHERE payment_id = $1 AND kind = 'capture'", wrong.payment_id
    )
    await turn(house, watch)
    assert told() == (before[0] + 2, before[1] + 2, lost.amount)
    columns = ("payment_id", "merchant_id", "seq", "kind", "debit", "credit", "amount", "currency", "booked_at")
    await house.pool.copy_records_to_table("transfers", records=[tuple(row) for row in kept], columns=columns)
    await turn(house, watch)
    assert told() == (before[0] + 2, before[1] + 2, 0)


async def test_a_payment_that_failed_and_was_booked_all_the_same_is_told(house: House) -> None:
    row = await house.begin(Event.DECLINED)
    other = await house.begin()
    await outcome_batch(house.pool).flush([outcome(other, Event.CAPTURED)])
    await house.pool.execute(
        "UPDATE transfers SET payment_id = $1, merchant_id = $2 WHERE payment_id = $3",
        row.payment_id,
        row.merchant_id,
        other.payment_id,
    )
    before = told()
    await turn(house, LedgerWatch(after_s=_SOON_S))
    assert told()[1:] == (before[1] + 2, row.amount + other.amount)


async def test_a_payment_is_not_looked_at_while_it_is_new(house: House) -> None:
    await house.begin(Event.CAPTURED)
    before = told()
    await turn(house, LedgerWatch())
    assert told()[0] == before[0]


async def test_many_payments_are_gone_through_in_turns(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.workers.ledger.PAYMENTS_MAX", 2)
    for _ in range(5):
        await house.begin(Event.CAPTURED)
    before, watch = told(), LedgerWatch(after_s=_SOON_S)
    assert [await turn(house, watch) for _ in range(3)] == [True, True, False]
    assert told()[0] == before[0] + 5


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns follow each other at once, and new payments are looked at too."""
    monkeypatch.setattr("gateway.workers.ledger._EVERY_S", 0.01)
    monkeypatch.setattr("gateway.workers.ledger._LEAD_EVERY_S", 0.01)
    monkeypatch.setattr("gateway.workers.ledger.LedgerWatch", partial(LedgerWatch, after_s=_SOON_S))


@asynccontextmanager
async def watching(house: House) -> AsyncIterator[None]:
    """A worker's loop."""
    task = asyncio.create_task(watch_ledger(house.pool))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def interrupt(house: House) -> None:
    """A look at the books waits for a lock, and is cancelled there, as by lock_timeout."""
    async with house.pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE payments")

        async def cancelled() -> bool:
            return bool(
                await other.fetchval(
                    "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity"
                    " WHERE wait_event_type = 'Lock' AND query LIKE '%looked%' AND datname = current_database()"
                )
            )

        await eventually(cancelled)


@pytest.mark.usefixtures("soon")
async def test_after_trouble_the_watch_goes_on_and_counts_nothing_twice(house: House) -> None:
    row = await house.begin(Event.CAPTURED)
    await house.pool.execute("DELETE FROM transfers WHERE payment_id = $1", row.payment_id)
    before = told()
    async with watching(house):
        await until(lambda: told()[2] == row.amount)
        await interrupt(house)
        LEDGER_CHECKED_AT.set(0)
        await until(lambda: bool(REGISTRY.get_sample_value("mashang_ledger_check_timestamp_seconds")))
        assert told() == (before[0] + 1, before[1] + 1, row.amount)


@pytest.mark.usefixtures("soon")
async def test_a_worker_that_loses_the_watch_leaves_it_to_another(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = told()[0]
    async with watching(house):
        await house.begin(Event.CAPTURED)
        await until(lambda: told()[0] > checked)
        monkeypatch.setattr("gateway.workers.ledger._LEAD_EVERY_S", 3_600.0)
        await interrupt(house)
        async with house.pool.acquire() as other:

            async def free() -> bool:
                return bool(await other.fetchval(SQL["lead"], _LOCK))

            await eventually(free, 5.0)
            await other.execute("SELECT pg_advisory_unlock_all()")


@pytest.mark.usefixtures("soon")
async def test_a_worker_without_the_watch_tells_no_imbalance(house: House) -> None:
    async with house.pool.acquire() as other:
        assert await other.fetchval(SQL["lead"], _LOCK)
        LEDGER_IMBALANCE.set(7)
        async with watching(house):
            await until(lambda: told()[2] == 0)
        await other.execute("SELECT pg_advisory_unlock_all()")
