"""Verdicts on a notification: apply it again, or leave it at what became of it."""

from __future__ import annotations

from functools import partial

from gateway.database.pool import Connection
from gateway.reviews.plans import Plan, changed
from gateway.reviews.reading import SQL
from gateway.reviews.review import Review, Verdict


def plan(review: Review, verdict: Verdict) -> Plan:
    """What the verdict does."""
    statement = {Verdict.TRY_AGAIN: "apply_callback_again", Verdict.NOTED: "settle_callback"}[verdict]
    return Plan(None, partial(_act, review, statement))


async def _act(review: Review, statement: str, connection: Connection) -> None:
    done = await connection.execute(
        SQL[statement], review.payment_id, review.account_id, review.notification_id, review.reason
    )
    if done != "UPDATE 1":
        raise changed()
