"""Records labels that came from outside, many at a time; each is taken or refused on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.database.pool import Connection
from risk.labels.label import Label, NewLabel
from risk.labels.store import SQL, add_label

_CLOCKS_DIFFER_MAX: Final = timedelta(minutes=5)


class Result(StrEnum):
    """What became of a label."""

    ADDED = "added"
    UNCHANGED = "unchanged"
    """The one that stands says the same."""
    NO_PAYMENT = "no_payment"
    BAD_TIME = "bad_time"
    """It became known before its payment, or in the future."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The result for one label; `label` where it was added."""

    payment_id: str
    result: Result
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class _Owner:
    merchant_id: str
    created_at: datetime
    now: datetime

    def admits(self, known_at: datetime | None) -> bool:
        return known_at is None or self.created_at <= known_at <= self.now + _CLOCKS_DIFFER_MAX


async def record(connection: Connection, labels: Sequence[NewLabel]) -> Sequence[Recorded]:
    """One result for each, in their order; in the transaction that is open.  Their `merchant_id` is looked up."""
    records = await connection.fetch(SQL["owners"], [label.payment_id for label in labels])
    owners = {found["id"]: _Owner(found["merchant_id"], found["created_at"], found["now"]) for found in records}
    return [await _record(connection, label, owners.get(label.payment_id)) for label in labels]


async def _record(connection: Connection, label: NewLabel, owner: _Owner | None) -> Recorded:
    if owner is None:
        return Recorded(label.payment_id, Result.NO_PAYMENT)
    if not owner.admits(label.known_at):
        return Recorded(label.payment_id, Result.BAD_TIME)
    added = await add_label(connection, replace(label, merchant_id=owner.merchant_id))
    return Recorded(label.payment_id, Result.UNCHANGED if added is None else Result.ADDED, added)
