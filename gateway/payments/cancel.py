"""Cancels a payment: the worker closes codes, reverses unknown outcomes and voids captures of the same channel day."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Final

from gateway.kernel.clock import BEIJING, Deadline, utc_now
from gateway.kernel.errors import Conflict, not_found
from gateway.kernel.looking import look
from gateway.payments.payment import Payment
from gateway.payments.states import Status
from gateway.payments.store import PaymentStore

_CUT_OFF: Final = timedelta(hours=1)
"""UnionPay's clearing day runs from 23:00 to 23:00 Beijing time; no channel's day is shorter, so it serves for all."""
_POLL_S: Final = 0.1
_REST_S: Final = 2.0
_CANCELLABLE: Final = frozenset({Status.PROCESSING, Status.REQUIRES_ACTION, Status.SUCCEEDED})


def same_channel_day(payment: Payment) -> bool:
    """Whether the payment was taken in the channel day that it is now."""
    return _channel_day(payment.created_at) == _channel_day(utc_now())


def _channel_day(moment: datetime) -> date:
    return (moment.astimezone(BEIJING) + _CUT_OFF).date()


async def cancel(store: PaymentStore, merchant_id: str, payment_id: str, deadline: Deadline) -> Payment:
    """Ask for the reversal and wait for it within the deadline, as long as the worker is at it.

    Raises Conflict `use_refund` where it is too late.
    """
    payment = await store.find(merchant_id, payment_id)
    if payment is None:
        raise not_found("payment")
    if payment.status not in _CANCELLABLE or payment.reversal is not None:
        return await _await_reversal(store, payment, deadline)
    if payment.review is not None:
        raise Conflict("under_review", "A person is looking into this payment: it can't be cancelled.", param="id")
    if payment.status is Status.SUCCEEDED and (payment.refund_held or not same_channel_day(payment)):
        raise Conflict("use_refund", "This payment can no longer be cancelled: refund it.", param="id")
    if not await store.request_reversal(payment):  # it has just been decided: look again
        return await cancel(store, merchant_id, payment_id, deadline)
    return await _await_reversal(store, payment.with_(reversal="pending"), deadline)


async def _await_reversal(store: PaymentStore, payment: Payment, deadline: Deadline) -> Payment:
    while True:
        found = await look(store.find(payment.merchant_id, payment.id), deadline, None) or payment
        if found.reversal != "pending" or deadline.passed:
            return found
        if found.is_code and await look(store.rests(found, min(deadline.left_s, _REST_S)), deadline, otherwise=False):
            # The channel has no call to close it, or does not answer: the till has no use for waiting.  Or the worker
            # has ended it since it was read, and its task with it.
            return await look(store.find(payment.merchant_id, payment.id), deadline, None) or found
        await asyncio.sleep(min(_POLL_S, deadline.left_s))
