"""How many rows a request has left behind, so that a test can say: nothing was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

_TABLES: Final = (
    "payments",
    "order_numbers",
    "idempotency_keys",
    "attempts",
    "events",
    "transfers",
    "refunds",
    "refund_numbers",
    "refund_keys",
    "merchants",
    "api_keys",
)
_BY_REQUESTS: Final = (
    "payments",
    "order_numbers",
    "idempotency_keys",
    "refunds",
    "refund_numbers",
    "refund_keys",
    "callbacks",
    "admin_requests",
    "risk_rule_sets",
    "risk_publications",
    "risk_models",
    "risk_lists",
    "risk_list_entries",
    "risk_list_imports",
    "risk_cases",
    "risk_case_steps",
    "risk_complaints",
    "risk_labels",
    "segments",
)
_KEPT: Final = ("merchants", "api_keys", "channel_accounts", "codes", "webhook_endpoints")


async def written(database: asyncpg.Connection, tables: Sequence[str] = _TABLES) -> dict[str, int]:
    """Rows by table."""
    counts = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in tables)
    row = await database.fetchrow(f"SELECT {counts}")
    assert row is not None
    return dict(row)


async def written_by_requests(database: asyncpg.Connection) -> dict[str, Any]:
    """What only requests write, whatever the workers do meanwhile: rows, and what the small tables hold."""
    contents = ", ".join(
        f"(SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t.id), '')) FROM {table} t) AS {table}"
        for table in _KEPT
    )
    row = await database.fetchrow(f"SELECT {contents}")
    assert row is not None
    return {**await written(database, _BY_REQUESTS), **row}
