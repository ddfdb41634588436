"""Simulators as real processes on real sockets, with keys that are made once per run."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from routing.simulators.provision import Provision, provision
from tests.unit.simulators.till import Raw, Till, Wire
from tests.unit.simulators.tills import TILLS

CHANNELS = ("wechat", "alipay", "unionpay", "qra")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Simulator:
    """One simulator process, which a test may kill and start again on the same books."""

    channel: str
    config: Path
    books: Path
    base_url: str
    process: subprocess.Popen[bytes] | None = None
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30, trust_env=False))

    def start(self) -> None:
        """Start it and wait until it answers."""
        port = self.base_url.rpartition(":")[2]
        command = [sys.executable, "-m", "routing.simulators", self.channel, "--port", port]
        self.process = subprocess.Popen([*command, "--config", str(self.config), "--books", str(self.books)])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if self.client.get(f"{self.base_url}/_simulator/health").status_code == 200:
                    return
            assert self.process.poll() is None, f"the {self.channel} simulator ended"
            time.sleep(0.05)
        raise TimeoutError(self.channel)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the process and wait for it."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, number)
            self.process.wait(10)

    def control(self, what: str, **query: str | int) -> dict[str, object]:
        """Read something of the control API."""
        answer = self.client.get(f"{self.base_url}/_simulator/{what}", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    def set_faults(self, *rules: dict[str, object], **plan: object) -> None:
        """Replace the faults in force."""
        answer = self.client.put(f"{self.base_url}/_simulator/faults", json={"rules": list(rules), **plan})
        assert answer.status_code == 200, answer.text

    def trade(self, order_no: str) -> dict[str, object]:
        """The one trade with that number in the books."""
        trades = self.control("trades", order_no=order_no)["trades"]
        assert isinstance(trades, list)
        assert len(trades) == 1, trades
        found: dict[str, object] = trades[0]
        return found


@pytest.fixture(scope="session")
def addresses() -> dict[str, str]:
    """An address for each simulator of this run."""
    return {channel: f"http://127.0.0.1:{free_port()}" for channel in CHANNELS}


@pytest.fixture(scope="session")
def provisioned(tmp_path_factory: pytest.TempPathFactory, addresses: dict[str, str]) -> Provision:
    """Keys, configurations and accounts of this run."""
    return provision(tmp_path_factory.mktemp("keys"), addresses)


@pytest.fixture(scope="session")
def simulators(
    tmp_path_factory: pytest.TempPathFactory, provisioned: Provision, addresses: dict[str, str]
) -> Iterator[dict[str, Simulator]]:
    """The four simulators, started on first use by `simulator`."""
    folder = tmp_path_factory.mktemp("books")
    made = {
        channel: Simulator(channel, provisioned.simulators[channel], folder / f"{channel}.sqlite", addresses[channel])
        for channel in CHANNELS
    }
    yield made
    for simulator in made.values():
        simulator.stop()
        simulator.client.close()


def http_wire(simulator: Simulator) -> Wire:
    """Requests to the process over a connection of the test's client."""

    def send(method: str, target: str, headers: dict[str, str], body: bytes, timeout_s: float) -> Raw:
        url = httpx.URL(simulator.base_url + target)
        answer = simulator.client.request(method, url, headers=headers, content=body, timeout=timeout_s)
        return Raw(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.content)

    return send


@dataclass
class Stage:
    """A till before its simulator."""

    till: Till
    simulator: Simulator

    def trade(self, order_no: str) -> dict[str, object]:
        """The order in the simulator's books."""
        return self.simulator.trade(order_no)


def stage_of(account: str, simulators: dict[str, Simulator], provisioned: Provision) -> Stage:
    """The account's till, its simulator running without faults."""
    seed = next(seed for seed in provisioned.accounts if seed.id == account)
    simulator = simulators[seed.channel]
    if simulator.process is None or simulator.process.poll() is not None:
        simulator.start()
    simulator.client.delete(f"{simulator.base_url}/_simulator/faults")
    return Stage(TILLS[account](seed.settings, http_wire(simulator)), simulator)


@pytest.fixture(params=["wechat_direct", "alipay_direct", "unionpay_direct", "unionpay_keyed", "unionpay_front"])
def stage(request: pytest.FixtureRequest, simulators: dict[str, Simulator], provisioned: Provision) -> Stage:
    """Each account in turn."""
    return stage_of(request.param, simulators, provisioned)


@pytest.fixture(params=["wechat_direct", "alipay_direct", "unionpay_direct", "unionpay_front"])
def channel_stage(request: pytest.FixtureRequest, simulators: dict[str, Simulator], provisioned: Provision) -> Stage:
    """Each channel in turn."""
    return stage_of(request.param, simulators, provisioned)
