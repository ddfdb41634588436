"""Puts entries on lists and takes them off, in transactions of their own, as the admin API does."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from gateway.kernel.secrets import Vault
from risk.lists.entry import Entry, Hasher, value_of
from risk.lists.keeping import ListRow, Put, create_list, entries_of, hold, put_entries, remove_entries
from tests.support.rows import MASTER_KEY


class Desk:
    """A person with a list."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.vault = Vault(MASTER_KEY)
        self.hasher = Hasher(self.vault)

    async def make(self, name: str) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            assert await create_list(connection, name, "A list of a test.")

    async def put(
        self, name: str, field: str, *texts: str, scope: str | None = None, expires_at: datetime | None = None
    ) -> Put:
        values = [(value_of(field, text, scope), expires_at, None) for text in texts]
        entries = await entries_of(self.hasher, values)
        async with self.pool.acquire() as connection, connection.transaction():
            held = await self.held(connection, name)
            return await put_entries(connection, self.vault, held, entries, person="li.wei", reason="seen in a test")

    async def remove(self, name: str, field: str, text: str, *, scope: str | None = None) -> int:
        key = (field, self.hasher.of(value_of(field, text, scope)))
        async with self.pool.acquire() as connection, connection.transaction():
            return await remove_entries(connection, await self.held(connection, name), [key])

    @staticmethod
    async def held(connection: asyncpg.Connection, name: str) -> ListRow:
        held = await hold(connection, name)
        assert held is not None
        return held

    async def entries(self, field: str, *texts: str, scope: str | None = None) -> list[Entry]:
        """Entries that never expire."""
        return await entries_of(self.hasher, [(value_of(field, text, scope), None, None) for text in texts])
