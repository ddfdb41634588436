"""Gets a code from the channel and makes it durable; nobody sees a code before that."""

from __future__ import annotations

import time
from typing import Final

from gateway.database.group_commit import GroupCommit
from gateway.database.shown import ShownResult, ShownRow
from gateway.kernel.clock import Deadline
from gateway.kernel.ids import new_id
from gateway.kernel.metrics import PHASE_SECONDS
from gateway.payments import settle
from gateway.payments.charging import Charging
from gateway.payments.payment import Payment
from gateway.payments.states import Status
from gateway.payments.store import PaymentStore
from routing.accounts import Account
from routing.channels.base import CallLimits, ChannelRejected, ChannelUnknown, ChannelUnsent, CodeOrder
from routing.channels.reports import CodeReport

_CHANNEL_PHASE: Final = PHASE_SECONDS.labels("channel")
_SHOWN_PHASE: Final = PHASE_SECONDS.labels("shown")


class Showing:
    """One per process."""

    def __init__(self, store: PaymentStore, charging: Charging, shown: GroupCommit[ShownRow, ShownResult]) -> None:
        self._store = store
        self._charging = charging
        self._shown = shown

    async def show(self, payment: Payment, account: Account, description: str, deadline: Deadline) -> Payment:
        """Bring a payment whose intent is durable to its code, or to its end where the channel gives none."""
        answer = await self._ask(payment, account, description, deadline)
        match answer:
            case CodeReport():
                return await self._commit(payment, account, answer)
            case ChannelUnknown():
                return await self._charging.commit(payment, settle.no_code(payment, answer.code))
            case _:
                return await self._charging.settle(payment, account, answer)

    async def _ask(
        self, payment: Payment, account: Account, description: str, deadline: Deadline
    ) -> CodeReport | ChannelUnsent | ChannelRejected | ChannelUnknown:
        """Ask, and where the answer is lost ask the same once more: nobody has seen a code, so nobody can have paid.

        After a lost answer only a code is believed: a refusal may be of the repetition.
        """
        code = CodeOrder(
            order=payment.channel_order,
            description=description,
            pay_until=payment.expires_at,
            store_id=payment.store_id,
            terminal_id=payment.terminal_id,
            operator_id=payment.operator_id,
        )
        until = deadline.at_monotonic_s
        answer = await _once(account, code, CallLimits(deadline.left_s / 2, until))
        if not isinstance(answer, ChannelUnknown):
            return answer
        again = await _once(account, code, CallLimits(deadline.left_s, until))
        return again if isinstance(again, CodeReport) else answer

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
        _SHOWN_PHASE.observe(time.monotonic() - began)
        if result.applied:
            return payment.with_(status=Status.REQUIRES_ACTION, qr_code=code.qr_code, pay_until=result.pay_until)
        return await self._store.find(payment.merchant_id, payment.id) or payment


async def _once(
    account: Account, code: CodeOrder, limits: CallLimits
) -> CodeReport | ChannelUnsent | ChannelRejected | ChannelUnknown:
    began = time.monotonic()
    try:
        return await account.channel.create_code(code, limits)
    except (ChannelUnsent, ChannelRejected, ChannelUnknown) as error:
        return error
    finally:
        _CHANNEL_PHASE.observe(time.monotonic() - began)
