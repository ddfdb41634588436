"""The doctor before real servers: what is planted is found, what is well is not complained of, nothing is changed."""

from __future__ import annotations

import base64
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
import redis

from gateway.database.partitions import month_start
from gateway.doctor.finding import Area, Finding, Standing
from gateway.doctor.gathering.connection import looking
from gateway.doctor.gathering.postgresql import gather_postgresql
from gateway.doctor.running import Visit, visit
from gateway.kernel.clock import utc_now
from gateway.kernel.secrets import Vault
from gateway.merchants.store import create_key, create_merchant
from gateway.settings import Settings
from routing.accounts.store import save_account
from routing.channels.base import Wallet
from tests.support.servers import TestServers, run_aside
from tests.support.tls_hosts import made_pair, tls_host
from tests.support.valkey_cluster import valkey_cluster

Look = Callable[..., dict[str, Finding]]
_WELL: Final = (
    "postgresql.version",
    "postgresql.schema",
    "postgresql.partitions",
    "postgresql.clock",
    "valkey.version",
    "valkey.eviction",
    "valkey.clock",
    "books.unresolved",
    "machine.time_zones",
)


@pytest.fixture(scope="module")
def settings(database_url: str, redis_url: str) -> Settings:
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        master_key=base64.b64encode(secrets.token_bytes(32)).decode(),
        admin_token=secrets.token_hex(32),
        public_url="http://127.0.0.1:1",
        log_json=True,
    )


@pytest.fixture(scope="module")
def look(settings: Settings) -> Look:
    """The findings by name, of the module's stores or of others."""

    kept = settings.model_dump(exclude={"environment"})

    def looked(**changes: Any) -> dict[str, Finding]:
        wanted = {name: changes.pop(name) for name in ("trust", "timeout_s") if name in changes}
        return by_name(visit(replace(Visit(Settings(**kept | changes)), **wanted)))

    return looked


def by_name(found: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in found}


