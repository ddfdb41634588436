"""SIGTERM under load: what was taken in is answered, and a rolling restart behind one socket costs no request."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
import uvicorn

from gateway.http.protocol import OneWriteProtocol
from gateway.processes.children import Child
from gateway.processes.serving import DrainingServer
from gateway.processes.sockets import listen, port_of
from tests.support.audits import audit_command
from tests.support.book import ClientBook, PatientTill
from tests.support.gateway import GatewayStack
from tests.support.load import Load
from tests.support.till import WALLETS
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def test_a_request_that_crosses_with_the_stop_is_answered_and_its_connection_closed() -> None:
    async with _serving() as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: len(server.server_state.connections) == 1)
        for connection in list(server.server_state.connections):
            connection.shutdown()
        writer.write(b"GET / HTTP/1.1\r\nhost: gateway\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 200 OK"), answer
        assert answer.endswith(b"still here"), answer
        writer.close()


async def test_an_idle_connection_is_closed_soon_after_the_stop() -> None:
    async with _serving() as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: len(server.server_state.connections) == 1)
        for connection in list(server.server_state.connections):
            connection.shutdown()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_who_has_connected_and_was_not_looked_at_when_the_stop_came_is_answered() -> None:
    config = uvicorn.Config(_still_here, http=OneWriteProtocol, ws="none", lifespan="off", log_config=None)
    config.load()
    server = DrainingServer(config, None, 0)
    server.lifespan = config.lifespan_class(config)
    with listen(0) as listener, ExitStack() as clients:
        address = listener.getsockname()
        await server.startup(sockets=[listener])
        # The loop does not turn from here to the stop: for the kernel they are connected, for the server not yet.
        waiting = [clients.enter_context(socket.create_connection(address, timeout=5)) for _ in range(20)]
        for client in waiting:
            client.sendall(b"GET / HTTP/1.1\r\nhost: gateway\r\n\r\n")
        await server.shutdown(sockets=[listener])
        answers = [client.makefile("rb").read() for client in waiting]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
    assert all(answer.endswith(b"still here") for answer in answers), answers


async def _still_here(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"content-length", b"10")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"still here"})


@asynccontextmanager
async def _serving() -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """Uvicorn in this process, with our protocol and a small application."""
    config = uvicorn.Config(_still_here, http=OneWriteProtocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with listen(0) as listener:
        port = port_of(listener)
        serving = asyncio.create_task(server._serve(sockets=[listener]))
        await until(lambda: server.started)
        yield server, port
        server.should_exit = True
        await serving


@pytest.fixture(scope="module")
def twins(stack: GatewayStack) -> Iterator[tuple[Child, Child]]:
    """Two gateway processes on one listening socket."""
    [first] = stack.gateways
    assert first.command.log is not None
    second = Child(replace(first.command, name="gateway-twin", log=first.command.log.with_name("gateway-twin.log")))
    second.start()
    yield first, second
    second.stop(signal.SIGTERM, timeout_s=10)


@pytest_asyncio.fixture(loop_scope="module")
async def load(stack: GatewayStack, book: ClientBook) -> AsyncIterator[Load]:
    """Tills that open a connection for each request: a kept one may always be closed while a request is on its way."""
    for wallet in WALLETS:
        stack.simulators.set_faults(wallet, latency_ms={"min": 20, "max": 200})
    async with PatientTill(stack.urls, stack.shop.key.secret, book, keep_alive=False) as till:
        yield Load(till, per_s=50)


async def test_a_process_told_to_stop_answers_what_it_has_taken_in(
    stack: GatewayStack, load: Load, book: ClientBook, database_url: str
) -> None:
    [gateway] = stack.gateways
    async with load.running():
        await load.wait_for(30)
        gateway.send(signal.SIGTERM)
        await _drained(stack, gateway)
        gateway.start()
        await load.wait_for(60)
    assert set(load.till.told) == {"201"}, "nobody was turned away: the socket waited for the next process"
    assert {sale.payment["status"] for sale in load.sales} == {"succeeded"}
    await audit_command(database_url, stack.simulators, book)


async def test_a_rolling_restart_of_two_processes_on_one_socket_fails_no_request(
    stack: GatewayStack, twins: tuple[Child, Child], load: Load, book: ClientBook, database_url: str
) -> None:
    await until(lambda: _starts(stack, twins[1]) == 1)
    async with load.running():
        await load.wait_for(20)
        for child in twins:
            starts = _starts(stack, child)
            child.send(signal.SIGTERM)
            await _drained(stack, child)
            child.start()
            await _until_started(stack, child, starts + 1)
            await load.wait_for(20)
    assert set(load.till.told) == {"201"}
    assert {sale.payment["status"] for sale in load.sales} == {"succeeded"}
    await audit_command(database_url, stack.simulators, book)


def _starts(stack: GatewayStack, child: Child) -> int:
    """How often it has begun to serve."""
    return stack.log_of(child).count("Application startup complete")


async def _until_started(stack: GatewayStack, child: Child, times: int) -> None:
    await until(lambda: _starts(stack, child) >= times)


async def _drained(stack: GatewayStack, child: Child) -> None:
    """It has gone, by the signal, but not before everything was put away."""
    await until(lambda: not child.running)
    assert child.exit_status == -signal.SIGTERM
    assert "Application shutdown complete" in stack.log_of(child).rpartition("Shutting down")[2]
