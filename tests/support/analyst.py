"""Somebody who saves and publishes rules, for tests with a database and no service."""

from __future__ import annotations

import hashlib
from typing import Any

import asyncpg
import orjson

from gateway.kernel.secrets import Vault
from risk.model.book import ModelBook
from risk.rules.book import RuleBook
from risk.rules.lifecycle import publish, roll_back
from risk.rules.making import Known, make
from risk.rules.store import save


class Analyst:
    """Saves and publishes rules."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.vault = Vault(hashlib.sha256(b"tests").digest())

    async def save(self, *rules: dict[str, Any], **more: Any) -> int:
        """A draft's version."""
        made = make(orjson.dumps({"rules": list(rules), **more}), Known(None, None))
        async with self.pool.acquire() as connection, connection.transaction():
            return await save(connection, self.vault, made)

    async def publish(self, version: int) -> None:
        """Put it in force."""
        async with self.pool.acquire() as connection, connection.transaction():
            await publish(connection, version)

    async def published(self, *rules: dict[str, Any], **more: Any) -> int:
        """The version of these rules, which are in force."""
        version = await self.save(*rules, **more)
        await self.publish(version)
        return version

    async def end_all_rules(self) -> None:
        """Version 0 again."""
        async with self.pool.acquire() as connection, connection.transaction():
            await roll_back(connection, 0)

    def book(self) -> RuleBook:
        """Of a process that has heard of nothing yet."""
        return RuleBook(self.pool, self.vault, ModelBook(self.pool))
