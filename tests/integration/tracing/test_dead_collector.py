"""A service whose collector hangs: payments are taken as ever, and it stops as quickly."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.tracing.export import CLOSE_S
from tests.support.channels import Simulators
from tests.support.collector import Collector, start_collector
from tests.support.gateway import GatewayStack, start_gateway

pytestmark = pytest.mark.long
_STOP_S = 8.0
"""A stop without tracing, on a busy machine; the last look at idle connections alone takes one."""


@pytest.fixture
def hanging() -> Iterator[Collector]:
    with start_collector() as collector:
        collector.answers.clear()
        yield collector


@pytest.fixture
def town(
    tmp_path: Path, database_url: str, redis_url: str, simulators: Simulators, hanging: Collector
) -> Iterator[GatewayStack]:
    settings = {"MASHANG_TRACING_ENDPOINT": hanging.url, "MASHANG_TRACING_SAMPLE": "1"}
    with start_gateway(tmp_path, database_url, redis_url, simulators, settings=settings) as running:
        yield running


async def test_payments_are_taken_and_the_stop_is_not_held_up(town: GatewayStack, hanging: Collector) -> None:
    async with town.till() as till:
        payments = await asyncio.gather(*[till.paid() for _ in range(20)])
    async with httpx.AsyncClient(base_url=town.url, trust_env=False) as client:
        assert (await client.get("/readyz")).status_code == 200
    assert len({payment["id"] for payment in payments}) == 20
    assert hanging.spans == []
    for child in (*town.gateways, *town.workers):
        began = time.monotonic()
        child.send(signal.SIGTERM)
        assert child.wait(_STOP_S + CLOSE_S)
        assert time.monotonic() - began < _STOP_S + CLOSE_S
