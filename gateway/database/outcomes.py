"""The second hot write: what became of an attempt; transition, event and postings in one commit (sql/outcome.sql)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg

from gateway.database.batches import Batch, columns_of
from gateway.database.group_commit import GroupCommit
from gateway.database.held import Sender
from gateway.database.pool import BoundedPool, Connection, sql
from gateway.kernel.values import value
from gateway.settings import Settings

SETTLE_WITHIN_S: Final = 20.0
"""How long an outcome is sent again while the database is away; after that the worker finds it out anew."""


class TransferRow(NamedTuple):
    """One posting: `amount` moves from the credit account to the debit account of the books."""

    seq: int
    kind: str
    debit: str
    credit: str
    amount: int
    currency: str


class OutcomeRow(NamedTuple):
    """One transition to be written if the payment still stands in one of `from_states` (comma-separated).

    A tuple, for the fields stand in the order of the statement's arrays; the transfers, its last field, go in arrays
    of their own.
    """

    payment_id: str
    merchant_id: str
    event: str
    from_states: str
    to_status: str
    seq: int
    attempt_state: str
    channel_trade_no: str | None = None
    channel_code: str | None = None
    failure_code: str | None = None
    payer_paid: int | None = None
    payer_hash: bytes | None = None
    paid_at: datetime | None = None
    reversal: str | None = None
    event_id: str | None = None
    transfers: tuple[TransferRow, ...] = ()


@value
class OutcomeResult:
    """Whether the transition was made, where the payment stands now, and the database's time."""

    applied: bool
    status: str | None
    at: datetime


_NO_TRANSFERS: Final[list[list[Any]]] = [[] for _ in range(1 + len(TransferRow._fields))]


def _arguments(rows: Sequence[OutcomeRow]) -> Sequence[Any]:
    columns = columns_of(rows)[:-1]
    postings = [(row.payment_id, *transfer) for row in rows for transfer in row.transfers]
    return [*columns, *(zip(*postings, strict=True) if postings else _NO_TRANSFERS)]


def _result(record: asyncpg.Record) -> OutcomeResult:
    return OutcomeResult(record[0], record[1], record[2])


async def write_outcome(connection: Connection, row: OutcomeRow) -> OutcomeResult:
    """The same statement for one outcome, inside a transaction that writes more."""
    record = await connection.fetchrow(sql("outcome"), *_arguments([row]))
    assert record is not None
    return _result(record)


def outcome_batch(pool: Sender) -> Batch[OutcomeRow, OutcomeResult]:
    """The statement of outcomes; two outcomes of one payment never stand in the same one."""
    return Batch(
        pool,
        sql("outcome"),
        _arguments,
        _result,
        meeting=lambda row: (row.payment_id,),
        settle_within_s=SETTLE_WITHIN_S,
        id_of=lambda row: row.payment_id,
    )


def outcomes(pool: BoundedPool, settings: Settings) -> GroupCommit[OutcomeRow, OutcomeResult]:
    """The group commit of outcomes."""
    return GroupCommit(
        "outcome",
        outcome_batch(pool.held()).flush,
        rows_max=settings.batch_rows_max,
        queue_max=settings.batch_queue_max,
        linger_ms_max=settings.batch_linger_ms_max,
    )
