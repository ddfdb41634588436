"""The two stores of a stack: embedded ones, or those that MASHANG_DATABASE_URL and MASHANG_REDIS_URL point at."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import asyncpg

from gateway.devstack.folders import socket_folder
from gateway.devstack.postgres import USER, Postgres
from gateway.devstack.valkey import Valkey
from gateway.processes.children import Child
from gateway.processes.errors import StackError


class Stores:
    """PostgreSQL and Valkey for one state folder."""

    def __init__(self, state: Path) -> None:
        sockets, logs = socket_folder(state), state / "logs"
        self._database_url = os.environ.get("MASHANG_DATABASE_URL")
        self._redis_url = os.environ.get("MASHANG_REDIS_URL")
        self._postgres = Postgres(state / "postgres", sockets, logs / "postgres.log")
        self._valkey = Valkey(state / "valkey", sockets, logs / "valkey.log")

    @property
    def database_url(self) -> str:
        """Where PostgreSQL is."""
        return self._database_url or self._postgres.url()

    @property
    def redis_url(self) -> str:
        """Where Valkey is."""
        return self._redis_url or self._valkey.url()

    @property
    def postgres(self) -> Child | None:
        """The embedded PostgreSQL's process; None where a real one is used."""
        return None if self._database_url else self._postgres.child

    @property
    def valkey(self) -> Child | None:
        """The embedded Valkey's process; None where a real one is used."""
        return None if self._redis_url else self._valkey.child

    def start(self) -> None:
        """Start what is embedded, both at once."""
        if not self._redis_url:
            self._valkey.start()
        if not self._database_url:
            self._postgres.start()

    async def wait_ready(self) -> None:
        """Wait until both answer; the first time, make the database."""
        if not self._redis_url:
            await asyncio.to_thread(self._valkey.wait_ready)
        if not self._database_url:
            await asyncio.to_thread(self._postgres.wait_ready)
            await make_database(self._postgres)
        await _try_database(self.database_url)

    async def stop(self, hurry: asyncio.Event) -> None:
        """Stop what is embedded, Valkey first; both keep their data in a hurry too."""
        if not self._redis_url:
            await asyncio.to_thread(self._valkey.stop)
        if not self._database_url:
            stopping = asyncio.create_task(asyncio.to_thread(self._postgres.stop))
            hurried = asyncio.create_task(hurry.wait())
            await asyncio.wait({stopping, hurried}, return_when=asyncio.FIRST_COMPLETED)
            if not stopping.done():
                self._postgres.stop_at_once()
            hurried.cancel()
            await stopping


async def make_database(postgres: Postgres) -> None:
    """Make Mashang's database in a server of ours where it is not there."""
    connection = await asyncpg.connect(postgres.url("postgres"))
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", USER):
            await connection.execute(f'CREATE DATABASE "{USER}"')
    finally:
        await connection.close()


async def _try_database(url: str) -> None:
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise StackError(f"PostgreSQL does not accept a connection (MASHANG_DATABASE_URL): {error}") from error
    await connection.close()
