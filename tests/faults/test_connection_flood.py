"""A flood of connections takes the gateway no file descriptors away that it needs to reach its channels."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.channels import Simulators
from tests.support.gateway import GatewayStack, start_gateway

_DESCRIPTORS = 200
_FLOOD = 250
_ASK = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture
def stack(tmp_path: Path, database_url: str, redis_url: str, simulators: Simulators) -> Iterator[GatewayStack]:
    with start_gateway(tmp_path, database_url, redis_url, simulators, workers=0) as running:
        yield running


async def test_payments_reach_their_channel_while_clients_hold_all_the_connections_they_get(
    stack: GatewayStack,
) -> None:
    pid = stack.gateways[0].pid
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))
    host, port = stack.url.removeprefix("http://").split(":")
    answers: list[bytes] = []
    held: list[asyncio.StreamWriter] = []

    async def connect() -> None:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection(host, int(port))
                held.append(writer)
                writer.write(_ASK)
                answers.append(await reader.readuntil(b"\r\n\r\n"))

    async with stack.till() as till:
        await till.list()  # the till has its connection
        await asyncio.gather(*[connect() for _ in range(_FLOOD)])
        for wallet in ("wechat", "alipay", "unionpay"):
            payment = await till.taken(wallet, wait_s=5)
            assert payment["status"] == "succeeded", payment["failure"]
    for writer in held:
        writer.close()
    refused = [answer for answer in answers if answer.startswith(b"HTTP/1.1 503 ")]
    assert len(answers) - len(refused) >= 50
    assert len(refused) >= 50, "those too many are told so"
    assert all(b"\r\nretry-after: 1\r\n" in answer for answer in refused)
