"""The loops of a worker: quick while all is well, fair while an endpoint is dead, alive whatever goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler

import asyncpg
import pytest

from gateway.kernel.ids import new_id
from gateway.webhooks.running import webhooks_delivered
from tests.integration.webhooks.conftest import NOWHERE, Hooks, Told
from tests.support.receivers import Received, Receiver

_SOON_S = 2.5
"""“About a second”, on a machine that others use too."""
_QUEUED = 10_000


@dataclass
class Silent:
    """A server that takes connections and requests, and never answers."""

    url: str
    server: asyncio.Server
    writers: list[asyncio.StreamWriter]

    def close(self) -> None:
        """Hang up on everybody, and take no more."""
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()


@asynccontextmanager
async def silent_server() -> AsyncIterator[Silent]:
    """To be closed before the loops end, which otherwise wait for its answers."""
    writers = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0, backlog=1_000)
    silent = Silent(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", server, writers)
    try:
        yield silent
    finally:
        silent.close()


async def pile_up(hooks: Hooks, endpoint_id: str, url: str, count: int, *, again: bool = False) -> None:
    """So many deliveries that wait for that endpoint."""
    ids = [new_id("evt") for _ in range(count)]
    async with hooks.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO webhook_deliveries (event_id, merchant_id, endpoint_id, url, body)"
            " SELECT id, $2, $3, $4, '{}' FROM unnest($1::text[]) AS r (id)",
            ids, hooks.merchant_id, endpoint_id, url,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO webhook_queue (endpoint_id, event_id, merchant_id, again, tries, next_at)"
            " SELECT $3, id, $2, $4::boolean, $4::boolean::int, now() - interval '1 hour'"
            " FROM unnest($1::text[]) AS r (id)",
            ids, hooks.merchant_id, endpoint_id, again,
        )  # fmt: skip


async def arrived(receiver: Receiver, told: Told, within_s: float = _SOON_S) -> float:
    """Seconds until the event's first message came."""
    began = time.monotonic()
    await receiver.until(1, lambda one: one.id == told.event_id, within_s)
    return time.monotonic() - began


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + 20
    while not await holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def begun(hooks: Hooks, endpoint_id: str, count: int) -> None:
    """Wait until so many of an endpoint's deliveries have been leased."""
    counted = "SELECT count(*) FROM webhook_queue WHERE endpoint_id = $1 AND lease_token > 0"

    async def holds() -> bool:
        return bool(await hooks.pool.fetchval(counted, endpoint_id) >= count)

    await until(holds)


async def delivered(hooks: Hooks, told: Told, endpoint_id: str) -> None:
    """Wait until it is recorded."""

    async def holds() -> bool:
        return await hooks.deliveries(told) == {endpoint_id: "succeeded"}

    await until(holds)


async def test_an_event_arrives_by_itself_soon_after_its_commit(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.endpoint(receiver.url)
    async with webhooks_delivered(hooks.base):
        for _ in range(3):
            await arrived(receiver, await hooks.captured())


@pytest.mark.parametrize("again", [False, True], ids=["new", "to be tried again"])
async def test_ten_thousand_messages_that_wait_for_a_silent_endpoint_delay_nobody_else(
    hooks: Hooks, receiver: Receiver, again: bool
) -> None:
    async with silent_server() as silent:
        dead, _ = await hooks.endpoint(silent.url, types=["refund.failed"])
        await hooks.endpoint(receiver.url)
        await pile_up(hooks, dead.id, silent.url, _QUEUED, again=again)
        async with webhooks_delivered(hooks.base):
            await begun(hooks, dead.id, 2)
            for _ in range(3):
                await arrived(receiver, await hooks.captured())
            assert silent.writers, "it was being sent to all the while"
            silent.close()


async def test_ten_thousand_messages_that_fail_at_once_delay_nobody_else(hooks: Hooks, receiver: Receiver) -> None:
    dead, _ = await hooks.endpoint(NOWHERE, types=["refund.failed"])
    await hooks.endpoint(receiver.url)
    await pile_up(hooks, dead.id, NOWHERE, _QUEUED)
    async with webhooks_delivered(hooks.base):
        await begun(hooks, dead.id, 50)
        for _ in range(3):
            await arrived(receiver, await hooks.captured())


async def test_more_silent_endpoints_than_there_are_hands_delay_nobody_who_answers(
    hooks: Hooks, receiver: Receiver
) -> None:
    settings = hooks.base.settings.model_copy(update={"webhook_concurrency_max": 32})
    async with silent_server() as silent:
        await hooks.endpoint(receiver.url)
        async with webhooks_delivered(replace(hooks.base, settings=settings)) as dispatch:
            await arrived(receiver, await hooks.captured())
            for number in range(40):
                await pile_up(hooks, f"we_dead{number:02}", silent.url, 50)

            async def half_are_busy() -> bool:
                return dispatch.under_way >= 16

            await until(half_are_busy)
            for _ in range(3):
                await arrived(receiver, await hooks.captured())
            assert dispatch.under_way <= 20, "the silent ones hold one half of the hands and no more"
            await hooks.pool.execute("DELETE FROM webhook_queue")
            silent.close()


async def test_a_slow_endpoint_that_takes_every_message_delays_nobody_else(hooks: Hooks, receiver: Receiver) -> None:
    quick = receiver.behaviour

    def slow(one: Received, handler: BaseHTTPRequestHandler) -> None:
        if one.path == "/slow":
            receiver.stopped.wait(30)
        quick(one, handler)

    slow_url = receiver.url.replace("/hook", "/slow")
    dead, _ = await hooks.endpoint(slow_url, types=["refund.failed"])
    await hooks.endpoint(receiver.url)
    await pile_up(hooks, dead.id, slow_url, 1_000)
    receiver.behaviour = slow
    async with webhooks_delivered(hooks.base):
        await receiver.until(4, lambda one: one.path == "/slow")
        for _ in range(3):
            await arrived(receiver, await hooks.captured())
        receiver.stopped.set()


async def test_the_loops_live_through_a_database_that_refuses_them_for_a_while(
    hooks: Hooks, receiver: Receiver, database_url: str
) -> None:
    endpoint, _ = await hooks.endpoint(receiver.url)
    aside = await asyncpg.connect(database_url)
    try:
        async with webhooks_delivered(hooks.base):
            await arrived(receiver, await hooks.captured())
            for table in ("webhook_queue", "webhook_attempts"):
                await aside.execute(f"ALTER TABLE {table} RENAME TO {table}_gone")
                told = await hooks.captured()
                await asyncio.sleep(0.5)
                await aside.execute(f"ALTER TABLE {table}_gone RENAME TO {table}")
                await hooks.pool.execute("UPDATE webhook_queue SET lease_until = NULL")
                await arrived(receiver, told, 20)
                await delivered(hooks, told, endpoint.id)
    finally:
        await aside.close()


async def test_what_is_under_way_at_the_end_is_finished_and_recorded(hooks: Hooks, receiver: Receiver) -> None:
    endpoint, _ = await hooks.endpoint(receiver.url)
    quick = receiver.behaviour

    def slow(one: Received, handler: BaseHTTPRequestHandler) -> None:
        receiver.stopped.wait(0.5)
        quick(one, handler)

    receiver.behaviour = slow
    async with webhooks_delivered(hooks.base):
        told = await hooks.captured()
        await arrived(receiver, told)
    assert await hooks.deliveries(told) == {endpoint.id: "succeeded"}
