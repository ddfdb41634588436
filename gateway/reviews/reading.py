"""Reads what is in review, and the verdicts that were given on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import asyncpg
import orjson

from gateway.callbacks.callback import Callback
from gateway.callbacks.inbox import Inbox
from gateway.database.pool import Connection, named_statements
from gateway.kernel.secrets import SealBroken
from gateway.payments.numbers import attempt_of, attempt_order_no, give_back_no, refund_order_no
from gateway.reviews.review import ORDER, Kind, Review, Told, kind_of

SQL: Final = named_statements("gateway.reviews", "statements.sql")
Database: TypeAlias = asyncpg.Pool | Connection
_BEHIND_ALL: Final = "~"
"""Sorts behind every id."""
_JUST_BEHIND: Final = "!"
"""An id with this sorts right behind it."""


@dataclass(frozen=True, slots=True)
class GivenVerdict:
    """A verdict as it was recorded."""

    id: str
    review_id: str
    kind: Kind
    payment_id: str
    refund_id: str | None
    attempt_seq: int | None
    reason: str
    verdict: str
    decided_by: str
    note: str | None
    channel_said: Mapping[str, Any] | None
    at: datetime


class ReviewStore:
    """Reads for operations: of every merchant."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def list(
        self, database: Database, kind: Kind | None, limit: int, starting_after: str | None
    ) -> Sequence[Review]:
        """What is in review, of one kind or of all, by id descending, at most `limit`, after that id."""
        found: list[Review] = []
        for each in _kinds_after(kind, starting_after):
            behind = _BEHIND_ALL if starting_after is None or kind_of(starting_after) is not each else starting_after
            records = await database.fetch(SQL[each], "", behind, limit - len(found))
            found += [await self._review(database, each, record) for record in records]
            if len(found) == limit:
                break
        return found

    async def find(self, database: Database, review_id: str) -> Review | None:
        """By its id; None where it is not in review (any more)."""
        kind = kind_of(review_id)
        record = await database.fetchrow(SQL[kind], review_id, review_id + _JUST_BEHIND, 1)
        return None if record is None else await self._review(database, kind, record)

    async def verdicts(self, database: Database, reviews: Sequence[Review]) -> Mapping[str, Sequence[GivenVerdict]]:
        """The verdicts that were given on each before, the oldest first."""
        given: defaultdict[str, list[GivenVerdict]] = defaultdict(list)
        for record in await database.fetch(SQL["verdicts"], [review.id for review in reviews]):
            given[record["review_id"]].append(verdict_of(record))
        return given

    async def _review(self, database: Database, kind: Kind, record: asyncpg.Record) -> Review:
        fields = dict(record)
        if kind is Kind.CALLBACK:
            return await self._callback(database, fields, record)
        payment_id, attempt_seq = fields["payment_id"], fields["attempt_seq"]
        seq = fields.pop("seq", None)
        refund_no: str | None = None
        if kind is Kind.REFUND:
            refund_no = refund_order_no(payment_id, attempt_seq, seq)
        elif kind is Kind.LATE_CAPTURE:
            refund_no = give_back_no(payment_id, attempt_seq)
        order_no = attempt_order_no(payment_id, attempt_seq) if attempt_seq else None
        return Review(kind=kind, order_no=order_no, refund_no=refund_no, **fields)

    async def _callback(self, database: Database, fields: dict[str, Any], record: asyncpg.Record) -> Review:
        del fields["report_sealed"]
        number = attempt_of(fields["order_no"])
        seq = None if number is None else number.attempt_seq
        attempt = await database.fetchrow(SQL["attempt"], fields["payment_id"], seq)
        return Review(
            kind=Kind.CALLBACK,
            merchant_id=None if attempt is None else attempt["merchant_id"],
            refund_id=None,
            attempt_seq=seq,
            status=None,
            amount=None,
            expected=None,
            told=self._told(record),
            **fields,
        )

    def _told(self, record: asyncpg.Record) -> Told | None:
        try:
            return told_of(self._inbox.opened(record))
        except SealBroken:
            return None


def told_of(callback: Callback) -> Told | None:
    """What a notification says."""
    report = callback.notification.trade or callback.notification.refund
    return None if report is None else Told(report.state, report.amount_fen)


def verdict_of(record: asyncpg.Record) -> GivenVerdict:
    """A row of `review_verdicts` as a value."""
    said = record["channel_said"]
    return GivenVerdict(
        **{**dict(record), "kind": Kind(record["kind"]), "channel_said": None if said is None else orjson.loads(said)}
    )


def _kinds_after(kind: Kind | None, starting_after: str | None) -> Sequence[Kind]:
    """The kinds that a page has still to look at."""
    kinds = ORDER if starting_after is None else ORDER[ORDER.index(kind_of(starting_after)) :]
    return [each for each in kinds if kind in {None, each}]
