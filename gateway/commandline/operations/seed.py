"""`mashang seed`: a long history for a database, with a bar that tells how far it is, and the way out of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from gateway.commandline.till.shown import say
from gateway.devstack.options import DEFAULT_STATE, ready_file_of
from gateway.devstack.ready import read_ready_file
from gateway.kernel.clock import utc_now
from gateway.processes.errors import StackError
from gateway.seeding import filling
from gateway.seeding.marks import SEEDED_MERCHANTS
from gateway.seeding.plan import Plan, require_space
from gateway.seeding.removing import remove
from gateway.settings import Environment

_DATABASE_URL: Final = "MASHANG_DATABASE_URL"
_ENVIRONMENT: Final = "MASHANG_ENV"


@dataclass(frozen=True, slots=True)
class SeedOrder:
    """What was asked for; `state` is None where the environment names the database."""

    payments: int
    merchants: int
    days: int
    state: Path | None
    connections: int
    confirmed: bool


def seed(order: SeedOrder) -> None:
    """Seed, or go on with what an earlier run began.  Raises StackError where that must not or cannot be."""
    asyncio.run(_seed(order))


def unseed(state: Path | None) -> None:
    """Take out what was seeded.  Raises StackError where nothing was."""
    asyncio.run(_unseed(database_of(state)))


async def _seed(order: SeedOrder) -> None:
    url, is_development = _database(order.state)
    connection = await filling.connect(url)
    try:
        await filling.lock(connection)
        if not order.confirmed:
            await _require_harmless(connection, is_development)
        wanted = Plan(order.payments, order.merchants, order.days, utc_now())
        await _require_space(connection, wanted, confirmed=order.confirmed)
        plan, finished = await filling.begin(connection, wanted)
        with _bar("seeding", plan.payments) as advance:
            advance(sum([last - first + 1 for first, last in plan.chunks if first in finished]))
            await filling.fill(url, plan, finished, order.connections, advance)
    finally:
        await connection.close()
    say(
        f"{plan.payments:,} payments of {plan.merchants:,} merchants ({SEEDED_MERCHANTS}…) from "
        f"{plan.begin:%Y-%m-%d} to {plan.until:%Y-%m-%d}. No channel knows them; take them out with: "
        "mashang seed --remove"
    )


async def _require_harmless(connection: asyncpg.Connection, is_development: bool) -> None:
    if os.environ.get(_ENVIRONMENT) == Environment.PRODUCTION:
        raise StackError("This is production (MASHANG_ENV): nothing is seeded here without --yes.")
    if not is_development:
        await filling.require_no_strangers(connection)


async def _require_space(connection: asyncpg.Connection, wanted: Plan, *, confirmed: bool) -> None:
    known = await filling.current(connection)
    done = 0 if known is None else len(await filling.chunks_done(connection)) * known.chunk
    free = await filling.free_bytes(connection)
    if free is not None:
        require_space(wanted, min(done, wanted.payments), free)
    elif not confirmed:
        raise StackError("PostgreSQL's disk is not this machine's: look there for room, then add --yes.")


async def _unseed(url: str) -> None:
    connection = await filling.connect(url)
    try:
        await filling.lock(connection)
        plan = await filling.current(connection)
        if plan is None:
            raise StackError("Nothing was seeded here.")
        with _bar("removing", plan.payments) as advance:
            await remove(connection, plan, advance)
    finally:
        await connection.close()
    say("What was seeded is gone.")


def database_of(state: Path | None) -> str:
    """The address of the database that a state, or without one the environment, names.  Raises StackError."""
    return _database(state)[0]


def _database(state: Path | None) -> tuple[str, bool]:
    """The database's address, and whether it is a development stack's own server, found by its state."""
    if state is None and (url := os.environ.get(_DATABASE_URL)):
        return url, False
    stack = read_ready_file(ready_file_of((state or DEFAULT_STATE).absolute()))
    return stack.database_url, stack.processes.postgres is not None


class _Rate(ProgressColumn):
    """Payments per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:,.0f}/s")


@contextmanager
def _bar(title: str, total: int) -> Iterator[filling.Progress]:
    progress = Progress(
        TextColumn(f"{title:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        speed_estimate_period=30,
    )
    with progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.advance(task, done)
