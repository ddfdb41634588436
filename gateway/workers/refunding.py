"""Gives money back for the refunds that are pending: asks once, then queries under the same number until it ends.

One task stands for all refunds of a payment, so that they go out one after another and keep the channel's rate.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.composition import Base
from gateway.kernel.metrics import REFUND_STEPS
from gateway.payments.payment import Payment
from gateway.refunds import commits, rules, steps
from gateway.refunds.refund import Refund
from gateway.refunds.steps import Answer
from gateway.workers.recovery import Hands
from gateway.workers.tasks import SQL, Task, TaskQueue
from routing.accounts.book import Account
from routing.channels.base import CallLimits, ChannelError, ChannelRejected, ChannelUnsent, RefundOrder
from routing.channels.reports import RefundReport, RefundState

_log = logging.getLogger("mashang.refunding")
_NO_ACCOUNT_RETRY_S: Final = 30.0
_DEFER_S: Final = (5.0, 10.0)
"""A step that was not taken because its account does not answer comes back after so long."""
_NOT_ASKED: Final = RefundReport(RefundState.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Case:
    """A pending refund that is due, with all refunds of its payment and the task that leads here."""

    task: Task
    payment: Payment
    account: Account
    refund: Refund
    refunds: Sequence[Refund]

    @property
    def order(self) -> RefundOrder:
        """The refund as its channel knows it."""
        return steps.as_asked(self.payment, self.refund)

    @property
    def pause_s(self) -> float:
        """Seconds until the channel takes a request for this refund beside the others of the payment."""
        others = [refund for refund in self.refunds if refund.id != self.refund.id]
        free_at = rules.free_at(others, self.account.channel.refund_rules)
        return 0.0 if free_at is None else (free_at - self.refund.read_at).total_seconds()


class Refunding:
    """Handles the tasks of purpose `refund`."""

    def __init__(self, base: Base, queue: TaskQueue) -> None:
        self._base = base
        self._queue = queue
        self._timeout_s = base.settings.channel_timeout_s
        self._hands = Hands(base.settings.recovery_concurrency_max // 4)

    async def handle(self, task: Task) -> None:
        """Take the steps that are due for the payment's refunds, as far as the lease reaches."""
        payment = await self._base.store.find(task.merchant_id, task.payment_id)
        if payment is None or not payment.refund_held:
            await self._reschedule(task)
            return
        account = self._base.accounts.get(payment.account_id or "")
        if account is None:
            _log.error("a payment with refunds has no channel account", extra={"payment_id": task.payment_id})
            await self._queue.put_off(task, _NO_ACCOUNT_RETRY_S)
            return
        with self._hands.at(account.id) as is_free:
            if not is_free:
                await self._queue.defer(task, random.uniform(*_DEFER_S))  # noqa: S311  jitter, not a secret
                return
            await self._work(task, payment, account)
        await self._reschedule(task)

    async def _work(self, task: Task, payment: Payment, account: Account) -> None:
        """One step after another, each for the refund that is due first, while both calls of a step fit the lease."""
        while (case := await self._next(task, payment, account)) is not None:
            await self._step(case)
            if time.monotonic() + 2 * self._timeout_s >= task.send_before:
                break

    async def _next(self, task: Task, payment: Payment, account: Account) -> Case | None:
        refunds = await self._base.refunds.store.of_payment(payment.id, payment.merchant_id)
        due = [refund for refund in refunds if rules.is_pending(refund) and refund.next_at <= refund.read_at]
        if not due:
            return None
        return Case(task, payment, account, min(due, key=lambda refund: (refund.next_at, refund.seq)), refunds)

    async def _step(self, case: Case) -> None:
        """Query what was asked before; what nobody has asked for, and what no query finds, is asked for."""
        answer: Answer = _NOT_ASKED if case.refund.asked_at is None else await self._query(case)
        if not (isinstance(answer, RefundReport) and answer.state is RefundState.NOT_FOUND):
            await self._apply(case, answer)
        elif (pause_s := case.pause_s) > 0:
            REFUND_STEPS.labels("wait", "too_early").inc()
            await self._base.refunds.store.put_off(case.refund, pause_s, tried=False)
        elif (noted := await self._base.refunds.store.ask(case.refund, self._timeout_s)) is not None:
            await self._apply(case, await self._ask(case, noted))

    async def _query(self, case: Case) -> Answer:
        """How the refund stands; a query that could not be made decides nothing."""
        try:
            answer: Answer = await case.account.channel.query_refund(case.order, CallLimits(self._timeout_s))
        except ChannelError as error:
            answer = ChannelUnsent(error.code)
        _observe("query", answer)
        return answer

    async def _ask(self, case: Case, noted: datetime) -> Answer:
        """Ask for the refund, and note from when on nothing that was sent can still arrive."""
        store, limits = self._base.refunds.store, CallLimits(self._timeout_s, case.task.send_before)
        try:
            answer: Answer = await case.account.channel.refund(case.order, limits)
        except ChannelError as error:
            answer = error
        _observe("ask", answer)
        if isinstance(answer, ChannelUnsent):
            await store.unsent(case.refund, noted)
        else:
            await store.asked(case.refund)
        return answer

    async def _apply(self, case: Case, answer: Answer) -> None:
        """Commit what the answer decides; what it leaves open is looked at again."""
        desk, refund, settings = self._base.refunds, case.refund, self._base.settings
        if isinstance(answer, ChannelRejected) and steps.is_believed(refund, settings.not_created_after_s):
            await desk.commit(refund, steps.refused(answer))
        elif isinstance(answer, ChannelRejected):
            await desk.store.put_off(refund, settings.not_created_after_s, tried=True)
        else:
            if isinstance(answer, RefundReport):
                refund = await desk.settle(refund, answer)
            await desk.store.put_off(refund, steps.wait_s(refund, answer, case.account.channel.rhythm), tried=True)

    async def _reschedule(self, task: Task) -> None:
        """Come back for the refund that is due next; without one the task is done."""
        async with self._base.pool.acquire() as connection, connection.transaction():
            due = await commits.next_due(connection, task.payment_id, task.merchant_id)
            lease = (task.payment_id, task.purpose, task.lease_token, task.created_at)
            if due is None:
                await connection.execute(SQL["finish"], *lease)
            else:
                await connection.execute(SQL["put_off_until"], *lease, due)


def _observe(step: str, answer: Answer) -> None:
    if isinstance(answer, RefundReport):
        REFUND_STEPS.labels(step, answer.state).inc()
    else:
        REFUND_STEPS.labels(step, type(answer).__name__.removeprefix("Channel").lower()).inc()
