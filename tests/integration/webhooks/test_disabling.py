"""An endpoint that wants no more, or only fails for days, is switched off and its merchant's others are told."""

from __future__ import annotations

import asyncio
import logging

import pytest

from gateway.webhooks.endpoints import Endpoint
from gateway.webhooks.schedule import TRIES_MAX
from tests.integration.webhooks.conftest import Hooks
from tests.support.receivers import Receiver, answering


async def failing_for(hooks: Hooks, endpoint: Endpoint, days: float) -> None:
    await hooks.pool.execute(
        "UPDATE webhook_endpoints SET failing_since = now() - make_interval(secs => $2) WHERE id = $1",
        endpoint.id, days * 86_400,
    )  # fmt: skip


async def last_try(hooks: Hooks, event_id: str) -> None:
    await hooks.pool.execute(
        "UPDATE webhook_queue SET tries = $2, again = true WHERE event_id = $1", event_id, TRIES_MAX - 1
    )


async def status(hooks: Hooks, endpoint: Endpoint) -> tuple[str, str | None]:
    now = await hooks.endpoints.get(hooks.merchant_id, endpoint.id)
    return now.status, now.disabled_reason


async def test_an_endpoint_that_says_gone_is_switched_off_and_the_others_are_told(
    hooks: Hooks, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.behaviour = answering(410)
    gone, _ = await hooks.endpoint(receiver.url, types=["payment.succeeded"])
    other, _ = await hooks.endpoint(types=["webhook_endpoint.disabled"])
    told = await hooks.captured()
    await hooks.relay.relay()
    with caplog.at_level(logging.WARNING):
        assert (await hooks.tried(told))["status"] == "failed"
    assert await status(hooks, gone) == ("disabled", "gone")
    assert "a webhook endpoint was disabled" in caplog.text
    assert await hooks.relay.relay() == 1
    [event] = await hooks.pool.fetch("SELECT * FROM events WHERE payment_id = $1", gone.id)
    message = await hooks.message(event["id"], other.id)
    assert (message["type"], message["sequence"]) == ("webhook_endpoint.disabled", 1)
    data = message["data"]
    assert (data["id"], data["status"], data["disabled_reason"]) == (gone.id, "disabled", "gone")
    assert "secret" not in data


async def test_what_waits_for_an_endpoint_that_is_off_is_cancelled_unsent(hooks: Hooks, receiver: Receiver) -> None:
    endpoint, _ = await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    await hooks.endpoints.change(hooks.merchant_id, endpoint.id, {"status": "disabled"})
    assert (await hooks.tried(told))["status"] == "cancelled"
    assert (receiver.received, await hooks.queued(told.event_id)) == ([], [])
    assert await hooks.attempts(told.event_id) == []


async def test_what_waits_for_an_endpoint_that_was_deleted_is_cancelled_unsent(
    hooks: Hooks, receiver: Receiver
) -> None:
    endpoint, _ = await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    await hooks.endpoints.delete(hooks.merchant_id, endpoint.id)
    assert (await hooks.tried(told))["status"] == "cancelled"
    assert receiver.received == []


async def test_only_days_of_failures_and_a_delivery_without_further_tries_switch_an_endpoint_off(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.behaviour = answering(500)
    endpoint, _ = await hooks.endpoint(receiver.url)
    told = [await hooks.captured() for _ in range(3)]
    await hooks.relay.relay()
    assert (await hooks.tried(told[0]))["status"] == "pending"
    assert (await hooks.endpoints.get(hooks.merchant_id, endpoint.id)).failing_since is not None
    await failing_for(hooks, endpoint, 6)
    await hooks.tried(told[0])
    assert await status(hooks, endpoint) == ("enabled", None), "it is tried again: a quiet endpoint's bad hour"
    await failing_for(hooks, endpoint, 4)
    await last_try(hooks, told[1].event_id)
    assert (await hooks.tried(told[1]))["status"] == "failed"
    assert await status(hooks, endpoint) == ("enabled", None), "not for days yet"
    await failing_for(hooks, endpoint, 5.01)
    await last_try(hooks, told[2].event_id)
    await hooks.tried(told[2])
    assert await status(hooks, endpoint) == ("disabled", "failing")


async def test_one_success_ends_the_time_of_failing(hooks: Hooks, receiver: Receiver) -> None:
    endpoint, _ = await hooks.endpoint(receiver.url)
    told = [await hooks.captured() for _ in range(2)]
    await hooks.relay.relay()
    await failing_for(hooks, endpoint, 30)
    await hooks.tried(told[0])
    assert (await hooks.endpoints.get(hooks.merchant_id, endpoint.id)).failing_since is None
    receiver.behaviour = answering(500)
    await last_try(hooks, told[1].event_id)
    await hooks.tried(told[1])
    assert await status(hooks, endpoint) == ("enabled", None)


async def test_many_that_find_it_gone_at_once_switch_it_off_once(hooks: Hooks, receiver: Receiver) -> None:
    receiver.behaviour = answering(410)
    endpoint, _ = await hooks.endpoint(receiver.url)
    for _ in range(4):
        await hooks.captured()
    await hooks.relay.relay()
    dispatch = hooks.dispatch()
    leased = await dispatch.lease()
    assert len(leased) == 4
    await asyncio.gather(*(dispatch.deliver(one) for one in leased))
    assert await status(hooks, endpoint) == ("disabled", "gone")
    assert await hooks.pool.fetchval("SELECT count(*) FROM events WHERE payment_id = $1", endpoint.id) == 1


async def test_a_payments_own_address_that_says_gone_is_tried_no_more_and_switches_nothing_off(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.behaviour = answering(410)
    endpoint, _ = await hooks.endpoint(types=["refund.failed"])
    told = await hooks.captured(notify_url=receiver.url)
    await hooks.relay.relay()
    assert (await hooks.tried(told))["status"] == "failed"
    assert await status(hooks, endpoint) == ("enabled", None)


async def test_an_endpoint_that_is_switched_on_again_is_judged_anew(hooks: Hooks) -> None:
    endpoint, _ = await hooks.endpoint()
    await failing_for(hooks, endpoint, 9)
    await hooks.endpoints.change(hooks.merchant_id, endpoint.id, {"status": "disabled"})
    assert await status(hooks, endpoint) == ("disabled", "merchant")
    again = await hooks.endpoints.change(hooks.merchant_id, endpoint.id, {"status": "enabled"})
    assert (again.status, again.disabled_reason, again.failing_since) == ("enabled", None, None)


async def test_the_reason_why_an_endpoint_is_off_survives_a_merchant_who_switches_it_off_again(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.behaviour = answering(410)
    endpoint, _ = await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    await hooks.tried(told)
    await hooks.endpoints.change(hooks.merchant_id, endpoint.id, {"status": "disabled", "description": "old"})
    assert await status(hooks, endpoint) == ("disabled", "gone")
