"""Changes of tables that are in use: they wait for a lock for moments only, then let everybody pass, and try again.

Behind a statement that waits for a table for itself, every payment waits too, although nobody works on it: PostgreSQL
grants locks in their order.  So the wait is short, and repeated.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias, TypeVar

import asyncpg

Say: TypeAlias = Callable[[str], None]
Result = TypeVar("Result")

LOCK_TIMEOUT: Final = "500ms"
"""A payment that waits behind us waits no longer than that; its own bound is 1.5 s (pool.py)."""
VACUUM_TIMEOUT: Final = "200ms"
"""An autovacuum gives way to whoever has waited for `deadlock_timeout`, whose default is longer than we ever wait."""
PATIENCE_S: Final = 600.0
_PAUSE_S_FIRST: Final = 0.5
_PAUSE_S_MAX: Final = 8.0
_OLDEST: Final = """
SELECT format('process %s (%s, %s) has a transaction open for %s s', pid,
    coalesce(nullif(application_name, ''), backend_type, '?'), state,
    extract(epoch FROM clock_timestamp() - xact_start)::integer)
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
ORDER BY xact_start LIMIT 1
"""


async def let_vacuums_give_way(connection: asyncpg.Connection) -> None:
    """Have autovacuums stop for this connection, where its role may: GRANT SET ON PARAMETER deadlock_timeout."""
    with suppress(asyncpg.InsufficientPrivilegeError):
        await connection.execute(f"SET deadlock_timeout = '{VACUUM_TIMEOUT}'")


class StillLocked(Exception):
    """A lock was not to be had in time; the message says for what, and who has been at it longest."""


def quiet(_text: str) -> None:
    """For whoever wants to hear nothing."""


async def in_short_waits(
    connection: asyncpg.Connection,
    what: str,
    work: Callable[[], Awaitable[Result]],
    say: Say,
    patience_s: float = PATIENCE_S,
) -> Result:
    """What `work` gives, which bounds its waits for locks; done again until it gets them.  Raises StillLocked."""
    give_up_at, pause_s = time.monotonic() + patience_s, _PAUSE_S_FIRST
    while True:
        try:
            return await work()
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            oldest = await connection.fetchval(_OLDEST) or "nobody whom this role may see has a transaction open"
            if time.monotonic() > give_up_at:
                raise StillLocked(f"{what}: the lock was not to be had within {patience_s:.0f} s; {oldest}") from None
        say(f"  {what} waits for a lock and lets payments pass: {oldest}; trying again in {pause_s:.1f} s")
        await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311  jitter, not a secret
        pause_s = min(pause_s * 2, _PAUSE_S_MAX)
