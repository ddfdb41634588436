"""Deliveries are leased in fair shares, tried by the schedule, logged, and ended once."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.client.webhooks import verify_webhook
from gateway.webhooks import dispatch as dispatching
from gateway.webhooks.results import Verdict
from gateway.webhooks.schedule import TRIES_MAX, WAITS_S
from tests.integration.webhooks.conftest import NOWHERE, Hooks
from tests.support.receivers import Receiver, answering


async def test_a_message_that_is_taken_is_delivered_and_leaves_the_queue(hooks: Hooks, receiver: Receiver) -> None:
    endpoint, secret = await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    delivery = await hooks.tried(told)
    assert (delivery["status"], delivery["tries"]) == ("succeeded", 1)
    assert delivery["finished_at"] is not None
    assert await hooks.queued(told.event_id) == []
    assert await hooks.attempts(told.event_id) == [(1, 204, None)]
    [one] = receiver.received
    assert one.body == delivery["body"].encode()
    assert verify_webhook(secret, one.headers, one.body)["id"] == told.event_id
    assert endpoint.id == delivery["endpoint_id"]


@pytest.mark.parametrize("status", [200, 201, 299])
async def test_every_2xx_is_a_success(hooks: Hooks, receiver: Receiver, status: int) -> None:
    receiver.behaviour = answering(status, body=b"thanks")
    await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    assert (await hooks.tried(told))["status"] == "succeeded"


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 409, 429, 500, 502, 503, 504, 599])
async def test_any_other_status_is_tried_again(hooks: Hooks, receiver: Receiver, status: int) -> None:
    receiver.behaviour = answering(status)
    await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    assert (await hooks.tried(told))["status"] == "pending"
    [queued] = await hooks.queued(told.event_id)
    assert (queued["again"], queued["tries"], queued["lease_until"]) == (True, 1, None)
    assert WAITS_S[0] * 0.9 - 2 < queued["wait_s"] <= WAITS_S[0] * 1.1
    assert [attempt[1] for attempt in await hooks.attempts(told.event_id)] == [status]


async def test_a_redirect_is_not_followed_wherever_it_points(hooks: Hooks, receiver: Receiver) -> None:
    receiver.behaviour = answering(307, {"Location": f"{receiver.url}/inside"})
    await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    await hooks.tried(told)
    assert [one.path for one in receiver.received] == ["/hook"]
    assert await hooks.attempts(told.event_id) == [(1, 307, "redirect")]


async def test_sixteen_tries_send_the_same_bytes_under_the_same_id_and_then_it_has_failed(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.behaviour = answering(500)
    _, secret = await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    dispatch = hooks.dispatch()
    for tries in range(1, TRIES_MAX + 1):
        delivery = await hooks.tried(told, dispatch)
        assert (delivery["status"], delivery["tries"]) == ("pending" if tries < TRIES_MAX else "failed", tries)
        for queued in await hooks.queued(told.event_id):
            assert WAITS_S[tries - 1] * 0.9 - 2 < queued["wait_s"] <= WAITS_S[tries - 1] * 1.1
    assert await hooks.queued(told.event_id) == []
    assert await hooks.attempts(told.event_id) == [(number, 500, None) for number in range(1, TRIES_MAX + 1)]
    assert {(one.id, one.body) for one in receiver.received} == {(told.event_id, delivery["body"].encode())}
    for one in receiver.received:
        verify_webhook(secret, one.headers, one.body)


async def test_an_endpoint_that_asks_for_time_gets_it(hooks: Hooks, receiver: Receiver) -> None:
    receiver.behaviour = answering(503, {"Retry-After": "600"})
    await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    await hooks.tried(told)
    [queued] = await hooks.queued(told.event_id)
    assert 590 < queued["wait_s"] <= 600


async def test_nobody_listening_is_logged_as_such(hooks: Hooks) -> None:
    await hooks.endpoint(NOWHERE)
    told = await hooks.captured()
    await hooks.relay.relay()
    assert (await hooks.tried(told))["status"] == "pending"
    assert await hooks.attempts(told.event_id) == [(1, None, "connect_failed")]


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://2130706433/", "http://[::1]/hook"]
)
async def test_an_address_that_points_inside_is_never_connected_to_however_it_came_in(hooks: Hooks, url: str) -> None:
    endpoint, _ = await hooks.endpoint()
    await hooks.pool.execute("UPDATE webhook_endpoints SET url = $2 WHERE id = $1", endpoint.id, url)
    told = await hooks.captured()
    await hooks.relay.relay()
    await hooks.tried(told)
    assert await hooks.attempts(told.event_id) == [(1, None, "address_refused")]


async def test_what_is_not_due_or_leased_is_left_alone(hooks: Hooks) -> None:
    await hooks.endpoint()
    first, second = await hooks.captured(), await hooks.captured()
    await hooks.relay.relay()
    await hooks.pool.execute(
        "UPDATE webhook_queue SET next_at = now() + interval '1 hour' WHERE event_id = $1", second.event_id
    )
    dispatch = hooks.dispatch()
    assert [one.event_id for one in await dispatch.lease()] == [first.event_id]
    assert await hooks.dispatch().lease() == [], "another worker finds nothing"


async def test_a_lease_that_is_over_is_taken_by_another_and_the_first_one_writes_nothing(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    sleeper, other = hooks.dispatch(), hooks.dispatch()
    old = await hooks.leased(sleeper, told)
    new = await hooks.leased(other, told)
    assert new.lease_token == old.lease_token + 1
    receiver.behaviour = answering(500)
    await sleeper.deliver(old)
    assert await hooks.attempts(told.event_id) == []
    [queued] = await hooks.queued(told.event_id)
    assert queued["lease_until"] is not None, "the other's lease stands"
    receiver.behaviour = answering(200)
    await other.deliver(new)
    assert await hooks.attempts(told.event_id) == [(1, 200, None)]
    await sleeper.deliver(old)
    assert (await hooks.delivery(told.event_id, new.line.endpoint_id))["tries"] == 1
    assert len(receiver.received) == 3, "at least once, under one id"


async def test_a_killed_workers_deliveries_come_back_when_their_leases_are_over(hooks: Hooks) -> None:
    await hooks.endpoint()
    told = await hooks.captured()
    await hooks.relay.relay()
    assert [one.event_id for one in await hooks.dispatch(lease_s=0.2).lease()] == [told.event_id]
    again = hooks.dispatch()
    assert await again.lease() == []
    deadline = time.monotonic() + 5
    while not (found := await again.lease()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert [(one.event_id, one.tries) for one in found] == [(told.event_id, 0)]


async def test_more_lines_than_one_look_shows_are_all_served(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatching, "_LINES_A_LOOK", 3)
    told = [await hooks.captured() for _ in range(2)]
    for _ in range(8):
        await hooks.endpoint()
    await hooks.pool.execute("DELETE FROM webhook_outbox")
    for one in told:
        await hooks.pool.execute(
            "INSERT INTO webhook_outbox (event_id, merchant_id, payment_id, seq) VALUES ($1, $2, $3, 2)",
            one.event_id, one.merchant_id, one.payment_id,
        )  # fmt: skip
    await hooks.relay.relay()
    dispatch = hooks.dispatch(hands_max=512)
    leased = [await dispatch.lease() for _ in range(3)]
    assert [len(page) for page in leased] == [6, 6, 4]
    assert len({(one.event_id, one.line) for page in leased for one in page}) == 16


async def test_first_tries_come_before_the_later_ones_of_the_same_endpoint_could_block_them(hooks: Hooks) -> None:
    await hooks.endpoint()
    for _ in range(20):
        await hooks.captured()
    await hooks.relay.relay()
    await hooks.pool.execute("UPDATE webhook_queue SET again = true, tries = 3")
    told = await hooks.captured()
    await hooks.relay.relay()
    leased = await hooks.dispatch().lease()
    assert [one.event_id for one in leased if not one.line.again] == [told.event_id]
    assert len([one for one in leased if one.line.again]) == 4


async def test_a_payments_own_address_is_signed_with_the_merchants_secret(hooks: Hooks, receiver: Receiver) -> None:
    told = await hooks.captured(notify_url=receiver.url)
    await hooks.relay.relay()
    assert (await hooks.tried(told))["status"] == "succeeded"
    [one] = receiver.received
    verify_webhook(hooks.merchant.webhook_secret, one.headers, one.body)


async def test_a_secret_that_does_not_open_stops_no_other_endpoint(hooks: Hooks, receiver: Receiver) -> None:
    broken, _ = await hooks.endpoint(receiver.url)
    await hooks.pool.execute("UPDATE webhook_endpoints SET secret_sealed = 'x' WHERE id = $1", broken.id)
    sound, _ = await hooks.endpoint(receiver.url)
    await hooks.captured()
    await hooks.relay.relay()
    assert [one.line.endpoint_id for one in await hooks.dispatch().lease()] == [sound.id]


async def test_results_of_one_batch_are_written_together_each_to_its_own(hooks: Hooks, receiver: Receiver) -> None:
    """Some succeed, some fail, one was lost, one is cancelled: in one statement."""
    endpoint, _ = await hooks.endpoint(receiver.url)
    told = [await hooks.captured() for _ in range(6)]
    await hooks.relay.relay()
    dispatch = hooks.dispatch()
    await hooks.pool.execute("UPDATE webhook_queue SET next_at = now()")
    leased = {one.event_id: one for one in [*await dispatch.lease()]}
    assert len(leased) == 4, "a line begins with four hands"
    rows = [
        one.result(verdict, http_status=status, error=None, duration_ms=5, wait_s=wait_s)
        for one, (verdict, status, wait_s) in zip(
            leased.values(),
            [
                (Verdict.SUCCEEDED, 200, None),
                (Verdict.PENDING, 500, 60.0),
                (Verdict.FAILED, 410, None),
                (Verdict.CANCELLED, None, None),
            ],
            strict=True,
        )
    ]
    lost = rows[0]._replace(event_id=told[5].event_id, lease_token=99)
    recorded = await asyncio.gather(*(dispatch._recorded.submit(row) for row in [*rows, lost]))
    assert [one.applied for one in recorded] == [True, True, True, True, False]
    found = {row.event_id: await hooks.delivery(row.event_id, endpoint.id) for row in [*rows, lost]}
    assert [(one["status"], one["tries"]) for one in found.values()] == [
        ("succeeded", 1), ("pending", 1), ("failed", 1), ("cancelled", 0), ("pending", 0),
    ]  # fmt: skip
    assert [len(await hooks.attempts(row.event_id)) for row in [*rows, lost]] == [1, 1, 1, 0, 0]


async def test_a_result_that_is_sent_twice_counts_once(hooks: Hooks, receiver: Receiver) -> None:
    """A commit of unknown fate is settled by sending the same rows again."""
    endpoint, _ = await hooks.endpoint(receiver.url)
    told = await hooks.captured()
    await hooks.relay.relay()
    dispatch = hooks.dispatch()
    row = (await hooks.leased(dispatch, told)).result(Verdict.PENDING, http_status=500, duration_ms=5, wait_s=60.0)
    assert (await dispatch._recorded.submit(row)).applied
    assert not (await dispatch._recorded.submit(row)).applied
    assert (await hooks.delivery(told.event_id, endpoint.id))["tries"] == 1
