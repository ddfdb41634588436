"""Every statement of every room finds its rows by a key, in a young database and in one that has run for long."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

import gateway
from gateway.database.pool import named_statements, open_pool
from gateway.kernel.ids import new_id
from tests.support.plans import conditions, generic_plan, scans
from tests.support.rows import settings
from tests.support.servers import TestServers

ROOMS: Final = {
    folder.parent.name: named_statements(f"gateway.{folder.parent.name}", "statements.sql")
    for folder in sorted(Path(gateway.__file__).parent.glob("*/statements.sql"))
    if folder.parent.name != "audit"  # reads everything, page by page
}
STATEMENTS: Final = [(room, name) for room, statements in ROOMS.items() for name in statements]
KEYS: Final = {
    #  table              how one row, or the few of one payment, are found
    "payments": ("id",),
    "attempts": ("payment_id",),
    "events": ("payment_id", "id"),
    "transfers": ("payment_id",),
    "late_captures": ("payment_id",),
    "refunds": ("id", "payment_id"),
    "redemptions": ("payment_id",),
    "risk_decisions": ("payment_id",),
    "campaigns": ("id",),
    "campaign_slices": ("campaign_id",),
    "callbacks": ("payment_id", "next_at", "received_at"),
    "recovery_tasks": ("payment_id", "next_at"),
    "webhook_deliveries": ("event_id",),
    "webhook_attempts": ("event_id",),
    "webhook_queue": ("endpoint_id",),
    "webhook_outbox": ("event_id",),
    "webhook_endpoints": ("id", "merchant_id"),
    "merchants": ("id",),
    "codes": ("id", "token", "merchant_id"),
    "order_numbers": ("merchant_order_no",),
    "idempotency_keys": ("key",),
    "replacements": ("replaced_id",),
    "refund_numbers": ("merchant_refund_no",),
    "refund_keys": ("key",),
    "admin_requests": ("key",),
    "review_verdicts": ("review_id",),
    "channel_accounts": ("id",),
    "audit_trail": ("seq",),
}
LISTS: Final = {("payments", "list"), ("refunds", "list"), ("webhooks", "list_events")}
"""What reads the newest of all that a merchant has, by `(merchant_id, id)`."""
WHOLE: Final = {
    ("admin", "forget_answers"): {"admin_requests": "the answers of one day, once a minute"},
    ("trail", "head"): {"audit_trail": "the end of its index"},
    ("trail", "count"): {"audit_trail": "all of it, for the progress of an audit of all of it"},
    ("reviews", "late_capture"): {"late_captures": "the index of what is in review"},
    ("reviews", "callback"): {"callbacks": "the index of what is in review"},
    ("callbacks", "waiting"): {"callbacks": "what waits, and no more than it may count"},
    ("webhooks", "backlog"): {
        "webhook_outbox": "what waits, and no more than it may count",
        "webhook_queue": "what waits, and no more than it may count",
    },
    ("webhooks", "outbox_waits"): {"webhook_outbox": "the queue itself, up to its first row that is due"},
    ("webhooks", "take_outbox"): {"webhook_outbox": "the queue itself, from its beginning"},
    ("workers", "untold"): {
        "risk_labels": "the index of what is not told",
        "risk_complaints": "the index of what is not told",
    },
    ("workers", "gauges"): {
        "recovery_tasks": "the queue itself",
        "payments": "the index of what is in review",
        "late_captures": "the index of what is in review",
        "refunds": "the indexes of what is in review and of what is pending",
        "callbacks": "the index of what is in review",
    },
    ("production", "accounts"): {"channel_accounts": "all of them, which are few, once at the start of a process"},
    ("production", "demo_keys"): dict.fromkeys(("merchants", "api_keys"), "once at the start of a process"),
    ("doctor", "sealed_endpoints"): {"webhook_endpoints": "narrow, when somebody asks"},
    ("doctor", "endpoints"): {"webhook_endpoints": "narrow, when somebody asks"},
    ("doctor", "balance"): {"payments": "the newest five hundred, from the end of its index"},
    ("doctor", "work"): {
        "recovery_tasks": "the queue itself, when somebody asks",
        "webhook_outbox": "what waits, and no more than it may count",
        "webhook_endpoints": "narrow, when somebody asks",
        "pool_state": "one row",
        "payments": "the index of what is in review",
        "late_captures": "the indexes of what is in review and of what is pending",
        "refunds": "the index of what is in review",
    },
}
"""Statements that walk a table, or an index, to count it; and why that is little."""
MONTHS: Final = {
    "payments": "id",
    "attempts": "payment_id",
    "events": "payment_id",
    "transfers": "payment_id",
    "callbacks": "payment_id",
    "refunds": "id",
    "redemptions": "payment_id",
    "webhook_deliveries": "event_id",
    "webhook_attempts": "event_id",
}
"""The column whose value says in which monthly partition a row stands."""
_LONG_HISTORY: Final = Path(__file__).with_name("long_history.sql")
_FILLED: Final = (
    "SELECT oid::regclass::text AS name FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0"
)
_PARTITION: Final = re.compile(r"_(\d{4}_\d\d|default|of_coupons|[0-7])$")


@pytest.fixture(scope="module", params=["young", "old"])
async def pool(migrated_servers: TestServers, request: pytest.FixtureRequest) -> AsyncIterator[asyncpg.Pool]:
    """A database without a row and without statistics; and one whose tables are long, and analysed."""
    url = migrated_servers.clone_database()
    opened = await open_pool(settings(url))
    if request.param == "old":
        await fill(opened)
    yield opened
    await opened.close()
    migrated_servers.drop_database(url)


async def fill(pool: asyncpg.Pool) -> None:
    """Give the database a long history; partitions that are still empty are not analysed, nor does autovacuum."""
    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('test.month', $1, false)", new_id("pay")[4:14])
        await connection.execute(_LONG_HISTORY.read_text(encoding="utf-8"))
        for record in await connection.fetch(_FILLED):
            await connection.execute(f"ANALYZE {record['name']}")


def tables_of(plan: dict[str, Any]) -> set[str]:
    """The tables of ours that the plan reads."""
    named = [node["Relation Name"] for node in scans(plan, "") if "Relation Name" in node]
    return {_PARTITION.sub("", name) for name in named if not name.startswith("pg_")}


@pytest.mark.parametrize(("room", "name"), STATEMENTS)
async def test_every_row_is_found_by_a_key(pool: asyncpg.Pool, room: str, name: str) -> None:
    plan = await generic_plan(pool, ROOMS[room][name])
    for table in tables_of(plan) - WHOLE.get((room, name), {}).keys():
        found = conditions(plan, table)
        keys = [*KEYS[table], *(["merchant_id"] if (room, name) in LISTS else [])]
        named = re.compile(rf"(?<![.\w])({'|'.join(keys)})\b")
        assert found
        assert all(named.search(condition) for condition in found), (table, found)


@pytest.mark.parametrize(("room", "name"), STATEMENTS)
async def test_only_the_month_that_a_key_tells_is_looked_at(pool: asyncpg.Pool, room: str, name: str) -> None:
    statement = ROOMS[room][name]
    plan = await generic_plan(pool, statement)
    told = [
        table
        for table in tables_of(plan) & MONTHS.keys()
        if any(re.search(rf"\b{MONTHS[table]} = \(?\$", condition) for condition in conditions(plan, table))
    ]
    if not told:
        return
    pruned = await plan_with_nulls(pool, statement)
    for table in told:
        assert len({node["Relation Name"] for node in scans(pruned, table)}) <= 1, table


async def plan_with_nulls(pool: asyncpg.Pool, statement: str) -> dict[str, Any]:
    """The plan as it is begun with keys that lie in no partition: what the keys leave out is gone from it."""
    arguments = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", statement))))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"PREPARE held AS {statement}")
        try:
            plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE held ({arguments})")
        finally:
            await connection.execute("DEALLOCATE held")
    found: dict[str, Any] = json.loads(plan)[0]["Plan"]
    return found
