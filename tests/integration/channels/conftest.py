"""The adapters on one side, the simulators as processes on the other, and HTTP over loopback between them."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from routing.channels.base import Channel
from routing.channels.registry import build_channel
from routing.channels.transport import HttpTransport
from routing.simulators.provision import AccountSeed, provision

CHANNELS = ("wechat", "alipay", "unionpay", "qra")
ACCOUNTS = ("wechat_direct", "alipay_direct", "unionpay_direct", "unionpay_keyed", "unionpay_front")


@dataclass(frozen=True)
class Account:
    """An open channel account and the address of the simulator behind it."""

    seed: AccountSeed
    channel: Channel
    simulator_url: str

    def charged_fen(self, order_no: str) -> list[int]:
        """The amounts that the simulator's books hold for an order number: the witness."""
        answer = httpx.get(f"{self.simulator_url}/_simulator/trades", params={"order_no": order_no}, trust_env=False)
        return [trade["amount"] for trade in answer.json()["trades"]]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, AccountSeed]]:
    """The accounts of the running simulators, also as they are after a rotation of keys (`…_rotated`)."""
    folder = tmp_path_factory.mktemp("simulators")
    urls = {channel: f"http://127.0.0.1:{_free_port()}" for channel in CHANNELS}
    made = provision(folder / "keys", urls)
    for channel in CHANNELS[:3]:  # the front has no statements
        _switch(made.simulators[channel], statement_today=True)
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "routing.simulators", channel, "--port", url.rpartition(":")[2]),
                *("--config", str(made.simulators[channel]), "--books", str(folder / f"{channel}.sqlite")),
            ]
        )
        for channel, url in urls.items()
    ]
    try:
        for url, process in zip(urls.values(), processes, strict=True):
            _wait_until_healthy(url, process)
        rotated = {f"{account.id}_rotated": account for account in made.rotated}
        yield {account.id: account for account in made.accounts} | rotated
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(10)


@pytest.fixture(scope="module")
async def transport() -> AsyncIterator[HttpTransport]:
    """One transport for every account, as in the gateway."""
    opened = HttpTransport()
    yield opened
    await opened.aclose()


@pytest.fixture(scope="module")
def accounts(seeds: dict[str, AccountSeed], transport: HttpTransport) -> dict[str, Account]:
    """Every account, open."""
    return {name: opened(seeds[name], transport) for name in ACCOUNTS}


def opened(seed: AccountSeed, transport: HttpTransport, **settings: str) -> Account:
    """An account of its settings and these."""
    address = httpx.URL(next(value for name, value in seed.settings.items() if name.endswith("_url")))
    channel = build_channel(seed.channel, seed.settings | settings, transport)
    return Account(seed, channel, f"http://{address.host}:{address.port}")


def _switch(config: Path, **switches: object) -> None:
    """Set switches of a simulator before it starts."""
    document = json.loads(config.read_text("utf-8"))
    document["settings"] = document.get("settings", {}) | switches
    config.write_text(json.dumps(document), "utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/_simulator/health", trust_env=False).status_code == 200:
                return
        assert process.poll() is None, "a simulator ended"
        time.sleep(0.05)
    raise TimeoutError(url)
