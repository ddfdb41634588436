"""Holds a process back in production: before it serves, and once more when its database is there."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.pool import Connection
from gateway.kernel.secrets import Vault
from gateway.production.reasons import Reason, UnsafeInProduction, refusals
from gateway.production.rules import settings_reasons
from gateway.production.stored import Stored, stored_reasons
from gateway.settings import Environment, Settings

_CONNECT_S: Final = 3.0


async def require_safe(settings: Settings, database: asyncpg.Pool | Connection) -> None:
    """Nothing outside of production.  Raises UnsafeInProduction with every reason."""
    if settings.environment is not Environment.PRODUCTION:
        return
    stored = await Stored.read(database, Vault(settings.master_key_bytes))
    _refuse([*settings_reasons(settings), *stored_reasons(stored)])


def require_safe_beforehand(settings: Settings) -> None:
    """The same before anything is started, for a message instead of a traceback; without the database if it is away."""
    if settings.environment is not Environment.PRODUCTION:
        return
    _refuse([*settings_reasons(settings), *asyncio.run(_stored_if_there(settings))])


async def _stored_if_there(settings: Settings) -> list[Reason]:
    try:
        connection = await asyncpg.connect(settings.database_url.get_secret_value(), timeout=_CONNECT_S)
    except (*BROKEN, asyncpg.PostgresError, ValueError):
        return []  # whoever opens the pool waits for it, and looks then
    try:
        return stored_reasons(await Stored.read(connection, Vault(settings.master_key_bytes)))
    except (*BROKEN, asyncpg.PostgresError):
        return []
    finally:
        connection.terminate()


def _refuse(reasons: list[Reason]) -> None:
    refused = refusals(reasons)
    if refused:
        raise UnsafeInProduction(refused)
