"""Late captures: an order never found stays watched; money that arrives for it is booked, given back and shown."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Final

import asyncpg

from gateway.composition import Base
from gateway.database.pool import Connection
from gateway.kernel.metrics import LATE_CAPTURES, RECOVERY_STEPS
from gateway.kernel.money import Money
from gateway.ledger import postings
from gateway.payments.payment import Payment
from gateway.payments.states import Event, Status
from gateway.workers.returning import ReturnState, give_back
from gateway.workers.tasks import SQL, Task, TaskQueue
from routing.channels.reports import TradeReport, TradeState

_log = logging.getLogger("mashang.late")
_WATCH_S: Final = (30, 60, 120, 300, 600, 1_800, 3_600)
"""Pauses between looks at an order that was never found; the last one repeats."""
_GIVE_BACK_RETRY_S: Final = (2, 5, 10, 30, 60, 300)
_REFUSALS_MAX: Final = 5
"""So many refusals of one refund, and a person has to look."""


class LateWatch:
    """Handles the tasks of purpose `watch` and `give_back`."""

    def __init__(self, base: Base, queue: TaskQueue) -> None:
        self._base = base
        self._queue = queue

    async def watch(self, task: Task) -> None:
        """Look at the channel once more."""
        base = self._base
        payment = await base.store.find(task.merchant_id, task.payment_id)
        account = None if payment is None else base.accounts.get(payment.account_id or "")
        if payment is None or payment.status is Status.SUCCEEDED:
            await self._queue.finish(task)
            return
        if account is None:
            _log.error("a watched payment has no channel account", extra={"payment_id": task.payment_id})
            await self._queue.put_off(task, _WATCH_S[-1])
            return
        answer = await base.charging.query(payment, account)
        if isinstance(answer, TradeReport) and answer.state is TradeState.CAPTURED:
            RECOVERY_STEPS.labels("watch", "late_capture").inc()
            await self._record(task, payment, answer)
        elif task.now >= task.created_at + timedelta(hours=base.settings.watch_until_hours):
            await self._queue.finish(task)
        else:
            await self._queue.put_off(task, _WATCH_S[min(task.tries, len(_WATCH_S)) - 1])

    async def give_back(self, task: Task) -> None:
        """One step towards giving late money back."""
        base = self._base
        payment = await base.store.find(task.merchant_id, task.payment_id)
        late = await base.pool.fetchrow(SQL["late_capture"], task.payment_id, task.merchant_id)
        account = None if late is None else base.accounts.get(late["account_id"])
        if payment is None or late is None:
            await self._queue.finish(task)
            return
        if account is None:
            _log.error("a late capture has no channel account", extra={"payment_id": task.payment_id})
            await self._queue.put_off(task, _GIVE_BACK_RETRY_S[-1])
            return
        amount = Money(late["amount"], payment.amount.currency)
        order = replace(payment.channel_order, channel_trade_no=late["channel_trade_no"], amount=amount)
        state = await give_back(account, order, payment, task, first=task.tries == 1, void=False)
        RECOVERY_STEPS.labels("give_back", state).inc()
        if state is ReturnState.RETURNED:
            await self._close(task, payment, late, "refunded")
        elif state is ReturnState.REFUSED and task.tries >= _REFUSALS_MAX:
            _log.error("a late capture could not be given back", extra={"payment_id": payment.id})
            await self._close(task, payment, late, "review")
        else:
            await self._queue.put_off(task, _GIVE_BACK_RETRY_S[min(task.tries, len(_GIVE_BACK_RETRY_S)) - 1])

    async def _record(self, task: Task, payment: Payment, report: TradeReport) -> None:
        """Write the late capture, its posting and its event, and order its return; all at once, and only once."""
        amount = Money(report.amount_fen or payment.payable.amount_fen, payment.amount.currency)
        account_id = payment.account_id or ""
        async with self._base.pool.acquire() as connection, connection.transaction():
            recorded = await connection.fetchval(
                SQL["record_late_capture"],
                payment.id,
                payment.merchant_id,
                payment.attempt_seq,
                account_id,
                report.channel_trade_no,
                amount.amount_fen,
            )
            if recorded is not None:
                posting = postings.late_capture(account_id, payment.attempt_seq, amount)
                await _note(connection, payment, Event.LATE_CAPTURE_FOUND, posting, found=1)
                await connection.execute(SQL["add_give_back"], payment.id, payment.merchant_id)
                LATE_CAPTURES.labels("found").inc()
            await connection.execute(SQL["finish"], task.payment_id, task.purpose, task.lease_token, task.created_at)

    async def _close(self, task: Task, payment: Payment, late: asyncpg.Record, status: str) -> None:
        amount = Money(late["amount"], payment.amount.currency)
        async with self._base.pool.acquire() as connection, connection.transaction():
            closed = await connection.fetchval(
                SQL["close_late_capture"], payment.id, payment.merchant_id, late["attempt_seq"], status
            )
            if closed is not None and status == "refunded":
                posting = postings.late_capture_returned(late["account_id"], late["attempt_seq"], amount)
                await _note(connection, payment, Event.LATE_CAPTURE_REFUNDED, posting, found=0)
            LATE_CAPTURES.labels(status).inc()
            await connection.execute(SQL["finish"], task.payment_id, task.purpose, task.lease_token, task.created_at)


async def _note(
    connection: Connection, payment: Payment, event: Event, posting: postings.Transfer, *, found: int
) -> None:
    """The event and the posting, under the lock of the payment's row."""
    row = await connection.fetchrow(SQL["touch_payment"], payment.id, payment.merchant_id, found)
    assert row is not None
    await connection.execute(SQL["add_event"], payment.id, payment.merchant_id, row["version"], event, row["status"])
    await connection.execute(
        SQL["add_transfer"],
        payment.id,
        payment.merchant_id,
        posting.seq,
        posting.kind,
        posting.debit,
        posting.credit,
        posting.amount.amount_fen,
        posting.amount.currency,
    )
