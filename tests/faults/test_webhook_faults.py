"""Workers killed and frozen at every step of a webhook: no event is lost, no byte changes, the log stays true."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.client.webhooks import verify_webhook
from gateway.processes.children import Child
from tests.faults.conftest import FAULT_SETTINGS
from tests.support.audits import audit_here
from tests.support.book import ClientBook, PatientTill
from tests.support.gateway import GatewayStack, kill
from tests.support.looking import until_count, until_row
from tests.support.receivers import Received, Receiver, answering, start_receiver
from tests.support.till import new_order
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_LEASE_S: Final = 3.0
_SETTINGS: Final = {
    **FAULT_SETTINGS,
    "MASHANG_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    "MASHANG_WEBHOOK_INTERVAL_S": "0.05",
    "MASHANG_WEBHOOK_TIMEOUT_S": "1.5",
    "MASHANG_WEBHOOK_LEASE_S": str(_LEASE_S),
}
_STATUS: Final = "SELECT FROM webhook_deliveries WHERE event_id = $1 AND status = $2"
_WAITING: Final = "SELECT (SELECT count(*) FROM webhook_outbox) + (SELECT count(*) FROM webhook_queue)"
_TRIES: Final = "SELECT count(*) FROM webhook_attempts WHERE event_id = $1"


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two workers."""
    return {"workers": 2, "settings": _SETTINGS}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A merchant's server."""
    with start_receiver() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def audited(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, database_url: str, book: ClientBook
) -> AsyncIterator[None]:
    """One worker runs in each test; after it both do, nothing waits any more, and the books agree."""
    kill(stack.workers[1])
    yield
    for worker in stack.workers:
        if worker.running:
            worker.send(signal.SIGCONT)
        else:
            worker.start()
    await until_count(database, 0, _WAITING, timeout_s=30)
    await database.execute("UPDATE webhook_endpoints SET status = 'deleted'")
    await audit_here(database_url, stack.simulators, book)


async def _endpoint(stack: GatewayStack, receiver: Receiver) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as client:
        answer = await client.post(
            "/v1/webhook_endpoints",
            json={"url": receiver.url},
            headers={"Authorization": f"Bearer {stack.shop.key.secret}"},
        )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def _event(database: asyncpg.Connection, payment: dict[str, Any]) -> str:
    found: str = await database.fetchval(
        "SELECT id FROM events WHERE payment_id = $1 AND type = 'payment.captured'", payment["id"]
    )
    return found


async def _is_told(
    database: asyncpg.Connection, receiver: Receiver, event_id: str, secret: str, *, tries: int | None = 1
) -> list[Received]:
    """The event is delivered, in the same bytes each time, and the log has so many tries."""
    await until_row(database, _STATUS, event_id, "succeeded")
    messages = receiver.of(event_id)
    assert len({one.body for one in messages}) == 1
    for one in messages:
        verify_webhook(secret, one.headers, one.body)
    if tries is not None:
        assert await database.fetchval(_TRIES, event_id) == tries
    return messages


async def test_a_worker_killed_in_the_middle_of_a_relay_has_made_no_delivery(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, receiver: Receiver
) -> None:
    endpoint = await _endpoint(stack, receiver)
    async with database.transaction():
        await database.execute("LOCK TABLE webhook_deliveries IN SHARE MODE")
        payment = await till.ring_up(new_order())
        waiting = "SELECT FROM pg_locks WHERE relation = 'webhook_deliveries'::regclass AND NOT granted"
        await until_row(database, waiting)
        kill(stack.workers[0])
    event_id = await _event(database, payment)
    assert receiver.received == []
    stack.workers[0].start()
    assert len(await _is_told(database, receiver, event_id, endpoint["secret"])) == 1


