"""Metrics of a running service: each process is told of once, a worker has probes, promtool finds nothing to mend."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.gateway import GatewayStack, kill
from tests.support.till import Till, new_order
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def worker_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def stack_options(worker_port: int) -> Mapping[str, Any]:
    """Two gateways, and a worker with HTTP of its own."""
    return {"gateways": 2, "workers": 1, "settings": {"MASHANG_WORKER_PORT": str(worker_port)}}


async def get(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        return await client.get(url)


async def told(url: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = (await get(f"{url}/metrics")).text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def processes(found: Mapping[tuple[str, tuple[tuple[str, str], ...]], float]) -> dict[str, float]:
    return {labels[0][1]: value for (name, labels), value in found.items() if name == "mashang_processes"}


@pytest.fixture
def worker_url(worker_port: int) -> str:
    return f"http://127.0.0.1:{worker_port}"


async def is_up(url: str) -> bool:
    try:
        return (await get(f"{url}/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def test_who_scrapes_gateway_and_worker_counts_nothing_twice(
    stack: GatewayStack, till: Till, worker_url: str
) -> None:
    await eventually(lambda: is_up(worker_url))
    await till.pay(new_order())
    for url in stack.urls:  # either tells of both
        assert processes(await told(url)) == {"gateway": 2}
    await eventually(lambda: _is_told(worker_url, "mashang_unresolved_payments"))
    of_gateway, of_worker = await told(stack.url), await told(worker_url)
    assert processes(of_worker) == {"worker": 1}
    ended = ("mashang_payments_ended_total", _labels("", "succeeded"))
    assert of_gateway[ended] >= 1
    assert ended not in of_worker
    assert ("mashang_unresolved_payments", ()) not in of_gateway
    assert of_gateway["mashang_process_cpu_seconds_total", (("role", "gateway"),)] > 0
    assert of_worker["mashang_process_resident_memory_bytes", (("role", "worker"),)] > 10_000_000


def _labels(failure: str, status: str) -> tuple[tuple[str, str], ...]:
    return (("account", "wechat_direct"), ("failure", failure), ("status", status), ("wallet", "wechat"))


async def _is_told(url: str, name: str) -> bool:
    return (name, ()) in await told(url)


async def test_the_worker_is_alive_and_ready_and_tells_when_its_loops_turned(
    stack: GatewayStack, worker_url: str
) -> None:
    await eventually(lambda: is_up(worker_url))
    assert (await get(f"{worker_url}/livez")).json() == {"status": "alive"}
    assert (await get(f"{worker_url}/readyz")).json() == {"status": "ready", "postgres": "up"}
    assert (await get(f"{worker_url}/else")).status_code == 404
    name = "mashang_worker_turned_timestamp_seconds"
    first = await told(worker_url)
    loops = [(name, (("loop", loop),)) for loop in ("tasks", "house")]

    async def have_turned() -> bool:
        found = await told(worker_url)
        return all(found[loop] > first[loop] for loop in loops)

    await eventually(have_turned)


async def test_what_a_killed_gateway_counted_stays_told(stack: GatewayStack) -> None:
    async with stack.till(gateway=1) as till:
        await till.pay(new_order())
    ended = ("mashang_payments_ended_total", _labels("", "succeeded"))
    before = (await told(stack.urls[1]))[ended]
    kill(stack.gateways[1])
    stack.restart(stack.gateways[1])
    for url in stack.urls:
        assert (await told(url))[ended] >= before


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not there (apt install prometheus)")
async def test_promtool_finds_nothing_to_mend_in_what_is_scraped(stack: GatewayStack, worker_url: str) -> None:
    await eventually(lambda: is_up(worker_url))
    for url in (stack.url, worker_url):
        text = (await get(f"{url}/metrics")).content
        found = subprocess.run(  # noqa: ASYNC221  it takes some milliseconds
            ["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60, check=False
        )
        assert (found.returncode, found.stdout + found.stderr) == (0, b"")


async def test_a_worker_that_is_told_to_stop_does_so_with_its_http(stack: GatewayStack, worker_url: str) -> None:
    await eventually(lambda: is_up(worker_url))
    worker = stack.workers[0]
    worker.send(signal.SIGTERM)
    assert worker.wait(20)
    assert worker.exit_status == 0
    with pytest.raises(httpx.TransportError):
        await get(f"{worker_url}/livez")