def run_on(url: str, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    run_aside(run)


def save(settings: Settings, account_id: str, channel: str, wallet: Wallet, values: dict[str, Any]) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(settings.database_url.get_secret_value())
        try:
            vault = Vault(settings.master_key_bytes)
            await save_account(connection, vault, account_id, channel=channel, wallets=[wallet], settings=values)
        finally:
            await connection.close()

    run_aside(run)


@contextmanager
def configured(url: str, **changes: str) -> Iterator[None]:
    """Valkey with other parameters, until the block ends."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        names = {name: name.replace("_", "-") for name in changes}
        before = {named: client.config_get(named)[named] for named in names.values()}
        for name, value in changes.items():
            client.config_set(names[name], value)
        try:
            yield
        finally:
            for named, value in before.items():
                client.config_set(named, value)


def test_what_the_tests_servers_lack_is_found_and_what_they_have_is_ok(look: Look) -> None:
    found = look()
    assert found["postgresql.fsync"].standing is Standing.PROBLEM
    assert found["postgresql.full_page_writes"].standing is Standing.PROBLEM
    assert found["postgresql.standby"].standing is Standing.PROBLEM
    assert found["postgresql.archive"].standing is Standing.WARNING
    assert found["valkey.appendonly"].standing is Standing.PROBLEM
    assert found["worker.heartbeat"].told == "no worker has run on this database yet"
    for name in _WELL:
        assert found[name].standing is Standing.OK, found[name]
    assert "valkey.scripts" not in found
    assert {finding.area for finding in found.values()} == set(Area)


def test_eviction_and_an_append_only_file_that_is_there_are_seen(look: Look, redis_url: str) -> None:
    with configured(redis_url, maxmemory_policy="allkeys-lru", appendonly="yes", maxmemory="2gb"):
        found = look()
    assert (found["valkey.eviction"].standing, "allkeys-lru" in found["valkey.eviction"].told) == (
        Standing.PROBLEM,
        True,
    )
    assert found["valkey.appendonly"].standing is Standing.OK
    assert found["valkey.memory"].standing is Standing.OK


def test_an_old_schema_and_a_month_without_partitions_are_problems(look: Look, migrated_servers: TestServers) -> None:
    url = migrated_servers.clone_database()
    month = f"payments_{month_start(utc_now(), 1):%Y_%m}"
    newest = "(SELECT max(number) FROM schema_migrations)"
    run_on(url, f"DELETE FROM schema_migrations WHERE number = {newest}", f"DROP TABLE {month}")
    found = look(database_url=url)
    migrated_servers.drop_database(url)
    assert (found["postgresql.schema"].standing, found["postgresql.schema"].advice) == (
        Standing.PROBLEM,
        "Run: mashang migrate",
    )
    assert month in found["postgresql.partitions"].told


async def test_an_idle_transaction_is_seen_while_it_is_open(settings: Settings) -> None:
    async def idle_s() -> float:
        async with looking(settings) as connection:
            return (await gather_postgresql(connection, settings, 2)).idle_in_transaction_s

    other = await asyncpg.connect(settings.database_url.get_secret_value())
    assert await idle_s() == 0
    await other.execute("BEGIN")
    assert await idle_s() > 0
    await other.close()


def test_a_wrong_master_key_opens_nothing_and_the_right_one_everything(look: Look, settings: Settings) -> None:
    save(settings, "front", "qra", Wallet.WECHAT, {"base_url": "https://localhost:1", "mch_id": "1", "key": "k"})
    assert look()["keys.master_key"].standing is Standing.OK
    other = look(master_key=base64.b64encode(secrets.token_bytes(32)).decode())
    assert other["keys.master_key"].standing is Standing.PROBLEM
    assert "does not open" in other["channels.account.front"].told


def test_a_channels_certificate_and_clock_are_seen(look: Look, settings: Settings, tmp_path: Path) -> None:
    def found_at(days_left: float, clock_offset_s: float) -> dict[str, Finding]:
        pair = made_pair(days_left)
        with tls_host(tmp_path / str(days_left), pair, clock_offset_s=clock_offset_s) as host:
            name = host.url.removeprefix("https://")
            values = {"base_url": f"{host.url}/pay/gateway", "mch_id": "1", "key": "k"}
            save(settings, "front", "qra", Wallet.WECHAT, values)
            found = look(trust=host.trust)
        return {check.replace(name, "HOST"): finding for check, finding in found.items()}

    good = found_at(90, 0)
    assert good["channels.host.HOST"].standing is Standing.OK
    assert "channels.host.HOST.clock" not in good
    assert found_at(20, 60)["channels.host.HOST.clock"].standing is Standing.WARNING
    assert found_at(20.5, 0)["channels.host.HOST"].standing is Standing.WARNING
    ended = found_at(-1, 0)["channels.host.HOST"]
    assert (ended.standing, "certificate has expired" in ended.told) == (Standing.PROBLEM, True)


def test_an_accounts_own_certificate_that_ended_is_a_problem(look: Look, settings: Settings) -> None:
    pair = made_pair(-3)
    urls = dict.fromkeys(("back_trans_url", "query_trans_url"), "https://localhost:1/x")
    certificates = dict.fromkeys(
        ("signing_certificate_pem", "root_certificate_pem", "middle_certificate_pem"), pair.certificate_pem
    )
    keys = {"signing_private_key_pem": pair.key_pem, "mer_id": "777", "sign_method": "01"}
    save(settings, "direct", "unionpay", Wallet.UNIONPAY, {**urls, **certificates, **keys})
    found = look()["channels.account.direct.signing_certificate_pem"]
    assert (found.standing, "ended 3 days ago" in found.told) == (
        Standing.PROBLEM,
        True,
    )


def test_the_demos_merchants_and_a_worker_that_is_gone_are_problems(look: Look, settings: Settings) -> None:
    async def make() -> str:
        connection = await asyncpg.connect(settings.database_url.get_secret_value())
        try:
            created = await create_merchant(connection, Vault(settings.master_key_bytes), "demo")
            await create_key(connection, Vault(settings.master_key_bytes), created.merchant.id)
            await connection.execute("UPDATE pool_state SET generation = 1, beaten_at = now() - interval '2 minutes'")
            return created.merchant.id
        finally:
            await connection.close()

    merchant = run_aside(make)
    found = look()
    assert found[f"settings.merchant {merchant}"].standing is Standing.PROBLEM
    assert found["worker.heartbeat"].standing is Standing.PROBLEM
    assert "a worker wrote its heartbeat" in found["worker.heartbeat"].told


def test_servers_that_hang_are_given_up_in_time_and_the_others_looked_at_all_the_same(look: Look) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        port = silent.getsockname()[1]
        began = time.monotonic()
        found = look(
            database_url=f"postgresql://x@127.0.0.1:{port}/x",
            redis_url=f"redis://127.0.0.1:{port}/0",
            public_url=f"https://127.0.0.1:{port}",
            timeout_s=1.5,
        )
        took_s = time.monotonic() - began
    assert took_s < 8
    for area in ("postgresql", "valkey", "keys", "channels", "worker", "books", "address"):
        assert found[f"{area}.answer"].standing is Standing.NOT_CHECKED
    assert found["machine.time_zones"].standing is Standing.OK


def test_servers_that_are_away_are_problems_and_what_hangs_on_them_is_not_checked(look: Look) -> None:
    found = look(database_url="postgresql://x@127.0.0.1:1/x", redis_url="redis://127.0.0.1:1/0")
    assert found["postgresql.reachable"].standing is Standing.PROBLEM
    assert found["valkey.reachable"].standing is Standing.PROBLEM
    assert found["keys.reachable"].standing is Standing.NOT_CHECKED


async def test_the_doctors_connection_cannot_write(settings: Settings) -> None:
    async with looking(settings) as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("UPDATE pool_state SET epoch = epoch")


@pytest.mark.slow
def test_each_master_of_a_cluster_is_looked_at(look: Look, tmp_path: Path) -> None:
    with valkey_cluster(tmp_path / "cluster") as cluster:
        found = look(redis_url=cluster.url)
        names = [f"127.0.0.1:{node.port}" for node in cluster.masters()]
    assert found["valkey.cluster"].told == "cluster_state is ok, with 3 masters"
    assert any(found["valkey.appendonly"].told.startswith(f"{name}: ") for name in names)
