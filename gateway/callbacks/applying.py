"""What a notification does to its payment or refund; safe to do twice, by the gateway and by the worker at once."""

from __future__ import annotations

import logging
from typing import Final

from gateway.callbacks.callback import Callback, Result
from gateway.callbacks.inbox import Inbox
from gateway.kernel.metrics import CALLBACKS_APPLIED
from gateway.ledger.postings import Kind
from gateway.payments.charging import Charging
from gateway.payments.numbers import RefundNumber
from gateway.payments.payment import Payment
from gateway.payments.settle import review_reason
from gateway.payments.states import Status
from gateway.payments.store import PaymentStore
from gateway.refunds.desk import RefundDesk
from gateway.refunds.refund import RefundStatus
from routing.accounts.book import Account, AccountBook
from routing.channels.notifications import Notification
from routing.channels.reports import RefundReport, TradeReport, TradeState

_log = logging.getLogger("mashang.callbacks")
_PAUSES_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0)
"""Between looks for an order of which we do not know yet; the last one repeats."""
ORPHAN_AFTER_S: Final = 86_400.0
"""An order that we have not come to know by then is not ours."""


class Applying:
    """One per process."""

    def __init__(
        self, accounts: AccountBook, store: PaymentStore, charging: Charging, refunds: RefundDesk, inbox: Inbox
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._charging = charging
        self._refunds = refunds
        self._inbox = inbox

    async def handle(self, callback: Callback, *, tries: int = 0, age_s: float = 0.0) -> None:
        """Apply it and note what came of it, or put it off; a day after it came, it is an orphan."""
        result = await self._apply(callback)
        if result is None and age_s < ORPHAN_AFTER_S:
            await self._inbox.put_off(callback, pause_s(tries))
            return
        result = result or Result.ORPHAN
        if await self._inbox.finish(callback, result):
            CALLBACKS_APPLIED.labels(callback.account_id, result).inc()
            if result in _LOUD:
                _log.warning(
                    "a callback was not what our books expect",
                    extra={"payment_id": callback.payment_id, "account": callback.account_id, "result": result},
                )

    async def _apply(self, callback: Callback) -> Result | None:
        """None while our own row, or the account, is not to be seen."""
        origin = await self._inbox.origin(callback)
        account = self._accounts.get(callback.account_id)
        if origin is None or account is None:
            return None
        if origin.account_id != callback.account_id:
            return Result.ORPHAN
        payment = await self._store.find(origin.merchant_id, callback.payment_id)
        if payment is None:
            return None
        match callback.notification:
            case Notification(trade=TradeReport() as report):
                return await self._apply_trade(callback, payment, account, report)
            case Notification(refund=RefundReport() as report):
                return await self._apply_refund(callback, callback.refund_number, report)
        raise AssertionError("a callback tells of a payment or of a refund")

    async def _apply_trade(self, callback: Callback, payment: Payment, account: Account, report: TradeReport) -> Result:
        if payment.status is Status.SUCCEEDED and callback.attempt_seq == payment.attempt_seq:
            await self._inbox.wake(payment.id, "resolve")  # a cancellation of it may have just come to its end
            return told_of_a_paid_one(payment, report)
        as_asked = payment.with_(attempt_seq=callback.attempt_seq, account_id=account.id)
        found = await self._charging.settle(as_asked, account, report)
        if found.status is not payment.status:
            return Result.APPLIED
        if report.state is not TradeState.CAPTURED:
            return Result.NO_CHANGE
        return await self._money_told_of(callback, found, report)

    async def _money_told_of(self, callback: Callback, found: Payment, report: TradeReport) -> Result:
        """What money means that has changed nothing about its payment."""
        if callback.attempt_seq < found.attempt_seq:
            return Result.LATE
        if found.status.is_final:
            booked = await self._store.booked(found)
            return Result.NO_CHANGE if any(row.seq == Kind.CAPTURE for row in booked) else Result.LATE
        if review_reason(found, report) is not None:
            return Result.REVIEW
        await self._inbox.wake(found.id, "resolve")  # a cancellation was first: the worker gives the money back
        return Result.NO_CHANGE

    async def _apply_refund(
        self, callback: Callback, number: RefundNumber | None, report: RefundReport
    ) -> Result | None:
        """A refund of a merchant's is settled; what gives a whole attempt back is known to its payment's task."""
        if number is None:
            return Result.REVIEW
        if number.refund_seq is None:
            await self._inbox.wake(callback.payment_id, "resolve", "give_back")
            return Result.NO_CHANGE
        refund = await self._refunds.store.find_by_refund_no(callback.notification.refund_no or "")
        if refund is None:
            return None
        found = await self._refunds.settle(refund, report)
        if found.status is not refund.status:
            return Result.APPLIED
        if found.review is not None:
            return Result.REVIEW
        if found.status is RefundStatus.PENDING:  # it tells that something has happened, and a query says what
            await self._refunds.wake(found)
        return Result.NO_CHANGE


def told_of_a_paid_one(payment: Payment, report: TradeReport) -> Result:
    """What a report about a payment means whose capture is booked: nothing is undone because a channel tells so."""
    match report.state:
        case TradeState.CAPTURED:
            return Result.NO_CHANGE if review_reason(payment, report) is None else Result.REVIEW
        case TradeState.PENDING | TradeState.NOT_FOUND:
            return Result.NO_CHANGE
        case TradeState.CLOSED | TradeState.REFUNDED if payment.refund_held or payment.reversal == "pending":
            return Result.NO_CHANGE
        case _:
            return Result.REVIEW


def pause_s(tries: int) -> float:
    """How long to wait after so many tries."""
    return _PAUSES_S[min(tries, len(_PAUSES_S) - 1)]


_LOUD: Final = frozenset({Result.REVIEW, Result.ORPHAN})
