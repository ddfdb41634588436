"""PostgreSQL and Valkey stopped, killed, frozen and emptied under load: nothing is charged twice, lost or left open.

The servers are the module's own and durable.  The gateway is never restarted.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import psutil
import pytest
import pytest_asyncio
import redis

from tests.faults.conftest import FAULT_SETTINGS
from tests.support.audits import audit_here
from tests.support.book import ClientBook, PatientTill
from tests.support.channels import Simulators
from tests.support.doors import Door, Doors
from tests.support.gateway import GatewayStack, kill, start_gateway
from tests.support.lengths import cases, fault_name
from tests.support.load import Load
from tests.support.servers import TestServers, start_servers
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_PER_S: Final = 60
_FROZEN_S: Final = 3.0
_SETTINGS: Final = {**FAULT_SETTINGS, "MASHANG_CHANNEL_TIMEOUT_S": "3", "MASHANG_SEND_WITHIN_S": "5"}
"""The channels are not the fault here: a busy machine must not look like one."""
_Fault = Callable[["Stores", Load], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Stores:
    """The module's servers; the gateways reach PostgreSQL through the door, the test goes past it."""

    servers: TestServers
    postgres_door: Door
    url_through_door: str
    database_url: str
    redis_url: str

    @property
    def valkey(self) -> redis.Redis:
        """A client of Valkey; close it."""
        return redis.Redis.from_url(self.redis_url, socket_timeout=5)

    def processes_of_postgres(self) -> list[psutil.Process]:
        """The server and all its back-ends."""
        server = psutil.Process(self.servers.postgres.child.pid)
        return [server, *server.children(recursive=True)]

    async def start_postgres(self) -> None:
        """Start it again and wait until it answers, its recovery included."""
        self.servers.postgres.start()
        await asyncio.to_thread(self.servers.postgres.wait_ready)

    async def start_valkey(self) -> None:
        """Start it again and wait until it answers."""
        self.servers.valkey.start()
        await asyncio.to_thread(self.servers.valkey.wait_ready)


@pytest.fixture(scope="module")
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServers]:
    """Durable servers that this module may kill."""
    with start_servers(tmp_path_factory.mktemp("own-servers"), durable=True) as servers:
        servers.migrate_template()
        yield servers


@pytest.fixture(scope="module")
def database_url(own_servers: TestServers) -> str:
    """A database on them."""
    return own_servers.clone_database()


@pytest.fixture(scope="module")
def stores(own_servers: TestServers, doors: Doors, database_url: str) -> Stores:
    """The servers with a door before PostgreSQL."""
    door, through = doors.before_postgres(database_url)
    return Stores(own_servers, door, through, database_url, own_servers.empty_redis())


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, stores: Stores, simulators: Simulators) -> Iterator[GatewayStack]:
    """Two gateway processes and a worker."""
    folder = tmp_path_factory.mktemp("stack")
    address = stores.url_through_door
    with start_gateway(folder, address, stores.redis_url, simulators, gateways=2, settings=_SETTINGS) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def load(till: PatientTill) -> Load:
    """Load over both gateways."""
    till.told.clear()
    return Load(till, _PER_S)


async def _stop_postgres_at_once(stores: Stores, load: Load) -> None:
    stores.servers.postgres.stop_at_once()
    await until(lambda: not stores.servers.postgres.child.running)
    await stores.start_postgres()


async def _stop_postgres_fast(stores: Stores, load: Load) -> None:
    stores.servers.postgres.child.send(signal.SIGINT)
    await until(lambda: not stores.servers.postgres.child.running)
    begun = load.begun
    await until(lambda: load.begun > begun + 60)  # a second without a database
    await stores.start_postgres()


async def _kill_postgres(stores: Stores, load: Load) -> None:
    kill(stores.servers.postgres.child)
    await stores.start_postgres()


async def _kill_a_back_end_in_a_commit(stores: Stores, load: Load) -> None:
    """PostgreSQL ends all other back-ends and recovers when one of them is killed."""
    connection = await asyncpg.connect(stores.database_url)
    try:
        victim = None
        while victim is None:
            victim = await connection.fetchval(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'mashang' AND state = 'active'"
                " AND query LIKE '-- Commits a batch%' LIMIT 1"
            )
        psutil.Process(victim).kill()
        await until(connection.is_closed)  # it has ended every back-end, this one too
    finally:
        connection.terminate()
    await asyncio.to_thread(stores.servers.postgres.wait_ready)


async def _terminate_every_back_end(stores: Stores, load: Load) -> None:
    connection = await asyncpg.connect(stores.database_url)
    try:
        for _ in range(5):
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mashang'"
            )
            await load.wait_for(5)
    finally:
        await connection.close()


