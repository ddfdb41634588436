"""What accounts take in by day and month, for their limits: every process adds its own and reads the sums of all.

Captures are noted in memory and written once a second, so they cost a payment nothing; the sums that the router sees
are about a second old, and a process that is killed takes what it noted in its last second with it.  The channel's own
limit is the truth: this one keeps payments from running into it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final, TypeAlias

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.pool import named_statements
from gateway.kernel.clock import BEIJING, utc_now
from routing.accounts.book import Account, AccountBook
from routing.eligibility import Taken

FLUSH_S: Final = 1.0
SQL: Final = named_statements("routing.accounts", "usage.sql")
_NOTHING: Final = Taken()

_log: Final = logging.getLogger("mashang.usage")

Day: TypeAlias = tuple[str, date]
"""An account, and a day in its time zone."""


class Usage:
    """One per process.  `version` rises whenever the sums were read."""

    def __init__(self, pool: asyncpg.Pool, book: AccountBook, clock: Callable[[], datetime] = utc_now) -> None:
        self._pool = pool
        self._book = book
        self._clock = clock
        self._noted: list[tuple[str, int, datetime]] = []
        self._unwritten: dict[Day, tuple[int, int]] = {}
        self._taken: dict[str, Taken] = {}
        self._today: dict[str, date] = {}
        self.version = 0

    def add(self, account_id: str, fen: int, at: datetime) -> None:
        """An account has captured an amount."""
        self._noted.append((account_id, fen, at))

    def taken(self, account_id: str) -> Taken:
        """The sums of an account with limits, as they were read last; nothing for others."""
        return self._taken.get(account_id, _NOTHING)

    async def flush(self) -> None:
        """Write what was noted and read the sums, in one statement.

        Where the statement fails, its sums are kept.  If it had been carried out all the same, they count twice: a
        limit is then met early rather than overrun.
        """
        self._add_up()
        limited = {account.id: _day_of(account, self._clock()) for account in self._book if _has_limit(account)}
        self._begin_days(limited)
        if not self._unwritten and not limited:
            return
        read = [list(limited), list(limited.values())]
        records = await self._pool.fetch(SQL["add_and_read"], *_columns(self._unwritten), *read)
        written, self._unwritten = self._unwritten, {}
        self._taken = {record["account_id"]: Taken(record["day_fen"], record["month_fen"]) for record in records}
        self._add_written(written, limited)
        self.version += 1

    async def run(self) -> None:
        """Read and write each second, through any trouble; when cancelled, what is under way ends, and once more."""
        flushing = None
        try:
            while True:
                flushing = asyncio.ensure_future(self._try_to_flush())
                await asyncio.shield(flushing)
                await asyncio.sleep(FLUSH_S)
        finally:
            if flushing is not None:
                await flushing
            await self._try_to_flush()

    async def _try_to_flush(self) -> None:
        try:
            await self.flush()
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("what accounts took in could not be written", extra={"error": type(error).__name__})
        except Exception:  # were this loop to end, limits would be judged by sums of long ago
            _log.exception("what accounts took in could not be written")

    def _add_up(self) -> None:
        """From single captures to sums by account and day: however long the database is away, there are few."""
        noted, self._noted = self._noted, []
        for account_id, amount_fen, at in noted:
            day = (account_id, _day_of(self._book.get(account_id), at))
            fen, count = self._unwritten.get(day, (0, 0))
            self._unwritten[day] = (fen + amount_fen, count + 1)

    def _add_written(self, written: dict[Day, tuple[int, int]], today: dict[str, date]) -> None:
        """The statement reads what was there before it: what it wrote comes on top."""
        for (account_id, day), (fen, _) in written.items():
            now = today.get(account_id)
            if now is not None and (day.year, day.month) == (now.year, now.month) and day <= now:
                taken = self.taken(account_id)
                self._taken[account_id] = Taken(taken.day_fen + (fen if day == now else 0), taken.month_fen + fen)

    def _begin_days(self, today: dict[str, date]) -> None:
        """With the database away at midnight, what was taken the day before must not fill the new day's limit."""
        for account_id, day in today.items():
            before = self._today.get(account_id, day)
            if before != day:
                is_same_month = (day.year, day.month) == (before.year, before.month)
                self._taken[account_id] = Taken(0, self.taken(account_id).month_fen if is_same_month else 0)
                self.version += 1
        self._today = today


def _columns(sums: dict[Day, tuple[int, int]]) -> Sequence[Sequence[object]]:
    """In the order of their keys: account ids, days, fen, payments."""
    days = sorted(sums)
    fen, counts = [sums[day][0] for day in days], [sums[day][1] for day in days]
    return [[account_id for account_id, _ in days], [day for _, day in days], fen, counts]


def _day_of(account: Account | None, at: datetime) -> date:
    """The day in the account's time zone; Beijing's where its terms name none."""
    hours = None if account is None else account.terms.hours
    return at.astimezone(BEIJING if hours is None else hours.zone).date()


def _has_limit(account: Account) -> bool:
    limits = account.terms.limits
    return limits.day_fen is not None or limits.month_fen is not None
