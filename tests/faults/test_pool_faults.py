"""Valkey killed, hung, emptied, read-only, full, set back and failed over under payments that draw from a budget.

Each time no fen too many is spent, nobody is refused while PostgreSQL has the money, no payment waits long, and once
the fault is over the pool serves from Valkey again and the budget is spent to the last fen.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import pytest
import redis

from gateway.database.pool import open_pool
from gateway.devstack.folders import private_folder, socket_folder
from gateway.devstack.valkey import Valkey as ValkeyServer
from promotions.budget import reconciling
from promotions.budget.keeping import Keeping
from promotions.budget.loading import state_of
from tests.support.lengths import cases, fault_name
from tests.support.pool_load import PoolLoad
from tests.support.pool_town import PoolTown, Process
from tests.support.rows import settings
from tests.support.valkey_cluster import ClusterNode, valkey_cluster
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

_BUDGET_FEN: Final = 150_000
_SLICES: Final = 2
_SLOWEST_S: Final = 2.5
"""Of any payment during a fault: a time-out of Valkey (twice 0.25 s), a search, and this machine."""


@dataclass(frozen=True, slots=True)
class Server:
    """The Valkey of a test, and its files."""

    valkey: ValkeyServer
    folder: Path

    @property
    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.valkey.url(), socket_timeout=5)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.valkey.child.stop(signal.SIGKILL, timeout_s=5)

    async def start(self) -> None:
        self.valkey.start()
        await asyncio.to_thread(self.valkey.wait_ready)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A durable Valkey of the test's own."""
    folder = tmp_path / "valkey"
    valkey = ValkeyServer(folder, socket_folder(private_folder(tmp_path)), tmp_path / "valkey.log")
    valkey.start()
    valkey.wait_ready()
    yield Server(valkey, folder)
    valkey.stop()


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await open_pool(settings(database_url), size=12)
    yield opened
    await opened.close()


async def kill_it(server: Server) -> None:
    """It comes back a second later with what its file has."""
    server.kill()
    await asyncio.sleep(1.0)
    await server.start()


async def kill_it_and_lose_its_file(server: Server) -> None:
    server.kill()
    shutil.rmtree(server.folder / "appendonlydir")
    await asyncio.sleep(1.0)
    await server.start()


async def hang_it(server: Server) -> None:
    """SIGSTOP for longer than a heartbeat may be late."""
    server.valkey.child.send(signal.SIGSTOP)
    await asyncio.sleep(5.0)
    server.valkey.child.send(signal.SIGCONT)


async def empty_it(server: Server) -> None:
    with server.client as client:
        client.flushall()


async def make_it_forget_its_scripts(server: Server) -> None:
    with server.client as client:
        client.script_flush()


async def make_it_read_only(server: Server) -> None:
    with server.client as client:
        client.replicaof("127.0.0.1", 1)
        await asyncio.sleep(2.0)
        client.replicaof("NO", "ONE")


async def fill_its_memory(server: Server) -> None:
    with server.client as client:
        client.config_set("maxmemory", "1")
        await asyncio.sleep(2.0)
        client.config_set("maxmemory", "0")


async def set_it_back(server: Server) -> None:
    """What a failover that lost writes looks like: the state of three seconds ago is there again."""
    older = server.folder.parent / "older"
    with server.client as client:
        await eventually(lambda: _written(client))
    shutil.copytree(server.folder / "appendonlydir", older)
    await asyncio.sleep(3.0)
    server.kill()
    shutil.rmtree(server.folder / "appendonlydir")
    shutil.copytree(older, server.folder / "appendonlydir")
    await server.start()


async def _written(client: redis.Redis) -> bool:
    return client.info("persistence")["aof_rewrite_in_progress"] == 0


FAULTS: Final[dict[Callable[[Server], Awaitable[None]], str | None]] = {
    kill_it: "run_id_changed",
    kill_it_and_lose_its_file: "lost",
    hang_it: "behind",
    empty_it: "lost",
    make_it_forget_its_scripts: None,
    make_it_read_only: None,
    fill_its_memory: None,
    set_it_back: "run_id_changed",
}
"""Each with why a new epoch begins, if one does: a server that takes no writes for two seconds loses none."""


