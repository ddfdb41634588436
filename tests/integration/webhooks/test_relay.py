"""The outbox becomes deliveries, once each, in bytes that do not change."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.database.outcomes import outcome_batch
from gateway.kernel.ids import new_id
from gateway.merchants.store import create_merchant
from gateway.payments.states import Event
from gateway.webhooks.announcing import NewEvent, announce
from gateway.webhooks.relay import Relay
from gateway.webhooks.running import renderers
from tests.integration.webhooks.conftest import NOWHERE, Hooks, written
from tests.support.rows import intent, outcome


async def test_an_event_is_told_to_every_enabled_endpoint_that_wants_its_type(hooks: Hooks) -> None:
    everything, _ = await hooks.endpoint()
    captures, _ = await hooks.endpoint(types=["payment.succeeded", "payment.failed"])
    refunds, _ = await hooks.endpoint(types=["refund.succeeded"])
    off, _ = await hooks.endpoint()
    gone, _ = await hooks.endpoint()
    await hooks.endpoints.change(hooks.merchant_id, off.id, {"status": "disabled"})
    await hooks.endpoints.delete(hooks.merchant_id, gone.id)
    other = await create_merchant(hooks.pool, hooks.base.vault, "another shop")
    await hooks.endpoints.add(other.merchant.id, NOWHERE, None, None)
    told = await hooks.captured()
    assert await hooks.relay.relay() == 1
    assert await hooks.deliveries(told) == {everything.id: "pending", captures.id: "pending"}
    assert await hooks.outbox() == 0
    assert refunds.id not in await hooks.deliveries(told)


async def test_a_payments_own_address_is_told_beside_the_endpoints(hooks: Hooks) -> None:
    endpoint, _ = await hooks.endpoint()
    told = await hooks.captured(notify_url="https://till.example/hook")
    await hooks.relay.relay()
    assert await hooks.deliveries(told) == {endpoint.id: "pending", hooks.merchant_id: "pending"}
    assert (await hooks.delivery(told.event_id, hooks.merchant_id))["url"] == "https://till.example/hook"


async def test_a_payments_own_address_is_told_where_there_is_no_endpoint(hooks: Hooks) -> None:
    told = await hooks.captured(notify_url="https://till.example/hook")
    await hooks.relay.relay()
    assert await hooks.deliveries(told) == {hooks.merchant_id: "pending"}


async def test_a_merchant_without_endpoints_costs_the_outbox_nothing(hooks: Hooks) -> None:
    await hooks.captured()
    assert await hooks.outbox() == 0


async def test_an_event_that_nobody_wants_leaves_the_outbox(hooks: Hooks) -> None:
    await hooks.endpoint(types=["refund.failed"])
    told = await hooks.captured()
    assert await hooks.outbox() == 1
    await hooks.relay.relay()
    assert (await hooks.outbox(), await hooks.deliveries(told)) == (0, {})


async def test_a_message_is_the_event_and_the_payment_as_the_api_shows_it(hooks: Hooks) -> None:
    endpoint, _ = await hooks.endpoint()
    told = await hooks.captured()
    await hooks.relay.relay()
    message = await hooks.message(told.event_id, endpoint.id)
    payment = await hooks.base.store.find(hooks.merchant_id, told.payment_id)
    assert payment is not None
    assert payment.completed_at is not None
    assert message.pop("data") == json.loads(json.dumps(payment.to_json()))
    assert message == {
        "id": told.event_id,
        "type": "payment.succeeded",
        "timestamp": payment.to_json()["completed_at"],
        "sequence": 2,
    }


async def test_the_status_in_a_message_is_that_of_its_event_not_of_the_moment_in_which_it_is_written(
    hooks: Hooks,
) -> None:
    endpoint, _ = await hooks.endpoint()
    told = await hooks.shown()
    closed = new_id("evt")
    row = outcome(intent(told.payment_id, told.merchant_id), Event.CLOSED, seq=0, event_id=closed)
    await written(outcome_batch(hooks.pool).flush([row]))
    await hooks.relay.relay()
    first = await hooks.message(told.event_id, endpoint.id)
    second = await hooks.message(closed, endpoint.id)
    assert (first["type"], first["sequence"], first["data"]["status"]) == (
        "payment.requires_action", 1, "requires_action",
    )  # fmt: skip
    assert (first["data"]["completed_at"], first["data"]["qr_code"]) == (None, "code")
    assert (second["type"], second["sequence"], second["data"]["status"]) == ("payment.closed", 2, "closed")
    assert second["data"]["completed_at"] is not None


async def test_two_relays_at_once_make_each_delivery_once(hooks: Hooks) -> None:
    endpoint, _ = await hooks.endpoint()
    told = [await hooks.captured() for _ in range(40)]
    relayed = await asyncio.gather(*(hooks.relay.relay() for _ in range(4)))
    assert sum(relayed) == 40
    for one in told:
        assert await hooks.deliveries(one) == {endpoint.id: "pending"}
        assert len(await hooks.queued(one.event_id)) == 1


async def test_a_relay_that_dies_has_done_nothing(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint, _ = await hooks.endpoint()
    told = await hooks.captured()

    async def dies(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(Relay, "_endpoints", dies)
    with pytest.raises(RuntimeError):
        await hooks.relay.relay()
    monkeypatch.undo()
    assert (await hooks.outbox(), await hooks.deliveries(told)) == (1, {})
    await hooks.relay.relay()
    assert await hooks.deliveries(told) == {endpoint.id: "pending"}


async def test_an_event_that_cannot_be_rendered_holds_up_no_other_and_is_kept(hooks: Hooks) -> None:
    endpoint, _ = await hooks.endpoint()
    told = await hooks.captured()
    async with hooks.pool.acquire() as connection, connection.transaction():
        orphan = NewEvent(
            told.payment_id, hooks.merchant_id, 3, Event.REFUND_SUCCEEDED, "succeeded", "succeeded", new_id("ref")
        )
        await announce(connection, orphan)
    assert await hooks.relay.relay() == 2
    assert await hooks.deliveries(told) == {endpoint.id: "pending"}
    assert await hooks.outbox() == 1
    assert await hooks.relay.relay() == 0, "it is not looked at again at once"


async def test_an_event_that_another_room_announces_is_told_like_any_other(hooks: Hooks) -> None:
    endpoint, _ = await hooks.endpoint()
    told = await hooks.captured()
    await hooks.relay.relay()
    async with hooks.pool.acquire() as connection, connection.transaction():
        late = NewEvent(told.payment_id, hooks.merchant_id, 3, Event.LATE_CAPTURE_FOUND, "succeeded", "succeeded")
        event_id = await announce(connection, late)
    await hooks.relay.relay()
    message = await hooks.message(event_id, endpoint.id)
    assert (message["type"], message["sequence"]) == ("payment.late_capture_found", 3)


async def test_an_event_that_another_room_announces_goes_to_the_payments_own_address(hooks: Hooks) -> None:
    told = await hooks.captured(notify_url="https://till.example/hook")
    await hooks.relay.relay()
    async with hooks.pool.acquire() as connection, connection.transaction():
        late = NewEvent(told.payment_id, hooks.merchant_id, 3, Event.LATE_CAPTURE_FOUND, "succeeded", "succeeded")
        event_id = await announce(connection, late)
    await hooks.relay.relay()
    assert (await hooks.delivery(event_id, hooks.merchant_id))["status"] == "pending"


def test_every_subject_of_a_type_has_a_renderer(hooks: Hooks) -> None:
    assert set(renderers(hooks.base)) == {"payment", "refund", "coupon", "webhook_endpoint"}
