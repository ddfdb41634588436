"""What runs behind the requests outlives every error: were a loop to end, its process would be half dead."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from gateway.database import revision
from gateway.database.batches import BROKEN
from gateway.database.revision import RevisionWatch

pytestmark = pytest.mark.asyncio


class FailingPool:
    """Fails with one error after another, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def fetchrow(self, query: str) -> dict[str, Any]:
        """The revision, and the time."""
        if self.errors:
            raise self.errors.pop(0)
        return {"revision": 7, "at": datetime(2026, 11, 22, tzinfo=UTC)}


async def test_the_revision_watch_lives_through_errors_that_nobody_has_thought_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(revision, "POLL_S", 0.001)
    told = asyncio.Event()

    async def listener() -> None:
        told.set()

    pool: Any = FailingPool(asyncpg.InternalClientError("another operation is in progress"), OSError(), ValueError())
    watching = asyncio.create_task(RevisionWatch(pool, [listener]).run())
    async with asyncio.timeout(5):
        await told.wait()
    assert not watching.done()
    watching.cancel()


async def test_a_connection_that_breaks_between_two_steps_counts_as_broken() -> None:
    assert issubclass(asyncpg.InternalClientError, BROKEN)
