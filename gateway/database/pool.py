"""The PostgreSQL pool: every connection plans a statement once and keeps commits synchronous."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final, TypeAlias

import asyncpg
from asyncpg.pool import PoolAcquireContext, PoolConnectionProxy

from gateway.database.arrays import know_arrays_by_type
from gateway.database.held import HeldConnection
from gateway.settings import Settings

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy
"""A connection, borrowed from the pool or not."""


_ACQUIRE_S: Final = 2.0


class BoundedPool(asyncpg.Pool):
    """A pool in which nobody waits for ever: past two seconds without a free connection, TimeoutError is raised."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._held: list[HeldConnection] = []

    def held(self) -> HeldConnection:
        """A connection for one sender, until the pool is closed; the pool must have some besides."""
        held = HeldConnection(self)
        self._held.append(held)
        return held

    async def close(self) -> None:
        """Close every connection, those that are held among them, once it is free."""
        for held in self._held:
            await held.let_go()
        await super().close()

    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext:
        """A connection within the bound."""
        return super().acquire(timeout=_ACQUIRE_S if timeout is None else timeout)


async def open_pool(settings: Settings, *, size: int | None = None) -> BoundedPool:
    """Open a pool.  Waiting for a connection and for a statement is bounded."""
    know_arrays_by_type()
    return await BoundedPool(
        settings.database_url.get_secret_value(),
        min_size=1,
        max_size=size or settings.database_pool_size,
        max_queries=1_000_000,
        max_inactive_connection_lifetime=300.0,
        connect=None,
        setup=None,
        init=None,
        # We leave nothing behind in a session, so the reset that asyncpg sends after every use would be a wasted trip.
        reset=_keep,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        command_timeout=settings.database_command_timeout_s,
        timeout=settings.database_command_timeout_s,
        server_settings={
            "application_name": "mashang",
            # Batches come in every size: planning each size anew would cost more than the statement itself.
            "plan_cache_mode": "force_generic_plan",
            "synchronous_commit": "on",
            "jit": "off",
            # Every statement looks rows up by key.  A plan made while a table was empty would scan it for ever: with
            # 3,000 open recovery tasks an outcome then costs PostgreSQL seven times as much.
            "enable_seqscan": "off",
            # Longer than deadlock_timeout, far shorter than a statement's: one row that somebody holds (an open
            # transaction of an operator) must not keep the hundred others of its batch, and all batches behind it.
            "lock_timeout": "1500ms",
            # A process that sleeps (SIGSTOP, a suspended machine) inside of a transaction holds its rows no longer than
            # this; longer than any call to a channel, for which a person's change is open.
            "idle_in_transaction_session_timeout": "30s",
        },
    )


async def _keep(connection: Connection) -> None:
    """Nothing to reset."""


def sql(name: str) -> str:
    """The statement in gateway/database/sql/NAME.sql."""
    return (files("gateway.database") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def named_statements(package: str, file: str) -> Mapping[str, str]:
    """The statements of a file by name: each stands under a line `-- name: NAME`."""
    text = (files(package) / file).read_text(encoding="utf-8")
    blocks = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(blocks[::2], blocks[1::2], strict=True))
