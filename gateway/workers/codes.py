"""Brings codes on display to their end: queried while they are shown, shut at the channel when their time is over.

Every step can be repeated: a worker killed between the channel's answer and the commit asks again, and is told again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Final

from gateway.composition import Base
from gateway.kernel.metrics import RECOVERY_STEPS
from gateway.payments import code_resolution, settle
from gateway.payments.attempt_store import Attempt, AttemptStore
from gateway.payments.charging import Answer
from gateway.payments.code_resolution import CodeFacts, Sight, Step
from gateway.payments.numbers import give_back_no
from gateway.payments.payment import Payment
from gateway.payments.states import Status
from gateway.workers.returning import GiveBack, Returning, ReturnState
from gateway.workers.tasks import Task, TaskQueue
from routing.accounts.book import Account
from routing.channels.reports import CloseState, TradeReport

_log = logging.getLogger("mashang.recovery")
_NO_ACCOUNT_RETRY_S: Final = 30.0
_RETURN_RETRY_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
_AGAIN_S: Final = 1.0
"""A payment that was changed while it was looked at is looked at again."""


@dataclass(frozen=True, slots=True)
class CodeCase:
    """A code with its open order, what the channel has just said of it, and the task that leads here."""

    task: Task
    payment: Payment
    attempt: Attempt
    account: Account
    facts: CodeFacts
    answer: Answer

    @property
    def seen(self) -> Sight:
        """What that answer shows."""
        return code_resolution.sight_of(self.answer)


class CodeRecovery:
    """Takes the steps of purpose `resolve` for codes that have no end yet."""

    def __init__(self, base: Base, queue: TaskQueue, attempts: AttemptStore) -> None:
        self._base = base
        self._queue = queue
        self._returning = Returning(queue, base.settings.not_created_after_s)
        self._attempts = attempts

    async def step(self, task: Task, payment: Payment) -> None:
        """Take one step for one payment."""
        if not payment.has_open_attempt:
            await self._without_order(task, payment)
            return
        attempt = await self._attempts.current(payment)
        account = self._base.accounts.get(payment.account_id or "")
        if attempt is None or account is None:
            _log.error("a code on display has no channel account", extra={"payment_id": payment.id})
            await self._queue.put_off(task, _NO_ACCOUNT_RETRY_S)
            return
        answer = await self._base.charging.query(payment, account)
        case = CodeCase(task, payment, attempt, account, self._facts(task, payment, attempt, account), answer)
        RECOVERY_STEPS.labels("query", case.seen).inc()
        found = await self._base.charging.settle(payment, account, answer)
        if found.is_unresolved:
            await self._take(case, code_resolution.next_step(case.facts, case.seen))
        else:
            await self._queue.finish(task)

    async def _without_order(self, task: Task, payment: Payment) -> None:
        """No wallet was chosen, or its order was shut: at its end the code is simply closed."""
        left_s = (payment.expires_at - task.now).total_seconds()
        if left_s > 0 and payment.reversal is None:
            await self._queue.put_off(task, left_s)
            return
        RECOVERY_STEPS.labels("close", "no_order").inc()
        await self._end(task, payment, await self._base.charging.commit(payment, settle.closed(payment)))

    async def _take(self, case: CodeCase, step: Step, closing: CloseState | None = None) -> None:
        charging = self._base.charging
        match step:
            case Step.WAIT:
                await self._queue.put_off(case.task, code_resolution.wait_s(case.facts, closing))
            case Step.CLOSE:
                closing = await charging.close(case.payment, case.account)
                RECOVERY_STEPS.labels("close", closing).inc()
                await self._take(case, code_resolution.step_after_close(case.facts, case.seen, closing), closing)
            case Step.END:
                row = settle.closed(case.payment, _channel_code(case.answer))
                await self._end(case.task, case.payment, await charging.commit(case.payment, row))
            case Step.GIVE_UP:
                row = settle.no_code(case.payment, _channel_code(case.answer))
                await self._end(case.task, case.payment, await charging.commit(case.payment, row))
            case Step.END_ATTEMPT:
                await self._attempts.close(case.payment, channel_code=_channel_code(case.answer))
                await self._queue.put_off(case.task, _AGAIN_S)
            case Step.GIVE_BACK:
                await self._give_back(case)

    async def _end(self, task: Task, payment: Payment, found: Payment) -> None:
        """The task is done, unless somebody changed the payment in between: a wallet was just chosen for it."""
        if found.is_unresolved:
            await self._queue.put_off(task, _AGAIN_S)
        else:
            _log.debug("a code has ended", extra={"payment_id": payment.id, "status": found.status})
            await self._queue.finish(task)

    async def _give_back(self, case: CodeCase) -> None:
        """The customer paid while the cancellation was pending: the whole goes back, and the payment ends reversed."""
        payment, task = case.payment, case.task
        if isinstance(case.answer, TradeReport) and case.seen is Sight.CAPTURED:
            await self._attempts.note_capture(payment, case.answer)
        order = replace(payment.channel_order, channel_trade_no=_trade_no(case))
        what = GiveBack(order, give_back_no(payment.id, payment.attempt_seq), "cancelled")
        state = await self._returning.give_back(case.account, what, task, first=False)
        RECOVERY_STEPS.labels("give_back", state).inc()
        match state:
            case ReturnState.RETURNED:
                row = settle.given_back(payment, case.account.terms.fee, order.channel_trade_no)
                await self._end(task, payment, await self._base.charging.commit(payment, row))
            case ReturnState.REFUSED:
                await self._base.store.fail_reversal(payment, task.lease_token, task.created_at)
                await self._queue.put_off(task, 0)  # the next look books the capture
            case ReturnState.OPEN if not case.facts.was_paid:
                await self._queue.begin_anew(task, _RETURN_RETRY_S[0])
            case ReturnState.OPEN:
                tries = min(task.tries, len(_RETURN_RETRY_S))
                await self._queue.put_off(task, _RETURN_RETRY_S[tries - 1])

    def _facts(self, task: Task, payment: Payment, attempt: Attempt, account: Account) -> CodeFacts:
        settings = self._base.settings
        return CodeFacts(
            now=task.now,
            expires_at=payment.expires_at,
            pay_until=attempt.pay_until or payment.expires_at,
            absent_from=attempt.absent_from(settings.not_created_after_s) if payment.is_aggregated else None,
            reversal_pending=payment.reversal == "pending",
            is_aggregated=payment.is_aggregated,
            was_shown=payment.status is Status.REQUIRES_ACTION,
            was_paid=attempt.state == "captured",
            tries=task.tries - 1,
            rhythm=account.channel.rhythm,
            margin_s=settings.pay_until_margin_s,
        )


def _trade_no(case: CodeCase) -> str | None:
    told = case.answer.channel_trade_no if isinstance(case.answer, TradeReport) else None
    return told or case.attempt.channel_trade_no


def _channel_code(answer: Answer) -> str | None:
    return answer.channel_code if isinstance(answer, TradeReport) else None
