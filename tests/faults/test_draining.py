"""SIGTERM with MASHANG_DRAIN_S: not ready at once, serving all the same, and gone when everything is answered."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from gateway.processes.children import Child
from tests.faults.conftest import FAULT_SETTINGS
from tests.support.gateway import GatewayStack
from tests.support.till import new_order, payment_of
from tests.support.waiting import eventually, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

DRAIN_S = 2.0


@pytest.fixture(scope="module")
def stack_options() -> Mapping[str, Any]:
    """A gateway that drains for two seconds, and payments that may take longer than that."""
    return {"settings": {**FAULT_SETTINGS, "MASHANG_DRAIN_S": str(DRAIN_S), "MASHANG_CHANNEL_TIMEOUT_S": "6"}}


async def test_who_is_told_to_stop_is_not_ready_and_serves_on_for_a_while(stack: GatewayStack) -> None:
    [gateway] = stack.gateways
    key = {"Authorization": f"Bearer {stack.shop.key.secret}"}
    async with httpx.AsyncClient(base_url=stack.url, headers=key, timeout=10, trust_env=False) as kept:
        first = await kept.post("/v1/payments", json=new_order())
        assert "connection" not in first.headers
        stack.simulators.set_faults("alipay", latency_ms={"min": 3_500, "max": 3_500})
        slow = asyncio.create_task(_pay(stack, new_order("alipay")))
        await asyncio.sleep(0.3)  # by then its intent is written; were it not, the test would only be easier
        told_s = time.monotonic()
        gateway.send(signal.SIGTERM)
        await eventually(lambda: _is_draining(stack))
        again = await kept.post("/v1/payments", json=new_order())
        assert payment_of(again, 201)["status"] == "succeeded"
        assert again.headers["connection"] == "close", "whoever kept a connection is asked to go elsewhere"
        anew = await _pay(stack, new_order())
        assert payment_of(anew, 201)["status"] == "succeeded", "and who comes anew is served all the same"
        assert gateway.running
        assert payment_of(await slow, 201)["status"] == "succeeded", "it was in flight for longer than the drain"
    await until(lambda: not gateway.running)
    assert DRAIN_S < time.monotonic() - told_s < DRAIN_S + 10
    _ended_in_order(stack, gateway)


async def test_a_second_sigterm_ends_the_drain_and_still_lets_payments_finish(stack: GatewayStack) -> None:
    [gateway] = stack.gateways
    stack.simulators.clear_faults()
    stack.simulators.set_faults("alipay", latency_ms={"min": 500, "max": 500})
    stack.restart(gateway)
    slow = asyncio.create_task(_pay(stack, new_order("alipay")))
    await asyncio.sleep(0.2)  # it is on its way to the channel, which takes half a second
    told_s = time.monotonic()
    gateway.send(signal.SIGTERM)
    await eventually(lambda: _is_draining(stack))
    gateway.send(signal.SIGTERM)
    assert payment_of(await slow, 201)["status"] == "succeeded"
    await until(lambda: not gateway.running)
    assert time.monotonic() - told_s < DRAIN_S
    _ended_in_order(stack, gateway)


async def _pay(stack: GatewayStack, order: Mapping[str, Any]) -> httpx.Response:
    async with stack.till() as till:
        return await till.pay(order)


async def _is_draining(stack: GatewayStack) -> bool:
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        answer = await client.get(f"{stack.url}/readyz")
    return answer.status_code == 503 and answer.json() == {"status": "draining"}


def _ended_in_order(stack: GatewayStack, gateway: Child) -> None:
    assert gateway.exit_status == -signal.SIGTERM
    assert "Application shutdown complete" in stack.log_of(gateway).rpartition("Shutting down")[2]
