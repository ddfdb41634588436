"""The whole service for tests: simulators, gateway processes and workers on a test module's own stores.

    with start_simulators(folder, keys) as simulators:
        with start_gateway(folder, database_url, redis_url, simulators, gateways=2) as stack:
            async with stack.till() as till:
                payment = await till.paid("wechat")

Every process is a handle (`gateways`, `workers`, `simulators.children`): `kill(child)`, `stack.restart(child)`.
"""

from __future__ import annotations

import base64
import os
import secrets
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx

from gateway.devstack.seed import seed_accounts
from gateway.kernel.secrets import Vault
from gateway.merchants.store import ALL_SCOPES, NewKey, Scope, create_key, create_merchant
from gateway.processes.children import Child, Command
from gateway.processes.sockets import listen, port_of
from tests.support.channels import QUICK_RHYTHM, Simulators, wait_until_answers
from tests.support.preloaded import PreloadedChild
from tests.support.servers import run_aside
from tests.support.till import Till

QUICK_SETTINGS: Final[Mapping[str, str]] = {
    "MASHANG_CHANNEL_TIMEOUT_S": "1.5",
    "MASHANG_SEND_WITHIN_S": "2",
    "MASHANG_NOT_CREATED_AFTER_S": "1",
    "MASHANG_PAY_UNTIL_MARGIN_S": "0.5",
    "MASHANG_RECOVERY_INTERVAL_S": "0.1",
    "MASHANG_LOG_JSON": "true",
}
"""Windows of seconds instead of minutes; what a test overrides goes over these."""
NOBODY: Final = "http://127.0.0.1:1/callbacks"
"""An address of this machine at which nobody listens."""
_STOP_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Shop:
    """A merchant with one key."""

    id: str
    key: NewKey = field(repr=False)


@dataclass(slots=True)
class GatewayStack:
    """The running service.  Gateway process number n answers at `urls[n]`, whoever else is dead."""

    simulators: Simulators
    database_url: str
    redis_url: str
    environment: Mapping[str, str] = field(repr=False)
    urls: Sequence[str] = ()
    gateways: Sequence[Child] = ()
    workers: Sequence[Child] = ()
    shop: Shop = field(init=False)
    _client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=5, trust_env=False))

    @property
    def url(self) -> str:
        """The first gateway process."""
        return self.urls[0]

    @property
    def admin_token(self) -> str:
        """The bearer token of the admin API."""
        return self.environment["MASHANG_ADMIN_TOKEN"]

    @property
    def vault(self) -> Vault:
        """The installation's keys, for tests that look at what is stored."""
        return Vault(base64.b64decode(self.environment["MASHANG_MASTER_KEY"]))

    def till(self, shop: Shop | None = None, *, gateway: int = 0, key: str | None = None) -> Till:
        """A till of a shop (the stack's own by default) that talks to one of the gateway processes."""
        return Till(self.urls[gateway], key or (shop or self.shop).key.secret)

    def admin(self, *, gateway: int = 0) -> httpx.AsyncClient:
        """A client of the admin API."""
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        return httpx.AsyncClient(base_url=self.urls[gateway], headers=headers, timeout=30, trust_env=False)

    def new_shop(self, name: str = "test shop") -> Shop:
        """A new merchant with a key that may do everything."""

        async def make() -> Shop:
            connection = await asyncpg.connect(self.database_url)
            try:
                created = await create_merchant(connection, self.vault, name)
                return Shop(created.merchant.id, await create_key(connection, self.vault, created.merchant.id))
            finally:
                await connection.close()

        return run_aside(make)

    def new_key(self, shop: Shop, scopes: frozenset[Scope] = ALL_SCOPES) -> NewKey:
        """One more key of that merchant."""

        async def make() -> NewKey:
            connection = await asyncpg.connect(self.database_url)
            try:
                return await create_key(connection, self.vault, shop.id, scopes)
            finally:
                await connection.close()

        return run_aside(make)

    def restart(self, child: Child) -> None:
        """Start a dead gateway or worker again on the same socket, and wait until a gateway answers."""
        child.start()
        if child in self.gateways:
            self.wait_ready(child)

    def wait_ready(self, child: Child) -> None:
        """Wait until that gateway process takes payments."""
        wait_until_answers(self._client, f"{self.urls[self.gateways.index(child)]}/readyz", child)

    def log_of(self, child: Child) -> str:
        """All that a process has logged."""
        assert child.command.log is not None
        return child.command.log.read_text("utf-8")

    def close(self) -> None:
        """Close what this handle itself holds open."""
        self._client.close()


