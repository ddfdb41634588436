"""Verdicts on a payment without an end: go on, book it, give the money back, or believe that it went back."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from gateway.database.outcomes import OutcomeRow, write_outcome
from gateway.database.pool import Connection
from gateway.kernel.failures import FailureCode
from gateway.kernel.secrets import Vault
from gateway.payments import settle
from gateway.payments.ending import count_end
from gateway.payments.payment import Payment
from gateway.payments.states import Status
from gateway.reviews.asking import Asking, Said
from gateway.reviews.plans import Plan, changed, refused, release_payment
from gateway.reviews.reading import SQL, Database
from gateway.reviews.review import Review, Verdict
from routing.channels.reports import TradeReport, TradeState

_GONE: Final = frozenset({TradeState.REFUNDED, TradeState.CLOSED})


class PaymentVerdicts:
    """`arrives_within_s`: for so long a request that was sent to the channel can still be carried out."""

    def __init__(self, asking: Asking, vault: Vault, arrives_within_s: float) -> None:
        self._asking = asking
        self._vault = vault
        self._arrives_within = timedelta(seconds=arrives_within_s)

    async def plan(self, database: Database, review: Review, verdict: Verdict) -> Plan:
        """What the verdict does.  Raises Conflict where it could lose money, Unavailable where nobody can tell."""
        if verdict is Verdict.QUERY_AGAIN:
            return Plan(None, partial(_query_again, review))
        said = await self._asking.must_say(database, review)
        payment = await self._asking.order_of(database, review)
        if payment is None or not isinstance(said.report, TradeReport):
            raise changed()
        match verdict:
            case Verdict.ACCEPT_CAPTURE:
                row = self._accepted(review, payment, said, said.report)
                return Plan(said, partial(_end, review, payment, row))
            case Verdict.GIVE_BACK:
                _must_hold_money(said)
                row = settle.abandoned(payment, said.report.channel_trade_no)
                return Plan(said, partial(_give_back, review, payment, row))
            case Verdict.MARK_REVERSED:
                row = self._reversed(review, payment, said, said.report)
                return Plan(said, partial(_end, review, payment, row))
        raise AssertionError(f"{verdict} is no verdict on a payment")

    def _accepted(self, review: Review, payment: Payment, said: Said, report: TradeReport) -> OutcomeRow:
        _must_hold_money(said)
        if said.amount_fen != review.expected:
            raise refused(
                f"The channel captured {said.amount_fen} fen, {review.expected} were asked for: give_back returns them."
            )
        if review.reason == settle.NOT_REVERSIBLE and review.read_at < review.since + self._arrives_within:
            raise refused("A reversal that was sent can still be carried out: decide again in some minutes.")
        fee = self._asking.account_of(review).terms.fee
        row = settle.outcome_of_report(payment.with_(review=None), fee, report, self._vault)
        assert row is not None, "a capture of the payable is an outcome"
        return row

    def _reversed(self, review: Review, payment: Payment, said: Said, report: TradeReport) -> OutcomeRow:
        if report.state not in _GONE:
            raise refused(
                f"The channel says {said.state}, not that money went back: query_again lets the worker go on."
            )
        fee = self._asking.account_of(review).terms.fee
        return settle.given_back(payment, fee, report.channel_trade_no)


def _must_hold_money(said: Said) -> None:
    """Raises Conflict unless the channel says that it has all of the customer's money, and how much that is."""
    if said.state == TradeState.REFUNDED:
        raise refused("The channel says that money went back: query_again; mark_reversed is for when all of it did.")
    if said.state != TradeState.CAPTURED:
        raise refused(f"The channel says {said.state}: query_again lets the worker bring it to its end.")
    if said.amount_fen is None:
        raise refused("The channel does not say how much it captured: look at its own console, then query_again.")


async def _query_again(review: Review, connection: Connection) -> None:
    await release_payment(connection, review)
    await connection.execute(SQL["resolve"], review.payment_id, review.merchant_id)


async def _end(review: Review, payment: Payment, row: OutcomeRow, connection: Connection) -> None:
    await release_payment(connection, review)
    if not (await write_outcome(connection, row)).applied:
        raise changed()
    failure = None if row.failure_code is None else FailureCode(row.failure_code)
    count_end(payment.with_(status=Status(row.to_status), failure=failure))


async def _give_back(review: Review, payment: Payment, row: OutcomeRow, connection: Connection) -> None:
    """The watch finds the money, books it as a late capture and has it given back (gateway.workers.late)."""
    await _end(review, payment, row, connection)
    await connection.execute(SQL["watch"], review.payment_id, review.merchant_id)
