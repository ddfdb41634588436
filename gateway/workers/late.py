"""Late captures: orders that are over stay watched; money that arrives for one is booked, given back and shown.

Each attempt of a payment is looked at by itself: a payment that succeeded by one wallet may have been paid by another.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, cast

import asyncpg

from gateway.composition import Base
from gateway.database.pool import Connection
from gateway.kernel.ids import new_id
from gateway.kernel.metrics import LATE_CAPTURES, RECOVERY_STEPS
from gateway.kernel.money import Money
from gateway.ledger import postings
from gateway.payments.numbers import attempt_order_no, give_back_no
from gateway.payments.payment import Payment
from gateway.payments.states import Event, Status
from gateway.workers.recovery import Hands
from gateway.workers.returning import GiveBack, Returning, ReturnState
from gateway.workers.tasks import SQL, Task, TaskQueue
from routing.accounts.book import Account
from routing.channels.base import ChannelOrder
from routing.channels.reports import TradeReport, TradeState

_log = logging.getLogger("mashang.late")
_WATCH_S: Final = (30, 60, 120, 300, 600, 1_800, 3_600)
"""Pauses between looks at what is watched; the last one repeats."""
_GIVE_BACK_RETRY_S: Final = (2, 5, 10, 30, 60, 300)
_DEFER_S: Final = (5.0, 10.0)
"""A step that was not taken because its account does not answer comes back after so long."""
_REFUSALS_MAX: Final = 5
"""So many refusals of one refund, and a person has to look."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One attempt that is over, and until when money may still arrive for it."""

    seq: int
    account_id: str
    created_at: datetime
    until: datetime


class Look(NamedTuple):
    """What a look came to: until when the attempt has to be looked at again, None where its money was found.

    `was_missed`: it was the last one, and the channel did not answer.
    """

    until: datetime | None
    was_missed: bool = False


