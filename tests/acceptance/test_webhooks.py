"""Webhooks as a merchant meets them: endpoints, messages, the log of deliveries, sending again, and who may what."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from pydantic import BaseModel

from gateway.client.webhooks import verify_webhook
from gateway.merchants.store import Scope
from gateway.webhooks.schemas import (
    EndpointList,
    EndpointObject,
    EventList,
    EventWithDeliveries,
    MessageObject,
    NewEndpointObject,
)
from tests.support.gateway import GatewayStack
from tests.support.receivers import Receiver, answering, start_receiver
from tests.support.till import Till, error_of, new_order, payment_of, shape_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENDPOINTS: Final = "/v1/webhook_endpoints"
NO_ENDPOINT: Final = "we_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
NO_EVENT: Final = "evt_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Receivers listen on loopback."""
    return {"settings": {"MASHANG_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A merchant's server."""
    with start_receiver() as running:
        yield running


def documented(answer: httpx.Response, model: type[BaseModel], status: int = 200) -> dict[str, Any]:
    """What an answer holds, whose shape must be exactly the documented one."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert shape_of(body) == shape_of(
        model.model_validate_json(answer.content, strict=True).model_dump(mode="json", by_alias=True)
    )
    return body


async def added(till: Till, url: str, **fields: Any) -> dict[str, Any]:
    """A new endpoint."""
    return documented(await till.client.post(ENDPOINTS, json={"url": url, **fields}), NewEndpointObject, 201)


async def removed(till: Till, endpoint: dict[str, Any]) -> None:
    assert (await till.client.delete(f"{ENDPOINTS}/{endpoint['id']}")).status_code == 204


async def event_of(till: Till, event_id: str, status: str = "succeeded") -> dict[str, Any]:
    """The event once its only delivery was tried and stands so."""
    deadline = time.monotonic() + 20
    while True:
        event = documented(await till.client.get(f"/v1/events/{event_id}"), EventWithDeliveries)
        if [(one["status"], one["tries"] > 0) for one in event["deliveries"]] == [(status, True)]:
            return event
        assert time.monotonic() < deadline, event
        await asyncio.sleep(0.02)


async def test_a_payment_is_told_with_the_payment_as_the_api_shows_it(till: Till, receiver: Receiver) -> None:
    endpoint = await added(till, receiver.url, description="the shop's server")
    payment = await till.paid()
    one = await receiver.message_of(payment["id"], "payment.succeeded")
    message = verify_webhook(endpoint["secret"], one.headers, one.body)
    assert message["data"] == payment
    assert (message["type"], message["sequence"], message["id"]) == ("payment.succeeded", 2, one.id)
    assert message["timestamp"] == payment["completed_at"]
    assert (one.method, one.path, one.headers["content-type"]) == ("POST", "/hook", "application/json")
    assert one.headers["user-agent"].startswith("Mashang")
    assert not {"cookie", "authorization", "referer"} & one.headers.keys()
    await removed(till, endpoint)


async def test_a_declined_payment_and_a_cancelled_one_are_told_in_the_order_of_their_sequence(
    till: Till, receiver: Receiver
) -> None:
    endpoint = await added(till, receiver.url)
    declined = await till.taken("wechat", "9001")
    one = await receiver.message_of(declined["id"], "payment.failed")
    assert one.message["data"]["failure"] == declined["failure"]
    payment = await till.paid()
    assert payment_of(await till.cancel(payment["id"]))["status"] == "reversed"
    first = await receiver.message_of(payment["id"], "payment.succeeded")
    second = await receiver.message_of(payment["id"], "payment.reversed")
    assert first.message["sequence"] < second.message["sequence"]
    assert (first.message["data"]["status"], second.message["data"]["status"]) == ("succeeded", "reversed")
    await removed(till, endpoint)


async def test_a_refund_is_told_when_it_has_ended(till: Till, receiver: Receiver) -> None:
    endpoint = await added(till, receiver.url, types=["refund.succeeded"])
    payment = await till.paid()
    order = {"payment_id": payment["id"], "amount": 1_000, "merchant_refund_no": f"R-{payment['id'][-20:]}"}
    refund = (await till.client.post("/v1/refunds", json=order)).json()
    one = await receiver.message_of(payment["id"], "refund.succeeded")
    shown = (await till.client.get(f"/v1/refunds/{refund['id']}")).json()
    assert one.message["data"] == shown
    assert (shown["status"], one.message["sequence"]) == ("succeeded", 4)
    named = {"refund_id": refund["id"]}
    listed = documented(await till.client.get("/v1/events", params=named), EventList)["data"]
    assert [(event["id"], event["payment_id"], event["refund_id"]) for event in listed] == [
        (one.id, payment["id"], refund["id"])
    ]
    await removed(till, endpoint)


async def test_a_code_on_display_is_told_and_then_its_end(till: Till, receiver: Receiver) -> None:
    endpoint = await added(till, receiver.url)
    order = new_order(method="qrcode", auth_code=None, wallet="wechat", expires_in=60)
    shown = payment_of(await till.pay(order), 201)
    assert shown["status"] == "requires_action"
    one = await receiver.message_of(shown["id"], "payment.requires_action")
    assert one.message["data"]["qr_code"] == shown["qr_code"]
    await till.cancel(shown["id"])
    other = await receiver.message_of(shown["id"], "payment.closed")
    assert other.message["sequence"] > one.message["sequence"]
    await removed(till, endpoint)


async def test_an_endpoint_hears_of_the_types_that_it_has_chosen_only(till: Till, receiver: Receiver) -> None:
    endpoint = await added(till, receiver.url, types=["payment.failed", "payment.failed"])
    assert endpoint["types"] == ["payment.failed"]
    await till.paid()
    declined = await till.taken("wechat", "9001")
    await receiver.message_of(declined["id"], "payment.failed")
    assert {one.message["type"] for one in receiver.received} == {"payment.failed"}
    await removed(till, endpoint)


async def test_a_payments_own_address_is_told_and_signed_with_the_merchants_secret(
    stack: GatewayStack, receiver: Receiver
) -> None:
    async with stack.admin() as admin:
        merchant = (await admin.post("/admin/v1/merchants", json={"name": "own address"})).json()
        key = (await admin.post(f"/admin/v1/merchants/{merchant['id']}/keys", json={})).json()
    async with stack.till(key=key["secret"]) as till:
        payment = await till.paid(notify_url=receiver.url)
        one = await receiver.message_of(payment["id"], "payment.succeeded")
        assert verify_webhook(merchant["webhook_secret"], one.headers, one.body)["data"] == payment
        [delivery] = (await event_of(till, one.id))["deliveries"]
        assert (delivery["endpoint_id"], delivery["url"]) == (None, receiver.url)


async def test_the_log_of_an_event_shows_how_it_was_delivered_and_it_can_be_sent_again(
    till: Till, receiver: Receiver
) -> None:
    receiver.behaviour = answering(500, body=b"a stack trace with a secret")
    endpoint = await added(till, receiver.url)
    payment = await till.paid()
    one = await receiver.message_of(payment["id"], "payment.succeeded")
    [delivery] = (await event_of(till, one.id, "pending"))["deliveries"]
    receiver.behaviour = answering(204)
    again = documented(await till.client.post(f"/v1/events/{one.id}/resend"), EventWithDeliveries)
    assert again["id"] == one.id
    await receiver.until(2, lambda other: other.id == one.id)

    async def both_are_in_the_log() -> bool:  # an answer's log is read beside its delivery, not in the same moment
        return len((await event_of(till, one.id))["deliveries"][0]["attempts"]) == 2

    await eventually(both_are_in_the_log)
    event = await event_of(till, one.id)
    [delivery] = event["deliveries"]
    assert (delivery["endpoint_id"], delivery["tries"]) == (endpoint["id"], 2)
    assert [(try_["http_status"], try_["error"]) for try_ in delivery["attempts"]] == [(500, None), (204, None)]
    assert "stack trace" not in str(event), "nothing of an answer is kept"
    assert len({other.body for other in receiver.of(one.id)}) == 1
    resent = await till.client.post(f"/v1/events/{one.id}/resend", json={"endpoint_id": endpoint["id"]})
    documented(resent, EventWithDeliveries)
    await receiver.until(3, lambda other: other.id == one.id)
    await removed(till, endpoint)


async def test_events_are_listed_in_pages_whoever_was_told_of_them(stack: GatewayStack) -> None:
    shop = stack.new_shop()
    async with stack.till(shop) as till:
        payments = [await till.paid() for _ in range(3)]
        first = documented(await till.client.get("/v1/events", params={"limit": 2}), EventList)
        assert [one["payment_id"] for one in first["data"]] == [payments[2]["id"], payments[1]["id"]]
        assert first["has_more"]
        after = {"limit": 2, "starting_after": first["data"][-1]["id"]}
        rest = documented(await till.client.get("/v1/events", params=after), EventList)
        assert [one["data"] for one in rest["data"]] == [payments[0]]
        assert not rest["has_more"]
        for wanted, found in (
            ({"payment_id": payments[1]["id"]}, 1), ({"type": "payment.succeeded"}, 3), ({"type": "refund.failed"}, 0),
            ({"created_to": payments[0]["created_at"]}, 0), ({"created_from": payments[0]["created_at"]}, 3),
        ):  # fmt: skip
            listed = documented(await till.client.get("/v1/events", params=wanted), EventList)
            assert len(listed["data"]) == found, wanted


async def test_an_endpoint_is_shown_listed_changed_and_deleted(stack: GatewayStack, receiver: Receiver) -> None:
    async with stack.till(stack.new_shop()) as till:
        made = await added(till, receiver.url, description="one")
        secret = made.pop("secret")
        path = f"{ENDPOINTS}/{made['id']}"
        assert documented(await till.client.get(path), EndpointObject) == made
        assert documented(await till.client.get(ENDPOINTS), EndpointList)["data"] == [made]
        changed = documented(
            await till.client.patch(path, json={"types": ["payment.failed"], "description": None}), EndpointObject
        )
        assert (changed["types"], changed["description"], changed["status"]) == (["payment.failed"], None, "enabled")
        off = documented(await till.client.patch(path, json={"status": "disabled"}), EndpointObject)
        assert (off["status"], off["disabled_reason"], off["types"]) == ("disabled", "merchant", ["payment.failed"])
        await till.taken("wechat", "9001")
        on = documented(await till.client.patch(path, json={"status": "enabled", "types": None}), EndpointObject)
        assert (on["status"], on["disabled_reason"], on["types"]) == ("enabled", None, None)
        payment = await till.paid()
        await receiver.message_of(payment["id"], "payment.succeeded")
        assert len(receiver.received) == 1, "what happened while it was off was not queued"
        await removed(till, made)
        error_of(await till.client.get(path), 404, "not_found")
        error_of(await till.client.delete(path), 404, "not_found")
        assert documented(await till.client.get(ENDPOINTS), EndpointList)["data"] == []
        assert secret not in (await till.client.get("/v1/events")).text


async def test_a_test_event_shows_whether_an_endpoint_works(till: Till, receiver: Receiver) -> None:
    endpoint = await added(till, receiver.url, types=["refund.failed"])
    sent = documented(await till.client.post(f"{ENDPOINTS}/{endpoint['id']}/test"), MessageObject)
    [one] = await receiver.until(1)
    assert verify_webhook(endpoint["secret"], one.headers, one.body) == sent
    event = await event_of(till, sent["id"])
    assert (event["type"], event["payment_id"]) == ("webhook_endpoint.test", None)
    await removed(till, endpoint)


async def test_a_rotated_secret_overlaps_with_the_one_before(till: Till, receiver: Receiver) -> None:
    endpoint = await added(till, receiver.url)
    path = f"{ENDPOINTS}/{endpoint['id']}"
    rotated = documented(await till.client.post(f"{path}/rotate_secret", json={"overlap_hours": 1}), NewEndpointObject)
    assert rotated["secret"] != endpoint["secret"]
    assert rotated["previous_secret_until"] is not None
    await till.client.post(f"{path}/test")
    [one] = await receiver.until(1)
    for secret in (endpoint["secret"], rotated["secret"]):
        verify_webhook(secret, one.headers, one.body)
    assert documented(await till.client.post(f"{path}/rotate_secret"), NewEndpointObject)["previous_secret_until"]
    await removed(till, endpoint)


async def test_a_merchant_has_at_most_sixteen_endpoints(stack: GatewayStack, receiver: Receiver) -> None:
    async with stack.till(stack.new_shop()) as till:
        for _ in range(16):
            await added(till, receiver.url)
        error_of(await till.client.post(ENDPOINTS, json={"url": receiver.url}), 409, "too_many_endpoints")
        page = documented(await till.client.get(ENDPOINTS, params={"limit": 10}), EndpointList)
        assert page["has_more"]
        rest = {"limit": 10, "starting_after": page["data"][-1]["id"]}
        assert len(documented(await till.client.get(ENDPOINTS, params=rest), EndpointList)["data"]) == 6


CALLS: Final = {
    "add": ("POST", ENDPOINTS, {"url": "http://127.0.0.1:1/hook"}),
    "list": ("GET", ENDPOINTS, None),
    "get": ("GET", f"{ENDPOINTS}/{{endpoint}}", None),
    "change": ("PATCH", f"{ENDPOINTS}/{{endpoint}}", {"status": "disabled"}),
    "delete": ("DELETE", f"{ENDPOINTS}/{{endpoint}}", None),
    "rotate": ("POST", f"{ENDPOINTS}/{{endpoint}}/rotate_secret", {}),
    "test": ("POST", f"{ENDPOINTS}/{{endpoint}}/test", None),
    "events": ("GET", "/v1/events", None),
    "event": ("GET", "/v1/events/{event}", None),
    "resend": ("POST", "/v1/events/{event}/resend", {}),
}
CHANGES: Final = frozenset({"add", "change", "delete", "rotate", "test", "resend"})


async def call(client: httpx.AsyncClient, name: str, endpoint: str, event: str) -> httpx.Response:
    method, path, body = CALLS[name]
    return await client.request(method, path.format(endpoint=endpoint, event=event), json=body)


@pytest.mark.parametrize("name", CALLS)
async def test_a_key_needs_the_scope_for_what_it_does(stack: GatewayStack, name: str) -> None:
    needed = Scope.WEBHOOKS if name in CHANGES else Scope.READ
    lacking = stack.new_key(stack.shop, frozenset(Scope) - {needed})
    async with stack.till(key=lacking.secret) as till:
        error_of(await call(till.client, name, NO_ENDPOINT, NO_EVENT), 403, "scope_missing")
    having = stack.new_key(stack.shop, frozenset({needed}))
    async with stack.till(key=having.secret) as till:
        assert (await call(till.client, name, NO_ENDPOINT, NO_EVENT)).status_code in {200, 201, 404}
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as stranger:
        error_of(await call(stranger, name, NO_ENDPOINT, NO_EVENT), 401)


@pytest.mark.parametrize("name", [name for name in CALLS if "{" in CALLS[name][1]])
async def test_what_belongs_to_another_merchant_is_not_there(
    stack: GatewayStack, till: Till, receiver: Receiver, name: str
) -> None:
    endpoint = await added(till, receiver.url)
    payment = await till.paid()
    one = await receiver.message_of(payment["id"], "payment.succeeded")
    async with stack.till(stack.new_shop()) as stranger:
        error_of(await call(stranger.client, name, endpoint["id"], one.id), 404, "not_found")
        assert documented(await stranger.client.get(ENDPOINTS), EndpointList)["data"] == []
        assert documented(await stranger.client.get("/v1/events"), EventList)["data"] == []
        named = {"payment_id": payment["id"]}
        assert documented(await stranger.client.get("/v1/events", params=named), EventList)["data"] == []
    now = documented(await till.client.get(f"{ENDPOINTS}/{endpoint['id']}"), EndpointObject)
    assert now == {name: value for name, value in endpoint.items() if name != "secret"}
    await removed(till, endpoint)


async def test_a_payment_that_names_an_address_inside_is_refused_and_nothing_is_charged(
    stack: GatewayStack, till: Till
) -> None:
    for url in (
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://2130706433/",
        "http://[::1]/",
        "http://u@x.example/",
    ):
        order = new_order(notify_url=url)
        error_of(await till.pay(order), 400, "address_refused", "notify_url")
        listed = (await till.list(merchant_order_no=order["merchant_order_no"])).json()
        assert listed["data"] == []
