"""`mashang serve`: one service in one process or several, as a container or a unit file runs it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.waiting import gone_within, until

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.slow


class Service:
    """`mashang serve` in a process of its own, on a free port."""

    def __init__(self, folder: Path, settings: dict[str, str], workers: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.output = folder / "out"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway.cli", "serve", "--port", str(self.port), "--workers", str(workers)],
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=os.environ | settings,
            )

    @property
    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def started(self) -> int:
        """How many processes have said that they serve."""
        return len(re.findall("Application startup complete", self.output.read_text()))

    async def live(self) -> bool:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            return (await client.get(f"http://127.0.0.1:{self.port}/livez")).status_code == 200


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "MASHANG_DATABASE_URL": database_url,
        "MASHANG_REDIS_URL": redis_url,
        "MASHANG_MASTER_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "MASHANG_ADMIN_TOKEN": "token-of-at-least-24-letters",
        "MASHANG_METRICS_DIR": str(tmp_path / "metrics"),
    }


@pytest.fixture
def services() -> Iterator[list[Service]]:
    started: list[Service] = []
    yield started
    for service in started:
        service.process.kill()
        service.process.wait()


async def test_one_process_serves_and_stops_on_sigterm(
    settings: dict[str, str], services: list[Service], tmp_path: Path
) -> None:
    service = Service(tmp_path, settings, workers=1)
    services.append(service)
    await until(lambda: service.started() == 1)
    assert service.children == []
    assert await service.live()
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(20)
    assert "Application shutdown complete" in service.output.read_text()


async def test_several_processes_share_a_socket_and_a_killed_one_is_replaced(
    settings: dict[str, str], services: list[Service], tmp_path: Path
) -> None:
    service = Service(tmp_path, settings, workers=2)
    services.append(service)
    await until(lambda: service.started() == 2)
    first = service.children
    first[0].kill()
    await until(lambda: service.started() == 3)
    assert len(service.children) == 2
    assert not list((tmp_path / "metrics").glob(f"gauge_live*_{first[0].pid}.db"))
    assert await service.live()

    family = service.children
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(20) == 0
    assert gone_within(1, family) == []


async def test_killing_the_parent_of_several_stops_them_in_order(
    settings: dict[str, str], services: list[Service], tmp_path: Path
) -> None:
    service = Service(tmp_path, settings, workers=2)
    services.append(service)
    await until(lambda: service.started() == 2)
    family = service.children
    service.process.kill()
    assert gone_within(10, family) == []
    assert len(re.findall("Application shutdown complete", service.output.read_text())) == 2


def test_a_taken_port_is_a_clear_error(settings: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = subprocess.run(
            [sys.executable, "-m", "gateway.cli", "serve", "--port", port],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=os.environ | settings,
        )
    assert refused.returncode == 2
    assert f"Port {port} on 127.0.0.1 is taken" in refused.stderr
