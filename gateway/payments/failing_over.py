"""Failing over: the next account for a payment that surely was not charged, its attempt durable before it is asked.

Only two answers prove that no money can move under an attempt's number: `ChannelUnsent` (nothing left this machine),
and a refusal whose code the tables name as one that looked at neither the customer's code nor the order
(`may_fail_over`, for which a signature has to vouch).  After any other answer, silence above all, the payment stays
with its account.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime

from gateway.database.failovers import FailoverResult, FailoverRow
from gateway.database.group_commit import GroupCommit
from gateway.kernel.clock import Deadline
from gateway.kernel.metrics import FAILOVERS
from gateway.payments.payment import Payment
from gateway.payments.states import Status
from gateway.payments.store import PaymentStore
from gateway.payments.turns import Budget, Turn
from gateway.settings import Settings
from routing.channels.base import ChannelError, ChannelRejected, ChannelUnsent
from routing.choice import Choice
from routing.router import Router

_log = logging.getLogger("mashang.payments")


def may_fail_over(answer: object) -> bool:
    """Whether an answer proves that nothing was charged, nothing will be, and the customer's code was not used up."""
    return isinstance(answer, ChannelUnsent) or (isinstance(answer, ChannelRejected) and answer.may_fail_over)


def ended_state(answer: ChannelError) -> str:
    """How the attempt ends of which such an answer is."""
    return "unsent" if isinstance(answer, ChannelUnsent) else "refused"


class FailingOver:
    """One per process."""

    def __init__(
        self,
        settings: Settings,
        store: PaymentStore,
        router: Router,
        failovers: GroupCommit[FailoverRow, FailoverResult],
    ) -> None:
        self._settings = settings
        self._store = store
        self._router = router
        self._failovers = failovers

    async def next_turn(self, turn: Turn, answer: object, deadline: Deadline) -> Turn | None:
        """The payment's next attempt, durable and not yet asked; None where the answer stands.

        None too where somebody else has the payment meanwhile (a worker, a cancellation): whatever is then committed of
        the answer is guarded by that.  Raises Unavailable where the database does not tell whether the attempt stands:
        then nothing may be asked, and the worker resolves the attempt that does.
        """
        if not isinstance(answer, ChannelError) or not may_fail_over(answer) or deadline.passed:
            return None
        if len(turn.tried) >= self._router.tries_max:
            return None
        route, payment = turn.route, turn.payment
        choice = self._router.choose(
            route.sale,
            route.prices,
            without=turn.tried | route.strangers,
            payable_fen=payment.payable.amount_fen,
        )
        return None if choice.account is None else await self._open(turn, answer, choice, deadline)

    async def _open(self, turn: Turn, answer: ChannelError, choice: Choice, deadline: Deadline) -> Turn | None:
        account, payment = choice.account, turn.payment
        assert account is not None, "the caller has looked"
        budget = Budget.of(self._settings, payment.method, deadline)
        send_before = time.monotonic() + budget.send_within_s
        row = FailoverRow(
            payment_id=payment.id,
            merchant_id=payment.merchant_id,
            seq=payment.attempt_seq,
            ended_state=ended_state(answer),
            channel_code=answer.code,
            account_id=account.id,
            routing=choice.record(),
            send_within_s=budget.send_within_s,
            recover_after_s=budget.recover_after_s,
        )
        result = await self._failovers.submit(row)
        at = result.at if result.applied else await self._opened_unheard(payment, account.id)
        if at is None:
            return None
        FAILOVERS.labels(turn.account.id).inc()
        _log.debug(
            "a payment goes on at another account",
            extra={"payment_id": payment.id, "from": turn.account.id, "to": account.id, "code": answer.code},
        )
        on_next = payment.with_(attempt_seq=payment.attempt_seq + 1, account_id=account.id, attempt_at=at)
        return Turn(on_next, account, send_before, turn.route, turn.tried | {account.id})

    async def _opened_unheard(self, payment: Payment, account_id: str) -> datetime | None:
        """When an earlier sending of the same row, whose answer was lost, opened the attempt; None where none did.

        A statement that had to wait for that one can miss the row (see outcome.sql), so the payment is looked at.
        """
        found = await self._store.find(payment.merchant_id, payment.id)
        if found is None or (found.attempt_seq, found.account_id) != (payment.attempt_seq + 1, account_id):
            return None
        is_being_taken = found.status is Status.PROCESSING and found.reversal is None and found.review is None
        return found.attempt_at if is_being_taken else None
