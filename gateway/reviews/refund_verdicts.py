"""Verdicts on a refund: go on with it, believe that it has or has not reached the customer, or keep its end."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from gateway.database.pool import Connection
from gateway.kernel.failures import FailureCode
from gateway.refunds import commits, steps
from gateway.refunds.desk import tell_of
from gateway.refunds.refund import Refund, RefundStatus
from gateway.refunds.steps import End
from gateway.refunds.store import RefundStore
from gateway.reviews.asking import Asking, Said
from gateway.reviews.plans import Plan, changed, refused
from gateway.reviews.reading import SQL, Database
from gateway.reviews.review import Review, Verdict
from routing.channels.reports import RefundReport, RefundState

_ENDS: Final = {RefundState.SUCCEEDED: RefundStatus.SUCCEEDED, RefundState.FAILED: RefundStatus.FAILED}
_REFUSALS: Final = {
    (Verdict.MARK_SUCCEEDED, "pending"): "The channel is still at it: it ends by itself.",
    (Verdict.MARK_SUCCEEDED, "failed"): "The channel gave nothing back: ask_again ends it as failed.",
    (Verdict.MARK_SUCCEEDED, "not_found"): "The channel knows no such refund: ask_again sends it.",
    (Verdict.MARK_FAILED, "pending"): "The channel is still at it: it ends by itself.",
    (Verdict.MARK_FAILED, "succeeded"): "The channel says that the money went back: ask_again, or mark_succeeded.",
    (
        Verdict.MARK_FAILED,
        "abnormal",
    ): "The channel may still send the money to the customer: end it in its own console "
    "first, or mark_succeeded once the customer has it.",
}
"""Where the channel's word speaks against a person's."""


class RefundVerdicts:
    """`arrives_within_s`: for so long a request that was sent to the channel can still be carried out."""

    def __init__(self, asking: Asking, refunds: RefundStore, arrives_within_s: float) -> None:
        self._asking = asking
        self._refunds = refunds
        self._arrives_within = timedelta(seconds=arrives_within_s)

    async def plan(self, database: Database, review: Review, verdict: Verdict) -> Plan:
        """What the verdict does.  Raises Conflict where it could lose money, Unavailable where nobody can tell."""
        refund = await self._refunds.find(review.merchant_id or "", review.refund_id or "")
        if refund is None or refund.review != review.reason:
            raise changed()
        match verdict:
            case Verdict.ASK_AGAIN if refund.status is RefundStatus.PENDING:
                return Plan(None, partial(_ask_again, refund))
            case Verdict.ASK_AGAIN:
                said = await self._asking.must_say(database, review)
                _must_agree(refund, said)
                return Plan(said, partial(_release, refund))
            case Verdict.KEEP:
                return Plan(await self._asking.ask(database, review), partial(_release, refund))
            case Verdict.MARK_SUCCEEDED | Verdict.MARK_FAILED:
                said = await self._asking.must_say(database, review)
                return Plan(said, partial(_end, refund, self._end(refund, verdict, said)))
        raise AssertionError(f"{verdict} is no verdict on a refund")

    def _end(self, refund: Refund, verdict: Verdict, said: Said) -> steps.Verdict:
        """The end that a person has seen.  Raises Conflict where the channel's word speaks against it."""
        if (why_not := _REFUSALS.get((verdict, said.state))) is not None:
            raise refused(why_not)
        report = said.report
        assert isinstance(report, RefundReport)
        if verdict is Verdict.MARK_SUCCEEDED:
            return steps.Verdict(End.SUCCEEDED, report.channel_refund_no)
        if report.state is RefundState.NOT_FOUND and not steps.is_believed(
            refund, self._arrives_within.total_seconds()
        ):
            raise refused("A request that was sent can still be carried out: decide again in some minutes.")
        return steps.Verdict(End.FAILED, report.channel_refund_no, FailureCode.REFUND_REFUSED, report.channel_code)


def _must_agree(refund: Refund, said: Said) -> None:
    """Raises Conflict unless the channel says the end that we have told."""
    report = said.report
    if not isinstance(report, RefundReport) or _ENDS.get(report.state) is not refund.status:
        raise refused(
            f"The refund {refund.status}, and that was told; the channel says {said.state}. Settle the difference with "
            "the channel or the merchant, then keep."
        )


async def _release(refund: Refund, connection: Connection) -> None:
    """Take it out of review.  Raises Conflict where it is not as it was read."""
    released = await connection.execute(
        SQL["release_refund"], refund.id, refund.merchant_id, refund.review, refund.status, refund.last_asked_at
    )
    if released != "UPDATE 1":
        raise changed()


async def _ask_again(refund: Refund, connection: Connection) -> None:
    await _release(refund, connection)
    await commits.wake(connection, refund)


async def _end(refund: Refund, end: steps.Verdict, connection: Connection) -> None:
    await _release(refund, connection)
    committed = await commits.complete(connection, refund, end)
    if committed is None:
        raise changed()
    tell_of(committed)