@pytest.mark.parametrize("fault", cases(FAULTS, [kill_it, empty_it, set_it_back], fault_name))
async def test_no_fault_of_valkey_overspends_or_refuses_for_its_own_sake(
    fault: Callable[[Server], Awaitable[None]], server: Server, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "LIVES_GENERATIONS", 5)
    async with running_town(pool, server.valkey.url()) as (town, load):
        epoch = (await state_of(pool)).epoch
        await under_load(load, lambda: fault(server))
        await serves_again(load)
        now = await pool.fetchrow("SELECT epoch, reason FROM pool_state")
        expected = FAULTS[fault]
        if expected or now["epoch"] > epoch:  # a busy machine can put a heartbeat off for as long as a hang would
            assert now["epoch"] > epoch
            assert now["reason"] in {expected, "behind"}
        await is_spent_to_the_last_fen(town, load)


async def test_a_master_of_a_cluster_dies_and_its_replica_goes_on(
    tmp_path: Path, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "LIVES_GENERATIONS", 5)
    with valkey_cluster(tmp_path) as cluster:
        async with running_town(pool, cluster.url) as (town, load):
            epoch = (await state_of(pool)).epoch

            async def kill_one_master() -> None:
                victim: ClusterNode = (await asyncio.to_thread(cluster.masters))[0]
                await asyncio.to_thread(victim.child.stop, signal.SIGKILL, timeout_s=5)
                await eventually(lambda: has_three_masters_without(victim))

            async def has_three_masters_without(victim: ClusterNode) -> bool:
                masters = await asyncio.to_thread(cluster.masters)
                return victim not in masters and len(masters) == 3

            await under_load(load, kill_one_master)
            await serves_again(load)
            row = await pool.fetchrow("SELECT epoch > $1, reason FROM pool_state", epoch)
            assert row[0]
            assert row["reason"] in {"run_id_changed", "behind"}
            await is_spent_to_the_last_fen(town, load)


class running_town:  # noqa: N801  used as a function
    """A campaign with a budget, two processes that follow the pool, and a worker that keeps it."""

    def __init__(self, pool: asyncpg.Pool, redis_url: str) -> None:
        self._pool = pool
        self._redis_url = redis_url
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> tuple[PoolTown, PoolLoad]:
        await self._pool.execute("TRUNCATE campaign_slices, redemptions; UPDATE campaigns SET status = 'ended'")
        self._town = town = await PoolTown.found(self._pool, self._redis_url)
        campaign = await town.campaign(*[_BUDGET_FEN // _SLICES] * _SLICES)
        await town.beat()
        await town.load(campaign)
        processes: list[Process] = [await town.process(own=number) for number in range(2)]
        loops = [Keeping(self._pool, town.valkey).run(), *(process.following.run() for process in processes)]
        self._tasks = [asyncio.create_task(loop) for loop in loops]
        load = PoolLoad(town, processes, campaign, _SLICES)
        await serves_again(load)
        return town, load

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._town.aclose()


async def under_load(load: PoolLoad, fault: Callable[[], Awaitable[None]]) -> None:
    """A second of payments, the fault, and a second more."""
    is_over = asyncio.Event()
    paying = asyncio.create_task(load.run_until(is_over))
    try:
        await asyncio.sleep(1.0)
        before, began = load.payments, time.monotonic()
        await fault()
        assert load.payments - before >= 20 * int(time.monotonic() - began)  # payments went on meanwhile
        await asyncio.sleep(1.0)
    finally:
        is_over.set()
        await paying


async def serves_again(load: PoolLoad) -> None:
    """Wait until every process draws from Valkey."""

    async def from_valkey() -> bool:
        before = load.in_pool
        for process in load.processes:
            await load.pay(process, 10)
        return load.in_pool == before + len(load.processes)

    await eventually(from_valkey)


async def is_spent_to_the_last_fen(town: PoolTown, load: PoolLoad) -> None:
    """Nothing was refused wrongly; then the rest is spent, and PostgreSQL counts what the payments got."""
    assert load.wrongly_refused == []
    assert load.slowest_s < _SLOWEST_S
    assert await load.left_fen() > 0

    async def is_spent() -> bool:
        """Reservations of payments that Valkey's answer never reached expire first."""
        await load.drain()
        return await load.left_fen() == 0

    await eventually(is_spent)
    row = await town.database.fetchrow(
        "SELECT sum(granted), sum(used), (SELECT sum(discount) FROM redemptions WHERE campaign_id = $1)"
        " FROM campaign_slices WHERE campaign_id = $1",
        load.campaign,
    )
    assert tuple(row) == (_BUDGET_FEN, _BUDGET_FEN, load.spent_fen)
