"""An upgrade at noon: a migration, new processes beside the old ones, the old ones drained, and no request fails.

`make upgrade-try` does the same from an older revision of the code; here both sides are this code, and the schema gets
what a migration usually brings: a column of the payments, and an index of theirs.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway.database import migrate as migrating
from gateway.database.migrate import Migration, migrate, migrations
from gateway.processes.children import Child
from gateway.processes.sockets import listen, port_of
from loadtests.upgrade.balancer import Backend, Balancer
from loadtests.upgrade.load import Load, worst
from tests.support.audits import audit_command
from tests.support.book import ClientBook
from tests.support.gateway import GatewayStack
from tests.support.preloaded import PreloadedChild
from tests.support.till import WALLETS
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

PER_S = 40
DRAIN_S = 60
"""Never over by itself, however busy the machine is: a second SIGTERM ends it once the balancer has turned away."""
NUMBER = len(migrations())
COLUMN = Migration(NUMBER + 1, f"{NUMBER + 1:04d}_note.sql", "ALTER TABLE payments ADD COLUMN note text")
INDEX = Migration(
    NUMBER + 2,
    f"{NUMBER + 2:04d}_notes.sql",
    "-- outside transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS payments_by_note ON payments (merchant_id, note)",
)


@pytest.fixture(scope="module")
def stack_options() -> Mapping[str, Any]:
    """Two gateways that drain until told otherwise, on a machine that may be busy: channels may be slow, too."""
    settings = {"MASHANG_DRAIN_S": str(DRAIN_S), "MASHANG_CHANNEL_TIMEOUT_S": "8", "MASHANG_SEND_WITHIN_S": "8"}
    return {"settings": settings, "gateways": 2}


@dataclass(slots=True)
class Fleet:
    """Gateways and workers of both sides, behind one balancer."""

    stack: GatewayStack
    ended: ExitStack
    balancer: Balancer = field(default_factory=Balancer)
    gateways: dict[str, Child] = field(default_factory=dict)

    def add(self, child: Child, port: int) -> Backend:
        """Let the balancer know it."""
        self.gateways[child.command.name] = child
        return self.balancer.add(Backend(child.command.name, port))

    async def start(self, names: Sequence[str]) -> None:
        """Gateways more, once the balancer has seen them ready."""
        added: list[Backend] = []
        for name in names:
            with listen(0) as free:
                port = port_of(free)
            added.append(self.add(self._started(self.stack.gateways[0], name, "serve", "--port", str(port)), port))
        children = [self.gateways[name] for name in names]
        await until(
            lambda: all(backend.is_ready for backend in added) or not all(child.running for child in children),
            timeout_s=60,
        )
        for child in children:
            child.require_running()

    async def drain(self, names: Sequence[str]) -> None:
        """SIGTERM to these, again once the balancer has turned away, and see them gone in order."""
        leaving = [backend for backend in self.balancer.backends if backend.name in names]
        for name in names:
            self.gateways[name].send(signal.SIGTERM)
        await until(lambda: not any(backend.is_ready for backend in leaving), timeout_s=30)
        for name in names:
            assert self.gateways[name].running, "it drains for as long as it is told to"
            self.gateways[name].send(signal.SIGTERM)
        for name in names:
            await self._gone(name, signal.SIGTERM)

    async def kill(self, name: str) -> None:
        """SIGKILL; the balancer finds out by itself."""
        self.gateways[name].send(signal.SIGKILL)
        await self._gone(name, signal.SIGKILL)

    async def _gone(self, name: str, number: signal.Signals) -> None:
        child = self.gateways.pop(name)
        await until(lambda: not child.running, timeout_s=60)
        assert child.exit_status == -number
        self.balancer.remove(name)

    async def swap_worker(self) -> None:
        """A new worker beside the one that runs, which then stops."""
        [before] = self.stack.workers
        new = self._started(before, "worker-new", "worker")
        await until(lambda: not new.running or "worker started" in self.stack.log_of(new), timeout_s=60)
        new.require_running()
        before.send(signal.SIGTERM)
        await until(lambda: not before.running, timeout_s=60)
        assert before.exit_status == 0

    def _started(self, like: Child, name: str, *command: str) -> Child:
        assert like.command.log is not None
        line = (*like.command.arguments[:3], *command)
        log = like.command.log.with_name(f"{name}.log")
        child = PreloadedChild(replace(like.command, name=name, arguments=line, log=log, inherited_fds=()))
        child.start()
        self.ended.callback(child.stop, signal.SIGINT, timeout_s=30)  # which asks for no drain
        return child


@pytest.fixture(scope="module")
def fleet(stack: GatewayStack) -> Iterator[Fleet]:
    """The stack's two gateways to begin with."""
    for wallet in WALLETS:
        stack.simulators.set_faults(wallet, latency_ms={"min": 20, "max": 300})
    with ExitStack() as ended:
        made = Fleet(stack, ended)
        for child, url in zip(stack.gateways, stack.urls, strict=True):
            made.add(child, int(url.rpartition(":")[2]))
        yield made


async def test_an_upgrade_under_load_fails_no_request(
    fleet: Fleet, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = [*migrations(), COLUMN, INDEX]
    monkeypatch.setattr(migrating, "migrations", lambda: together)
    load = Load(fleet.balancer, fleet.stack.shop.key.secret, tmp_path / "clients.jsonl")
    old = list(fleet.gateways)
    async with fleet.balancer.probing():
        await until(lambda: all(backend.is_ready for backend in fleet.balancer.backends))
        async with load.running(PER_S):
            await _sold(load, PER_S)
            assert await migrate(database_url) == [COLUMN.name, INDEX.name]
            await _sold(load, PER_S // 2)
            await fleet.start(["gateway-new-1", "gateway-new-2"])
            await fleet.drain(old)
            await fleet.swap_worker()
            await _sold(load, PER_S)
    assert not load.failures, list(worst(load.failures))
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'payments_by_note'::regclass")
    assert await connection.fetchval("SELECT count(*) FROM payments WHERE status = 'succeeded'") == len(load.sold)
    await connection.close()
    await _audited(fleet, database_url, load)


async def test_a_gateway_that_is_killed_instead_of_drained_is_noticed(
    fleet: Fleet, database_url: str, tmp_path: Path
) -> None:
    load = Load(fleet.balancer, fleet.stack.shop.key.secret, tmp_path / "clients.jsonl")
    async with fleet.balancer.probing():
        await until(lambda: all(backend.is_ready for backend in fleet.balancer.backends))
        async with load.running(PER_S):
            await _sold(load, PER_S)
            await fleet.kill(next(iter(fleet.gateways)))
            await _sold(load, PER_S)
    assert load.failures, "were this not seen, neither would be what the upgrade loses"
    assert all(failure.startswith("no answer") for failure in load.failures), list(worst(load.failures))


async def _sold(load: Load, more: int) -> None:
    wanted = len(load.sold) + more
    await until(lambda: len(load.sold) >= wanted, timeout_s=60)


async def _audited(fleet: Fleet, database_url: str, load: Load) -> None:
    book = ClientBook(load.book)
    book.lines = len(load.sold)
    await audit_command(database_url, fleet.stack.simulators, book)
    book.close()