def kill(child: Child) -> None:
    """SIGKILL, and wait until the process is gone."""
    child.send(signal.SIGKILL)
    assert child.wait(_STOP_S)


@contextmanager
def start_gateway(
    folder: Path,
    database_url: str,
    redis_url: str,
    simulators: Simulators,
    *,
    gateways: int = 1,
    workers: int = 1,
    rhythm: Mapping[str, Any] | None = QUICK_RHYTHM,
    settings: Mapping[str, str] | None = None,
    callbacks: bool = False,
) -> Iterator[GatewayStack]:
    """Seed accounts and a shop, start the processes, and wait until every gateway takes payments (some 1.5 s).

    The service's public address is the first gateway's.  With `callbacks` the channels tell it what happens; without,
    they tell nobody, and everything comes to its end by asking them.
    """
    environment = _environment(folder, database_url, redis_url) | dict(settings or {})
    with ExitStack() as stack:
        running = GatewayStack(simulators, database_url, redis_url, environment)
        stack.callback(running.close)
        listeners = [stack.enter_context(listen(0)) for _ in range(gateways)]
        running.urls = [f"http://127.0.0.1:{port_of(listener)}" for listener in listeners]
        environment.setdefault("MASHANG_PUBLIC_URL", running.url)
        _seed(running, rhythm, {} if callbacks else {"notify_url": NOBODY})
        running.gateways = [
            _start(stack, folder, f"gateway-{number}", environment, "serve", "--fd", listener.fileno())
            for number, listener in enumerate(listeners)
        ]
        running.workers = [
            _start(stack, folder, f"worker-{number}", environment, "worker") for number in range(workers)
        ]
        for child in running.gateways:
            running.wait_ready(child)
        yield running


def _environment(folder: Path, database_url: str, redis_url: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}
    return inherited | {
        "MASHANG_DATABASE_URL": database_url,
        "MASHANG_REDIS_URL": redis_url,
        "MASHANG_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "MASHANG_ADMIN_TOKEN": f"adm_test_{secrets.token_urlsafe(24)}",
        "MASHANG_METRICS_DIR": str(_made(folder / "metrics")),
        **QUICK_SETTINGS,
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _seed(running: GatewayStack, rhythm: Mapping[str, Any] | None, more: Mapping[str, Any]) -> None:
    """The channels' accounts with these settings more, and a shop."""
    accounts = [
        replace(account, settings={**account.settings, **more}) for account in running.simulators.accounts_with(rhythm)
    ]

    async def write() -> None:
        connection = await asyncpg.connect(running.database_url)
        try:
            await seed_accounts(connection, running.vault, accounts)
        finally:
            await connection.close()

    run_aside(write)
    running.shop = running.new_shop()


def _start(
    stack: ExitStack, folder: Path, name: str, environment: Mapping[str, str], command: str, *arguments: str | int
) -> Child:
    """A process of `mashang`; the last argument is the socket it inherits, if it takes one."""
    fds = tuple(argument for argument in arguments if isinstance(argument, int))
    line = (sys.executable, "-m", "gateway.cli", command, *map(str, arguments))
    child = PreloadedChild(Command(name, line, _made(folder) / f"{name}.log", environment, fds))
    child.start()
    stack.callback(_stop, child)
    return child


def _stop(child: Child) -> None:
    if child.running:
        child.send(signal.SIGCONT)
        child.stop(signal.SIGTERM, timeout_s=_STOP_S)
