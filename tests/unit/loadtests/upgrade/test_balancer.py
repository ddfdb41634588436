"""The balancer honours readiness and `Connection: close`, and tells every request that came to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.processes.sockets import listen, port_of
from loadtests.upgrade.balancer import Backend, Balancer, Reply
from tests.support.waiting import until

PAY = b"POST /v1/payments HTTP/1.1\r\nhost: g\r\ncontent-length: 0\r\n\r\n"


@dataclass(slots=True)
class Gateway:
    """Answers by itself: readiness, and what the test wants of a payment."""

    readiness: int = 200
    more_headers: str = ""
    breaks: bool = False
    connections: int = 0
    paid: int = 0
    port: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.writers.append(writer)
        counted = False
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                is_probe = head.startswith(b"GET /readyz")
                self.connections += not is_probe and not counted
                counted = True
                if self.breaks and not is_probe:
                    break
                self.paid += not is_probe
                status = self.readiness if is_probe else 201
                writer.write(f"HTTP/1.1 {status} X\r\n{self.more_headers}content-length: 2\r\n\r\n{{}}".encode())
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def running(*gateways: Gateway) -> AsyncIterator[Balancer]:
    """These behind a balancer that has looked at all of them."""
    balancer, servers = Balancer(), []
    for number, gateway in enumerate(gateways):
        servers.append(await asyncio.start_server(gateway.serve, "127.0.0.1", 0))
        gateway.port = servers[-1].sockets[0].getsockname()[1]
        balancer.add(Backend(f"gateway {number}", gateway.port))
    async with balancer.probing():
        if any(gateway.readiness == 200 for gateway in gateways):
            await until(lambda: any(backend.is_ready for backend in balancer.backends))
        yield balancer
    for server in servers:
        server.close()
    for gateway in gateways:
        for writer in gateway.writers:
            writer.close()


async def test_only_who_is_ready_gets_requests_and_takes_turns() -> None:
    gateways = Gateway(), Gateway(), Gateway(readiness=503)
    async with running(*gateways) as balancer:
        await until(lambda: sum(backend.is_ready for backend in balancer.backends) == 2)
        for _ in range(10):
            assert (await balancer.send(PAY, b"")).status == 201
    assert [gateway.paid for gateway in gateways] == [5, 5, 0]


async def test_who_is_not_ready_any_more_gets_none_and_where_nobody_is_it_is_told() -> None:
    gateway = Gateway()
    async with running(gateway) as balancer:
        gateway.readiness = 503
        await until(lambda: not balancer.backends[0].is_ready)
        assert await balancer.send(PAY, b"") == Reply(0, b"no gateway is ready")
    assert gateway.paid == 0


async def test_connections_are_kept_until_an_answer_says_close() -> None:
    gateway = Gateway()
    async with running(gateway) as balancer:
        for _ in range(3):
            await balancer.send(PAY, b"")
        assert gateway.connections == 1
        gateway.more_headers = "Connection: close\r\n"
        await balancer.send(PAY, b"")
        await balancer.send(PAY, b"")
    assert gateway.connections == 2


async def test_a_connection_that_breaks_is_a_failed_request_and_nothing_is_sent_again() -> None:
    gateway = Gateway(breaks=True)
    async with running(gateway) as balancer:
        reply = await balancer.send(PAY, b"")
    assert reply.status == 0
    assert b"IncompleteReadError" in reply.body
    assert gateway.connections == 1


async def test_a_port_at_which_nobody_listens_is_not_ready() -> None:
    with listen(0) as listener:
        port = port_of(listener)
    backend = Backend("nobody", port)
    await backend.probe()
    assert not backend.is_ready
    assert (await backend.ask(PAY)).status == 0
