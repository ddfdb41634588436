"""The plans of the hot statements: every row is found by an index, and only in the month that it belongs to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from gateway.database import failovers, intents, outcomes, shown
from gateway.database.partitions import month_start
from gateway.database.pool import named_statements, sql
from gateway.kernel.ids import new_id
from gateway.payments.states import Event
from tests.support.campaign_rows import campaign, coupon, drawing, grant, taken, today, use
from tests.support.rows import failing_over, intent, outcome

PARTITIONED = ("payments", "attempts")
EARLIER = datetime(2026, 11, 22, tzinfo=UTC)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The node and all below it."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@asynccontextmanager
async def explained(pool: asyncpg.Pool) -> AsyncIterator[tuple[asyncpg.pool.PoolConnectionProxy, list[Any]]]:
    """A connection of the gateway's own settings that tells the plans it really ran."""
    plans: list[dict[str, Any]] = []

    def listen(_: Any, message: Any) -> None:
        text = message.message
        if "plan:" in text:
            plans.append(json.loads(text[text.index("plan:") + 5 :])["Plan"])

    async with pool.acquire() as connection:
        await connection.execute(
            "LOAD 'auto_explain'; SET auto_explain.log_analyze = on; SET auto_explain.log_format = json;"
            "SET auto_explain.log_timing = off; SET client_min_messages = log"
        )
        connection.add_log_listener(listen)
        try:
            yield connection, plans
        finally:
            connection.remove_log_listener(listen)
            await connection.execute("RESET ALL")


async def plan_of(pool: asyncpg.Pool, statement: str, arguments: Any) -> dict[str, Any]:
    """The plan that was run for a statement with these arguments."""
    async with explained(pool) as (connection, plans):
        prepared = await connection.prepare(statement)
        await connection.execute("SET auto_explain.log_min_duration = 0")
        await prepared.fetch(*arguments)
        await connection.execute("SET auto_explain.log_min_duration = -1")
    return next(
        plan
        for plan in plans
        if any(node.get("Relation Name", "")[:3] in {"att", "ide", "pay", "rec"} for node in nodes(plan))
    )


def scans(plan: dict[str, Any], *tables: str) -> list[dict[str, Any]]:
    """The nodes that read one of the tables or of its partitions."""
    return [
        node for node in nodes(plan) if node.get("Relation Name", "").startswith(tables) and "Scan" in node["Node Type"]
    ]


async def test_an_intent_looks_its_key_up_in_one_partition_by_the_index(pool: asyncpg.Pool) -> None:
    rows = [intent(new_id("pay"), "mer_plan", key=f"k{number}") for number in range(4)]
    plan = await plan_of(pool, sql("intent"), intents._arguments(rows))
    found = scans(plan, "idempotency_keys")
    assert {node["Node Type"] for node in found} <= {"Index Scan", "Index Only Scan"}
    assert len([node for node in found if node["Actual Loops"]]) == 1


async def test_an_outcome_finds_every_row_by_an_index_in_its_own_month_only(pool: asyncpg.Pool) -> None:
    rows = [intent(new_id("pay"), "mer_plan") for _ in range(4)]
    await pool.fetch(sql("intent"), *intents._arguments(rows))
    settled = [outcome(row, Event.CAPTURED) for row in rows]
    plan = await plan_of(pool, sql("outcome"), outcomes._arguments(settled))
    found = scans(plan, *PARTITIONED, "recovery_tasks")
    assert {node["Node Type"] for node in found} <= {
        "Index Scan",
        "Index Only Scan",
        "Bitmap Index Scan",
        "Bitmap Heap Scan",
    }
    month = f"{month_start(datetime.now(UTC)):%Y_%m}"
    for table in PARTITIONED:
        ran = {node["Relation Name"] for node in scans(plan, table) if node["Actual Loops"]}
        assert ran == {f"{table}_{month}"}


async def test_a_code_that_is_shown_is_found_by_an_index_in_its_own_month_only(pool: asyncpg.Pool) -> None:
    rows = [intent(new_id("pay"), "mer_plan", method="qrcode") for _ in range(4)]
    await pool.fetch(sql("intent"), *intents._arguments(rows))
    codes = [shown.ShownRow(row.payment_id, "mer_plan", 1, "weixin://x", 5.0, new_id("evt")) for row in rows]
    plan = await plan_of(pool, sql("shown"), shown._arguments(codes))
    found = scans(plan, *PARTITIONED, "recovery_tasks")
    assert not [node for node in found if node["Node Type"] == "Seq Scan"]
    month = f"{month_start(datetime.now(UTC)):%Y_%m}"
    for table in PARTITIONED:
        ran = {node["Relation Name"] for node in scans(plan, table) if node["Actual Loops"]}
        assert ran == {f"{table}_{month}"}


