"""SIGTERM under load: what was taken in is answered, and a rolling restart behind one socket costs no request."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio

from gateway.devstack.processes import Child
from tests.support.audits import audit_command
from tests.support.book import ClientBook, PatientTill
from tests.support.gateway import GatewayStack
from tests.support.load import Load
from tests.support.till import WALLETS
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


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
