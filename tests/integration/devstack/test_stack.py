"""`mashang dev` as a script sees it: the ready file, restarts, kills, taken ports, data that stay."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from gateway.devstack.demo import auth_code
from gateway.devstack.ready import ReadyFile, read_ready_file
from tests.support.servers import TestServers
from tests.support.waiting import gone_within, until

ROOT = Path(__file__).parents[3]
START_S = 60.0

pytestmark = pytest.mark.slow


class RunningStack:
    """A stack in a process of its own."""

    def __init__(self, state: Path, *options: str, **settings: str) -> None:
        self.state = state
        self.ready_file = state / "ready.json"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}
        self.output = state.with_suffix(".out")
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway.cli", "dev", "--state", str(state), *options],
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=environment | settings,
            )

    async def ready(self) -> ReadyFile:
        await until(lambda: self.ready_file.exists() or self.process.poll() is not None, START_S)
        assert self.process.poll() is None, self.output.read_text()
        return read_ready_file(self.ready_file)

    @property
    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """Kill it; like any script that starts a stack anew, remove the ready file that it could not."""
        self.process.kill()
        self.process.wait()
        self.ready_file.unlink(missing_ok=True)


StartStack = Callable[..., RunningStack]


@pytest.fixture
def start_stack(tmp_path: Path) -> Iterator[StartStack]:
    started: list[RunningStack] = []

    def start(*options: str, **settings: str) -> RunningStack:
        started.append(RunningStack(tmp_path / "state", "--no-demo", *options, **settings))
        return started[-1]

    yield start
    for stack in started:
        stack.kill()


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One stack with the demo payments, for the tests that leave it as they found it."""
    stack = RunningStack(tmp_path_factory.mktemp("shared") / "state")
    yield stack
    stack.kill()


