"""How long a commit takes on this PostgreSQL: one small row by itself, on a connection that nothing else uses."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from typing import Final, Self
from urllib.parse import urlsplit

import asyncpg

_DATABASE: Final = "mashang_commits"
_PAUSE_S: Final = 0.02
"""Few a second, so that the probe is no load of its own."""


class CommitProbe(threading.Thread):
    """Commits beside a measurement until it is told to stop."""

    def __init__(self, database_url: str) -> None:
        super().__init__(name="commit probe", daemon=True)
        self._database_url = database_url
        self._over = threading.Event()
        self._taken_ms: list[float] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    @property
    def median_ms(self) -> float:
        """Of all commits so far; 0 where there was none."""
        return statistics.median(self._taken_ms) if self._taken_ms else 0.0

    def run(self) -> None:
        """The thread's own work."""
        asyncio.run(self._commit())

    async def _commit(self) -> None:
        connection = await _connected(self._database_url)
        try:
            statement = await connection.prepare("INSERT INTO commits (at) VALUES (now())")
            while not self._over.wait(_PAUSE_S):
                began_s = time.perf_counter()
                await statement.fetch()
                self._taken_ms.append((time.perf_counter() - began_s) * 1000)
        finally:
            await connection.close()


async def _connected(database_url: str) -> asyncpg.Connection:
    """A connection to a database of the probe's own on the same server: the audited one stays as it is."""
    connection = await asyncpg.connect(database_url)
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", _DATABASE):
            await connection.execute(f"CREATE DATABASE {_DATABASE}")
    finally:
        await connection.close()
    own = await asyncpg.connect(urlsplit(database_url)._replace(path=f"/{_DATABASE}").geturl())
    await own.execute("CREATE TABLE IF NOT EXISTS commits (at timestamptz NOT NULL)")
    return own


def idle_commit_ms(database_url: str, seconds: float = 2.0) -> float:
    """The median commit while nothing else is asked of the server."""
    with CommitProbe(database_url) as probe:
        time.sleep(seconds)
    return probe.median_ms
