"""`mashang retention`: what each month takes on disk, what keeps it there, and the retiring of those that are due."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.table import Table

from gateway.commandline.operations.seed import database_of
from gateway.commandline.till.shown import say
from gateway.kernel.clock import utc_now
from gateway.processes.errors import StackError
from gateway.retention import months
from gateway.retention.months import SQL, CannotCut
from gateway.retention.retiring import IsRetiring, Rules, retire


@dataclass(frozen=True, slots=True)
class RetentionOrder:
    """What was asked for; without `months_kept` the months are only shown."""

    months_kept: int | None
    archive: Path | None
    no_archive: bool
    state: Path | None


def retention(order: RetentionOrder) -> bool:
    """Show, or retire what is due.  Returns whether nothing that is due had to stay.  Raises StackError."""
    if order.months_kept is not None and (order.archive is None) != order.no_archive:
        raise StackError("Name a folder for what is taken out (--archive), or say that none is wanted (--no-archive).")
    url = database_of(order.state)
    try:
        if order.months_kept is None:
            asyncio.run(_show(url))
            return True
        return asyncio.run(_retire(url, Rules(order.months_kept, order.archive)))
    except IsRetiring:
        raise StackError("Another process retires months of this database.") from None
    except (CannotCut, asyncpg.PostgresError, OSError) as error:
        raise StackError(f"Not all could be retired, and nothing is lost; try again: {error}") from error


async def _show(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        table = Table(title="Months of payments", title_justify="left")
        for heading in ("month", "on disk", "not over, or where it is"):
            table.add_column(heading, justify="right" if heading == "on disk" else "left")
        for row in await connection.fetch(SQL["finished"]):
            table.add_row(row["month"], "", row["archive"] or "dropped")
        for month in await months.attached(connection):
            obstacles = await months.in_the_way(connection, month.name)
            shown = ", ".join([f"{obstacle.count:,} {obstacle.what}" for obstacle in obstacles])
            table.add_row(month.name, f"{month.bytes / 1e6:,.1f} MB", shown)
        Console(highlight=False).print(table)
    finally:
        await connection.close()


async def _retire(url: str, rules: Rules) -> bool:
    outcome = await retire(url, rules, utc_now(), say)
    for name, obstacles in outcome.kept.items():
        for obstacle in obstacles:
            say(f"{name} stays: {obstacle.count:,} {obstacle.what}")
    if not outcome.retired and not outcome.kept:
        say(f"Nothing is older than {rules.months_kept} months.")
    return not outcome.kept