async def test_a_worker_killed_between_the_relay_and_the_delivery_leaves_the_delivery_to_the_next(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, receiver: Receiver
) -> None:
    endpoint = await _endpoint(stack, receiver)
    # Whoever leases updates the queue; the relay only inserts into it.
    await database.execute(
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_advisory_xact_lock_shared(77); RETURN NEW; END $$"
    )
    await database.execute("CREATE TRIGGER held BEFORE UPDATE ON webhook_queue FOR EACH ROW EXECUTE FUNCTION hold()")
    await database.execute("SELECT pg_advisory_lock(77)")
    try:
        payment = await till.ring_up(new_order())
        event_id = await _event(database, payment)
        await until_row(database, "SELECT FROM webhook_queue WHERE event_id = $1 AND lease_token = 0", event_id)
        await until_row(database, "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        kill(stack.workers[0])
    finally:
        await database.execute("SELECT pg_advisory_unlock(77)")
        await database.execute("DROP FUNCTION hold CASCADE")
    assert receiver.received == []
    stack.workers[0].start()
    assert len(await _is_told(database, receiver, event_id, endpoint["secret"])) == 1


async def test_a_worker_killed_after_the_post_and_before_the_answer_sends_the_message_again(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, receiver: Receiver
) -> None:
    endpoint = await _endpoint(stack, receiver)
    quick = answering(204)

    def kills(one: Received, handler: BaseHTTPRequestHandler) -> None:
        if len(receiver.received) == 1:
            kill(stack.workers[0])
        quick(one, handler)

    receiver.behaviour = kills
    payment = await till.ring_up(new_order())
    await receiver.until(1)
    event_id = await _event(database, payment)
    assert await database.fetchval(_TRIES, event_id) == 0
    await until(lambda: not stack.workers[0].running)
    stack.workers[0].start()
    assert len(await _is_told(database, receiver, event_id, endpoint["secret"])) == 2


async def test_a_worker_killed_while_it_writes_a_result_has_written_it_once_or_not_at_all(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, receiver: Receiver
) -> None:
    endpoint = await _endpoint(stack, receiver)
    async with database.transaction():
        await database.execute("LOCK TABLE webhook_attempts IN SHARE MODE")
        payment = await till.ring_up(new_order())
        await receiver.until(1)
        waiting = "SELECT FROM pg_locks WHERE relation = 'webhook_attempts'::regclass AND NOT granted"
        await until_row(database, waiting)
        kill(stack.workers[0])
    stack.workers[0].start()
    event_id = await _event(database, payment)
    assert len(await _is_told(database, receiver, event_id, endpoint["secret"])) <= 2


async def test_a_worker_that_slept_past_its_lease_writes_nothing_when_it_wakes(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, receiver: Receiver
) -> None:
    endpoint = await _endpoint(stack, receiver)
    sleeper, other = stack.workers
    refusing = answering(500)
    quick = answering(204)

    def sleeps(one: Received, handler: BaseHTTPRequestHandler) -> None:
        if len(receiver.received) == 1:
            sleeper.send(signal.SIGSTOP)
            refusing(one, handler)
        else:
            quick(one, handler)

    receiver.behaviour = sleeps
    payment = await till.ring_up(new_order())
    await receiver.until(1)
    other.start()
    event_id = await _event(database, payment)
    await _is_told(database, receiver, event_id, endpoint["secret"])
    sleeper.send(signal.SIGCONT)
    later = await till.ring_up(new_order())
    await _is_told(database, receiver, await _event(database, later), endpoint["secret"])
    messages = await _is_told(database, receiver, event_id, endpoint["secret"])
    assert len(messages) == 2
    log = await database.fetch("SELECT try, http_status FROM webhook_attempts WHERE event_id = $1", event_id)
    assert [tuple(row) for row in log] == [(1, 204)]


async def test_two_workers_share_the_work_and_deliver_each_event_once(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, receiver: Receiver
) -> None:
    endpoint = await _endpoint(stack, receiver)
    stack.workers[1].start()
    payments = await asyncio.gather(*(till.ring_up(new_order()) for _ in range(60)))
    for payment in payments:
        event_id = await _event(database, payment)
        assert len(await _is_told(database, receiver, event_id, endpoint["secret"])) == 1


async def test_workers_killed_at_random_lose_no_event(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, receiver: Receiver
) -> None:
    seed = random.randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    dice = random.Random(seed)
    endpoint = await _endpoint(stack, receiver)

    def moody(one: Received, handler: BaseHTTPRequestHandler) -> None:
        answering(dice.choice([200, 204, 204, 500, 503]))(one, handler)

    receiver.behaviour = moody
    stack.workers[1].start()
    payments = []
    for _ in range(12):
        payments += await asyncio.gather(*(till.ring_up(new_order()) for _ in range(5)))
        victim: Child = dice.choice(stack.workers)
        await asyncio.sleep(dice.uniform(0, 0.3))
        kill(victim)
        victim.start()
    receiver.behaviour = answering(204)
    await database.execute("UPDATE webhook_queue SET next_at = now()")
    for payment in payments:
        event_id = await _event(database, payment)
        await _is_told(database, receiver, event_id, endpoint["secret"], tries=None)
        numbers = await database.fetch("SELECT try FROM webhook_attempts WHERE event_id = $1 ORDER BY try", event_id)
        tries = await database.fetchval("SELECT tries FROM webhook_deliveries WHERE event_id = $1", event_id)
        assert [row["try"] for row in numbers] == list(range(1, tries + 1))
        assert len(receiver.of(event_id)) >= tries
