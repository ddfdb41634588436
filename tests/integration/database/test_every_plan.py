"""Every statement of every room finds its rows by a key, in a young database and in one that has run for long."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
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
    #  table              how a row, or the rows of a list, are found
    "payments": ("id ", "merchant_id "),
    "attempts": ("payment_id ",),
    "events": ("payment_id ", "merchant_id "),
    "transfers": ("payment_id ",),
    "late_captures": ("payment_id ",),
    "refunds": ("id ", "payment_id ", "merchant_id "),
    "callbacks": ("payment_id ", "next_at ", "received_at "),
    "recovery_tasks": ("payment_id ", "next_at "),
    "webhook_deliveries": ("event_id ",),
    "webhook_attempts": ("event_id ",),
    "webhook_queue": ("endpoint_id ", "ROW(endpoint_id, again) "),
    "webhook_outbox": ("event_id ",),
    "webhook_endpoints": ("id ", "merchant_id "),
    "merchants": ("id ",),
    "codes": ("id ", "token ", "merchant_id "),
    "order_numbers": ("merchant_id ",),
    "idempotency_keys": ("merchant_id ",),
    "replacements": ("merchant_id ",),
    "refund_numbers": ("merchant_id ",),
    "refund_keys": ("merchant_id ",),
    "admin_requests": ("key ",),
}
WHOLE: Final = {
    ("admin", "forget_answers"): {"admin_requests": "the answers of one day, once a minute"},
    ("callbacks", "waiting"): {"callbacks": "what waits, and no more than it may count"},
    ("webhooks", "backlog"): {
        "webhook_outbox": "what waits, and no more than it may count",
        "webhook_queue": "what waits, and no more than it may count",
    },
    ("webhooks", "take_outbox"): {"webhook_outbox": "the queue itself, from its beginning"},
    ("workers", "gauges"): {
        "recovery_tasks": "the queue itself",
        "payments": "the index of what is in review",
        "late_captures": "the index of what is in review",
        "refunds": "the indexes of what is in review and of what is pending",
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
    "webhook_deliveries": "event_id",
    "webhook_attempts": "event_id",
}
"""The column whose value says in which monthly partition a row stands."""
_PARTITION: Final = re.compile(r"_(\d{4}_\d\d|default|[0-7])$")


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


async def fill(pool: asyncpg.Pool, rows: int = 20_000) -> None:
    """So many payments of this month that are over, each with one row of everything, and queues that are long."""
    month = new_id("pay")[4:14]
    numbers = (
        f"(SELECT '{month}' || lpad(n::text, 16, '0') AS u, 'mer_' || n % 50 AS m FROM generate_series(1, {rows}) n)"
    )
    few = "generate_series(0, 2000) n"
    for table, columns, values in (
        ("payments", "id, merchant_id, merchant_order_no, status, amount, payable, currency, method, attempt_seq,"
            "request_fingerprint, risk_decision, risk_score, created_at, expires_at, completed_at",
            "'pay_' || u, m, u, 'succeeded', 9, 9, 'CNY', 'barcode', 1, '', 'approve', 0, now(), now(), now()"),
        ("attempts", "payment_id, merchant_id, seq, account_id, state, send_before, created_at",
            "'pay_' || u, m, 1, 'wechat_direct', 'captured', now(), now()"),
        ("events", "payment_id, merchant_id, seq, type, to_status, at, id",
            "'pay_' || u, m, 1, 'payment.captured', 'succeeded', now(), 'evt_' || u"),
        ("transfers", "payment_id, merchant_id, seq, kind, debit, credit, amount, currency, booked_at",
            "'pay_' || u, m, 1, 'capture', 'a', 'b', 9, 'CNY', now()"),
        ("late_captures", "payment_id, merchant_id, attempt_seq, account_id, amount, found_at, status",
            "'pay_' || u, m, 1, 'wechat_direct', 9, now(), 'refunded'"),
        ("refunds", "id, merchant_id, payment_id, merchant_refund_no, seq, attempt_seq, account_id, amount,"
            "returned_to_customer, discount_returned, fee_returned, currency, status, next_at, created_at, completed_at",
            "'ref_' || u, m, 'pay_' || u, u, 1, 1, 'wechat_direct', 9, 9, 0, 0, 'CNY', 'succeeded', now(), now(), now()"),
        ("callbacks", "payment_id, account_id, notification_id, order_no, report_sealed, next_at, applied_at, result",
            "'pay_' || u, 'wechat_direct', u, u, '', now(), now(), 'applied'"),
        ("webhook_deliveries", "event_id, merchant_id, endpoint_id, url, body, status",
            "'evt_' || u, m, 'we_1', '', '', 'succeeded'"),
        ("webhook_attempts", "event_id, merchant_id, endpoint_id, try, at, duration_ms",
            "'evt_' || u, m, 'we_1', 1, now(), 1"),
        ("recovery_tasks", "payment_id, merchant_id, purpose, next_at, created_at",
            "'pay_' || u, m, 'watch', now() + interval '1 hour', now()"),
        ("webhook_queue", "endpoint_id, event_id, merchant_id", "replace(m, 'mer_', 'we_'), 'evt_' || u, m"),
        ("webhook_outbox", "event_id, merchant_id, payment_id, seq", "'evt_' || u, m, 'pay_' || u, 1"),
    ):  # fmt: skip
        await pool.execute(f"INSERT INTO {table} ({columns}) SELECT {values} FROM {numbers} r")
        await pool.execute(f"ANALYZE {await month_of(pool, table)}")
    for table, columns, values in (
        ("merchants", "id, name, webhook_secret_sealed", "'mer_' || n, 'n', ''"),
        ("codes", "id, token, merchant_id, name", "'code_' || n, 's' || n, 'mer_' || n % 50, 'n'"),
        ("webhook_endpoints", "id, merchant_id, url, secret_sealed", "'we_' || n, 'mer_' || n, '', ''"),
    ):
        await pool.execute(f"INSERT INTO {table} ({columns}) SELECT {values} FROM {few}")
        await pool.execute(f"ANALYZE {table}")


async def month_of(pool: asyncpg.Pool, table: str) -> str:
    """The partition that was filled: autovacuum never analyses the empty ones."""
    filled: str = await pool.fetchval(f"SELECT tableoid::regclass::text FROM {table} LIMIT 1")
    return filled


def tables_of(plan: dict[str, Any]) -> set[str]:
    """The tables that the plan reads."""
    return {_PARTITION.sub("", node["Relation Name"]) for node in scans(plan, "") if "Relation Name" in node}


@pytest.mark.parametrize(("room", "name"), STATEMENTS)
async def test_every_row_is_found_by_a_key(pool: asyncpg.Pool, room: str, name: str) -> None:
    plan = await generic_plan(pool, ROOMS[room][name])
    for table in tables_of(plan) - WHOLE.get((room, name), {}).keys():
        found = conditions(plan, table)
        keys = tuple(f"({before}{key}" for key in KEYS[table] for before in ("", "("))
        assert found
        assert all(condition.startswith(keys) for condition in found), (table, found)


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
