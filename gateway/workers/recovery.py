"""Brings payments without an outcome to one: query, then confirm or reverse; never charge again.

Every commit is guarded by the payment's state: a worker that slept past its lease can repeat a question but no effect.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from gateway.composition import Base
from gateway.kernel.metrics import RECOVERY_STEPS
from gateway.payments import resolution, settle
from gateway.payments.attempt_store import AttemptStore
from gateway.payments.charging import Answer
from gateway.payments.numbers import give_back_no
from gateway.payments.payment import Payment
from gateway.payments.resolution import Facts, Sighting, Verdict
from gateway.payments.states import Status
from gateway.workers.codes import CodeRecovery
from gateway.workers.returning import GiveBack, Returning, ReturnState
from gateway.workers.tasks import Task, TaskQueue
from routing.accounts.book import Account
from routing.channels.base import CallLimits, ChannelError
from routing.channels.reports import ReversalState, TradeReport, TradeState

_log = logging.getLogger("mashang.recovery")
_REVERSE_TIMEOUT_S: Final = 10.0
_NO_ACCOUNT_RETRY_S: Final = 30.0
_VOID_RETRY_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
_DEFER_S: Final = (5.0, 10.0)
"""A step that was not taken because its account does not answer comes back after so long."""
_SLOW_S: Final = 2.0
"""An account whose last step took longer is slow."""


@dataclass(frozen=True, slots=True)
class Case:
    """One unresolved payment with its account and the task that leads here."""

    task: Task
    payment: Payment
    account: Account
    facts: Facts


class Hands:
    """Leaves hands free for the others where one account does not answer and each of its calls ends by its timeout."""

    def __init__(self, at_slow_account_max: int) -> None:
        self._max = at_slow_account_max
        self._busy: Counter[str] = Counter()
        self._slow: set[str] = set()

    @contextmanager
    def at(self, account_id: str) -> Iterator[bool]:
        """Take a hand to that account; False where it is slow and has its share already."""
        if account_id in self._slow and self._busy[account_id] >= self._max:
            yield False
            return
        self._busy[account_id] += 1
        began = time.monotonic()
        try:
            yield True
        finally:
            self._busy[account_id] -= 1
            (self._slow.add if time.monotonic() - began > _SLOW_S else self._slow.discard)(account_id)


class Recovery:
    """Handles the tasks of purpose `resolve`."""

    def __init__(self, base: Base, queue: TaskQueue) -> None:
        self._base = base
        self._queue = queue
        self._returning = Returning(queue, base.settings.not_created_after_s)
        self._attempts = AttemptStore(base.pool, base.vault)
        self._codes = CodeRecovery(base, queue, self._attempts)
        self._hands = Hands(base.settings.recovery_concurrency_max // 4)

    async def handle(self, task: Task) -> None:
        """Take one step for one payment."""
        payment = await self._base.store.find(task.merchant_id, task.payment_id)
        if payment is None or not payment.is_unresolved:
            await self._queue.finish(task)
            return
        with self._hands.at(payment.account_id or "") as is_free:
            if is_free:
                await self._step(task, payment)
            else:
                await self._queue.defer(task, random.uniform(*_DEFER_S))  # noqa: S311  jitter, not a secret

    async def _step(self, task: Task, payment: Payment) -> None:
        if payment.is_code and not payment.status.is_final:
            await self._codes.step(task, payment)
            return
        case = await self._open(task, payment)
        if case is None:
            _log.error("an unresolved payment has no channel account", extra={"payment_id": payment.id})
            await self._queue.put_off(task, _NO_ACCOUNT_RETRY_S)
        elif payment.status is Status.SUCCEEDED:
            await self._void(case)
        else:
            await self._resolve(case)

    async def _open(self, task: Task, payment: Payment) -> Case | None:
        base = self._base
        attempt = await self._attempts.current(payment)
        account = base.accounts.get(payment.account_id or "")
        if attempt is None or account is None:
            return None
        facts = Facts(
            now=task.now,
            created_at=payment.created_at,
            send_before=attempt.send_before,
            expires_at=payment.expires_at,
            reversal_pending=payment.reversal == "pending",
            tries=task.tries - 1,
            rhythm=account.channel.rhythm,
            not_created_after_s=base.settings.not_created_after_s,
        )
        return Case(task, payment, account, facts)

    async def _resolve(self, case: Case) -> None:
        """Query; what is decided is committed, what must end is reversed, anything else waits."""
        charging = self._base.charging
        answer = await charging.query(case.payment, case.account)
        seen = _sighting(answer)
        RECOVERY_STEPS.labels("query", seen).inc()
        payment = await charging.settle(case.payment, case.account, answer)
        if not payment.is_unresolved:
            await self._queue.finish(case.task)
        elif resolution.reverse_now(case.facts):
            await self._reverse(case, seen)
        else:
            await self._queue.put_off(case.task, resolution.wait_s(case.facts, seen))

    async def _reverse(self, case: Case, seen: Sighting) -> None:
        """Reverse.  A capture booked meanwhile stands; one seen later is not booked: it may be on its way back."""
        if case.payment.reversal != "pending":
            if not await self._base.store.begin_reversal(case.payment):
                await self._queue.finish(case.task)
                return
            case = replace(case, payment=case.payment.with_(reversal="pending"))
        answer = await self._ask_to_reverse(case)
        RECOVERY_STEPS.labels("reverse", answer).inc()
        charging = self._base.charging
        match resolution.verdict_of_reversal(case.facts, seen, answer):
            case Verdict.REVERSED:
                await charging.commit_reversal(case.payment)
                await self._queue.finish(case.task)
            case Verdict.NOT_CREATED:
                await charging.commit(case.payment, settle.not_created(case.payment))
                await self._queue.finish(case.task)
            case Verdict.CANNOT if seen is Sighting.CAPTURED:
                await self._fail_reversal(case)  # the next look books the capture
                await self._queue.put_off(case.task, 0)
            case Verdict.CANNOT:
                await self._base.store.mark_for_review(case.payment, settle.NOT_REVERSIBLE)
            case Verdict.AGAIN:
                await self._queue.put_off(case.task, resolution.wait_after_reversal_s(case.facts, seen))

    async def _ask_to_reverse(self, case: Case) -> ReversalState:
        try:
            report = await case.account.channel.reverse(
                case.payment.channel_order, CallLimits(_REVERSE_TIMEOUT_S, case.task.send_before)
            )
        except ChannelError:
            return ReversalState.REPEAT  # whatever it was: a reversal is safe to repeat
        return report.state

    async def _void(self, case: Case) -> None:
        """Give back a capture of this channel day, whole."""
        payment = case.payment
        refund_no = give_back_no(payment.id, payment.attempt_seq)
        what = GiveBack(payment.channel_order, refund_no, "cancelled", void=True)
        state = await self._returning.give_back(case.account, what, case.task, first=case.task.tries == 1)
        RECOVERY_STEPS.labels("void", state).inc()
        match state:
            case ReturnState.RETURNED:
                await self._base.charging.commit_reversal(payment)
                await self._queue.finish(case.task)
            case ReturnState.REFUSED:
                await self._fail_reversal(case)
                await self._queue.finish(case.task)
            case ReturnState.OPEN:
                await self._queue.put_off(case.task, _VOID_RETRY_S[min(case.task.tries, len(_VOID_RETRY_S)) - 1])

    async def _fail_reversal(self, case: Case) -> None:
        await self._base.store.fail_reversal(case.payment, case.task.lease_token, case.task.created_at)


def _sighting(answer: Answer) -> Sighting:
    """What an answer to a query shows."""
    if not isinstance(answer, TradeReport):
        return Sighting.UNKNOWN
    return {
        TradeState.CAPTURED: Sighting.CAPTURED,
        TradeState.NOT_FOUND: Sighting.NOT_FOUND,
    }.get(answer.state, Sighting.PENDING)
