"""Production refuses unsafe settings and a database for trying out, all at once; channels are at public addresses."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.merchants.store import create_key, create_merchant
from gateway.production.stored import DEMO_MERCHANTS
from routing.accounts.store import save_account
from routing.channels.base import Wallet
from tests.support.channels import Simulators
from tests.support.gateway import GatewayStack, start_gateway
from tests.support.servers import TestServers
from tests.support.till import Till, error_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACCOUNTS = "/admin/v1/channel_accounts"
_SAFE: Final = {
    "MASHANG_ENV": "production",
    "MASHANG_PUBLIC_URL": "https://pay.bank.cn",
    "MASHANG_NOT_CREATED_AFTER_S": "120",
}
_UNSAFE: Final = {
    "MASHANG_ENV": "production",
    "MASHANG_PUBLIC_URL": "http://127.0.0.1:8000",
    "MASHANG_ADMIN_TOKEN": "adm_test_Vq0b4xTz9LwUe7Rk2PjNc5Ys8HdG",
    "MASHANG_MASTER_KEY": "bWFzaGFuZy1jb21wb3NlLWRlbW8ta2V5LW5vdC1zYWY=",
    "MASHANG_LOG_JSON": "false",
}


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, simulators: Simulators
) -> Iterator[GatewayStack]:
    """A gateway in production; no simulator is an account of its database, for then it would not start."""
    settings = {**_SAFE, "MASHANG_ADMIN_TOKEN": secrets.token_hex(32)}
    without = replace(simulators, accounts=())
    with start_gateway(
        tmp_path_factory.mktemp("stack"), database_url, redis_url, without, settings=settings
    ) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        yield client


def settings_of(simulators: Simulators, **changes: str) -> dict[str, Any]:
    [seed] = [seed for seed in simulators.accounts if seed.id == "unionpay_keyed"]
    public = {
        name: f"https://gateway.95516.com/{name}"
        for name, value in seed.settings.items()
        if isinstance(value, str) and value.startswith("http")
    }
    return seed.settings | public | changes


def run(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command to its end; one that does not refuse would serve until the time is over, and fail the test."""
    command = (sys.executable, "-m", "gateway.cli", *arguments)
    return subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=60, check=False)


async def save_simulator(stack: GatewayStack, simulators: Simulators, database_url: str) -> None:
    """WeChat's simulator as an account, as a development stack would have left it."""
    [seed] = [seed for seed in simulators.accounts if seed.id == "wechat_direct"]
    connection = await asyncpg.connect(database_url)
    try:
        await save_account(
            connection, stack.vault, seed.id, channel="wechat", wallets=[Wallet.WECHAT], settings=seed.settings
        )
    finally:
        await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tried_out(
    stack: GatewayStack, simulators: Simulators, migrated_servers: TestServers
) -> AsyncIterator[tuple[str, str]]:
    """A database in which things were tried out, and the id of its demo merchant."""
    url = migrated_servers.clone_database()
    await save_simulator(stack, simulators, url)
    connection = await asyncpg.connect(url)
    created = await create_merchant(connection, stack.vault, DEMO_MERCHANTS[0])
    await create_key(connection, stack.vault, created.merchant.id)
    await connection.close()
    yield url, created.merchant.id
    migrated_servers.drop_database(url)


@pytest.mark.parametrize("command", ["serve", "worker"])
async def test_unsafe_settings_and_what_was_tried_out_are_refused_with_every_reason_at_once(
    stack: GatewayStack, tried_out: tuple[str, str], command: str
) -> None:
    url, merchant = tried_out
    ended = run({**stack.environment, **_UNSAFE, "MASHANG_DATABASE_URL": url}, command)
    assert ended.returncode == 2
    for number, subject in enumerate(
        (
            "MASHANG_PUBLIC_URL",
            "MASHANG_MASTER_KEY",
            "MASHANG_ADMIN_TOKEN",
            "MASHANG_LOG_JSON",
            "MASHANG_MASTER_KEY",
            f"merchant {merchant}",
        ),
        start=1,
    ):
        assert f"  {number}. {subject}: " in ended.stderr
    assert "for 6 reasons" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert _UNSAFE["MASHANG_ADMIN_TOKEN"] not in ended.stderr
    assert _UNSAFE["MASHANG_MASTER_KEY"] not in ended.stderr


