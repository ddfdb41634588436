"""The counter of tests.integration.refunds, with somebody who decides what is in review there."""

from __future__ import annotations

import pytest

from gateway.database.intents import IntentRow
from gateway.refunds.refund import Refund
from gateway.reviews.desk import Decision, ReviewDesk
from gateway.reviews.reading import GivenVerdict
from gateway.reviews.review import Verdict
from tests.integration.refunds.conftest import Counter, counter, opened

__all__ = ["counter", "opened"]


class Person:
    """Decides, with a note for everything."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.desk = ReviewDesk(counter.base, counter.pool)

    async def decides(self, subject: IntentRow | Refund, verdict: Verdict) -> GivenVerdict:
        review_id = subject.payment_id if isinstance(subject, IntentRow) else subject.id
        return await self.desk.settle(review_id, Decision(verdict, "li.wei", "seen"))

    async def finds(self, row: IntentRow, reason: str, *, since_s: float = 600) -> IntentRow:
        """The payment is in review, for so long already."""
        await self.counter.base.store.mark_for_review(await self.counter.payment(row), reason)
        await self.counter.pool.execute(
            "UPDATE payments SET review_at = now() - make_interval(secs => $2) WHERE id = $1", row.payment_id, since_s
        )
        return row

    async def finds_refund(self, reason: str = "abnormal", *, asked_s: float = 600) -> Refund:
        """A refund of which the channel was asked so long ago is in review."""
        row = await self.counter.paid()
        refund = await self.counter.refund(row, 1_000)
        await self.counter.pool.execute(
            "UPDATE refunds SET review = $2, review_at = now(), next_at = now() + interval '1 day',"
            " asked_at = now() - make_interval(secs => $3), last_asked_at = now() - make_interval(secs => $3)"
            " WHERE id = $1",
            refund.id,
            reason,
            asked_s,
        )
        return refund


@pytest.fixture
def person(counter: Counter) -> Person:
    return Person(counter)
