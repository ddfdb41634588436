"""What an upgrade is tried on: PostgreSQL, Valkey and simulators of this code, gateways and workers of either code."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from gateway.devstack.folders import private_folder, socket_folder
from gateway.devstack.postgres import Postgres
from gateway.devstack.simulators import SimulatorSet
from gateway.devstack.valkey import Valkey
from gateway.processes.children import Child, Command
from gateway.processes.errors import StackError
from gateway.processes.sockets import listen, port_of
from loadtests.stack import set_latency

_CHANNELS: Final = ("wechat", "alipay", "unionpay")
_ADMIN_TOKEN: Final = "adm_upgrade_0123456789abcdef"  # noqa: S105  of a stack that lives for a minute
_DRAINING: Final = "gateway/kernel/draining.py"
_STOP_S: Final = 90.0
_COMMAND_S: Final = 300.0
DRAIN_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class Code:
    """A revision of the code: where its packages are, and what it is called."""

    name: str
    folder: Path

    @property
    def drains(self) -> bool:
        """Whether its gateways turn their readiness off before they stop."""
        return (self.folder / _DRAINING).exists()

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Settings and module path: its packages, and not those of the folder that we are in."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MASHANG_", "PYTHON"))}
        return inherited | dict(settings) | {"PYTHONPATH": str(self.folder), "PYTHONSAFEPATH": "1"}


@dataclass(slots=True)
class Town:
    """The stack without its gateways and workers, and how to start these."""

    folder: Path
    postgres: Postgres
    valkey: Valkey
    simulators: SimulatorSet
    _stack: ExitStack
    _started: int = 0
    _settings: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._settings = {
            "MASHANG_DATABASE_URL": self.postgres.url("postgres"),
            "MASHANG_REDIS_URL": self.valkey.url(),
            "MASHANG_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "MASHANG_ADMIN_TOKEN": _ADMIN_TOKEN,
            "MASHANG_DRAIN_S": str(DRAIN_S),
            "MASHANG_LOG_LEVEL": "WARNING",
        }

    def gateway(self, code: Code) -> tuple[Child, int]:
        """A gateway that begins to start, and its port."""
        with listen(0) as free:
            port = port_of(free)
        return self._start(code, "gateway", "serve", "--port", str(port)), port

    def worker(self, code: Code) -> Child:
        """A worker that begins to start."""
        return self._start(code, "worker", "worker")

    def command(self, code: Code, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of `mashang` of that code, to its end."""
        return subprocess.run(
            (sys.executable, "-m", "gateway.cli", *arguments),
            env=code.environment(self._settings), capture_output=True, text=True, check=False, timeout=_COMMAND_S,
        )  # fmt: skip

    def audit(self, code: Code, book: Path) -> tuple[bool, str]:
        """Whether all books agree, and what the audit printed."""
        named = [part for name, url in self.simulators.base_urls.items() for part in ("--simulator", f"{name}={url}")]
        done = self.command(code, "audit", "--wait", "60", "--client-log", str(book), *named)
        return done.returncode == 0, (done.stdout + done.stderr).strip()

    def seed(self, port: int) -> str:
        """The channel accounts and a merchant, over the admin API of a gateway; the merchant's key.

        What any revision's own functions would take cannot be known here; the API is what it has promised.
        """
        headers = {"Authorization": f"Bearer {_ADMIN_TOKEN}"}
        url = f"http://127.0.0.1:{port}/admin/v1"
        with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as admin:
            for account in self.simulators.accounts:
                if account.channel in _CHANNELS and account.id.endswith("_direct"):
                    wanted = {"id": account.id, "channel": account.channel, "settings": account.settings}
                    admin.post("/channel_accounts", json=wanted).raise_for_status()
            merchant = admin.post("/merchants", json={"name": "upgrade"}).raise_for_status().json()
            key = admin.post(f"/merchants/{merchant['id']}/keys", json={}).raise_for_status().json()
            return str(key["secret"])

    def _start(self, code: Code, kind: str, *arguments: str) -> Child:
        self._started += 1
        name = f"{kind} {self._started} ({code.name})"
        log = self.folder / "logs" / f"{self._started}-{kind}.log"
        line = (sys.executable, "-m", "gateway.cli", *arguments)
        metrics = private_folder(self.folder / f"metrics-{self._started}")
        environment = code.environment(self._settings | {"MASHANG_METRICS_DIR": str(metrics)})
        child = Child(Command(name, line, log, environment, death_signal=signal.SIGTERM))
        child.start()
        self._stack.callback(child.stop, signal.SIGTERM, timeout_s=_STOP_S)
        return child


@contextmanager
def a_town(folder: Path) -> Iterator[Town]:
    """Start the servers and the simulators; everything that was started ends with it."""
    private_folder(folder)
    sockets = socket_folder(folder)
    with ExitStack() as stack:
        postgres = Postgres(folder / "postgres", sockets, folder / "logs" / "postgres.log")
        valkey = Valkey(folder / "valkey", sockets, folder / "logs" / "valkey.log")
        simulators = SimulatorSet(folder, _CHANNELS)
        stack.callback(simulators.close)
        for server in (postgres, valkey):
            stack.callback(server.stop)
            server.start()
        simulators.start({**os.environ})
        for child in simulators.children:
            stack.callback(child.stop, signal.SIGTERM, timeout_s=10)
        postgres.wait_ready()
        valkey.wait_ready()
        _await_simulators(simulators)
        yield Town(folder, postgres, valkey, simulators, stack)


def _await_simulators(simulators: SimulatorSet) -> None:
    """Wait until each answers, at the pace of a channel.  Raises StackError."""
    deadline = time.monotonic() + 30
    for child, url in zip(simulators.children, simulators.base_urls.values(), strict=True):
        while True:
            child.require_running()
            try:
                set_latency(url)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise StackError(f"{child.command.name} does not answer") from None
                time.sleep(0.05)
            else:
                break
