"""PostgreSQL and Valkey for the tests: one of each per run, a database cloned from a migrated template per module."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
import redis

from gateway.devstack.folders import private_folder, socket_folder
from gateway.devstack.postgres import Postgres
from gateway.devstack.valkey import Valkey

TEMPLATE: Final = "template_migrated"
_REDIS_DATABASES: Final = 64
_Result = TypeVar("_Result")


def run_aside(work: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
    """Run a coroutine to its end in a thread with a loop of its own, so that it disturbs no loop of the tests."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


@dataclass(slots=True)
class TestServers:
    """The running servers.  `postgres` and `valkey` can be stopped and started by a test that has a pair of its own."""

    __test__ = False

    postgres: Postgres
    valkey: Valkey
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def admin_url(self) -> str:
        """The maintenance database, for CREATE DATABASE and the like."""
        return self.postgres.url("postgres")

    @property
    def redis_url(self) -> str:
        """Valkey's database 0."""
        return self.valkey.url(0)

    def create_database(self, name: str | None = None) -> str:
        """A new empty database; its address."""
        name = name or self._new_name()
        self._administer(f'CREATE DATABASE "{name}"')
        return self.postgres.url(name)

    def clone_database(self, template: str = TEMPLATE) -> str:
        """A new database with the template's content, in some 25 ms; its address."""
        name = self._new_name()
        self._administer(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return self.postgres.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database, whoever is still connected to it."""
        name = url.partition("?")[0].rpartition("/")[2]
        self._administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def empty_redis(self) -> str:
        """The address of an empty numbered database of Valkey, another one at each call until they go round."""
        url = self.valkey.url(next(self._numbers) % _REDIS_DATABASES)
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url

    def migrate_template(self) -> None:
        """Make the template that `clone_database` copies, with every migration applied."""
        from gateway.database.migrate import migrate  # noqa: PLC0415 - tests of the bare servers need no migrations

        url = self.create_database(TEMPLATE)
        run_aside(lambda: migrate(url))

    def _new_name(self) -> str:
        return f"test_{next(self._numbers)}"

    def _administer(self, statement: str) -> None:
        async def execute() -> None:
            connection = await asyncpg.connect(self.admin_url)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        run_aside(execute)


@contextmanager
def start_servers(folder: Path, *, durable: bool = False) -> Iterator[TestServers]:
    """Start both servers with their data under the folder.  `durable=True` for a test that kills them.

    They are tethered to this thread's process: when the test run dies, however it does, they go too.
    """
    sockets = socket_folder(private_folder(folder))
    postgres = Postgres(folder / "postgres", sockets, folder / "postgres.log", durable=durable)
    valkey = Valkey(folder / "valkey", sockets, folder / "valkey.log", durable=durable)
    try:
        postgres.start()
        valkey.start()
        postgres.wait_ready()
        valkey.wait_ready()
        yield TestServers(postgres, valkey)
    finally:
        valkey.stop()
        postgres.stop()
