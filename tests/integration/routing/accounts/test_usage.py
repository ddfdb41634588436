"""Sums of what accounts took in: of all processes, by the account's own day and month, whatever the database does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from gateway.database.pool import open_pool
from gateway.kernel.clock import BEIJING
from routing.accounts import usage as usage_module
from routing.accounts.usage import Usage
from routing.eligibility import Taken
from tests.support.plans import generic_plan, scans
from tests.support.routing import account
from tests.support.rows import settings
from tests.support.waiting import until

LIMITS = {"limits": {"day_fen": 1_000_000, "month_fen": 9_000_000}}
NEW_YORK = {**LIMITS, "hours": {"timezone": "America/New_York", "open": [{"from": "00:00", "until": "24:00"}]}}
NOON = datetime(2026, 11, 22, 12, tzinfo=BEIJING)


@dataclass
class Clock:
    """Stands still until it is set."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Town:
    """Processes that share a database, and a clock that stands still."""

    pool: asyncpg.Pool
    book: Any
    clock: Clock = field(default_factory=Clock)

    def process(self, pool: Any = None) -> Usage:
        """One more of them."""
        return Usage(pool or self.pool, self.book, self.clock)

    async def stored(self) -> dict[tuple[str, date], tuple[int, int]]:
        """The rows: fen and payments by account and day."""
        records = await self.pool.fetch("SELECT * FROM account_days")
        return {(each["account_id"], each["day"]): (each["captured_fen"], each["captured_count"]) for each in records}


class BookById:
    """Accounts in memory, found by id too."""

    def __init__(self, *accounts: Any) -> None:
        self.accounts = {each.id: each for each in accounts}

    def __iter__(self) -> Any:
        return iter(self.accounts.values())

    def get(self, account_id: str) -> Any:
        """The account with that id."""
        return self.accounts.get(account_id)


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Town]:
    pool = await open_pool(settings(database_url))
    await pool.execute("DELETE FROM account_days")
    yield Town(pool, BookById(account("a", LIMITS), account("b", LIMITS), account("free"), account("abroad", NEW_YORK)))
    await pool.close()


async def test_the_sums_are_those_of_all_processes(town: Town) -> None:
    first, second = town.process(), town.process()
    first.add("a", 100, NOON)
    first.add("a", 30, NOON)
    second.add("a", 7, NOON)
    second.add("free", 5, NOON)
    await first.flush()
    assert first.taken("a") == Taken(130, 130)
    await second.flush()
    assert second.taken("a") == Taken(137, 137)
    await first.flush()
    assert first.taken("a") == Taken(137, 137)
    assert (first.taken("b"), first.taken("free")) == (Taken(), Taken())
    today = NOON.date()
    assert await town.stored() == {("a", today): (137, 3), ("free", today): (5, 1)}


async def test_each_reading_is_told_by_a_new_version(town: Town) -> None:
    usage = town.process()
    versions = [usage.version]
    for _ in range(2):
        await usage.flush()
        versions.append(usage.version)
    assert versions == [0, 1, 2]


async def test_days_and_months_are_the_accounts_own(town: Town) -> None:
    usage = town.process()
    new_year = datetime(2026, 12, 1, 0, 30, tzinfo=BEIJING)
    for at, fen in ((new_year - timedelta(days=3), 1), (new_year - timedelta(hours=1), 10), (new_year, 100)):
        usage.add("a", fen, at.astimezone(UTC))
        usage.add("abroad", fen, at.astimezone(UTC))
    town.clock.now = new_year - timedelta(hours=1)
    await usage.flush()
    assert usage.taken("a") == Taken(10, 11)
    town.clock.now = new_year
    await usage.flush()
    assert usage.taken("a") == Taken(100, 100)
    assert usage.taken("abroad") == Taken(110, 111)  # it is still November there


async def test_while_the_database_is_away_nothing_is_lost_and_days_go_by(town: Town) -> None:
    usage = town.process()
    usage.add("a", 100, NOON)
    await usage.flush()
    town.clock.now = NOON + timedelta(days=1)
    usage.add("a", 7, town.clock.now)
    await town.pool.execute("ALTER TABLE account_days RENAME TO elsewhere")
    try:
        with pytest.raises(asyncpg.PostgresError):
            await usage.flush()
        assert usage.taken("a") == Taken(0, 100)
    finally:
        await town.pool.execute("ALTER TABLE elsewhere RENAME TO account_days")
    usage.add("a", 1, town.clock.now)
    await usage.flush()
    assert usage.taken("a") == Taken(8, 108)


async def test_processes_that_meet_on_the_same_rows_do_not_lock_each_other_out(town: Town) -> None:
    town.book = BookById(*[account(f"account_{number}", LIMITS) for number in range(40)])
    processes = [town.process() for _ in range(4)]

    async def work(usage: Usage, order: int) -> None:
        for _ in range(25):
            for number in list(range(40))[::order]:
                usage.add(f"account_{number}", 1, NOON)
            await usage.flush()

    await asyncio.gather(*[work(usage, 1 if number % 2 else -1) for number, usage in enumerate(processes)])
    assert set((await town.stored()).values()) == {(100, 100)}


class TroubledPool:
    """Fails with one error after another, then passes everything on."""

    def __init__(self, pool: asyncpg.Pool, *errors: Exception) -> None:
        self.pool = pool
        self.errors = list(errors)

    async def fetch(self, *arguments: Any) -> Any:
        """The statement."""
        if self.errors:
            raise self.errors.pop(0)
        return await self.pool.fetch(*arguments)


async def test_the_loop_lives_through_errors_that_nobody_has_thought_of_and_writes_at_its_end(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_module, "FLUSH_S", 0.001)
    errors = (asyncpg.InternalClientError("another operation is in progress"), OSError(), ValueError())
    usage = town.process(TroubledPool(town.pool, *errors))
    usage.add("a", 100, NOON)
    running = asyncio.create_task(usage.run())
    await until(lambda: usage.taken("a") == Taken(100, 100))
    usage.add("a", 7, NOON)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await town.stored() == {("a", NOON.date()): (107, 2)}


async def test_sums_are_looked_up_by_account_and_day(town: Town) -> None:
    found = scans(await generic_plan(town.pool, usage_module.SQL["add_and_read"]), "account_days")
    assert found
    for node in found:
        assert "Index" in node["Node Type"]
        assert "account_id" in node["Index Cond"]
        assert "day" in node["Index Cond"]


async def test_accounts_without_limits_and_payments_cost_no_statement(town: Town) -> None:
    town.book = BookById(account("free"))
    usage = town.process(TroubledPool(town.pool, AssertionError("nothing was to be asked")))
    await usage.flush()
    assert usage.version == 0
