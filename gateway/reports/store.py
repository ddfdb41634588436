"""Reads a shift report in one snapshot: a payment that succeeds meanwhile is in all of it or in none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from gateway.database.pool import Connection, named_statements
from gateway.kernel.errors import InvalidRequest, Unavailable
from gateway.kernel.ids import first_ulid_at
from gateway.ledger.postings import REFUND_NUMBERS, Kind
from gateway.reports.shift import (
    Books,
    Group,
    Lines,
    PaymentLine,
    Period,
    RefundLine,
    ShiftReport,
    StatusSums,
    Sums,
    Till,
    summed,
)

SQL: Final = named_statements("gateway.reports", "statements.sql")
ROWS_MAX: Final = 200_000
GROUPS_MAX: Final = 5_000
LINES_MAX: Final = 20_000
_OPEN_MAX: Final = 100
_AT_ONCE_MAX: Final = 1
"""A report reads all that a merchant has in its time: the other connections are for payments."""
_WAIT_S: Final = 2.0
_CLOCKS_DIFFER: Final = timedelta(hours=1)
"""An id carries the time of the process that made it, a row the database's."""
_EPOCH_YEAR: Final = 1970
"""Ids begin there."""


class ReportStore:
    """One per process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._free = asyncio.Semaphore(_AT_ONCE_MAX)

    async def read(self, merchant_id: str, period: Period, wanted: Till, lines_max: int) -> ShiftReport:
        """The report with the first `lines_max` payments and refunds.

        Raises InvalidRequest (`report_too_large`) beyond the bounds, Unavailable while others are being read.
        """
        async with self._snapshot() as connection:
            reader = _Reader(connection, merchant_id, period, wanted)
            await reader.require_bounded()
            payment_sums = await reader.rows("payment_sums", "pay", GROUPS_MAX + 1)
            refund_sums = await reader.rows("refund_sums", "ref", GROUPS_MAX + 1)
            _require_at_most(GROUPS_MAX, len(payment_sums), len(refund_sums))
            postings = await reader.rows("payment_postings", "pay")
            postings += await reader.rows("refund_postings", "ref", int(Kind.REFUND), REFUND_NUMBERS)
            books = summed((_group(row), Books.of(*[row[name] for name in _POSTING])) for row in postings)
            return ShiftReport(
                period=period,
                wanted=wanted,
                made_at=await connection.fetchval("SELECT now()"),
                sums=summed([*_paid(payment_sums), *_refunded(refund_sums)]),
                books={group: found for group, found in books.items() if found != Books()},
                payment_statuses=_statuses(payment_sums, "payable"),
                refund_statuses=_statuses(refund_sums, "returned"),
                lines=await reader.lines("", lines_max),
                open=await reader.lines("open_", _OPEN_MAX),
            )

    @asynccontextmanager
    async def _snapshot(self) -> Any:
        try:
            await asyncio.wait_for(self._free.acquire(), _WAIT_S)
        except TimeoutError:
            raise Unavailable("busy", "Another report is being read: try again.", retry_after_s=1) from None
        try:
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield connection
        finally:
            self._free.release()


class _Reader:
    """The statements of one report, with the arguments that they share."""

    def __init__(self, connection: Connection, merchant_id: str, period: Period, wanted: Till) -> None:
        self._connection = connection
        self._merchant_id = merchant_id
        self._period = period
        self._wanted = wanted

    async def rows(self, name: str, prefix: str, *more: Any) -> list[asyncpg.Record]:
        """The rows of a statement whose ids have that prefix."""
        arguments = (self._merchant_id, *_ids(prefix, self._period), *self._period, *self._wanted, *more)
        return await self._connection.fetch(SQL[name], *arguments)

    async def require_bounded(self) -> None:
        """Raises InvalidRequest where too many rows would have to be read."""
        for name, prefix in (("count_payments", "pay"), ("count_refunds", "ref")):
            ids = _ids(prefix, self._period)
            count = await self._connection.fetchval(SQL[name], self._merchant_id, *ids, ROWS_MAX + 1)
            _require_at_most(ROWS_MAX, count)

    async def lines(self, which: str, limit: int) -> Lines:
        """The first payments and refunds, all or the open ones."""
        payments = await self.rows(f"{which}payments", "pay", limit + 1)
        refunds = await self.rows(f"{which}refunds", "ref", limit + 1)
        return Lines(
            tuple([PaymentLine(*row.values()) for row in payments[:limit]]),
            tuple([RefundLine(*row.values()) for row in refunds[:limit]]),
            len(payments) > limit,
            len(refunds) > limit,
        )


_POSTING: Final = ("kind", "debit", "credit", "amount")


def _ids(prefix: str, period: Period) -> tuple[str, str]:
    """The bounds of the ids of what was made in that time."""
    low, high = period.start - _CLOCKS_DIFFER, period.end + _CLOCKS_DIFFER
    return f"{prefix}_{_ulid(low)}", f"{prefix}_{_ulid(high)}"


def _ulid(moment: datetime) -> str:
    return "0" if moment.year < _EPOCH_YEAR else first_ulid_at(moment)


def _group(row: asyncpg.Record) -> Group:
    return Group(Till(row["store_id"], row["terminal_id"], row["operator_id"]), row["wallet"])


def _paid(rows: list[asyncpg.Record]) -> Iterator[tuple[Group, Sums]]:
    for row in rows:
        if row["status"] == "succeeded":
            yield _group(row), Sums(payments=row["count"], amount=row["amount"], payable=row["payable"])


def _refunded(rows: list[asyncpg.Record]) -> Iterator[tuple[Group, Sums]]:
    for row in rows:
        if row["status"] == "succeeded":
            yield (
                _group(row),
                Sums(
                    refunds=row["count"],
                    refunded=row["amount"],
                    returned=row["returned"],
                    fee_returned=row["fee"],
                ),
            )


def _statuses(rows: list[asyncpg.Record], customer: str) -> tuple[StatusSums, ...]:
    """The sums of each wallet and status, over all tills; `customer` is the column of the customer's part."""
    found: dict[tuple[str, str], StatusSums] = {}
    for row in rows:
        key = (row["wallet"] or "", row["status"])
        so_far = found.get(key, StatusSums(row["wallet"], row["status"], 0, 0, 0))
        found[key] = replace(
            so_far,
            count=so_far.count + row["count"],
            amount=so_far.amount + row["amount"],
            customer=so_far.customer + row[customer],
        )
    return tuple([found[key] for key in sorted(found)])


def _require_at_most(most: int, *counts: int) -> None:
    if max(counts) > most:
        raise InvalidRequest(
            "report_too_large", "That is too much for one report: ask for a shorter time, or one till.", param="from"
        )
