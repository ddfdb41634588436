"""Gives back the whole of one captured attempt, under one refund number that is kept through every retry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from gateway.workers.tasks import Task, TaskQueue
from routing.accounts.book import Account
from routing.channels.base import CallLimits, ChannelError, ChannelOrder, ChannelRejected, ChannelUnsent, RefundOrder
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


class Returning:
    """Gives back for the tasks of one queue; a request that was sent can still arrive `arrives_within_s` later."""

    def __init__(self, queue: TaskQueue, arrives_within_s: float) -> None:
        self._queue = queue
        self._arrives_within = timedelta(seconds=arrives_within_s)

    async def give_back(self, account: Account, what: GiveBack, task: Task, *, first: bool) -> ReturnState:
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
        report = RefundReport(RefundState.NOT_FOUND)
        if not first:
            try:
                report = await account.channel.query_refund(refund, CallLimits(_TIMEOUT_S, task.send_before))
            except ChannelError:
                return ReturnState.OPEN
        if report.state is RefundState.NOT_FOUND:
            return await self._ask(account, refund, task, void=what.void)
        return _STATES.get(report.state, ReturnState.OPEN)

    async def _ask(self, account: Account, refund: RefundOrder, task: Task, *, void: bool) -> ReturnState:
        """A refusal says nothing of an earlier request that was not answered: that one may still be carried out."""
        if not await self._queue.asking(task, _TIMEOUT_S):
            return ReturnState.OPEN
        ask = account.channel.void if void else account.channel.refund
        try:
            report = await ask(refund, CallLimits(_TIMEOUT_S, task.send_before))
        except ChannelUnsent:
            await self._queue.answered(task)
            return ReturnState.OPEN
        except ChannelRejected:
            await self._queue.answered(task)
            return ReturnState.REFUSED if self._nothing_is_on_its_way(task) else ReturnState.OPEN
        except ChannelError:
            return ReturnState.OPEN
        return _STATES.get(report.state, ReturnState.OPEN)

    def _nothing_is_on_its_way(self, task: Task) -> bool:
        return task.asked_at is None or task.now >= task.asked_at + self._arrives_within


_STATES: Final = {RefundState.SUCCEEDED: ReturnState.RETURNED, RefundState.FAILED: ReturnState.REFUSED}