class LateWatch:
    """Handles the tasks of purpose `watch` and `give_back`."""

    def __init__(self, base: Base, queue: TaskQueue) -> None:
        self._base = base
        self._queue = queue
        self._returning = Returning(queue, base.settings.not_created_after_s)
        self._hands = Hands(base.settings.recovery_concurrency_max // 4)

    async def watch(self, task: Task) -> None:
        """Look at the channels once more: at every attempt for which money may still come, and at all of them at first
        and in the end.
        """
        payment = await self._base.store.find(task.merchant_id, task.payment_id)
        if payment is None:
            await self._queue.finish(task)
            return
        with self._hands.at(payment.account_id or "") as is_free:
            if is_free:
                await self._look_around(task, payment)
            else:
                await self._queue.defer(task, random.uniform(*_DEFER_S))  # noqa: S311  jitter, not a secret

    async def _look_around(self, task: Task, payment: Payment) -> None:
        watched = await self._watched(task, payment)
        is_last = not any(task.now < each.until for each in watched)
        due = [each for each in watched if task.tries == 1 or is_last or task.now < each.until]
        looks = await asyncio.gather(*[self._look(task, payment, each) for each in due])
        ahead = [(look.until - task.now).total_seconds() for look in looks if look.until and look.until > task.now]
        pause_s = _WATCH_S[min(task.tries, len(_WATCH_S)) - 1]
        if any(look.was_missed for look in looks):  # less and less often: an account may never answer again
            await self._queue.put_off(task, pause_s)
        elif ahead:
            await self._queue.put_off(task, min(pause_s, max(ahead)))
        else:
            await self._queue.finish(task)

    async def _watched(self, task: Task, payment: Payment) -> list[Watched]:
        """The attempts that are over and whose money, if it came, has not been dealt with."""
        records = await self._base.pool.fetch(SQL["attempts_without_late_capture"], payment.id, payment.merchant_id)
        settled = payment.status is Status.SUCCEEDED or await self._base.store.has_booked_capture(payment)
        return [
            Watched(record["seq"], record["account_id"], record["created_at"], self._until(task, payment, record))
            for record in records
            if record["seq"] != payment.attempt_seq
            or not (settled or (record["state"] == "open" and not payment.status.is_final))
        ]

    def _until(self, task: Task, payment: Payment, attempt: asyncpg.Record) -> datetime:
        """An attempt that the payment left by failing over is proven to hold no money: it is not waited for.

        It is looked at all the same at first and in the end, for somebody may have told of money there.
        """
        settings = self._base.settings
        if attempt["state"] in _LEFT and attempt["seq"] != payment.attempt_seq and not payment.is_aggregated:
            return cast("datetime", attempt["created_at"])
        if payment.is_code:
            return (attempt["pay_until"] or payment.expires_at) + timedelta(seconds=settings.code_watch_s)
        return task.created_at + timedelta(hours=settings.watch_until_hours)

    async def _look(self, task: Task, payment: Payment, watched: Watched) -> Look:
        """One look at one attempt."""
        account = self._base.accounts.get(watched.account_id)
        if account is None:
            _log.error("a watched payment has no channel account", extra={"payment_id": payment.id})
            return Look(max(watched.until, task.now + timedelta(seconds=_WATCH_S[-1])))
        order = payment.with_(
            attempt_seq=watched.seq, account_id=account.id, attempt_at=watched.created_at, channel_trade_no=None
        )
        answer = await self._base.charging.query(order, account)
        if isinstance(answer, TradeReport) and answer.state is TradeState.CAPTURED:
            RECOVERY_STEPS.labels("watch", "late_capture").inc()
            await self._captured(order, account, answer, is_current=watched.seq == payment.attempt_seq)
            return Look(None)
        if isinstance(answer, TradeReport) and answer.state is TradeState.PENDING and payment.is_code:
            RECOVERY_STEPS.labels("watch", await self._base.charging.close(order, account)).inc()
        was_missed = not isinstance(answer, TradeReport) and watched.until <= task.now
        return Look(watched.until, was_missed=was_missed)

    async def _captured(self, order: Payment, account: Account, report: TradeReport, *, is_current: bool) -> None:
        """The money of a code that is still on display pays it; any other came too late."""
        if is_current and not order.status.is_final:
            await self._base.charging.settle(order, account, report)
        else:
            await self._record(order, report)

    async def _record(self, order: Payment, report: TradeReport) -> None:
        """Write the late capture, its posting and its event, and order its return; all at once, and only once."""
        amount = Money(report.amount_fen or order.payable.amount_fen, order.amount.currency)
        account_id = order.account_id or ""
        async with self._base.pool.acquire() as connection, connection.transaction():
            held = await connection.fetchrow(SQL["hold_payment"], order.id, order.merchant_id)
            if held is None or (held["attempt_seq"] == order.attempt_seq and Status(held["status"]) not in _UNPAID):
                return  # it is the payment's own
            recorded = await connection.fetchval(
                SQL["record_late_capture"],
                order.id,
                order.merchant_id,
                order.attempt_seq,
                account_id,
                report.channel_trade_no,
                amount.amount_fen,
            )
            if recorded is not None:
                posting = postings.late_capture(account_id, order.attempt_seq, amount)
                await _note(connection, order, Event.LATE_CAPTURE_FOUND, posting, found=1)
                await connection.execute(SQL["add_give_back"], order.id, order.merchant_id)
                LATE_CAPTURES.labels("found").inc()

    async def give_back(self, task: Task) -> None:
        """One step towards giving late money back; several late captures of one payment go back one after another."""
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
        with self._hands.at(account.id) as is_free:
            if is_free:
                await self._return(task, payment, late, account)
            else:
                await self._queue.defer(task, random.uniform(*_DEFER_S))  # noqa: S311  jitter, not a secret

    async def _return(self, task: Task, payment: Payment, late: asyncpg.Record, account: Account) -> None:
        what = _return_of(payment, late)
        state = await self._returning.give_back(account, what, task, first=task.tries == 1)
        RECOVERY_STEPS.labels("give_back", state).inc()
        if state is ReturnState.RETURNED:
            await self._close(task, payment, late, "refunded")
        elif state is ReturnState.REFUSED and task.tries >= _REFUSALS_MAX:
            _log.error("a late capture could not be given back", extra={"payment_id": payment.id})
            await self._close(task, payment, late, "review")
        else:
            await self._queue.put_off(task, _GIVE_BACK_RETRY_S[min(task.tries, len(_GIVE_BACK_RETRY_S)) - 1])

    async def _close(self, task: Task, payment: Payment, late: asyncpg.Record, status: str) -> None:
        """That late capture is done; the task too, unless another one waits."""
        amount = Money(late["amount"], payment.amount.currency)
        async with self._base.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["hold_payment"], payment.id, payment.merchant_id)
            closed = await connection.fetchval(
                SQL["close_late_capture"], payment.id, payment.merchant_id, late["attempt_seq"], status
            )
            if closed is not None and status == "refunded":
                posting = postings.late_capture_returned(late["account_id"], late["attempt_seq"], amount)
                await _note(connection, payment, Event.LATE_CAPTURE_REFUNDED, posting, found=0)
            LATE_CAPTURES.labels(status).inc()
            lease = (task.payment_id, task.purpose, task.lease_token, task.created_at)
            if await connection.fetchrow(SQL["late_capture"], payment.id, payment.merchant_id) is None:
                await connection.execute(SQL["finish"], *lease)
            else:
                await connection.execute(SQL["answered"], *lease, None)
                await connection.execute(SQL["begin_anew"], *lease, 0.0)


_LEFT: Final = frozenset({"unsent", "refused"})
_UNPAID: Final = frozenset({Status.FAILED, Status.CLOSED, Status.REVERSED})


def _return_of(payment: Payment, late: asyncpg.Record) -> GiveBack:
    """The whole of what arrived, under the number of the attempt that it arrived for."""
    order = ChannelOrder(
        order_no=attempt_order_no(payment.id, late["attempt_seq"]),
        created_at=late["attempt_at"],
        amount=Money(late["amount"], payment.amount.currency),
        channel_trade_no=late["channel_trade_no"],
    )
    return GiveBack(order, give_back_no(payment.id, late["attempt_seq"]), "paid too late")


async def _note(
    connection: Connection, payment: Payment, event: Event, posting: postings.Transfer, *, found: int
) -> None:
    """The event and the posting, under the lock of the payment's row."""
    row = await connection.fetchrow(SQL["touch_payment"], payment.id, payment.merchant_id, found)
    assert row is not None
    await connection.execute(
        SQL["add_event"], payment.id, payment.merchant_id, row["version"], event, row["status"], new_id("evt")
    )
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
