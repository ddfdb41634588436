"""The servers that the gateway is compared with, each in a process of its own: the yardstick and the baseline."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

import asyncpg
import httpx

from gateway.devstack.ready import ReadyFile
from gateway.kernel.secrets import secret_hash
from gateway.processes.sockets import listen, port_of
from loadtests.baseline.campaign import CAMPAIGN_ID
from loadtests.baseline.settings import SETTINGS_VARIABLE, BaselineSettings, WechatAccount
from loadtests.baseline.store import SQL
from loadtests.bench.outcome import BASELINE, YARDSTICK
from loadtests.ending import start_tethered
from loadtests.stack import RunningStack, StackTrouble, set_latency

TransportName = Literal["aiohttp", "httpx"]
_DATABASE: Final = "mashang_baseline"
_CAMPAIGN: Final = (500, 100, 70, 10**14)
"""¥1 off from ¥5 on, 70 % of it the bank's, and a budget that lasts; nearly every order of the load has it."""
_START_S: Final = 30.0
_STOP_S: Final = 20.0
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers, and the processes that work for it, by the role they are shown under."""

    url: str
    process_groups: dict[str, list[int]]


@contextmanager
def yardstick() -> Iterator[Server]:
    """The POST that does nothing."""
    with _uvicorn("loadtests.bench.yardstick:app", "/no-op") as (base_url, pid):
        yield Server(f"{base_url}/no-op", {YARDSTICK: [pid]})


@contextmanager
def baselines(stack: RunningStack) -> Iterator[dict[TransportName, Server]]:
    """The plain implementation over each transport, on the stack's PostgreSQL (a database of its own) and Valkey.

    Its simulator is another process of the same program with books of its own: the stack's books are audited, and
    the baseline's trades would be strangers in them.
    """
    asyncio.run(_make_database(stack.ready))
    with ExitStack() as servers:
        simulator_url, simulator_pid = servers.enter_context(_wechat_simulator(stack))
        set_latency(simulator_url)
        behind = {name: stack.process_groups.get(name, []) for name in ("PostgreSQL", "Valkey")}
        started: dict[TransportName, Server] = {}
        for transport in get_args(TransportName):
            settings = _baseline_settings(stack.ready, transport, simulator_url)
            base_url, pid = servers.enter_context(_baseline(settings))
            groups = {BASELINE: [pid], **behind, "simulators": [simulator_pid]}
            started[transport] = Server(f"{base_url}/v1/payments", groups)
        yield started


@contextmanager
def _baseline(settings: BaselineSettings) -> Iterator[tuple[str, int]]:
    with tempfile.TemporaryDirectory(prefix="mashang-baseline-") as folder:
        file = Path(folder) / "settings.json"
        file.touch(mode=0o600)
        file.write_text(settings.model_dump_json())
        environment = {SETTINGS_VARIABLE: str(file)}
        with _uvicorn("loadtests.baseline.app:create_app", "/ready", "--factory", environment=environment) as started:
            yield started


@contextmanager
def _wechat_simulator(stack: RunningStack) -> Iterator[tuple[str, int]]:
    with tempfile.TemporaryDirectory(prefix="mashang-simulator-") as folder:
        command = (
            "routing.simulators", "wechat", "--config", str(stack.state / "keys" / "wechat.json"),
            "--books", str(Path(folder) / "wechat.sqlite"),
        )  # fmt: skip
        with serving(command, "/_simulator/health") as started:
            yield started


@contextmanager
def _uvicorn(
    application: str, ready_path: str, *flags: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, int]]:
    command = (
        "uvicorn", application, *flags, "--loop", "uvloop", "--http", "httptools", "--no-access-log",
        "--log-level", "warning",
    )  # fmt: skip
    with serving(command, ready_path, environment) as started:
        yield started


@contextmanager
def serving(
    command: Sequence[str], ready_path: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, int]]:
    """Run `python -m …` on a free port until this is left; gives its address and process id once it answers."""
    listener = listen(0)
    base_url = f"http://127.0.0.1:{port_of(listener)}"
    with tempfile.TemporaryFile() as log:
        process = start_tethered(
            [sys.executable, "-m", *command, "--fd", str(listener.fileno())],
            env={**os.environ, **(environment or {})},
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
        )
        listener.close()
        try:
            _await_answer(base_url + ready_path, process)
            yield base_url, process.pid
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_answer(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers.  Raises StackTrouble."""
    deadline_s = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline_s:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(_POLL_S)
        else:
            return
    raise StackTrouble(f"nothing answers at {url}")


def _baseline_settings(ready: ReadyFile, transport: TransportName, simulator_url: str) -> BaselineSettings:
    wechat = ready.simulators["wechat"]
    return BaselineSettings(
        database_url=_database_url(ready),
        redis_url=ready.redis_url,
        transport=transport,
        wechat=WechatAccount(
            base_url=simulator_url,
            mchid=wechat["mchid"],
            appid=wechat["appid"],
            merchant_serial=wechat["merchant_serial"],
            merchant_private_key_pem=Path(wechat["merchant_private_key"]).read_text(),
            api_v3_key=wechat["api_v3_key"],
            platform_public_keys={
                wechat["platform_public_key_id"]: Path(wechat["platform_public_key"]).read_text(),
            },
        ),
    )


def _database_url(ready: ReadyFile) -> str:
    return urlsplit(ready.database_url)._replace(path=f"/{_DATABASE}").geturl()


async def _make_database(ready: ReadyFile) -> None:
    """The baseline's database with its schema and the merchant's key; made once per stack."""
    connection = await asyncpg.connect(ready.database_url)
    try:
        exists = await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", _DATABASE)
        if not exists:
            await connection.execute(f"CREATE DATABASE {_DATABASE}")
    finally:
        await connection.close()
    connection = await asyncpg.connect(_database_url(ready))
    try:
        if not exists:
            await connection.execute((files("loadtests.baseline") / "schema.sql").read_text())
        merchant = ready.merchant
        await connection.execute(SQL["add_key"], secret_hash(merchant.api_key), merchant.id, "demo")
        await connection.execute(SQL["add_campaign"], CAMPAIGN_ID, "hot", *_CAMPAIGN)
    finally:
        await connection.close()
