"""Who is in which segment: a manager puts customers in, conditions ask `'vip' in customer.segments`.

A customer's row has his segments, and payments read them with his history: what is committed here counts from the next
payment on.  Everything works in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from gateway.database.pool import Connection, named_statements
from promotions.campaigns.store import Database

SQL: Final = named_statements("promotions.customers", "segments.sql")
SEGMENT_PATTERN: Final = r"^[a-z][a-z0-9_-]{0,39}$"
SEGMENTS_MAX: Final = 1_000
SEGMENTS_PER_CUSTOMER_MAX: Final = 32
CUSTOMERS_AT_ONCE_MAX: Final = 1_000
"""Whose rows are locked together: outcomes of their payments wait meanwhile."""


class TooManySegments(Exception):
    """There are SEGMENTS_MAX segments already."""


class CustomerFull(Exception):
    """A customer would be in more than SEGMENTS_PER_CUSTOMER_MAX segments."""


class Segment(NamedTuple):
    """A segment, and how many customers are in it."""

    name: str
    customers: int
    created_at: datetime
    changed_at: datetime


async def read_segments(database: Database) -> list[Segment]:
    """All of them, by name."""
    return [Segment(*row) for row in await database.fetch(SQL["list"])]


async def segments_of(database: Database, customer: bytes) -> list[str]:
    """Those that a customer (a keyed hash) is in, by name; none for somebody unknown."""
    return sorted(await database.fetchval(SQL["find"], customer) or ())


async def hold_or_create(connection: Connection, name: str) -> int:
    """How many customers are in it; nobody else changes that until the transaction ends.  Raises TooManySegments."""
    held = await hold(connection, name)
    if held is None:
        await connection.execute(SQL["create"], name, SEGMENTS_MAX)
        held = await hold(connection, name)
    if held is None:
        raise TooManySegments
    return held


async def hold(connection: Connection, name: str) -> int | None:
    """The same of a segment that is there; None where it is not."""
    held: int | None = await connection.fetchval(SQL["hold"], name)
    return held


async def add_customers(connection: Connection, name: str, customers: Iterable[bytes]) -> int:
    """Put customers (keyed hashes) into a segment that is held; how many were not in it.  Raises CustomerFull."""
    rows = await connection.fetch(SQL["add"], sorted(set(customers)), name)
    if any(row["segments"] > SEGMENTS_PER_CUSTOMER_MAX for row in rows):
        raise CustomerFull
    await _count(connection, name, len(rows))
    return len(rows)


async def remove_customers(connection: Connection, name: str, customers: Sequence[bytes]) -> int:
    """Take customers out of a segment that is held; how many were in it."""
    removed: int = await connection.fetchval(SQL["remove"], customers, name)
    await _count(connection, name, -removed)
    return removed


async def delete_some(connection: Connection, name: str) -> tuple[int, bool]:
    """Take up to CUSTOMERS_AT_ONCE_MAX customers out of a segment that is held, and with the last one delete it.

    How many were taken out, and whether it is gone: a large one takes more than one transaction, so that no payment of
    its customers waits for long.
    """
    found = await connection.fetch(SQL["any_of"], name, CUSTOMERS_AT_ONCE_MAX + 1)
    customers = [row["customer"] for row in found[:CUSTOMERS_AT_ONCE_MAX]]
    removed, is_gone = await remove_customers(connection, name, customers), len(found) <= CUSTOMERS_AT_ONCE_MAX
    if is_gone:
        await connection.execute(SQL["delete"], name)
    return removed, is_gone


async def _count(connection: Connection, name: str, more: int) -> None:
    if more:
        await connection.execute(SQL["count"], name, more)
