"""Which merchants have changed, with their keys and stores, since one last looked: who remembers them forgets those."""

from __future__ import annotations

from typing import Final

import asyncpg

from gateway.database.pool import named_statements

SQL: Final = named_statements("gateway.merchants", "changes.sql")


class MerchantChanges:
    """Reads on from where it was.  One for each memory."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._seen: int | None = None

    async def read(self) -> frozenset[str] | None:
        """The ids of those that changed; None where it can be anybody: the first time, after more than a thousand at
        once, and for whoever did not look for an hour.
        """
        seen, changed = self._seen, None
        if seen is None:
            newest = await self._pool.fetchval(SQL["newest"])
        else:
            [record] = await self._pool.fetch(SQL["since"], seen)
            newest = record["newest"]
            if newest == seen:
                changed = frozenset[str]()
            elif record["known"] == newest - seen and record["ids"] is not None:
                changed = frozenset(record["ids"])
        self._seen = newest
        return changed


async def forget_changes(pool: asyncpg.Pool) -> None:
    """Delete what every process has seen: each looks several times a second."""
    await pool.execute(SQL["forget"])
