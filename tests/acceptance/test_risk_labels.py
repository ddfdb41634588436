"""What becomes known of payments is looked at by rules from then on: frauds and complaints, each counted once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.kernel.ids import new_ulid
from tests.acceptance.test_risk_cases import complained, detail, step
from tests.support.gateway import GatewayStack
from tests.support.looking import until_count
from tests.support.risk_rules import published, rule, without_rules
from tests.support.till import Till
from tests.support.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

LABELS = "/admin/v1/risk/labels"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        yield client


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def afterwards_no_rules(stack: GatewayStack) -> AsyncIterator[None]:
    yield
    await without_rules(stack)


async def told(database: asyncpg.Connection, payment_id: str) -> None:
    """The worker has told the counters of every fraud of the payment."""

    async def is_told() -> bool:
        return bool(
            await database.fetchval(
                "SELECT bool_and(told_at IS NOT NULL) FROM risk_labels WHERE payment_id = $1 AND fraud", payment_id
            )
        )

    await eventually(is_told)


async def test_a_terminal_at_which_customers_report_fraud_is_declined_from_then_on(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    await published(stack, rule("velocity('fraud_count', 'terminal', '30d') >= 2"))
    payments = [await till.paid(terminal_id="t-bad", customer={"id": new_ulid()}) for _ in range(2)]
    for number, payment in enumerate(payments):
        label = {"payment_id": payment["id"], "fraud": True, "source": "chargeback", "by": "disputes"}
        for source in ("chargeback", "issuer"):  # two who say so are still one fraud
            assert (await admin.post(LABELS, json={**label, "source": source})).status_code == 201
        await told(database, payment["id"])
        found = await till.taken(terminal_id="t-bad")
        expected = "succeeded" if number == 0 else "failed"
        assert found["status"] == expected, found
    assert (await till.paid(terminal_id="t-good"))["risk"]["decision"] == "approve"


async def test_a_verdict_of_fraud_on_a_review_is_looked_at_by_the_rules(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    await published(
        stack,
        rule("payment.amount == 7777", "review"),
        rule("velocity('fraud_count', 'customer', '1d') >= 1", code="R_FRAUDS", priority=9),
    )
    customer = {"id": new_ulid()}
    payment = await till.paid(amount=7_777, customer=customer)
    assert payment["risk"]["decision"] == "review"
    [case] = (await admin.get("/admin/v1/risk/cases", params={"payment_id": payment["id"]})).json()["data"]
    found = await detail(admin, case["id"])
    assert (found["decision"]["decision"], found["decision"]["reasons"]) == ("review", ["R_REVIEW"])
    assert found["decision"]["values"]["payment.amount"] == 7_777
    page = (await admin.get(f"/admin/v1/risk/cases/{case['id']}", params={"format": "html"})).text
    assert "payment.amount == 7777" in page
    await step(admin, case["id"], "verdict", verdict="fraud", note="Confirmed.")
    await told(database, payment["id"])
    declined = await till.taken(customer=customer)
    assert declined["risk"]["reasons"] == ["R_FRAUDS"]


async def test_complaints_are_counted_once_each(
    stack: GatewayStack, till: Till, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    await published(stack, rule("velocity('complaint_count', 'store', '7d') >= 2"))
    for number in range(2):
        payment = await till.paid(store_id="s-complained")
        same = new_ulid()
        for _ in range(3):
            await complained(admin, payment["id"], channel_complaint_id=same)
        await until_count(
            database,
            1,
            "SELECT count(*) FROM risk_complaints WHERE payment_id = $1 AND told_at IS NOT NULL",
            payment["id"],
        )
        found = await till.taken(store_id="s-complained")
        assert found["status"] == ("succeeded" if number == 0 else "failed")


async def test_the_queue_is_measured(stack: GatewayStack, till: Till, admin: httpx.AsyncClient) -> None:
    case_id = (await complained(admin, (await till.paid())["id"]))["case_id"]

    async def measured(line: str) -> bool:
        return any(each.startswith(line) for each in (await admin.get("/metrics")).text.splitlines())

    async def is_open() -> bool:
        text = (await admin.get("/metrics")).text.splitlines()
        counts = [
            float(each.split()[-1]) for each in text if each.startswith('mashang_risk_cases_open{kind="complaint"')
        ]
        return bool(counts) and counts[0] >= 1

    await eventually(is_open)
    await step(admin, case_id, "verdict", verdict="good", note="x")
    assert await measured('mashang_risk_case_seconds_count{kind="complaint"}')
    assert await measured('mashang_risk_case_verdicts_total{kind="complaint",verdict="good"}')
    assert await measured('mashang_risk_complaints_total{channel="wechat"}')
