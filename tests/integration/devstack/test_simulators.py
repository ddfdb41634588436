"""Simulators on sockets that their parent holds too: they refuse connections, and die while they do; one runs alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.processes.children import Child
from tests.support.channels import CHANNELS, FRONT, Simulators, start_simulators, wait_until_answers

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    folder = tmp_path_factory.mktemp("simulators")
    with start_simulators(folder, folder / "keys", front=True) as found:
        yield found


def listens(url: str) -> bool:
    """Whether a new connection is answered; the last one that is let in before a refusal may be reset."""
    try:
        return httpx.get(f"{url}/_simulator/health", timeout=2, trust_env=False).status_code == 200
    except httpx.ConnectError:
        return False
    except (httpx.ReadError, httpx.RemoteProtocolError):
        return True


def await_listening(url: str, *, wanted: bool) -> float:
    """Wait until it does, or does not; how long that took."""
    started = time.monotonic()
    while listens(url) != wanted:
        assert time.monotonic() - started < 10
        time.sleep(0.01)
    return time.monotonic() - started


def refuse(running: Simulators, channel: str, for_s: float) -> str:
    """Order it; returns once nobody listens."""
    running.set_faults(channel, {"kind": "outage", "as": "refuse", "for_s": for_s})
    await_listening(running.base_urls[channel], wanted=False)
    return running.base_urls[channel]


@pytest.mark.parametrize("channel", [*CHANNELS, FRONT])
def test_an_inherited_socket_refuses_and_listens_again_on_its_port(running: Simulators, channel: str) -> None:
    url = refuse(running, channel, 1.5)
    assert await_listening(url, wanted=True) < 2
    assert httpx.get(f"{url}/_simulator/health", trust_env=False).json()["channel"] == channel
    again = refuse(running, channel, 1.0)
    assert await_listening(again, wanted=True) < 2


def test_who_is_killed_while_it_refuses_listens_after_its_restart(running: Simulators) -> None:
    child: Child = running.children[FRONT]
    url = refuse(running, FRONT, 600)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(5)
    child.start()
    wait_until_answers(running.client, f"{url}/_simulator/health", child)


def test_who_is_stopped_while_it_refuses_goes_at_once(running: Simulators) -> None:
    child: Child = running.children[FRONT]
    url = refuse(running, FRONT, 600)
    started = time.monotonic()
    child.stop(signal.SIGTERM, timeout_s=10)
    assert time.monotonic() - started < 5
    child.start()
    wait_until_answers(running.client, f"{url}/_simulator/health", child)


def test_one_simulator_runs_alone(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with output.open("wb") as told:
        command = [sys.executable, "-m", "gateway.cli", "simulators", "qra", "--state", str(tmp_path / "state")]
        process = subprocess.Popen(command, cwd=ROOT, stdout=told, stderr=told)
    try:
        deadline = time.monotonic() + 30
        while "http://" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        [line] = output.read_text().splitlines()
        name, url = line.split()
        assert (name, httpx.get(f"{url}/_simulator/health", trust_env=False).json()["channel"]) == ("qra", "qra")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert [path.name for path in (tmp_path / "state" / "keys").iterdir()] == ["qra.json"]
