"""The PostgreSQL pool: every connection plans a statement once and keeps commits synchronous."""

from __future__ import annotations

from importlib.resources import files

import asyncpg

from gateway.settings import Settings


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