async def test_a_payment_that_fails_over_is_found_by_an_index_in_its_own_month_only(pool: asyncpg.Pool) -> None:
    rows = [intent(new_id("pay"), "mer_plan") for _ in range(4)]
    await pool.fetch(sql("intent"), *intents._arguments(rows))
    plan = await plan_of(pool, sql("fail_over"), failovers._arguments([failing_over(row) for row in rows]))
    found = scans(plan, *PARTITIONED, "recovery_tasks")
    assert not [node for node in found if node["Node Type"] == "Seq Scan"]
    month = f"{month_start(datetime.now(UTC)):%Y_%m}"
    for table in PARTITIONED:
        ran = {node["Relation Name"] for node in scans(plan, table) if node["Actual Loops"]}
        assert ran == {f"{table}_{month}"}


async def test_what_is_taken_of_campaigns_and_put_back_is_found_by_indexes_in_its_own_month_only(
    pool: asyncpg.Pool,
) -> None:
    """Also where the tables were analysed while they were nearly empty."""
    day = await today(pool)
    await campaign(pool, "cmp_plan")
    await grant(pool, "cmp_plan", 10_000)
    mine = await coupon(pool, "cpn_plan", "cmp_plan", b"me")
    await pool.execute(
        "INSERT INTO campaign_versions (campaign_id, version, document)"
        """ VALUES ('cmp_plan', 1, '{"coupon": {"returns_on_cancel": false}}')"""
    )
    await pool.execute("VACUUM ANALYZE")
    redemption = taken("cmp_plan", day, counters=[use("plan", day, 99)])
    rows = [drawing(new_id("pay"), redemption) for _ in range(4)]
    rows.append(drawing(new_id("pay"), redemption._replace(coupon_id=mine), customer=b"me"))
    ids = [row.payment_id for row in rows]
    async with explained(pool) as (connection, plans):
        await connection.execute("SET auto_explain.log_nested_statements = on; SET auto_explain.log_min_duration = 0")
        await connection.fetch(sql("intent"), *intents._arguments(rows))
        await connection.fetch("SELECT * FROM return_redemptions($1, '{1}', '{5}', true)", ids[0])
        await connection.fetch("SELECT * FROM give_back_redemptions($1)", ids[1:])
    found = [scan for plan in plans for scan in scans(plan, "campaign", "redemptions", "coupons", "transfers")]
    assert not [scan for scan in found if scan["Node Type"] == "Seq Scan"]
    relations = {scan["Relation Name"] for scan in found if scan["Actual Loops"]}
    assert {"campaigns", "campaign_slices", "campaign_uses", "coupons"} <= relations
    month = f"{month_start(datetime.now(UTC)):%Y_%m}"
    assert {name for name in relations if name.startswith(("redemptions", "transfers"))} == {
        f"redemptions_{month}",
        f"transfers_{month}",
    }


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("open_attempt", ("wechat", "wechat_direct", None, 5.0, b"p", 5.0, 5.0, 61.0, None)),
        ("close_attempt", ("closed", None)),
        ("attempt", ()),
        ("save_page", (b"sealed", None)),
    ],
)
async def test_the_attempts_of_a_code_are_found_by_their_keys(
    pool: asyncpg.Pool, name: str, more: tuple[Any, ...]
) -> None:
    await pool.execute("VACUUM ANALYZE")
    statement = named_statements("gateway.payments", "statements.sql")[name]
    found = scans(await plan_of(pool, statement, (new_id("pay"), "mer_plan", 0, *more)), *PARTITIONED, "recovery_tasks")
    assert not [node for node in found if node["Node Type"] == "Seq Scan"]


async def test_a_month_that_has_just_begun_is_not_analysed_while_it_is_nearly_empty(pool: asyncpg.Pool) -> None:
    """The planner would learn that scanning it whole is cheap, and do so until the next analysis."""
    found = await pool.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '_[0-9]{4}_[0-9]{2}$|^recovery_tasks$'"
        " AND NOT 'autovacuum_analyze_threshold=20000' = ANY (coalesce(reloptions, '{}'))"
    )
    assert [record["relname"] for record in found] == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("lease", (8, 30.0)),
        ("put_off", ("pay_1", "resolve", 1, 5.0, EARLIER, EARLIER)),
        ("finish_unless_woken", ("pay_1", "resolve", 1, EARLIER, EARLIER)),
    ],
)
async def test_the_workers_queue_is_never_scanned(pool: asyncpg.Pool, name: str, arguments: tuple[Any, ...]) -> None:
    await pool.execute("VACUUM ANALYZE recovery_tasks")
    statement = named_statements("gateway.workers", "statements.sql")[name]
    found = scans(await plan_of(pool, statement, arguments), "recovery_tasks")
    assert found
    assert not [node for node in found if node["Node Type"] == "Seq Scan"]
