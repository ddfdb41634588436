"""Keeps customers' profiles up from the events: each capture and reversal is counted exactly once.

The watermark and all that the events before it changed are one transaction, and only one worker has its turn: a worker
that dies has counted nothing, or everything.  Events become visible out of the order of their times, for a transaction
that began earlier can commit later; so nothing is read past the oldest transaction that is under way, and the last
seconds are left to come (`LAG_S`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import orjson

from gateway.database.pool import Connection, named_statements
from risk.profiles.habits import NO_HABITS, Change, Habits, after

SQL: Final = named_statements("risk.profiles", "profiles.sql")

LAG_S: Final = 2.0
"""Between the moment at which a transaction takes its time and the moment at which others see it in the activity."""
CHANGES_MAX: Final = 4_000
"""In one transaction.  More than a batch of outcomes has rows, which all have one time."""
_SPAN_MIN: Final = timedelta(seconds=10)
_SPAN_MAX: Final = timedelta(hours=1)

_Pair = tuple[str, bytes]
"""Realm and payer."""


class Following:
    """One per worker.  `lag_s` is how far it stays behind."""

    def __init__(self, pool: asyncpg.Pool, *, lag_s: float = LAG_S, changes_max: int = CHANGES_MAX) -> None:
        self._pool = pool
        self._lag_s = lag_s
        self._changes_max = changes_max
        self._span = _SPAN_MIN
        self.behind_s: float | None = None
        """How far the profiles were behind the database's time at this worker's last turn; None before the first."""

    async def step(self) -> bool:
        """Count what has happened since, in one transaction.  Returns whether more is there already.

        False also where another worker has its turn.  Raises what the database raises: nothing is counted then, or,
        where the commit's fate is unknown, everything.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            turn = await connection.fetchrow(SQL["take_turn"])
            return turn is not None and await self._follow(connection, turn["followed_until"])

    async def _follow(self, connection: Connection, since: datetime | None) -> bool:
        now, horizon = await _times(connection, self._lag_s)
        since = since or await connection.fetchval(SQL["first_event"]) or horizon
        until = min(horizon, since + self._span)
        if since < until:
            changes, until = await self._read(connection, since, until)
            if changes:
                await _count(connection, changes)
            await connection.execute(SQL["go_on"], until)
        self.behind_s = (now - max(since, until)).total_seconds()
        return until < horizon

    async def _read(self, connection: Connection, since: datetime, until: datetime) -> tuple[list[Change], datetime]:
        """The changes of that span; where they are too many, those of its beginning, and where that ends."""
        rows = await connection.fetch(SQL["changes"], since, until, self._changes_max)
        if len(rows) == self._changes_max and rows[0]["at"] < rows[-1]["at"]:
            until = rows[-1]["at"]
            rows = [row for row in rows if row["at"] < until]
            self._span = max(_SPAN_MIN, until - since)
        elif len(rows) < self._changes_max // 4:
            self._span = min(_SPAN_MAX, 2 * self._span)
        return [Change(*tuple(row)[1:]) for row in rows if row["customer"] is not None], until


async def _times(connection: Connection, lag_s: float) -> tuple[datetime, datetime]:
    """The database's time, and up to when nothing is still to come."""
    row = await connection.fetchrow(SQL["horizon"], lag_s)
    assert row is not None
    return row["now"], row["horizon"]


async def _count(connection: Connection, changes: Sequence[Change]) -> None:
    marked = await _pair(connection, changes)
    customers = sorted({change.customer for change in changes} | marked)
    habits = dict.fromkeys(customers, NO_HABITS)
    habits.update({row["customer"]: _of(row) for row in await connection.fetch(SQL["habits"], customers)})
    for change in changes:
        habits[change.customer] = after(habits[change.customer], change)
    for customer in marked:
        habits[customer] = habits[customer]._replace(shared_payer=True)
    await connection.execute(SQL["save"], orjson.dumps([_row(*each) for each in habits.items()]).decode())


async def _pair(connection: Connection, changes: Sequence[Change]) -> set[bytes]:
    """Note who has paid for whom.  Returns the customers who share a payer with another one."""
    pairs = sorted({(each.realm, each.payer, each.customer) for each in changes if each.payer and each.is_capture})
    if not pairs:
        return set()
    customers: dict[_Pair, set[bytes]] = {}
    for realm, payer, customer in pairs:
        customers.setdefault((realm, payer), set()).add(customer)
    for row in await connection.fetch(SQL["known_pairs"], *zip(*customers, strict=True)):
        customers[row["realm"], row["payer"]].add(row["customer"])
    await connection.execute(SQL["add_pairs"], *zip(*pairs, strict=True))
    return {customer for sharing in customers.values() if len(sharing) > 1 for customer in sharing}


def _of(row: asyncpg.Record) -> Habits:
    return Habits(
        payments=row["payments"],
        amount_fen=row["amount"],
        highest_fen=tuple(row["highest"]),
        hours=tuple(row["hours"]),
        regions=tuple(zip(row["regions"], row["region_counts"], strict=True)),
        payers=tuple(row["payers"]),
        shared_payer=row["shared_payer"],
    )


def _row(customer: bytes, habits: Habits) -> Mapping[str, object]:
    return {
        "customer": _text(customer),
        "payments": habits.payments,
        "amount": habits.amount_fen,
        "highest": habits.highest_fen,
        "hours": habits.hours,
        "regions": [region for region, _ in habits.regions],
        "region_counts": [count for _, count in habits.regions],
        "payers": [_text(payer) for payer in habits.payers],
        "shared_payer": habits.shared_payer,
    }


def _text(value: bytes) -> str:
    r"""As PostgreSQL writes bytes: `\x`, then hex."""
    return f"\\x{value.hex()}"