async def pay(ready: ReadyFile, order_no: str, code: str = "") -> dict[str, Any]:
    order = {
        "merchant_order_no": order_no,
        "amount": 1000,
        "currency": "CNY",
        "method": "barcode",
        "auth_code": code or auth_code("wechat"),
    }
    async with httpx.AsyncClient(base_url=ready.gateway, timeout=30, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {ready.merchant.api_key}"
        answer = await client.post("/v1/payments", json=order)
    assert answer.status_code == 201, answer.text
    payment: dict[str, Any] = answer.json()
    return payment


async def read_payment(ready: ReadyFile, payment_id: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=ready.gateway, timeout=30, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {ready.merchant.api_key}"
        answer = await client.get(f"/v1/payments/{payment_id}")
    assert answer.status_code == 200, answer.text
    payment: dict[str, Any] = answer.json()
    return payment


async def test_the_ready_file_names_what_answers_and_a_stop_leaves_nothing(start_stack: StartStack) -> None:
    stack = start_stack("--workers", "2")
    ready = await stack.ready()
    assert stat.S_IMODE(stack.ready_file.stat().st_mode) == 0o600
    processes = ready.processes
    assert len(processes.gateway) == 2
    named = {*processes.gateway, *processes.worker, processes.postgres, processes.valkey, *processes.simulators}
    family = stack.family
    assert named <= {process.pid for process in family}
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{ready.gateway}/readyz")).status_code == 200
        for simulator in ready.simulators.values():
            assert (await client.get(f"{simulator['base_url']}/_simulator/health")).status_code == 200
    assert Path(ready.simulators["wechat"]["merchant_private_key"]).exists()
    assert (await pay(ready, "FIRST"))["status"] == "succeeded"

    assert stack.stop() == 0
    assert gone_within(1, family) == []
    assert not stack.ready_file.exists()


async def test_the_first_start_shows_a_payment_on_each_wallet(shared_stack: RunningStack) -> None:
    stack = shared_stack
    ready = await stack.ready()
    await until(lambda: "Ctrl-C stops everything" in stack.output.read_text())
    shown = stack.output.read_text()
    for wallet in ("wechat", "alipay", "unionpay"):
        line = next(line for line in shown.splitlines() if wallet in line and "¥25.99" in line)
        assert "succeeded" in line
    *paid, refused = [line for line in shown[shown.index("At the kiosk") :].splitlines() if "¥25.99" in line]
    assert ["¥5.00" in line for line in paid] == [True, True]
    assert "bonus_hunting.device_of_many_today" in refused
    assert "¥0.00" in refused
    # The command that is shown works as it stands, and so does the one that needs no key.
    [example] = [line for line in shown.splitlines() if line.startswith(f"curl -s {ready.gateway}/v1/payments")]
    answer = json.loads(run(["/bin/sh", "-c", example]))
    assert (answer["object"], answer["status"]) == ("payment", "succeeded")
    pay_command = [sys.executable, "-m", "gateway.cli", "pay", "--state", str(stack.state), "--amount", "1234"]
    paid = json.loads(run([*pay_command, "--json"]))
    assert (paid["amount"], paid["status"]) == (1234, "succeeded")
    assert "succeeded" in run(pay_command)


async def test_codes_of_all_seven_wallets_are_paid_and_the_fronts_books_are_audited(shared_stack: RunningStack) -> None:
    ready = await shared_stack.ready()
    codes = [auth_code(wallet) for wallet in ("wechat", "alipay", "unionpay")]
    codes += [f"{head}{random.randrange(10**13):013d}100" for head in ("18", "51", "91")]  # JD, Best Pay, QQ
    codes += [f"01{random.randrange(10**14):014d}100"]  # digital RMB
    payments = [await pay(ready, f"WALLET-{number}", code) for number, code in enumerate(codes)]
    assert [payment["status"] for payment in payments] == ["succeeded"] * 7
    assert {payment["channel"] for payment in payments[3:]} == {"unionpay_front"}
    async with httpx.AsyncClient(trust_env=False) as client:
        trades = (await client.get(f"{ready.simulators['qra']['base_url']}/_simulator/trades")).json()["trades"]
    numbers = {payment["channel_trade_no"]: payment["wallet"] for payment in payments[3:]}
    assert numbers.items() <= {trade["trade_no"]: trade["wallet"] for trade in trades}.items()
    audit = [sys.executable, "-m", "gateway.cli", "audit", "--state", str(shared_stack.state), "--json"]
    accounts = json.loads(run(audit))["accounts"]
    assert {payment["channel"] for payment in payments} <= accounts.keys()


async def test_without_a_direct_account_the_front_shows_a_code_that_a_named_wallet_scans(
    shared_stack: RunningStack,
) -> None:
    ready = await shared_stack.ready()
    await set_status(ready, "alipay_direct", "disabled")
    try:
        payment = await shown_by(ready, "alipay", "unionpay_front")
        scan = [sys.executable, "-m", "gateway.cli", "scan", payment["qr_code"], "--state", str(shared_stack.state)]
        run([*scan, "--wallet", "alipay"])
        assert (await read_payment(ready, f"{payment['id']}?refresh=true"))["status"] == "succeeded"
    finally:
        await set_status(ready, "alipay_direct", "enabled")
    async with httpx.AsyncClient(trust_env=False) as client:
        trades = (await client.get(f"{ready.simulators['qra']['base_url']}/_simulator/trades")).json()["trades"]
    shown = [trade for trade in trades if trade["method"] == "code" and trade["status"] == "captured"]
    assert [trade["wallet"] for trade in shown] == ["alipay"]


async def set_status(ready: ReadyFile, account_id: str, status: str) -> None:
    async with httpx.AsyncClient(base_url=ready.gateway, trust_env=False) as client:
        headers = {"Authorization": f"Bearer {ready.admin_token}"}
        url = f"/admin/v1/channel_accounts/{account_id}"
        assert (await client.patch(url, json={"status": status}, headers=headers)).status_code == 200


async def shown_by(ready: ReadyFile, wallet: str, account_id: str) -> dict[str, Any]:
    """The first code that this account shows: accounts are read anew within a second."""
    headers = {"Authorization": f"Bearer {ready.merchant.api_key}"}
    async with httpx.AsyncClient(base_url=ready.gateway, timeout=30, trust_env=False, headers=headers) as client:
        for number in range(100):
            order = {"merchant_order_no": f"SHOWN-{number}", "amount": 1000, "currency": "CNY"}
            answer = await client.post("/v1/payments", json=order | {"method": "qrcode", "wallet": wallet})
            payment: dict[str, Any] = answer.json()
            if payment["channel"] == account_id:
                return payment
            await asyncio.sleep(0.05)
    raise AssertionError(f"no code is shown by {account_id}")


def run(command: list[str]) -> str:
    """What a command prints; it must end well."""
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


async def test_a_killed_gateway_or_worker_is_back_within_a_second_and_no_connection_is_refused(
    shared_stack: RunningStack,
) -> None:
    stack = shared_stack
    ready = await stack.ready()
    for kind in ("gateway", "worker"):
        [victim] = getattr(ready.processes, kind)
        killed_at = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        await until(lambda kind=kind, victim=victim: getattr(reread(stack).processes, kind) != [victim])
        assert time.monotonic() - killed_at < 1
        assert psutil.pid_exists(getattr(reread(stack).processes, kind)[0])
    # The socket is the parent's: a connection made while nobody serves it waits instead of being refused.
    os.kill(reread(stack).processes.gateway[0], signal.SIGKILL)
    assert (await pay(ready, "AFTER-KILL"))["status"] == "succeeded"


def reread(stack: RunningStack) -> ReadyFile:
    return read_ready_file(stack.ready_file)


async def test_kills_of_the_parent_and_then_of_everything_leave_no_orphan_and_lose_no_payment(
    start_stack: StartStack,
) -> None:
    stack = start_stack()
    ready = await stack.ready()
    payment = await pay(ready, "KEPT")
    family = stack.family
    stack.kill()
    assert gone_within(5, family) == []

    second = start_stack()
    again = await second.ready()
    assert again.merchant == ready.merchant
    assert again.admin_token == ready.admin_token
    assert await read_payment(again, payment["id"]) == payment
    async with httpx.AsyncClient(trust_env=False) as client:
        trades = (await client.get(f"{again.simulators['wechat']['base_url']}/_simulator/trades")).json()["trades"]
    assert payment["payable"] in [trade["amount"] for trade in trades]

    for process in (psutil.Process(second.process.pid), *second.family):
        with suppress(psutil.NoSuchProcess):  # it is tethered to its parent, which was killed first
            process.kill()
    second.kill()
    assert await read_payment(await start_stack().ready(), payment["id"]) == payment


async def test_a_killed_postgres_and_valkey_come_back_and_payments_go_on(shared_stack: RunningStack) -> None:
    stack = shared_stack
    ready = await stack.ready()
    for number in (ready.processes.postgres, ready.processes.valkey):
        assert number is not None
        os.kill(number, signal.SIGKILL)
    await until(lambda: reread(stack).processes.postgres != ready.processes.postgres)
    await until(lambda: reread(stack).processes.valkey != ready.processes.valkey)
    await until_ready(ready)
    assert (await pay(ready, "AFTER-CRASH"))["status"] == "succeeded"


async def until_ready(ready: ReadyFile) -> None:
    """Wait until the gateway says that it can take payments again."""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client, asyncio.timeout(20):
        status = 0
        while status != 200:
            await asyncio.sleep(0.05)
            status = (await client.get(f"{ready.gateway}/readyz")).status_code


async def test_servers_of_ones_own_are_used_instead_of_embedded_ones(
    start_stack: StartStack, servers: TestServers
) -> None:
    database_url, redis_url = servers.create_database(), servers.empty_redis()
    stack = start_stack(MASHANG_DATABASE_URL=database_url, MASHANG_REDIS_URL=redis_url)
    ready = await stack.ready()
    assert (ready.database_url, ready.redis_url) == (database_url, redis_url)
    assert (ready.processes.postgres, ready.processes.valkey) == (None, None)
    assert not {"postgres", "valkey-server"} & {process.name() for process in stack.family}
    assert (await pay(ready, "EXTERNAL"))["status"] == "succeeded"
    assert stack.stop() == 0
    servers.drop_database(database_url)


async def test_a_stop_while_starting_leaves_nothing(start_stack: StartStack, tmp_path: Path) -> None:
    stack = start_stack()
    await until(lambda: "PostgreSQL" in stack.output.read_text())
    family = stack.family
    assert stack.stop() == 0
    assert gone_within(1, family) == []
    assert not stack.ready_file.exists()


async def test_a_second_ctrl_c_does_not_wait_for_a_gateway_that_hangs(start_stack: StartStack) -> None:
    stack = start_stack()
    ready = await stack.ready()
    family = stack.family
    os.kill(ready.processes.gateway[0], signal.SIGSTOP)
    stack.process.send_signal(signal.SIGINT)
    await until(lambda: "Stopping" in stack.output.read_text())
    assert stack.process.poll() is None
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(10) == 0
    assert gone_within(1, family) == []


async def test_a_second_stack_on_the_same_state_is_told_so_and_harms_nothing(shared_stack: RunningStack) -> None:
    first = shared_stack
    await first.ready()
    second = RunningStack(first.state)
    assert second.process.wait(30) == 2
    assert f"already running on {first.state} (process {first.process.pid})" in second.output.read_text()
    assert (await pay(reread(first), "STILL"))["status"] == "succeeded"


def test_a_port_that_was_named_and_is_taken_is_a_clear_error(start_stack: StartStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        stack = start_stack("--port", str(port))
        assert stack.process.wait(30) == 2
    said = stack.output.read_text()
    assert f"Port {port} on 127.0.0.1 is taken" in said
    assert "--port" in said
    assert "Traceback" not in said


async def test_ports_that_were_not_named_and_are_taken_are_replaced(start_stack: StartStack) -> None:
    taken = [occupy(port) for port in (8000, 8101, 8102, 8103, 8104)]
    try:
        ready = await start_stack().ready()
        used = {ready.gateway, *(simulator["base_url"] for simulator in ready.simulators.values())}
        assert not used & {f"http://127.0.0.1:{port}" for port in (8000, 8101, 8102, 8103, 8104)}
        assert (await pay(ready, "ELSEWHERE"))["status"] == "succeeded"
    finally:
        for listener in taken:
            if listener is not None:
                listener.close()


def occupy(port: int) -> socket.socket | None:
    """Take the port; None where somebody has it already, which serves as well."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return None


def test_the_ready_file_is_never_seen_half_written(tmp_path: Path) -> None:
    """A reader that looks all the time while it is rewritten sees whole JSON each time."""
    path = tmp_path / "ready.json"
    program = (
        "import sys; from pathlib import Path; from gateway.devstack.files import write_private\n"
        "for size in range(300): write_private(Path(sys.argv[1]), '[' + '1,' * size * 100 + '1]')"
    )
    writer = subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=ROOT)
    seen = 0
    while writer.poll() is None:
        if path.exists():
            assert json.loads(path.read_text())[0] == 1
            seen += 1
    assert writer.wait() == 0
    assert seen > 10
    assert [each.name for each in tmp_path.iterdir()] == ["ready.json"]
