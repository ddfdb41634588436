"""Gives back the whole of one captured attempt, under one refund number that is kept through every retry."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

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


@dataclass(frozen=True, slots=True)
class GiveBack:
    """What goes back, and why; `void` asks for the cancellation of a capture of this day instead of a refund."""

    order: ChannelOrder
    refund_no: str
    reason: str
    void: bool = False


async def give_back(account: Account, what: GiveBack, task: Task, *, first: bool) -> ReturnState:
    """One step: ask for the refund, later ask how it stands.

    The task's time is the same in every step: UnionPay knows a refund by its number and time together.
    """
    refund = RefundOrder(
        order=what.order,
        refund_no=what.refund_no,
        amount=what.order.amount,
        created_at=task.created_at,
        reason=what.reason,
    )
    limits, channel = CallLimits(_TIMEOUT_S, task.send_before), account.channel
    try:
        report = RefundReport(RefundState.NOT_FOUND) if first else await channel.query_refund(refund, limits)
        if report.state is RefundState.NOT_FOUND:
            report = await (channel.void(refund, limits) if what.void else channel.refund(refund, limits))
    except ChannelRejected:
        return ReturnState.REFUSED
    except ChannelError:
        return ReturnState.OPEN
    return {RefundState.SUCCEEDED: ReturnState.RETURNED, RefundState.FAILED: ReturnState.REFUSED}.get(
        report.state, ReturnState.OPEN
    )
