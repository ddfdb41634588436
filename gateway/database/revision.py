"""Tells this process when merchants, keys or channel accounts have changed anywhere: one number, polled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN

POLL_S: Final = 0.4
"""A revoked key must stop working in under a second on every process (PRODUCT.md "Authentication")."""

_log = logging.getLogger("mashang.revision")


class RevisionWatch:
    """Calls its listeners after each change; runs until cancelled, through any trouble of the database.

    `heard` is told the database's time at each look.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        listeners: list[Callable[[], Awaitable[None]]],
        heard: Callable[[datetime], None] | None = None,
    ) -> None:
        self._pool = pool
        self._listeners = listeners
        self._heard = heard
        self._seen = 0

    async def check(self) -> None:
        """Look once; tell the listeners where the revision has risen."""
        record = await self._pool.fetchrow("SELECT revision, now() AS at FROM directory_revision")
        assert record is not None, "the migrations have written its one row"
        revision = record["revision"]
        if self._heard is not None:
            self._heard(record["at"])
        if revision != self._seen:
            for listener in self._listeners:
                await listener()
            self._seen = revision

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.check()
            except (*BROKEN, asyncpg.PostgresError) as error:
                _log.warning("the directory could not be read", extra={"error": type(error).__name__})
            except Exception:  # were this loop to end, the process would serve on with its stores closed
                _log.exception("the directory could not be read")
