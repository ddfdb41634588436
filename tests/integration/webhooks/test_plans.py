"""The plans of the statements that run all day: each row is found by an index, each line by one look at it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.database.partitions import month_start
from gateway.webhooks.announcing import SQL
from tests.integration.webhooks.conftest import Hooks

EVENTS = ["evt_1", "evt_2"]
ENDPOINTS = ["we_1", "we_2"]
MERCHANTS = ["mer_1", "mer_2"]
RECORD = (EVENTS, ENDPOINTS, MERCHANTS, [1, 1], ["pending", "failed"], [500, 500], [None, None], [1, 1], [5.0, None])


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def plan_of(hooks: Hooks, name: str, *arguments: Any, run: bool = False) -> list[dict[str, Any]]:
    explain = "EXPLAIN (FORMAT JSON, ANALYZE)" if run else "EXPLAIN (FORMAT JSON)"
    text = await hooks.pool.fetchval(f"{explain} {SQL[name]}", *arguments)
    return list(nodes(json.loads(text)[0]["Plan"]))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("lines", ("we_1", False, 256)),
        ("lease", (ENDPOINTS, [False, True], [4, 4], 30.0)),
        ("record", RECORD),
        ("take_outbox", (256,)),
        ("drop_outbox", (EVENTS,)),
        ("endpoints_of_merchants", (MERCHANTS,)),
        ("add_deliveries", (EVENTS, MERCHANTS, ENDPOINTS, ["u", "u"], ["b", "b"])),
        ("deliveries", ("evt_1", "mer_1")),
        ("find_event", ("mer_1", "evt_1")),
        ("bodies", (EVENTS, "mer_1")),
        ("payments", (["pay_1"], ["mer_1"])),
    ],
)
async def test_no_table_is_scanned(hooks: Hooks, name: str, arguments: tuple[Any, ...]) -> None:
    await hooks.pool.execute("VACUUM ANALYZE webhook_queue, webhook_outbox, webhook_endpoints")
    found = await plan_of(hooks, name, *arguments)
    assert [node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"] == []


async def test_each_line_is_found_by_one_look_at_the_index_however_much_waits_in_it(hooks: Hooks) -> None:
    await hooks.pool.execute(
        "INSERT INTO webhook_queue (endpoint_id, event_id, merchant_id)"
        " SELECT 'we_' || n % 5, 'evt_' || n, 'mer_1' FROM generate_series(1, 5000) n"
    )
    found = await plan_of(hooks, "lines", "", False, 256, run=True)
    scans = [node for node in found if node.get("Relation Name") == "webhook_queue"]
    assert {node["Index Name"] for node in scans} == {"webhook_queue_lines"}
    assert sum(node["Actual Loops"] * node["Actual Rows"] for node in scans) == 5
    assert all(node["Index Cond"].startswith("(ROW(") for node in scans)


async def test_a_result_touches_its_own_month_only(hooks: Hooks) -> None:
    endpoint, _ = await hooks.endpoint()
    told = await hooks.captured()
    await hooks.relay.relay()
    leased = await hooks.leased(hooks.dispatch(), told)
    row = (
        [told.event_id],
        [endpoint.id],
        [told.merchant_id],
        [leased.lease_token],
        ["succeeded"],
        [200],
        [None],
        [1],
        [None],
    )
    found = await plan_of(hooks, "record", *row, run=True)
    ran = {
        node["Relation Name"]
        for node in found
        if node.get("Relation Name", "").startswith("webhook_deliveries") and "Scan" in node["Node Type"]
        if node["Actual Loops"]
    }
    assert ran == {f"webhook_deliveries_{month_start(datetime.now(UTC)):%Y_%m}"}