async def _freeze_postgres(stores: Stores, load: Load) -> None:
    frozen = stores.processes_of_postgres()
    for process in frozen:
        process.suspend()
    try:
        thaw_s = time.monotonic() + _FROZEN_S
        await until(lambda: time.monotonic() > thaw_s)
    finally:
        for process in reversed(frozen):
            process.resume()


async def _break_every_connection(stores: Stores, load: Load) -> None:
    """The fate of every commit under way becomes unknown."""
    for _ in range(10):
        stores.postgres_door.reset()
        await load.wait_for(5)


@pytest.mark.parametrize(
    "fault",
    cases(
        [
            _stop_postgres_at_once,
            _stop_postgres_fast,
            _kill_postgres,
            _kill_a_back_end_in_a_commit,
            _terminate_every_back_end,
            _freeze_postgres,
            _break_every_connection,
        ],
        [_kill_postgres, _kill_a_back_end_in_a_commit],
        fault_name,
    ),
)
async def test_no_payment_is_lost_or_charged_twice_when_postgresql_goes(
    stack: GatewayStack, stores: Stores, load: Load, book: ClientBook, fault: _Fault
) -> None:
    async with load.running():
        await load.wait_for(20)
        await fault(stores, load)
        after = await load.new_sales(60)
    assert {sale.payment["status"] for sale in load.sales} <= {"succeeded", "failed", "reversed"}
    failures = [sale.payment["failure"] for sale in after if sale.payment["status"] != "succeeded"]
    assert failures == [], "back without a restart"
    assert set(load.till.told) <= {"200", "201", "503"}, load.till.told
    assert all(child.running for child in (*stack.gateways, *stack.workers))
    await _nothing_is_charged_without_an_intent(stack, stores)
    await _is_clean(stack, stores, book)


async def _kill_valkey(stores: Stores, load: Load) -> None:
    kill(stores.servers.valkey.child)
    await load.wait_for(60)
    await stores.start_valkey()


async def _freeze_valkey(stores: Stores, load: Load) -> None:
    process = psutil.Process(stores.servers.valkey.child.pid)
    process.suspend()
    try:
        await load.wait_for(60)
    finally:
        process.resume()


async def _flush_valkey(stores: Stores, load: Load) -> None:
    with stores.valkey as client:
        for _ in range(10):
            client.flushall()
            await load.wait_for(6)


async def _forget_scripts(stores: Stores, load: Load) -> None:
    with stores.valkey as client:
        for _ in range(10):
            client.script_flush()
            await load.wait_for(6)


async def _make_valkey_read_only(stores: Stores, load: Load) -> None:
    with stores.valkey as client:
        client.replicaof("127.0.0.1", "1")
        try:
            await load.wait_for(60)
        finally:
            client.replicaof("NO", "ONE")


async def _fill_valkey(stores: Stores, load: Load) -> None:
    with stores.valkey as client:
        client.config_set("maxmemory", 1)
        try:
            await load.wait_for(60)
        finally:
            client.config_set("maxmemory", 0)


@pytest.mark.parametrize(
    "fault",
    cases(
        [_kill_valkey, _freeze_valkey, _flush_valkey, _forget_scripts, _make_valkey_read_only, _fill_valkey],
        [_kill_valkey, _flush_valkey],
        fault_name,
    ),
)
async def test_payments_go_on_whatever_becomes_of_valkey(
    stack: GatewayStack, stores: Stores, load: Load, book: ClientBook, fault: _Fault
) -> None:
    async with load.running():
        await load.wait_for(20)
        from_s = time.monotonic()
        await fault(stores, load)
        during = load.within(from_s, time.monotonic())
        await load.wait_for(20)
    assert len(during) >= 40, "payments begun and ended while the fault was in force"
    assert {sale.payment["status"] for sale in load.sales} == {"succeeded"}
    assert set(load.till.told) == {"201"}, "no till noticed"
    await _is_clean(stack, stores, book)


async def _nothing_is_charged_without_an_intent(stack: GatewayStack, stores: Stores) -> None:
    connection = await asyncpg.connect(stores.database_url)
    try:
        known = {row["id"] for row in await connection.fetch("SELECT id FROM payments")}
    finally:
        await connection.close()
    trades = [trade for channel in stack.simulators.base_urls for trade in stack.simulators.trades(channel)]
    assert trades
    assert {f"pay_{trade['order_no'][:26]}" for trade in trades} <= known


async def _is_clean(stack: GatewayStack, stores: Stores, book: ClientBook) -> None:
    await audit_here(stores.database_url, stack.simulators, book)
