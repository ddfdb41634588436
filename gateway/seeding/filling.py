"""Fills a database by a plan, chunk by chunk, each in one commit: it can be killed at any time and goes on later."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import astuple
from typing import Final, TypeAlias

import asyncpg

from gateway.database.partitions import make_month
from gateway.database.pool import named_statements
from gateway.processes.errors import StackError
from gateway.seeding.marks import SEEDED_MERCHANTS
from gateway.seeding.plan import Plan, require_space

SQL: Final = named_statements("gateway.seeding", "fill.sql")
TABLES: Final = (
    "payments", "attempts", "events", "transfers", "refunds", "order_numbers", "idempotency_keys", "refund_numbers",
)  # fmt: skip
"""What is filled; everything else is reached by the ids of these, or grows with what is open and not with what was."""
_LOCK: Final = 0x73656564
"""Key of the advisory lock that lets only one run seed or unseed a database at a time ("seed" in ASCII)."""
_SESSION: Final = {
    "application_name": "mashang seed",
    "synchronous_commit": "off",  # a chunk that is lost in a crash is made again
    "work_mem": "128MB",  # a chunk fits in
    "jit": "off",
}
_SPACE_EVERY: Final = 1_000_000
"""After so many payments the disk is looked at again: others fill it too."""
Progress: TypeAlias = Callable[[int], None]


async def connect(database_url: str) -> asyncpg.Connection:
    """A connection for long statements.  Raises StackError."""
    try:
        return await asyncpg.connect(database_url, server_settings=_SESSION)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise StackError(f"PostgreSQL does not accept a connection: {error}") from error


async def lock(connection: asyncpg.Connection) -> None:
    """Keep other runs away for as long as the connection lives.  Raises StackError where one is at work."""
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
        raise StackError("Another `mashang seed` is at work on this database.")


async def begin(connection: asyncpg.Connection, wanted: Plan) -> tuple[Plan, set[int]]:
    """The plan in force, begun now or by an earlier run, and the first numbers of its chunks that are done.

    Raises StackError where the database holds another seed.
    """
    plan = await current(connection)
    if plan is not None:
        if plan.differs_from(wanted):
            raise StackError(
                f"This database was seeded with {plan.payments:,} payments of {plan.merchants:,} merchants over "
                f"{plan.days} days. Give the same numbers to go on, or take them out first: mashang seed --remove"
            )
        return plan, await chunks_done(connection)
    async with connection.transaction():
        await connection.execute(SQL["room"])
        await connection.execute(SQL["add_plan"], *astuple(wanted))
        await connection.execute(SQL["merchants"], SEEDED_MERCHANTS, wanted.merchants)
    return wanted, set()


async def chunks_done(connection: asyncpg.Connection) -> set[int]:
    """The first payments of the chunks that are there."""
    return {row["first"] for row in await connection.fetch(SQL["done"])}


async def current(connection: asyncpg.Connection) -> Plan | None:
    """The plan of the seed that stands in the database; None without one."""
    if not await connection.fetchval(SQL["is_made"]):
        return None
    row = await connection.fetchrow(SQL["plan"])
    return None if row is None else Plan(*row.values())


async def require_no_strangers(connection: asyncpg.Connection) -> None:
    """Raises StackError where somebody else's payments stand."""
    if await connection.fetchval(SQL["strangers"], SEEDED_MERCHANTS):
        raise StackError(
            "There are payments here that were not seeded. Seeded ones beside them are in every list and sum of the "
            "operator; where that is meant, add --yes."
        )


async def free_bytes(connection: asyncpg.Connection) -> int | None:
    """What is free on the disk of PostgreSQL's data; None where it is not this machine's."""
    folder = await connection.fetchval(SQL["folder_here"])
    try:
        return None if folder is None else shutil.disk_usage(folder).free
    except OSError:
        return None


async def fill(database_url: str, plan: Plan, done: set[int], connections: int, progress: Progress) -> None:
    """Make what is still missing, over several connections at once, and have the planner look at it."""
    connection = await connect(database_url)
    try:
        for month in plan.months:
            await make_month(connection, month)
    finally:
        await connection.close()
    left = iter([chunk for chunk in plan.chunks if chunk[0] not in done])
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_work(database_url, plan, left, progress))
    await _analyze(database_url)


async def _work(database_url: str, plan: Plan, left: Iterator[tuple[int, int]], progress: Progress) -> None:
    connection = await connect(database_url)
    try:
        for first, last in left:
            if first % _SPACE_EVERY < plan.chunk and (free := await free_bytes(connection)) is not None:
                require_space(plan, first, free)
            await connection.execute(
                SQL["chunk"], first, last, plan.first_ms(0), plan.step_ms, plan.merchants, SEEDED_MERCHANTS
            )
            progress(last - first + 1)
    finally:
        await connection.close()


async def _analyze(database_url: str) -> None:
    connection = await connect(database_url)
    try:
        for table in TABLES:
            await connection.execute(f"ANALYZE {table}")
    finally:
        await connection.close()