async def test_safe_settings_on_a_database_with_a_simulator_are_refused_too(
    stack: GatewayStack, tried_out: tuple[str, str]
) -> None:
    url, _ = tried_out
    ended = run({**stack.environment, "MASHANG_DATABASE_URL": url}, "serve")
    assert ended.returncode == 2
    assert "channel account wechat_direct: Its base_url" in ended.stderr
    assert "mashang routing disable wechat_direct" in ended.stderr


async def test_the_same_settings_are_taken_in_development(stack: GatewayStack, tried_out: tuple[str, str]) -> None:
    url, _ = tried_out
    unsafe = {**stack.environment, **_UNSAFE, "MASHANG_DATABASE_URL": url, "MASHANG_ENV": "development"}
    checked = run(unsafe, "settings", "--check")
    assert checked.returncode == 2
    assert "MASHANG_ENV is development" in checked.stdout
    assert run(unsafe, "migrate").returncode == 0


async def test_settings_are_checked_without_any_server(stack: GatewayStack) -> None:
    nowhere = {
        **stack.environment,
        "MASHANG_DATABASE_URL": "postgresql://127.0.0.1:1/x",
        "MASHANG_REDIS_URL": "unix:///nowhere",
    }
    good = run(nowhere, "settings", "--check")
    assert good.returncode == 0, good.stdout
    assert "MASHANG_TRUSTED_PROXIES" in good.stdout  # a warning: it can be meant
    bad = run({**nowhere, **_UNSAFE}, "doctor", "--settings-only", "--json")
    report = json.loads(bad.stdout)
    problems = {found["check"] for found in report["findings"] if found["standing"] == "problem"}
    assert bad.returncode == report["exit_status"] == 2
    assert problems == set(_UNSAFE) - {"MASHANG_ENV"}


async def test_the_doctor_looks_at_a_stack_in_production(stack: GatewayStack) -> None:
    ended = run(stack.environment, "doctor", "--json", "--timeout", "10")
    found = {f"{each['area']}.{each['check']}": each["standing"] for each in json.loads(ended.stdout)["findings"]}
    assert ended.returncode == 2  # the servers of the tests keep nothing through a power cut
    assert found["settings.MASHANG_ENV"] == found["worker.heartbeat"] == found["postgresql.schema"] == "ok"
    assert found["channels.accounts"] == "problem"


async def test_a_simulator_that_comes_later_is_no_channel_in_production(
    stack: GatewayStack, simulators: Simulators, admin: httpx.AsyncClient, till: Till
) -> None:
    await save_simulator(stack, simulators, stack.database_url)

    async def is_seen() -> bool:
        return (await admin.get(f"{ACCOUNTS}/wechat_direct")).status_code == 200

    await eventually(is_seen)
    assert "must be a public https address" in (await admin.get(f"{ACCOUNTS}/wechat_direct")).json()["problem"]
    payment = await till.taken("wechat")
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "no_channel")


async def test_a_key_says_that_it_is_a_live_one(admin: httpx.AsyncClient) -> None:
    shop = (await admin.post("/admin/v1/merchants", json={"name": "first shop"})).json()
    made = await admin.post(f"/admin/v1/merchants/{shop['id']}/keys", json={"scopes": ["pay"]})
    assert made.json()["secret"].startswith("sk_live_")


@pytest.mark.parametrize(
    "address", ["http://gateway.95516.com/x", "https://127.0.0.1/x", "https://localhost/x", "https://10.1.2.3/x"]
)
@pytest.mark.parametrize("name", ["back_trans_url", "query_trans_url", "file_url", "notify_url"])
async def test_an_address_inside_is_refused_by_name(
    simulators: Simulators, admin: httpx.AsyncClient, name: str, address: str
) -> None:
    wanted = {"channel": "unionpay", "settings": settings_of(simulators, **{name: address})}
    error_of(await admin.post(ACCOUNTS, json=wanted), 400, "invalid_field", f"settings.{name}")


async def test_an_account_at_the_channels_own_addresses_opens(simulators: Simulators, admin: httpx.AsyncClient) -> None:
    wanted = {"channel": "unionpay", "settings": settings_of(simulators), "status": "disabled"}
    made = await admin.post(ACCOUNTS, json=wanted)
    assert made.status_code == 201, made.text
    account = made.json()
    assert account["problem"] is None
    assert account["notify_url"] == f"https://pay.bank.cn/callbacks/unionpay/{account['id']}"
