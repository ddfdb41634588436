"""Verdicts on money that came too late and was not taken back: try again, or believe that the customer has it."""

from __future__ import annotations

from functools import partial

from gateway.database.pool import Connection
from gateway.kernel.metrics import LATE_CAPTURES
from gateway.kernel.money import Money
from gateway.ledger import postings
from gateway.payments.states import Event
from gateway.reviews.asking import Asking
from gateway.reviews.plans import Plan, changed
from gateway.reviews.reading import SQL, Database
from gateway.reviews.review import Review, Verdict
from gateway.webhooks.announcing import NewEvent, announce


class LateVerdicts:
    """One per request."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def plan(self, database: Database, review: Review, verdict: Verdict) -> Plan:
        """What the verdict does.

        What the channel says is kept and speaks against none: it may hold the money for ever.
        """
        match verdict:
            case Verdict.TRY_AGAIN:
                return Plan(None, partial(_try_again, review))
            case Verdict.MARK_RETURNED:
                return Plan(await self._asking.ask(database, review), partial(_mark_returned, review))
        raise AssertionError(f"{verdict} is no verdict on a late capture")


async def _try_again(review: Review, connection: Connection) -> None:
    await _release(connection, review, "pending")
    await connection.execute(SQL["return_again"], review.payment_id, review.merchant_id)


async def _mark_returned(review: Review, connection: Connection) -> None:
    merchant_id = review.merchant_id or ""
    amount_fen, account_id = await _release(connection, review, "refunded")
    posting = postings.late_capture_returned(account_id, review.attempt_seq or 0, Money(amount_fen))
    await connection.execute(
        SQL["add_transfer"],
        review.payment_id,
        merchant_id,
        posting.seq,
        posting.kind,
        posting.debit,
        posting.credit,
        posting.amount.amount_fen,
        posting.amount.currency,
    )
    row = await connection.fetchrow(SQL["touch_payment"], review.payment_id, merchant_id)
    assert row is not None
    status = row["status"]
    await announce(
        connection,
        NewEvent(review.payment_id, merchant_id, row["version"], Event.LATE_CAPTURE_REFUNDED, status, status),
    )
    LATE_CAPTURES.labels("refunded").inc()


async def _release(connection: Connection, review: Review, status: str) -> tuple[int, str]:
    """Take it out of review; its amount in fen and its account.  Raises Conflict where it is not in review any more."""
    row = await connection.fetchrow(
        SQL["release_late_capture"], review.payment_id, review.merchant_id, review.attempt_seq, status
    )
    if row is None:
        raise changed()
    return row["amount"], row["account_id"]
