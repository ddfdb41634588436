"""Gives back the whole of one captured attempt, under one refund number that is kept through every retry."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from gateway.payments.numbers import give_back_no
from gateway.payments.payment import Payment
from gateway.workers.tasks import Task
from routing.accounts import Account
from routing.channels.base import CallLimits, ChannelError, ChannelOrder, ChannelRejected, RefundOrder
from routing.channels.reports import RefundReport, RefundState

_TIMEOUT_S: Final = 10.0


class ReturnState(StrEnum):
    """How giving back stands."""

    RETURNED = "returned"
    OPEN = "open"
    REFUSED = "refused"


async def give_back(
    account: Account, order: ChannelOrder, payment: Payment, task: Task, *, first: bool, void: bool
) -> ReturnState:
    """One step: ask for the refund (`void`: for the cancellation of a capture of this day), later ask how it stands.

    The task's time is the same in every step: UnionPay knows a refund by its number and time together.
    """
    refund = RefundOrder(
        order=order,
        refund_no=give_back_no(payment.id, payment.attempt_seq),
        amount=order.amount,
        created_at=task.created_at,
        reason="cancelled" if void else "paid too late",
    )
    limits, channel = CallLimits(_TIMEOUT_S, task.send_before), account.channel
    try:
        report = RefundReport(RefundState.NOT_FOUND) if first else await channel.query_refund(refund, limits)
        if report.state is RefundState.NOT_FOUND:
            report = await (channel.void(refund, limits) if void else channel.refund(refund, limits))
    except ChannelRejected:
        return ReturnState.REFUSED
    except ChannelError:
        return ReturnState.OPEN
    return {RefundState.SUCCEEDED: ReturnState.RETURNED, RefundState.FAILED: ReturnState.REFUSED}.get(
        report.state, ReturnState.OPEN
    )
