"""The PostgreSQL pool: every connection plans a statement once and keeps commits synchronous."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from gateway.settings import Settings

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy
"""A connection, borrowed from the pool or not."""


async def open_pool(settings: Settings, *, size: int | None = None) -> asyncpg.Pool:
    """Open the pool.  Waiting for a connection and for a statement is bounded by `database_command_timeout_s`."""
    return await asyncpg.create_pool(
        settings.database_url.get_secret_value(),
        min_size=1,
        max_size=size or settings.database_pool_size,
        command_timeout=settings.database_command_timeout_s,
        timeout=settings.database_command_timeout_s,
        server_settings={
            "application_name": "mashang",
            # Batches come in every size: planning each size anew would cost more than the statement itself.
            "plan_cache_mode": "force_generic_plan",
            "synchronous_commit": "on",
            "jit": "off",
        },
    )


def sql(name: str) -> str:
    """The statement in gateway/database/sql/NAME.sql."""
    return (files("gateway.database") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def named_statements(package: str, file: str) -> Mapping[str, str]:
    """The statements of a file by name: each stands under a line `-- name: NAME`."""
    text = (files(package) / file).read_text(encoding="utf-8")
    blocks = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(blocks[::2], blocks[1::2], strict=True))
