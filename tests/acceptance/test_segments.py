"""Customers' segments over the admin API: put in and taken out; campaigns and rules go by it at the next payment."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest

from gateway.kernel.ids import new_ulid
from tests.support.gateway import GatewayStack
from tests.support.manager import Manager, manager
from tests.support.risk_rules import published, rule, without_rules
from tests.support.till import Till

__all__ = ["manager"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
SEGMENTS = "/admin/v1/segments"


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Screening waits for a profile for as long as a busy machine takes: a rule without it has no answer."""
    return {"settings": {"MASHANG_RISK_DEADLINE_MS": "1000"}}


def somebody() -> str:
    return f"c-{new_ulid()}"


def a_name() -> str:
    return f"s{new_ulid().lower()}"


async def answered(
    manager: Manager, method: str, path: str, body: dict[str, Any] | None = None, status: int = 200
) -> dict[str, Any]:
    answer = await manager.client.request(method, f"{SEGMENTS}{path}", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def put(manager: Manager, name: str, *customers: str, **owner: str) -> dict[str, Any]:
    of = owner or {"merchant_id": manager.stack.shop.id}
    return await answered(manager, "PUT", f"/{name}/customers", {**of, "customers": customers})


async def take_out(manager: Manager, name: str, *customers: str) -> dict[str, Any]:
    body = {"merchant_id": manager.stack.shop.id, "customers": customers}
    return await answered(manager, "POST", f"/{name}/customers/remove", body)


async def segments_of(manager: Manager, customer: str, **owner: str) -> list[str]:
    of = owner or {"merchant_id": manager.stack.shop.id}
    found: list[str] = (await answered(manager, "POST", "/find", {**of, "customer": customer}))["segments"]
    return found


async def count_of(manager: Manager, name: str) -> int | None:
    listed = {each["name"]: each["customers"] for each in (await answered(manager, "GET", ""))["data"]}
    return listed.get(name)


async def discount(till: Till, customer: str) -> int:
    found: int = (await till.paid(customer={"id": customer}))["discount"]
    return found


async def test_a_campaign_for_a_segment_goes_by_it_at_the_next_payment(manager: Manager, till: Till) -> None:
    vip, ada, bob = a_name(), somebody(), somebody()
    await manager.start(condition=f"'{vip}' in customer.segments")
    assert await discount(till, ada) == 0
    await put(manager, vip, ada)
    assert [await discount(till, ada), await discount(till, bob)] == [500, 0]
    await take_out(manager, vip, ada)
    assert await discount(till, ada) == 0
    await put(manager, vip, ada)
    assert (await answered(manager, "DELETE", f"/{vip}"))["deleted"] is True
    assert await discount(till, ada) == 0


async def test_a_risk_rule_for_a_segment_goes_by_it_at_the_next_payment(
    stack: GatewayStack, manager: Manager, till: Till
) -> None:
    watched, ada, bob = a_name(), somebody(), somebody()
    await published(stack, rule(f"'{watched}' in customer.segments"))
    try:
        assert (await till.taken(customer={"id": ada}))["status"] == "succeeded"
        await put(manager, watched, ada)
        declined = await till.taken(customer={"id": ada})
        assert (declined["status"], declined["failure"]["code"]) == ("failed", "risk_declined")
        assert (await till.taken(customer={"id": bob}))["status"] == "succeeded"
        await take_out(manager, watched, ada)
        assert (await till.taken(customer={"id": ada}))["status"] == "succeeded"
    finally:
        await without_rules(stack)


async def test_somebody_in_a_segment_is_new_until_he_has_paid(
    stack: GatewayStack, manager: Manager, till: Till
) -> None:
    vip, ada = a_name(), somebody()
    campaign = await manager.start(condition=f"customer.first_payment && '{vip}' in customer.segments")
    await put(manager, vip, ada)
    await published(stack, rule("customer.first_payment", "review", score=30))
    try:
        first, second = [await till.paid(customer={"id": ada}) for _ in range(2)]
    finally:
        await without_rules(stack)
    assert [first["discount"], second["discount"]] == [500, 0]
    assert [first["risk"]["decision"], second["risk"]["decision"]] == ["review", "approve"]
    report = (await manager.client.get(f"/admin/v1/campaigns/{campaign}/report")).json()
    assert report["customers"] == {"known": 1, "new": 1}


async def test_a_segment_counts_its_customers_and_a_repeated_request_adds_nobody(manager: Manager) -> None:
    vip, staff, ada, bob = a_name(), a_name(), somebody(), somebody()
    told = {"object": "segment_customers_added", "segment": vip, "added": 2, "customers": 2}
    assert await put(manager, vip, ada, bob, ada) == told
    assert await put(manager, vip, ada, bob) == {**told, "added": 0}
    await put(manager, staff, ada)
    assert await segments_of(manager, ada) == sorted([vip, staff])
    assert [await count_of(manager, vip), await count_of(manager, staff)] == [2, 1]
    removed = await take_out(manager, vip, ada, somebody())
    assert removed == {"object": "segment_customers_removed", "segment": vip, "removed": 1, "customers": 1}
    assert await segments_of(manager, ada) == [staff]
    gone = {"object": "segment", "name": vip, "deleted": True, "removed": 1, "customers": 0}
    assert await answered(manager, "DELETE", f"/{vip}") == gone
    assert await count_of(manager, vip) is None
    assert await segments_of(manager, bob) == []


async def test_customers_of_a_realm_are_those_of_each_of_its_merchants(stack: GatewayStack, manager: Manager) -> None:
    vip, ada, realm = a_name(), somebody(), f"realm-{new_ulid()}"
    shops = [stack.new_shop("one"), stack.new_shop("two")]
    for shop in shops:
        answer = await manager.client.patch(f"/admin/v1/merchants/{shop.id}", json={"customer_realm": realm})
        assert answer.status_code == 200, answer.text
    assert (await put(manager, vip, ada, merchant_id=shops[0].id))["added"] == 1
    assert (await put(manager, vip, ada, realm=realm))["added"] == 0
    assert await segments_of(manager, ada, merchant_id=shops[1].id) == [vip]
    assert await segments_of(manager, ada) == [], "somebody else, at another merchant"


async def test_what_cannot_be_done_is_refused_and_changes_nothing(manager: Manager) -> None:
    ada, mine = somebody(), {"merchant_id": manager.stack.shop.id}
    refusals = [
        ("PUT", "/vip/customers", {"customers": [ada]}, (400, "missing_field", "merchant_id")),
        ("PUT", "/vip/customers", {**mine, "realm": "r", "customers": [ada]}, (422, "invalid_field", "realm")),
        ("PUT", "/vip/customers", {"merchant_id": f"mer_{'0' * 26}", "customers": [ada]}, (422, "invalid_field",
                                                                                         "merchant_id")),
        ("PUT", "/vip/customers", {**mine, "customers": []}, (400, "invalid_field", "customers")),
        ("PUT", "/vip/customers", {**mine, "customers": ["c"] * 1001}, (400, "invalid_field", "customers")),
        ("PUT", "/vip/customers", {**mine, "customers": ["c" * 65]}, (400, "invalid_field", "customers.0")),
        ("POST", "/vip/customers/remove", {**mine, "customers": [ada]}, (404, "not_found", "name")),
        ("DELETE", "/vip", None, (404, "not_found", "name")),
        ("POST", "/find", {"customer": ada}, (400, "missing_field", "merchant_id")),
    ]  # fmt: skip
    for method, path, body, expected in refusals:
        answer = await manager.client.request(method, f"{SEGMENTS}{path}", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == expected, (method, path, answer.text)
    for name in ("Vip", "1st", "v" * 41, "v%20ip"):
        answer = await manager.client.put(f"{SEGMENTS}/{name}/customers", json={**mine, "customers": [ada]})
        assert answer.status_code in {400, 404}, (name, answer.text)
    assert await count_of(manager, "vip") is None
    assert await segments_of(manager, ada) == []


async def test_a_thousand_customers_with_the_longest_ids_come_at_once(manager: Manager) -> None:
    vip = a_name()
    many = [f"{'汉' * 59}{number:05}" for number in range(1_000)]
    assert (await put(manager, vip, *many))["added"] == 1_000
    assert await put(manager, vip, somebody(), *many[1:]) == {
        "object": "segment_customers_added",
        "segment": vip,
        "added": 1,
        "customers": 1_001,
    }
    assert await segments_of(manager, many[-1]) == [vip]
    steps = [await answered(manager, "DELETE", f"/{vip}") for _ in range(2)]
    assert [(step["deleted"], step["removed"], step["customers"]) for step in steps] == [
        (False, 1_000, 1),
        (True, 1, 0),
    ]


async def test_a_customer_is_in_32_segments_at_most(manager: Manager) -> None:
    ada, bob, names = somebody(), somebody(), [a_name() for _ in range(33)]
    for name in names[:32]:
        await put(manager, name, ada)
    body = {"merchant_id": manager.stack.shop.id, "customers": [bob, ada]}
    refused = await manager.client.put(f"{SEGMENTS}/{names[32]}/customers", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "customer_full")
    assert await count_of(manager, names[32]) is None
    assert await segments_of(manager, bob) == []
    assert await segments_of(manager, ada) == sorted(names[:32])


async def test_the_trail_tells_how_many_and_never_who(manager: Manager, database: asyncpg.Connection) -> None:
    vip, ada, bob = a_name(), somebody(), somebody()
    await put(manager, vip, ada, bob)
    await put(manager, vip, ada)
    await take_out(manager, vip, bob)
    await take_out(manager, vip, bob)
    await segments_of(manager, ada)
    await answered(manager, "DELETE", f"/{vip}")
    entries = await database.fetch("SELECT * FROM audit_trail WHERE subject = $1 ORDER BY seq", vip)
    assert [(entry["action"], json.loads(entry["detail"])) for entry in entries] == [
        ("segment.customers_added", {"asked": 2, "added": 2}),
        ("segment.customers_removed", {"asked": 1, "removed": 1}),
        ("segment.deleted", {"removed": 1, "deleted": True}),
    ]
