"""What became of tries, written in bulk: one statement for all that have ended since the last one (statements.sql)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

import asyncpg

from gateway.database.batches import Batch
from gateway.database.group_commit import GroupCommit
from gateway.webhooks.announcing import SQL

_SETTLE_WITHIN_S: Final = 20.0
_ROWS_MAX: Final = 256
_QUEUE_MAX: Final = 4_096
_LINGER_MS_MAX: Final = 5.0


class Verdict(StrEnum):
    """Where a delivery stands after a try."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    """It is tried again."""
    FAILED = "failed"
    """That was the last try, or the receiver wants no more."""
    CANCELLED = "cancelled"
    """It was not sent: its endpoint is switched off."""


class ResultRow(NamedTuple):
    """One try, in the order of the statement's arrays.  `wait_s` is the time until the next one."""

    event_id: str
    endpoint_id: str
    merchant_id: str
    lease_token: int
    verdict: Verdict
    http_status: int | None
    error: str | None
    duration_ms: int
    wait_s: float | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """Whether the lease still held, and for how long nothing has succeeded at the endpoint (None: something has)."""

    applied: bool
    failing_s: float | None


def _result(record: asyncpg.Record) -> Recorded:
    return Recorded(applied=record["applied"], failing_s=record["failing_s"])


def _arguments(rows: Sequence[ResultRow]) -> Sequence[Any]:
    return list(zip(*rows, strict=True))


def results(pool: asyncpg.Pool) -> GroupCommit[ResultRow, Recorded]:
    """The group commit of results."""
    batch = Batch(
        pool,
        SQL["record"],
        _arguments,
        _result,
        meeting=lambda row: ((row.event_id, row.endpoint_id),),
        settle_within_s=_SETTLE_WITHIN_S,
    )
    return GroupCommit(
        "webhook_result", batch.flush, rows_max=_ROWS_MAX, queue_max=_QUEUE_MAX, linger_ms_max=_LINGER_MS_MAX
    )
