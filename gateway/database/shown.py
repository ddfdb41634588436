"""The write between intent and outcome that only codes have: the code is durable before it is shown (sql/shown.sql)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg

from gateway.database.batches import Batch
from gateway.database.group_commit import GroupCommit
from gateway.database.pool import sql
from gateway.settings import Settings

SETTLE_WITHIN_S: Final = 8.0
"""How long it is sent again while the database is away; after that the worker closes the order, which nobody saw."""


class ShownRow(NamedTuple):
    """One code to be shown.  A tuple, for the fields stand in the order of the statement's arrays.

    `look_after_s`: so many seconds later the worker asks the channel for the first time.
    """

    payment_id: str
    merchant_id: str
    seq: int
    qr_code: str
    look_after_s: float
    event_id: str


@dataclass(frozen=True, slots=True)
class ShownResult:
    """Whether this very statement wrote it; False also where an earlier sending of the row was committed unseen."""

    applied: bool
    pay_until: datetime | None


def _arguments(rows: Sequence[ShownRow]) -> Sequence[Any]:
    return list(zip(*rows, strict=True))


def _result(record: asyncpg.Record) -> ShownResult:
    return ShownResult(applied=record[0], pay_until=record[1])


def shown_batch(pool: asyncpg.Pool) -> Batch[ShownRow, ShownResult]:
    """The statement of codes that are shown."""
    return Batch(
        pool,
        sql("shown"),
        _arguments,
        _result,
        meeting=lambda row: (row.payment_id,),
        settle_within_s=SETTLE_WITHIN_S,
        id_of=lambda row: row.payment_id,
    )


def shown_codes(pool: asyncpg.Pool, settings: Settings) -> GroupCommit[ShownRow, ShownResult]:
    """The group commit of codes that are shown."""
    return GroupCommit(
        "shown",
        shown_batch(pool).flush,
        rows_max=settings.batch_rows_max,
        queue_max=settings.batch_queue_max,
        linger_ms_max=settings.batch_linger_ms_max,
    )
