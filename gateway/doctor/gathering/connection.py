"""A connection to PostgreSQL for looking: read-only, and no statement of it takes long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from gateway.database.pool import named_statements
from gateway.settings import Settings

SQL: Final = named_statements("gateway.doctor", "statements.sql")
_CONNECT_S: Final = 5.0
_STATEMENT_S: Final = 5.0


@asynccontextmanager
async def looking(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """Raises what asyncpg raises where nobody answers."""
    connection = await asyncpg.connect(
        settings.database_url.get_secret_value(),
        timeout=_CONNECT_S,
        command_timeout=_STATEMENT_S,
        server_settings={
            "application_name": "mashang doctor",
            "default_transaction_read_only": "on",
            "jit": "off",
            "enable_seqscan": "off",  # as the gateway's own connections: by keys, however the statistics are
        },
    )
    try:
        yield connection
    finally:
        connection.terminate()
