"""The write between two attempts of a payment that fails over: the next one is durable before its channel is asked.

One statement ends the attempt that surely moved no money and opens the next (sql/fail_over.sql), once its payments are
held: PostgreSQL 18.6 crashes where that statement itself has to wait for a row and finds it changed.
"""

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
"""How long it is sent again while the database is away; after that the worker resolves the attempt that is durable."""


_HOLD: Final = sql("hold_payment")


class FailoverRow(NamedTuple):
    """One payment that goes on at another account.  A tuple, in the order of the statement's arrays.

    `seq` is the attempt that is over as `ended_state` (`unsent` or `refused`) with the channel's or transport's code;
    `account_id` is whom the next one asks, `routing` why (JSON), `send_within_s` and `recover_after_s` are as in
    `IntentRow`.
    """

    payment_id: str
    merchant_id: str
    seq: int
    ended_state: str
    channel_code: str
    account_id: str
    routing: str
    send_within_s: float
    recover_after_s: float


@dataclass(frozen=True, slots=True)
class FailoverResult:
    """Whether the next attempt stands, by this statement or an earlier sending of it, and since when."""

    applied: bool
    at: datetime | None


def _arguments(rows: Sequence[FailoverRow]) -> Sequence[Any]:
    return list(zip(*rows, strict=True))


def _result(record: asyncpg.Record) -> FailoverResult:
    return FailoverResult(applied=record[0], at=record[1])


class _HoldingBatch(Batch[FailoverRow, FailoverResult]):
    """Holds the payments, one by one in the order of their ids, before the statement begins to look at them."""

    def __init__(self, pool: asyncpg.Pool, *arguments: Any, **options: Any) -> None:
        super().__init__(pool, *arguments, **options)
        self._connections = pool

    async def _send(self, rows: Sequence[FailoverRow]) -> Sequence[FailoverResult]:
        async with self._connections.acquire() as connection, connection.transaction():
            await connection.executemany(_HOLD, sorted((row.payment_id, row.merchant_id) for row in rows))
            records = await connection.fetch(self._statement_of(rows), *_arguments(rows))
        return [_result(record) for record in records]


def failover_batch(pool: asyncpg.Pool) -> Batch[FailoverRow, FailoverResult]:
    """The statement of failing over; a payment never stands in it twice."""
    return _HoldingBatch(
        pool,
        sql("fail_over"),
        _arguments,
        _result,
        meeting=lambda row: (row.payment_id,),
        settle_within_s=SETTLE_WITHIN_S,
        id_of=lambda row: row.payment_id,
    )


def failovers(pool: asyncpg.Pool, settings: Settings) -> GroupCommit[FailoverRow, FailoverResult]:
    """The group commit of failing over."""
    return GroupCommit(
        "fail_over",
        failover_batch(pool).flush,
        rows_max=settings.batch_rows_max,
        queue_max=settings.batch_queue_max,
        linger_ms_max=settings.batch_linger_ms_max,
    )
