"""A connection that one sender of statements keeps: to take one from the pool costs more than a small statement.

Of 111 µs of CPU for the smallest statement, 67 are the pool's (asyncpg 0.32): nothing among sixteen payments of a full
batch, much where payments come one by one.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

_KEPT_STATEMENTS: Final = 10_000
"""After so many the connection goes through the pool, which closes those that have grown old."""


class HeldConnection:
    """Sends one statement at a time over a connection of the pool; one more at the same time goes by the pool itself.

    It is given back after a failure that is not the statement's own, and taken again with the next one.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._connection: PoolConnectionProxy | None = None
        self._statements = 0
        self._is_at_work = False
        self._is_over = False

    async def fetch(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """The rows of a statement.  Raises what the pool's `fetch` raises."""
        if self._is_at_work or self._is_over:
            return await self._pool.fetch(statement, *arguments)
        self._is_at_work = True
        is_sound = False
        try:
            rows = await (await self._taken()).fetch(statement, *arguments)
            is_sound = True
        except asyncpg.PostgresError:  # the server refused the statement; where it is going away, it has said so
            is_sound = self._connection is not None and not _is_lost(self._connection)
            raise
        else:
            return rows
        finally:
            self._is_at_work = False
            if not is_sound or self._is_over or self._statements >= _KEPT_STATEMENTS:
                await self._give_back()

    async def let_go(self) -> None:
        """Give the connection back for good, at the end of the statement that is under way."""
        self._is_over = True
        if not self._is_at_work:
            await self._give_back()

    async def _taken(self) -> PoolConnectionProxy:
        if self._connection is not None and _is_lost(self._connection):
            await self._give_back()
        if self._connection is None:
            self._connection = await self._pool.acquire()
        self._statements += 1
        return self._connection

    async def _give_back(self) -> None:
        connection, self._connection, self._statements = self._connection, None, 0
        if connection is not None:
            await self._pool.release(connection)


def _is_lost(connection: PoolConnectionProxy) -> bool:
    """Whether it is closed.  One that broke while nobody used it is back in the pool, and cannot even be asked."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


Sender: TypeAlias = asyncpg.Pool | HeldConnection
"""Sends a statement: over whatever connection is free, or over one of its own."""
