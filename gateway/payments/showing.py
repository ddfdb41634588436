"""Gets a code from the channel and makes it durable; nobody sees a code before that."""

from __future__ import annotations

import time
from typing import Final, TypeAlias

from gateway.database.group_commit import GroupCommit
from gateway.database.shown import ShownResult, ShownRow
from gateway.kernel.clock import Deadline
from gateway.kernel.ids import new_id
from gateway.kernel.metrics import PHASE_SECONDS
from gateway.payments import settle
from gateway.payments.charging import Charging
from gateway.payments.feedback import NOBODY_LISTENS, Feedback, cell_of
from gateway.payments.payment import Payment
from gateway.payments.phases import SHOWN
from gateway.payments.states import Status
from gateway.payments.store import PaymentStore
from gateway.payments.turns import Turn
from routing.accounts.book import Account
from routing.channels.base import CallLimits, ChannelError, ChannelUnknown, CodeOrder
from routing.channels.reports import CodeReport
from routing.sale import Method

_CHANNEL_PHASE: Final = PHASE_SECONDS.labels("channel")

CodeAnswer: TypeAlias = CodeReport | ChannelError
"""What a channel said to the request for a code: the code, or one of the three kinds of error."""


class Showing:
    """One per process."""

    def __init__(
        self,
        store: PaymentStore,
        charging: Charging,
        shown: GroupCommit[ShownRow, ShownResult],
        feedback: Feedback = NOBODY_LISTENS,
    ) -> None:
        self._store = store
        self._charging = charging
        self._shown = shown
        self._feedback = feedback

    async def ask(self, turn: Turn, description: str) -> CodeAnswer:
        """Ask, and where the answer is lost ask the same once more: nobody has seen a code, so nobody can have paid.

        After a lost answer only a code is believed: a refusal may be of the repetition.
        """
        payment = turn.payment
        code = CodeOrder(
            order=payment.channel_order,
            description=description,
            pay_until=payment.expires_at,
            store_id=payment.store_id,
            terminal_id=payment.terminal_id,
            operator_id=payment.operator_id,
        )
        until = Deadline(turn.send_before)
        answer = await self._once(turn, code, CallLimits(until.left_s / 2, until.at_monotonic_s))
        if not isinstance(answer, ChannelUnknown):
            return answer
        again = await self._once(turn, code, CallLimits(until.left_s, until.at_monotonic_s))
        return again if isinstance(again, CodeReport) else answer

    async def settle(self, payment: Payment, account: Account, answer: CodeAnswer) -> Payment:
        """Bring a payment to its code, or to its end where no channel gives one."""
        match answer:
            case CodeReport():
                return await self._commit(payment, account, answer)
            case ChannelUnknown():
                return await self._charging.commit(payment, settle.no_code(payment, answer.code))
            case _:
                return await self._charging.settle(payment, account, answer)

    async def _once(self, turn: Turn, code: CodeOrder, limits: CallLimits) -> CodeAnswer:
        began = time.monotonic()
        try:
            call = turn.account.channel.create_code(code, limits)
            return await self._feedback.of(cell_of(turn.account, turn.payment.wallet, Method.QRCODE), call)
        finally:
            _CHANNEL_PHASE.observe(time.monotonic() - began)

    async def _commit(self, payment: Payment, account: Account, code: CodeReport) -> Payment:
        """Where a worker or a cancellation was first, the payment stands as they left it, and the code is not shown."""
        began = time.monotonic()
        result = await self._shown.submit(
            ShownRow(
                payment_id=payment.id,
                merchant_id=payment.merchant_id,
                seq=payment.attempt_seq,
                qr_code=code.qr_code,
                look_after_s=account.channel.rhythm.after_shown_s[0],
                event_id=new_id("evt"),
            )
        )
        SHOWN.ended(began)
        if result.applied:
            return payment.with_(status=Status.REQUIRES_ACTION, qr_code=code.qr_code, pay_until=result.pay_until)
        return await self._store.find(payment.merchant_id, payment.id) or payment
