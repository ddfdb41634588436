"""Sends one batch of rows in one statement and one commit, and settles every way in which that can go wrong.

A deadlock, a serialization failure or a unique violation is retried and then the batch is split, so that one bad row
never fails its neighbours.  Rows of one batch that would meet each other (the same order number, key or payment) go in
one statement after another, in their order, so that a batch does exactly what its rows do one at a time.  A commit of
unknown fate (the connection broke) is settled by sending the same rows again: every statement used here is safe to
repeat.

Statements that change payments never have rows of two months: PostgreSQL 18.6 then loses those that somebody else has
changed while the statement waited for them, or crashes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

import asyncpg

from gateway.database.held import Sender
from gateway.database.months import of_month
from gateway.database.partitions import month_of
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import Unavailable

Row = TypeVar("Row")
Result = TypeVar("Result")

BROKEN: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asyncpg's word for a connection that broke between two steps of a statement
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.TransactionRollbackError,  # the victim of a deadlock: another try goes through
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""The connection or the server is gone or refuses: whether the statement was committed is not known."""
_AGAIN: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.UniqueViolationError)
_TRIES_BEFORE_SPLIT: Final = 3
_LOCKED_TRIES: Final = 2
"""A row that somebody else holds is given up after so many waits (pool.py): the next batches wait behind it."""
_PAUSE_S_MAX: Final = 0.25


def database_away() -> Unavailable:
    """The 503 for a database that does not answer."""
    return Unavailable(
        "database_unavailable", "The database is away. Send the same request again: it is safe.", retry_after_s=2
    )


def columns_of(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...] | None]:
    """Rows as the arrays of one `unnest`, which pads short arrays with NULL: a column of nothing but None goes as None.

    The first column has to have values in it, or there are no rows.
    """
    columns = zip(*rows, strict=True)
    return [None if column[0] is None and column.count(None) == len(column) else column for column in columns]


class Batch(Generic[Row, Result]):
    """One statement over arrays: `to_arguments` makes them of the rows; each record becomes a result.

    `statement` may be chosen by the rows, among few: every connection plans each of them.
    `meeting` gives what a row must not share with another one of the same statement; `id_of` the id by whose month its
    tables are divided: rows of different months go in statements of their own, over those months' partitions.
    """

    def __init__(
        self,
        pool: Sender,
        statement: str | Callable[[Sequence[Row]], str],
        to_arguments: Callable[[Sequence[Row]], Sequence[Any]],
        to_result: Callable[[asyncpg.Record], Result],
        *,
        meeting: Callable[[Row], Iterable[Hashable]],
        settle_within_s: float,
        id_of: Callable[[Row], str] | None = None,
    ) -> None:
        self._pool = pool
        self._statement_of = statement if callable(statement) else lambda _rows: statement
        self._to_arguments = to_arguments
        self._to_result = to_result
        self._meeting = meeting
        self._settle_within_s = settle_within_s
        self._id_of = id_of

    async def flush(self, rows: Sequence[Row]) -> list[Result | Exception]:
        """One result or one exception for each row, in order."""
        met = [thing for row in rows for thing in self._meeting(row)]
        if len(set(met)) == len(met) and self._is_of_one_month(rows):  # nearly always: nothing in this batch meets
            return await self._flush(rows, Deadline.after(self._settle_within_s))
        waves = self._by_month(rows, _waves([tuple(self._meeting(row)) for row in rows]))
        results: dict[int, Result | Exception] = {}
        for wave in waves:
            part = [rows[position] for position in wave]
            flushed = await self._flush(part, Deadline.after(self._settle_within_s))
            results.update(zip(wave, flushed, strict=True))
        return [results[position] for position in range(len(rows))]

    def _is_of_one_month(self, rows: Sequence[Row]) -> bool:
        """Ids sort by their time, so the first and the last one tell."""
        if self._id_of is None or len(rows) < 2:
            return True
        ids = [self._id_of(row) for row in rows]
        return _month_and_kind(min(ids)) == _month_and_kind(max(ids))

    def _by_month(self, rows: Sequence[Row], waves: Sequence[list[int]]) -> Sequence[list[int]]:
        """Each wave in parts of one month."""
        if self._id_of is None:
            return waves
        parts: list[list[int]] = []
        for wave in waves:
            months: dict[tuple[str, str], list[int]] = {}
            for position in wave:
                months.setdefault(_month_and_kind(self._id_of(rows[position])), []).append(position)
            parts.extend(months.values())
        return parts

    async def _flush(self, rows: Sequence[Row], deadline: Deadline) -> list[Result | Exception]:
        tries = 0
        while True:
            try:
                return list(await self._send(rows))
            except _AGAIN as error:
                tries += 1
                if tries >= _TRIES_BEFORE_SPLIT:
                    return await self._split(rows, error, deadline)
            except asyncpg.LockNotAvailableError as error:  # before BROKEN: it is one row's trouble, not the server's
                tries += 1
                if len(rows) > 1 or tries >= _LOCKED_TRIES:
                    return await self._split(rows, error, deadline)
            except BROKEN:
                if deadline.passed:
                    return [database_away()] * len(rows)
            except asyncpg.PostgresError as error:
                return await self._split(rows, error, deadline)
            await asyncio.sleep(random.uniform(0.005, _PAUSE_S_MAX))  # noqa: S311  jitter, not a secret

    async def _send(self, rows: Sequence[Row]) -> Sequence[Result]:
        statement = self._statement_of(rows)
        arguments = self._to_arguments(rows)
        month = "" if self._id_of is None else month_of(self._id_of(rows[0]))
        try:
            records = await self._pool.fetch(of_month(statement, month), *arguments)
        except asyncpg.UndefinedTableError:  # ids of a month whose partitions are not made yet, or were dropped
            if not month:
                raise
            records = await self._pool.fetch(statement, *arguments)
        return [self._to_result(record) for record in records]

    async def _split(self, rows: Sequence[Row], error: Exception, deadline: Deadline) -> list[Result | Exception]:
        """Each row by itself: the bad one keeps its error, the others go through; all within the batch's own time."""
        if len(rows) == 1:
            return [database_away() if isinstance(error, BROKEN) else error]
        results: list[Result | Exception] = []
        for row in rows:
            results.extend([database_away()] if deadline.passed else await self._flush([row], deadline))
        return results


def _month_and_kind(row_id: str) -> tuple[str, str]:
    return month_of(row_id), row_id.partition("_")[0]


def _waves(meetings: Sequence[tuple[Hashable, ...]]) -> list[list[int]]:
    """Positions in groups within which nothing meets; whoever meets an earlier row goes in a later group than that."""
    waves: list[list[int]] = [[]]
    last: dict[Hashable, int] = {}
    for position, met in enumerate(meetings):
        wave = max((last[thing] + 1 for thing in met if thing in last), default=0)
        if wave == len(waves):
            waves.append([])
        waves[wave].append(position)
        last.update(dict.fromkeys(met, wave))
    return waves
