"""Every payment is screened by the rules in force: approved, reviewed, declined, or taken without its subsidy."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from gateway.kernel.ids import new_ulid
from tests.support.cashier import Customer
from tests.support.gateway import GatewayStack
from tests.support.manager import Manager, manager
from tests.support.risk_rules import decision_of, published, rule, without_rules
from tests.support.till import Till, new_code, new_order, payment_of
from tests.support.waiting import eventually

__all__ = ["manager"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
HIGH = rule("payment.amount > 50000")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def afterwards_no_rules(stack: GatewayStack) -> AsyncIterator[None]:
    yield
    await without_rules(stack)


async def test_a_payment_that_a_rule_declines_fails_with_the_rules_code(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    version = await published(stack, HIGH)
    declined = await till.taken(amount=50_001)
    assert (declined["status"], declined["failure"]["code"]) == ("failed", "risk_declined")
    assert declined["failure"]["retryable"] is False
    assert declined["risk"] == {"decision": "decline", "score": 0, "reasons": ["R_DECLINE"]}
    assert declined["channel"] is None, "no channel was asked"
    assert payment_of(await till.get(declined["id"])) == declined
    row = await decision_of(database, declined)
    assert row is not None
    assert (row["version"], row["verdict"], row["hits"], row["features"]) == (version, "decline", ["R_DECLINE"], "[]")

    paid = await till.paid(amount=50_000)
    assert paid["risk"] == {"decision": "approve", "score": 0, "reasons": []}
    row = await decision_of(database, paid)
    assert row is not None
    assert (row["verdict"], row["hits"], row["missed"]) == ("approve", None, None)


async def test_without_rules_nothing_is_decided_and_nothing_stored(database: asyncpg.Connection, till: Till) -> None:
    async def is_not_screened() -> bool:  # the last set is still in force in another process for a moment
        return await decision_of(database, await till.taken(amount=99_999)) is None

    await eventually(is_not_screened)
    paid = await till.paid(amount=99_999)
    assert paid["risk"] == {"decision": "approve", "score": 0, "reasons": []}
    assert await decision_of(database, paid) is None


async def test_a_payment_to_be_reviewed_goes_through_and_a_case_is_opened_with_it(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    await published(stack, rule("payment.amount > 50000", "review", score=30))
    paid = await till.paid(amount=60_000)
    assert paid["risk"] == {"decision": "review", "score": 30, "reasons": ["R_REVIEW"]}
    case = await database.fetchrow("SELECT * FROM risk_cases WHERE payment_id = $1", paid["id"])
    assert case is not None
    assert (case["kind"], case["merchant_id"], case["amount"], case["score"]) == ("review", stack.shop.id, 60_000, 30)


async def test_a_payment_to_be_reviewed_that_is_refused_at_its_price_opens_no_case(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    await published(stack, rule("payment.amount > 50000", "review"))
    refused = await till.taken(amount=60_000, expected_payable=1)
    assert (refused["failure"]["code"], refused["risk"]["decision"]) == ("price_changed", "review")
    assert await decision_of(database, refused) is not None
    assert await database.fetchval("SELECT count(*) FROM risk_cases WHERE payment_id = $1", refused["id"]) == 0


async def test_scores_add_up_to_a_verdict_and_a_shadow_rule_is_only_counted(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    rules = [
        rule("payment.amount > 10000", "score", code="R_BIG", score=30, priority=1),
        rule("payment.method == 'barcode'", "score", code="R_BARCODE", score=25, priority=2),
        rule("payment.amount > 10000", "decline", code="R_SHADOW", mode="shadow"),
    ]
    await published(stack, *rules, thresholds={"review": 50, "decline": 90})
    paid = await till.paid(amount=20_000)
    assert paid["risk"] == {"decision": "review", "score": 55, "reasons": ["R_BARCODE", "R_BIG"]}
    row = await decision_of(database, paid)
    assert row is not None
    assert row["shadow"] == ["R_SHADOW"]


async def test_velocities_count_every_payment_of_a_customer_and_a_retry_only_once(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    await published(stack, rule("velocity('count', 'customer', '1h') >= 3"))
    customer = {"id": new_ulid()}
    first = new_order(customer=customer)
    for _ in range(4):
        again = payment_of(await till.pay(first), 201)
        assert again["status"] == "succeeded", again
    await till.paid(customer=customer)
    declined = await till.taken(customer=customer)
    assert declined["failure"]["code"] == "risk_declined", "this is the third"
    row = await decision_of(database, declined)
    assert row is not None
    assert (row["features"], row["missed"]) == ("[3]", None)
    other = await till.paid(customer={"id": new_ulid()})
    assert other["risk"]["decision"] == "approve"


async def test_what_is_sent_again_counts_once_at_a_busy_till_and_a_refused_order_number_nowhere(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    await published(stack, rule("velocity('count', 'terminal', '1h') + velocity('count', 'customer', '1h') < 0"))
    terminal, stranger = new_ulid(), {"id": new_ulid()}
    orders = [new_order(terminal_id=terminal, customer={"id": new_ulid()}) for _ in range(40)]
    for order in orders * 2:
        assert payment_of(await till.pay(order), 201)["status"] == "succeeded"
    for order in orders:
        assert (await till.pay({**order, "customer": stranger})).status_code == 409
    last = await decision_of(database, await till.paid(terminal_id=terminal, customer=stranger))
    assert last is not None
    assert last["features"] == "[1,41]", "of the customer, and of the till"


async def test_a_payment_of_nobody_has_no_velocity_and_rules_that_need_one_do_not_hit(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    await published(stack, rule("velocity('count', 'customer', '1h') >= 1"))
    paid = await till.paid()
    row = await decision_of(database, paid)
    assert row is not None
    assert (row["features"], row["missed"]) == ("[null]", None), "nothing was missed: there is nobody to count"


@pytest.mark.parametrize("wallet", ["wechat", None])
async def test_a_code_is_screened_when_it_is_made(
    stack: GatewayStack, database: asyncpg.Connection, till: Till, wallet: str | None
) -> None:
    await published(stack, rule("payment.code_type == 'dynamic' && payment.amount > 50000"))
    shown = payment_of(await till.pay(new_code(wallet)), 201)
    assert (shown["status"], shown["risk"]["decision"]) == ("requires_action", "approve")
    declined = payment_of(await till.pay(new_code(wallet, amount=50_001)), 201)
    assert (declined["status"], declined["failure"]["code"], declined["qr_code"]) == ("failed", "risk_declined", None)
    for each in (shown, declined):
        assert await decision_of(database, each) is not None


async def test_the_tills_word_on_the_device_and_the_stores_place_can_be_looked_at(
    stack: GatewayStack, till: Till
) -> None:
    async with stack.admin() as admin:
        store = {"latitude": 31.0, "longitude": 121.0}
        assert (await admin.put(f"/admin/v1/merchants/{stack.shop.id}/stores/far", json=store)).status_code == 200
        tier = {"risk_tier": "new"}
        assert (await admin.patch(f"/admin/v1/merchants/{stack.shop.id}", json=tier)).status_code == 200
    await published(
        stack,
        rule("device.rooted && device.known", code="R_ROOTED"),
        rule("payment.distance_km > 100.0 && merchant.tier == 'new'", code="R_FAR"),
    )
    rooted = await till.taken(customer={"device_id": "d", "device_rooted": True})
    assert rooted["risk"]["reasons"] == ["R_ROOTED"]
    near = {"location": {"latitude": 31.1, "longitude": 121.0}}
    far = {"location": {"latitude": 35.0, "longitude": 121.0}}

    async def is_there() -> bool:
        found: list[str] = (await till.taken(store_id="far", customer=far))["risk"]["reasons"]
        return found == ["R_FAR"]

    await eventually(is_there)
    assert (await till.paid(store_id="far", customer=near))["risk"]["reasons"] == []


async def test_declines_and_refunds_count_once_they_are_durable(stack: GatewayStack, till: Till) -> None:
    await published(
        stack,
        rule("velocity('decline_count', 'customer', '1h') >= 2", "review", code="R_DECLINES"),
        rule("velocity('refund_amount', 'customer', '1h') == 700", "review", code="R_REFUNDS"),
        rule("payment.amount > 50000", "decline", code="R_HIGH"),
    )
    customer = {"id": new_ulid()}
    paid = await till.paid(customer=customer)
    assert paid["risk"]["reasons"] == []
    by_us = await till.taken(amount=60_000, customer=customer)
    assert by_us["risk"]["reasons"] == ["R_HIGH"]
    by_the_wallet = await till.taken("wechat", "9001", customer=customer)
    assert by_the_wallet["failure"]["code"] == "insufficient_funds"

    async def hits(*reasons: str) -> bool:
        found: list[str] = (await till.paid(customer=customer))["risk"]["reasons"]
        return found == list(reasons)

    await eventually(lambda: hits("R_DECLINES"))
    refund = {"payment_id": paid["id"], "amount": 700, "merchant_refund_no": new_ulid()}
    assert (await till.client.post("/v1/refunds", json=refund)).status_code == 201
    await eventually(lambda: hits("R_DECLINES", "R_REFUNDS"))


async def test_a_payment_can_be_allowed_and_its_subsidy_refused_and_a_quote_says_so(
    stack: GatewayStack, database: asyncpg.Connection, till: Till, manager: Manager
) -> None:
    campaign_id = await manager.start(limits={"budget": 10_000})
    await published(stack, rule("velocity('count', 'device', '1h') >= 2", "no_discount"))
    customer = {"device_id": new_ulid()}
    sale = {"amount": 2599, "currency": "CNY", "wallet": "wechat", "customer": customer}
    for _ in range(3):
        quote = (await till.client.post("/v1/quotes", json=sale)).json()
        assert quote["discount"] == 500, "a quote counts nothing"
    assert (await till.paid(customer=customer))["discount"] == 500
    quote = (await till.client.post("/v1/quotes", json=sale)).json()
    assert (quote["discount"], quote["failure"]) == (0, None)
    assert [(each["campaign_id"], each["reason"]) for each in quote["considered"]] == [(campaign_id, "not_promoted")]
    paid = await till.paid(customer=customer)
    assert (paid["discount"], paid["payable"], paid["promotions"]) == (0, 2_599, [])
    assert paid["risk"] == {"decision": "approve", "score": 0, "reasons": ["R_NO_DISCOUNT"]}
    async with stack.admin() as admin:
        detail = (await admin.get(f"/admin/v1/payments/{paid['id']}")).json()
    assert [(each["campaign_id"], each["reason"]) for each in detail["pricing"]] == [(campaign_id, "not_promoted")]
    row = await decision_of(database, paid)
    assert row is not None
    assert row["no_discount"] is True
    assert await manager.budget(campaign_id) == (500, 0, 9_500)


async def test_a_code_on_the_wall_is_screened_when_somebody_pays_there(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    await published(stack, rule("payment.code_type == 'static' && payment.method == 'page' && payment.amount > 50000"))
    made = await till.client.post("/v1/codes", json={"name": "wall"})
    assert made.status_code == 201, made.text
    code = made.json()
    async with Customer(stack, "wechat") as customer:
        page = await customer.open(code["url"])
        answer = await customer.pay(page, amount=50_001)
        assert answer["status"] in {"refused", "over"}, answer
        page = await customer.open(code["url"])
        assert (await customer.pay(page, amount=1_000))["status"] == "ready"
    rows = await database.fetch(
        "SELECT d.verdict, p.customer IS NOT NULL AS is_known FROM payments p JOIN risk_decisions d"
        " ON d.payment_id = p.id WHERE p.code_id = $1 ORDER BY p.id",
        code["id"],
    )
    assert [tuple(row) for row in rows] == [("decline", True), ("approve", True)]
