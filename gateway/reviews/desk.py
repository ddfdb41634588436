"""Shows what is in review and carries verdicts out: first the channel is asked, then all is written at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import asyncpg
import orjson

from gateway.callbacks.inbox import Inbox
from gateway.composition import Base
from gateway.database.pool import Connection
from gateway.http.services import Services
from gateway.kernel.errors import Conflict, InvalidRequest, not_found
from gateway.kernel.ids import new_id
from gateway.kernel.metrics import REVIEW_VERDICTS
from gateway.reviews import callback_verdicts
from gateway.reviews.asking import Asking, Said
from gateway.reviews.late_verdicts import LateVerdicts
from gateway.reviews.payment_verdicts import PaymentVerdicts
from gateway.reviews.plans import Plan, changed
from gateway.reviews.reading import SQL, Database, GivenVerdict, ReviewStore, verdict_of
from gateway.reviews.refund_verdicts import RefundVerdicts
from gateway.reviews.review import WITH_NOTE, Kind, Review, Verdict

_log = logging.getLogger("mashang.reviews")
_ASKED_AT_ONCE_MAX: Final = 5


class Decision(NamedTuple):
    """What a person has decided: `by` says who, as the company knows its people."""

    verdict: Verdict
    by: str
    note: str | None


class Shown(NamedTuple):
    """What is in review, the verdicts given on it before, and what the channel says where it was asked."""

    review: Review
    history: Sequence[GivenVerdict]
    said: Said | None


class ReviewDesk:
    """One per request: `database` is the request's own transaction where it has one."""

    def __init__(self, parts: Services | Base, database: Database) -> None:
        self._database = database
        self._store = ReviewStore(Inbox(parts.pool, parts.vault))
        self._asking = Asking(parts.accounts, parts.store, parts.refunds.store, parts.charging)
        arrives_within_s = parts.settings.not_created_after_s
        self._payments = PaymentVerdicts(self._asking, parts.vault, arrives_within_s)
        self._refunds = RefundVerdicts(self._asking, parts.refunds.store, arrives_within_s)
        self._lates = LateVerdicts(self._asking)

    async def page(
        self, kind: Kind | None, limit: int, starting_after: str | None, *, refresh: bool
    ) -> tuple[Sequence[Shown], bool]:
        """What is in review, at most `limit`, after that id, and whether there is more.

        With `refresh` each one's channel is asked.
        """
        found = await self._store.list(self._database, kind, limit + 1, starting_after)
        return await self._shown(found[:limit], refresh=refresh), len(found) > limit

    async def get(self, review_id: str, *, refresh: bool) -> Shown:
        """One of them.  Raises the 404."""
        [shown] = await self._shown([await self._find(review_id)], refresh=refresh)
        return shown

    async def settle(self, review_id: str, decision: Decision) -> GivenVerdict:
        """Carry a verdict out: one at a time of each review, and nobody waits for the channel's word to another.

        Raises the 404; Conflict `verdict_impossible`, `verdict_refused` (it could lose money) or `review_changed`;
        Unavailable where the channel's word is needed and cannot be had.
        """
        async with _transaction(self._database) as connection:
            if not await connection.fetchval(SQL["take_in_hand"], review_id):
                raise changed()
            review = await self._find(review_id)
            _must_fit(review, decision)
            plan = await self._plan(review, decision.verdict)
            if review.kind is not Kind.CALLBACK:
                await _note(connection, review)
            await plan.act(connection)
            if review.kind in {Kind.PAYMENT, Kind.REFUND}:
                await connection.execute(SQL["settle_told"], review.payment_id, review.order_no, review.refund_no)
            given = await _record(connection, review, decision, plan.said)
        REVIEW_VERDICTS.labels(review.kind, decision.verdict).inc()
        _log.info("a review was settled", extra={"review_id": review.id, "verdict": decision.verdict})
        return given

    async def _find(self, review_id: str) -> Review:
        found = await self._store.find(self._database, review_id)
        if found is None:
            raise not_found("review", "review_id")
        return found

    async def _shown(self, reviews: Sequence[Review], *, refresh: bool) -> Sequence[Shown]:
        history = await self._store.verdicts(self._database, reviews)
        said = await self._ask_all(reviews) if refresh else {}
        return [Shown(review, history.get(review.id, ()), said.get(review.id)) for review in reviews]

    async def _ask_all(self, reviews: Sequence[Review]) -> Mapping[str, Said | None]:
        hands = asyncio.Semaphore(_ASKED_AT_ONCE_MAX)

        async def ask(review: Review) -> tuple[str, Said | None]:
            async with hands:
                return review.id, await self._asking.ask(self._database, review)

        return dict(await asyncio.gather(*map(ask, reviews)))

    async def _plan(self, review: Review, verdict: Verdict) -> Plan:
        match review.kind:
            case Kind.PAYMENT:
                return await self._payments.plan(self._database, review, verdict)
            case Kind.REFUND:
                return await self._refunds.plan(self._database, review, verdict)
            case Kind.LATE_CAPTURE:
                return await self._lates.plan(self._database, review, verdict)
            case Kind.CALLBACK:
                return callback_verdicts.plan(review, verdict)


def _must_fit(review: Review, decision: Decision) -> None:
    if decision.verdict not in review.verdicts:
        raise Conflict(
            "verdict_impossible",
            f"This {review.kind} is in review as {review.reason}: {', '.join(review.verdicts)} are possible.",
            param="verdict",
        )
    if decision.verdict in WITH_NOTE and decision.note is None:
        raise InvalidRequest(
            "missing_field", f"{decision.verdict} needs a note: what was seen, and where.", param="note"
        )


async def _note(connection: Connection, review: Review) -> None:
    """Lock the payment's row, and write the event."""
    key = (review.payment_id, review.merchant_id)
    if await connection.fetchrow(SQL["hold_payment"], *key) is None:
        raise changed()
    await connection.execute(SQL["note_settled"], *key, review.refund_id)


async def _record(connection: Connection, review: Review, decision: Decision, said: Said | None) -> GivenVerdict:
    record = await connection.fetchrow(
        SQL["add_verdict"],
        new_id("ver"),
        review.id,
        review.kind,
        review.payment_id,
        review.refund_id,
        review.attempt_seq,
        review.reason,
        decision.verdict,
        decision.by,
        decision.note,
        None if said is None else orjson.dumps(said.to_json()).decode(),
    )
    assert record is not None
    return verdict_of(record)


@asynccontextmanager
async def _transaction(database: Database) -> AsyncIterator[Connection]:
    """A transaction of its own, or a part of the one that is open."""
    if isinstance(database, asyncpg.Pool):
        async with database.acquire() as connection, connection.transaction():
            yield connection
    else:
        async with database.transaction():
            yield database
