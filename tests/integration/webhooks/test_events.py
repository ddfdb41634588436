"""Reading events: filters, pages, the log of deliveries; and sending again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.kernel.errors import ApiError, Conflict
from gateway.kernel.ids import new_id
from gateway.merchants.store import create_merchant
from gateway.payments.states import Event
from gateway.webhooks.announcing import NewEvent, announce
from gateway.webhooks.catalogue import WebhookType
from gateway.webhooks.events import EventFilter
from tests.integration.webhooks.conftest import Hooks, Told
from tests.support.receivers import Receiver, answering

ALL = EventFilter()


async def listed(hooks: Hooks, wanted: EventFilter = ALL, limit: int = 100, after: str | None = None) -> list[str]:
    return [event["id"] for event in await hooks.events.list(hooks.merchant_id, wanted, limit, after)]


async def announced(hooks: Hooks, told: Told, seq: int, kind: Event, refund_id: str | None = None) -> str:
    async with hooks.pool.acquire() as connection, connection.transaction():
        event = NewEvent(told.payment_id, told.merchant_id, seq, kind, "succeeded", "succeeded", refund_id)
        return await announce(connection, event)


async def refund_of(hooks: Hooks, told: Told) -> str:
    """A refund of that payment that has ended."""
    refund_id = new_id("ref")
    await hooks.pool.execute(
        "INSERT INTO refunds (id, merchant_id, payment_id, merchant_refund_no, seq, attempt_seq, account_id, amount,"
        " returned_to_customer, discount_returned, fee_returned, currency, status, next_at,"
        " created_at, completed_at)"
        " VALUES ($1, $2, $3, 'R-1', 1, 1, 'wechat_direct', 100, 100, 0, 0, 'CNY', 'succeeded', now(), now(),"
        " now())",
        refund_id, told.merchant_id, told.payment_id,
    )  # fmt: skip
    return refund_id


async def test_events_are_listed_whether_or_not_anybody_was_told_the_newest_first(hooks: Hooks) -> None:
    told = [await hooks.captured() for _ in range(3)]
    await hooks.endpoint()
    told.append(await hooks.captured())
    ids = sorted((one.event_id for one in told), reverse=True)
    assert await listed(hooks) == ids
    assert await listed(hooks, limit=2) == ids[:2]
    assert await listed(hooks, limit=2, after=ids[1]) == ids[2:]
    assert await listed(hooks, after=ids[-1]) == []


async def test_an_event_of_our_own_business_is_not_listed(hooks: Hooks) -> None:
    told = await hooks.captured()
    types = await hooks.pool.fetch("SELECT type FROM events WHERE payment_id = $1", told.payment_id)
    assert len(types) == 2
    assert await listed(hooks) == [told.event_id]


async def test_filters_leave_what_they_name(hooks: Hooks) -> None:
    shown, captured = await hooks.shown(), await hooks.captured()
    refund_id = await refund_of(hooks, captured)
    refunded = await announced(hooks, captured, 3, Event.REFUND_SUCCEEDED, refund_id)
    other = await hooks.captured()
    assert await listed(hooks, EventFilter(type=WebhookType.PAYMENT_REQUIRES_ACTION)) == [shown.event_id]
    assert await listed(hooks, EventFilter(payment_id=captured.payment_id)) == [refunded, captured.event_id]
    assert await listed(hooks, EventFilter(refund_id=refund_id)) == [refunded]
    both = EventFilter(payment_id=captured.payment_id, refund_id=refund_id)
    assert await listed(hooks, both) == [refunded]
    assert await listed(hooks, EventFilter(payment_id=other.payment_id, refund_id=refund_id)) == []
    assert await listed(hooks, EventFilter(refund_id=new_id("ref"))) == []
    of_type = EventFilter(type=WebhookType.PAYMENT_SUCCEEDED, payment_id=captured.payment_id)
    assert await listed(hooks, of_type) == [captured.event_id]


@pytest.mark.parametrize("of_payment", [False, True], ids=["of the merchant", "of one payment"])
async def test_a_time_filter_takes_its_beginning_in_and_leaves_its_end_out(hooks: Hooks, of_payment: bool) -> None:
    told = await hooks.captured()
    [event] = await hooks.events.list(hooks.merchant_id, ALL, 10, None)
    at = await hooks.pool.fetchval("SELECT at FROM events WHERE id = $1", event["id"])
    payment = {"payment_id": told.payment_id} if of_payment else {}
    moment = timedelta(microseconds=1)
    for bounds, found in (
        ({"created_from": at}, 1), ({"created_from": at + moment}, 0), ({"created_to": at}, 0),
        ({"created_to": at + moment}, 1), ({"created_from": at - moment, "created_to": at + moment}, 1),
        ({"created_from": datetime(1970, 1, 1, tzinfo=UTC)}, 1),
        ({"created_to": datetime(9998, 12, 31, tzinfo=UTC)}, 1),
    ):  # fmt: skip
        wanted: dict[str, Any] = {**payment, **bounds}
        assert len(await listed(hooks, EventFilter(**wanted))) == found, bounds


async def test_an_event_shows_each_delivery_and_each_of_its_tries(hooks: Hooks, receiver: Receiver) -> None:
    endpoint, _ = await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    receiver.behaviour = answering(500)
    await hooks.tried(told)
    shown = await hooks.events.get(hooks.merchant_id, told.event_id)
    [delivery] = shown["deliveries"]
    assert (delivery["status"], delivery["tries"], delivery["endpoint_id"]) == ("pending", 1, endpoint.id)
    assert delivery["next_try_at"] > delivery["created_at"]
    receiver.behaviour = answering(204)
    await hooks.tried(told)
    shown = await hooks.events.get(hooks.merchant_id, told.event_id)
    [delivery] = shown["deliveries"]
    assert (delivery["status"], delivery["tries"], delivery["next_try_at"]) == ("succeeded", 2, None)
    assert [(one["try"], one["http_status"], one["error"]) for one in delivery["attempts"]] == [
        (1, 500, None), (2, 204, None),
    ]  # fmt: skip
    assert all(one["duration_ms"] >= 0 for one in delivery["attempts"])


async def test_a_payments_own_address_shows_without_an_endpoint(hooks: Hooks, receiver: Receiver) -> None:
    told = await hooks.captured(notify_url=receiver.url)
    await hooks.relay.relay()
    await hooks.tried(told)
    [delivery] = (await hooks.events.get(hooks.merchant_id, told.event_id))["deliveries"]
    assert (delivery["endpoint_id"], delivery["url"], delivery["status"]) == (None, receiver.url, "succeeded")


async def test_an_event_reads_as_it_was_sent_even_when_its_payment_has_gone_on(hooks: Hooks) -> None:
    endpoint, _ = await hooks.endpoint()
    told = await hooks.captured()
    await hooks.relay.relay()
    await hooks.pool.execute("UPDATE payments SET channel_trade_no = 'another' WHERE id = $1", told.payment_id)
    sent = await hooks.message(told.event_id, endpoint.id)
    shown = await hooks.events.get(hooks.merchant_id, told.event_id)
    assert {name: shown[name] for name in sent} == sent
    assert (shown["object"], shown["payment_id"], shown["refund_id"]) == ("event", told.payment_id, None)


async def test_an_event_of_a_refund_shows_the_refund_and_names_its_payment(hooks: Hooks) -> None:
    told = await hooks.captured()
    refund_id = await refund_of(hooks, told)
    event_id = await announced(hooks, told, 3, Event.REFUND_SUCCEEDED, refund_id)
    shown = await hooks.events.get(hooks.merchant_id, event_id)
    assert (shown["type"], shown["payment_id"], shown["refund_id"]) == ("refund.succeeded", told.payment_id, refund_id)
    assert (shown["data"]["object"], shown["data"]["id"], shown["data"]["status"]) == ("refund", refund_id, "succeeded")


async def test_an_event_is_sent_again_in_the_same_bytes_and_its_tries_count_on(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    await hooks.tried(told)
    shown = await hooks.events.resend(hooks.merchant_id, told.event_id, None)
    assert [one["status"] for one in shown["deliveries"]] == ["pending"]
    await hooks.tried(told)
    assert await hooks.attempts(told.event_id) == [(1, 204, None), (2, 204, None)]
    assert len({(one.id, one.body) for one in receiver.received}) == 1
    assert len(receiver.received) == 2


async def test_sending_again_begins_the_schedule_anew_and_makes_what_waits_due(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.behaviour = answering(500)
    await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    await hooks.tried(told)
    await hooks.events.resend(hooks.merchant_id, told.event_id, None)
    [queued] = await hooks.queued(told.event_id)
    assert (queued["wait_s"] <= 0, queued["tries"]) == (True, 1)
    await hooks.pool.execute("UPDATE webhook_queue SET tries = 15 WHERE event_id = $1", told.event_id)
    assert (await hooks.tried(told))["status"] == "failed"
    await hooks.events.resend(hooks.merchant_id, told.event_id, None)
    [queued] = await hooks.queued(told.event_id)
    assert (queued["tries"], queued["again"]) == (0, False)


async def test_an_event_can_be_sent_to_an_endpoint_that_was_made_later(hooks: Hooks, receiver: Receiver) -> None:
    told = await hooks.captured()
    late, _ = await hooks.endpoint(receiver.url, types=["refund.failed"])
    with pytest.raises(Conflict) as refused:
        await hooks.events.resend(hooks.merchant_id, told.event_id, None)
    assert refused.value.code == "nobody_to_tell", "it has not chosen this type"
    await hooks.events.resend(hooks.merchant_id, told.event_id, late.id)
    assert (await hooks.tried(told))["status"] == "succeeded"
    assert json.loads(receiver.received[0].body)["data"]["id"] == told.payment_id


async def test_an_event_is_sent_again_to_the_payments_own_address_too(hooks: Hooks, receiver: Receiver) -> None:
    told = await hooks.captured(notify_url=receiver.url)
    await hooks.relay.relay()
    await hooks.tried(told)
    await hooks.events.resend(hooks.merchant_id, told.event_id, None)
    await hooks.tried(told)
    assert len(receiver.received) == 2


async def test_nothing_is_sent_again_to_an_endpoint_that_is_off(hooks: Hooks) -> None:
    endpoint, _ = await hooks.endpoint()
    told = await hooks.captured()
    await hooks.endpoints.change(hooks.merchant_id, endpoint.id, {"status": "disabled"})
    for endpoint_id, code in ((endpoint.id, "endpoint_disabled"), (None, "nobody_to_tell")):
        with pytest.raises(Conflict) as refused:
            await hooks.events.resend(hooks.merchant_id, told.event_id, endpoint_id)
        assert refused.value.code == code
    assert await hooks.deliveries(told) == {}


async def test_a_stale_try_from_before_it_was_sent_again_writes_nothing(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    sleeper = hooks.dispatch()
    old = await hooks.leased(sleeper, told)
    await hooks.tried(told)
    await hooks.events.resend(hooks.merchant_id, told.event_id, None)
    await sleeper.deliver(old)
    assert len(await hooks.queued(told.event_id)) == 1, "what was asked for is still to be sent"
    assert len(await hooks.attempts(told.event_id)) == 1


async def test_another_merchants_event_is_not_found(hooks: Hooks) -> None:
    told = await hooks.captured()
    stranger = "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
    assert await hooks.events.list(stranger, ALL, 10, None) == []
    assert await hooks.events.list(stranger, EventFilter(payment_id=told.payment_id), 10, None) == []
    for call in (hooks.events.get(stranger, told.event_id), hooks.events.resend(stranger, told.event_id, None)):
        with pytest.raises(ApiError) as refused:
            await call
        assert refused.value.http_status == 404


async def test_another_merchants_endpoint_is_no_place_to_send_to(hooks: Hooks) -> None:
    told = await hooks.captured()
    other = await create_merchant(hooks.pool, hooks.base.vault, "another shop")
    theirs, _ = await hooks.endpoints.add(other.merchant.id, "http://127.0.0.1:1/", None, None)
    with pytest.raises(ApiError) as refused:
        await hooks.events.resend(hooks.merchant_id, told.event_id, theirs.id)
    assert (refused.value.http_status, refused.value.param) == (404, "endpoint_id")
