"""What was decided is explained by its rules and values, and made again bit for bit whatever has come since."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from gateway.kernel.clock import utc_now
from gateway.kernel.ids import new_ulid
from tests.support.gateway import GatewayStack
from tests.support.risk_rules import published, rule, without_rules
from tests.support.till import Till, error_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
DECISIONS = "/admin/v1/risk/decisions"


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def afterwards_no_rules(stack: GatewayStack) -> AsyncIterator[None]:
    yield
    await without_rules(stack)


def mashang(stack: GatewayStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`mashang risk …` with the settings of this stack's processes, their metrics' folder among them."""
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", "risk", *arguments],
        env=dict(stack.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def explained(stack: GatewayStack, payment: dict[str, Any]) -> dict[str, Any]:
    async with stack.admin() as admin:
        answer = await admin.get(f"{DECISIONS}/{payment['id']}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def test_a_decision_is_explained_with_its_rules_and_what_they_saw(stack: GatewayStack, till: Till) -> None:
    fast = "velocity('count', 'customer', '1h') >= 1 && payment.ip != '192.0.2.1' && payment.card_bin != '1'"
    version = await published(
        stack,
        rule(fast, "decline", code="R_FAST", priority=7, description="Too fast."),
        rule("payment.hour < 24", "review", code="R_SHADOW", mode="shadow"),
    )
    declined = await till.taken(customer={"id": new_ulid(), "ip": "203.0.113.7", "card_bin": "622202"})
    await published(stack, rule("payment.amount > 1", "review", code="R_FAST"))
    found = await explained(stack, declined)
    assert (found["rule_set_version"], found["decision"], found["reasons"]) == (version, "decline", ["R_FAST"])
    fast_rule, shadow_rule = found["rules"]
    assert (fast_rule["when"], fast_rule["priority"], fast_rule["description"]) == (fast, 7, "Too fast.")
    assert (shadow_rule["code"], shadow_rule["mode"]) == ("R_SHADOW", "shadow")
    values = dict(found["values"])
    assert values.pop("payment.hour") in range(24)
    assert values == {
        "velocity('count', 'customer', '1h')": 1,
        "payment.ip": "203.0.113.…",
        "payment.card_bin": "62…",
    }
    assert (found["missed"], found["beyond_tolerance"], found["model_reasons"]) == (None, False, [])


async def test_a_payment_that_nobody_screened_has_no_decision(stack: GatewayStack, till: Till) -> None:
    async with stack.admin() as admin:
        error = error_of(await admin.get(f"{DECISIONS}/pay_{new_ulid()}"), 404, "not_found", "payment_id")
        assert "no rule set was in force" in error["message"]
        unscreened = await till.client.get(f"{DECISIONS}/pay_{new_ulid()}")
        error_of(unscreened, 401)


async def test_decisions_are_made_again_bit_for_bit_after_new_rules_and_another_time_zone(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    start = utc_now() - timedelta(seconds=5)
    await published(
        stack,
        rule("payment.hour >= 0 && velocity('sum_amount', 'customer', '1d') > 3000", "score", code="R_A", score=20),
        rule("velocity('mean_amount', 'merchant', '1d') > 1 && customer.known", "review", code="R_B", rollout=50),
        rule("payment.distance_km > 0.5", "no_discount", code="R_C"),
        rule("device.known && payment.has_coupon == false", "review", code="R_D", mode="shadow"),
    )
    async with stack.admin() as admin:
        store = {"latitude": 31.0, "longitude": 121.0}
        merchant = f"/admin/v1/merchants/{stack.shop.id}"
        await admin.put(f"{merchant}/stores/here", json=store)
        place = {"location": {"latitude": 31.02, "longitude": 121.01}}
        for number in range(12):
            customer = {"id": f"replayed-{number % 4}", "device_id": "d", **place}
            await till.taken(amount=1_000 + number, store_id="here", customer=customer)
        await published(stack, rule("payment.amount > 1"))
        await till.taken()
        await admin.patch(merchant, json={"timezone": "America/New_York", "customer_realm": "moved"})
        await admin.delete(f"{merchant}/stores/here")
    try:
        done = mashang(stack, "replay", "--from", f"{start:%Y-%m-%dT%H:%M:%S}", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads(done.stdout)
        assert (report["replayed"], report["differ"], report["erased"]) == (report["replayed"], 0, 0)
        assert report["replayed"] >= 13
    finally:
        async with stack.admin() as admin:
            await admin.patch(merchant, json={"timezone": "Asia/Shanghai", "customer_realm": None})
    stored = await database.fetch("SELECT hits FROM risk_decisions WHERE at >= $1", start)
    assert {code for row in stored for code in row["hits"] or ()} >= {"R_A", "R_B", "R_C"}, "the rules were at work"


async def test_a_decision_that_was_tampered_with_does_not_come_out_again(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    await published(stack, rule("velocity('count', 'merchant', '1h') >= 1", "review"))
    payment = await till.paid()
    assert mashang(stack, "replay", payment["id"]).returncode == 0
    await database.execute("ALTER TABLE risk_decisions DISABLE TRIGGER risk_decisions_append_only")
    await database.execute("UPDATE risk_decisions SET verdict = 'approve' WHERE payment_id = $1", payment["id"])
    await database.execute("ALTER TABLE risk_decisions ENABLE TRIGGER risk_decisions_append_only")
    done = mashang(stack, "replay", payment["id"], "--json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["payments"][0]["differences"] == {"verdict": ["approve", "review"]}


async def test_decisions_of_rules_that_cannot_be_read_any_more_are_told_apart(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    version = await published(stack, rule("payment.amount > 1", "review", code="R_OLD"))
    old = await till.paid()
    await published(stack, rule("payment.amount > 1", "review"))
    start = utc_now() - timedelta(minutes=5)
    await database.execute("DELETE FROM risk_artefacts WHERE version = $1", version)
    await database.execute("ALTER TABLE risk_rule_pieces DISABLE TRIGGER USER")
    rules = "UPDATE risk_rule_pieces SET rules = replace(rules::text, $2, $3)::json WHERE version = $1"
    await database.execute(rules, version, "payment.amount", "payment.gone")
    done = mashang(stack, "replay", "--from", f"{start:%Y-%m-%dT%H:%M:%S}", "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert (report["cannot_be_replayed"], report["unreadable_versions"]) == (1, [version])
    told = mashang(stack, "replay", old["id"])
    assert (told.returncode, "Traceback" in told.stderr) == (1, False)
    assert f"Version {version} of the rules cannot be replayed" in " ".join((told.stdout + told.stderr).split())
    found = await explained(stack, old)
    assert (found["replayable"], found["values"], found["reasons"]) == (False, {}, ["R_OLD"])
    shown = mashang(stack, "explain", old["id"], "--url", stack.url)
    assert "cannot be replayed" in " ".join((shown.stdout + shown.stderr).split())
    await database.execute(rules, version, "payment.gone", "payment.amount")
    await database.execute("ALTER TABLE risk_rule_pieces ENABLE TRIGGER USER")


async def test_the_command_explains_and_a_payment_of_nobody_is_said_in_a_sentence(
    stack: GatewayStack, till: Till
) -> None:
    await published(stack, rule("payment.amount > 1", "review", code="R_SAID"))
    payment = await till.paid()
    shown = mashang(stack, "explain", payment["id"], "--url", stack.url)
    assert shown.returncode == 0, shown.stderr
    assert "R_SAID" in shown.stdout
    missing = mashang(stack, "replay", f"pay_{new_ulid()}")
    assert missing.returncode not in {0, 1}
    assert "no decision" in missing.stderr
    async with stack.admin() as admin:
        gauges = (await admin.get("/metrics")).text
    assert "mashang_risk_rule_set_version 0" not in gauges, "a command is no process of the service"
