"""The stack that is measured: brought up by `mashang dev` in a folder of its own, or one that runs already."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import httpx

from gateway.devstack.folders import StateLock, private_folder
from gateway.devstack.options import ready_file_of
from gateway.devstack.ready import ReadyFile, read_ready_file
from gateway.processes.errors import StackError
from loadtests.counts import Counts, read_counts
from loadtests.ending import end_session, ended_in_order, start_tethered
from loadtests.traffic.orders import Orders, new_run_number

LATENCY_MS: Final[Mapping[str, int]] = {"min": 50, "max": 100}
_START_S: Final = 90.0
_STOP_S: Final = 100.0
_SWITCH_S: Final = 15.0
_POLL_S: Final = 0.1
_COLUMNS: Final = "150"
"""Of the audit's table."""


class StackTrouble(Exception):
    """The stack did not come up, or died under the measurement."""


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack that answers: its ready file and its state folder."""

    ready: ReadyFile
    state: Path

    @property
    def process_groups(self) -> dict[str, list[int]]:
        """Process ids by the role they are shown under."""
        processes = self.ready.processes
        groups = {
            "gateway": processes.gateway,
            "worker": processes.worker,
            "PostgreSQL": [] if processes.postgres is None else [processes.postgres],
            "Valkey": [] if processes.valkey is None else [processes.valkey],
            "simulators": processes.simulators,
        }
        return {name: pids for name, pids in groups.items() if pids}

    def set_latency(self, latency_ms: Mapping[str, int] = LATENCY_MS) -> None:
        """Make every simulator answer in the benchmark's 50 to 100 ms, or in so many."""
        for simulator in self.ready.simulators.values():
            set_latency(simulator["base_url"], latency_ms)

    def counts(self) -> Counts:
        """What the gateway's metrics have counted so far."""
        answer = httpx.get(f"{self.ready.gateway}/metrics", trust_env=False, timeout=10)
        return read_counts(answer.raise_for_status().text)

    @contextmanager
    def only_keyed_unionpay(self) -> Iterator[None]:
        """UnionPay payments go to the account with the keyed hash while this is open, and to the other one after."""
        asyncio.run(self._set_unionpay("keyed"))
        try:
            self._await_account("unionpay_keyed")
            yield
        finally:
            asyncio.run(self._set_unionpay("direct"))
        self._await_account("unionpay_direct")

    async def leave_front_out(self) -> None:
        """No payment goes to the bar-code front, whatever exploring would do: the direct accounts are measured."""
        connection = await asyncpg.connect(self.ready.database_url)
        try:
            await connection.execute("UPDATE channel_accounts SET status = 'disabled' WHERE channel = 'qra'")
        finally:
            await connection.close()

    async def _set_unionpay(self, name: str) -> None:
        connection = await asyncpg.connect(self.ready.database_url)
        try:
            await connection.execute(
                "UPDATE channel_accounts SET status = CASE WHEN id = $1 THEN 'enabled' ELSE 'disabled' END"
                " WHERE id IN ('unionpay_direct', 'unionpay_keyed')",
                f"unionpay_{name}",
            )
        finally:
            await connection.close()

    def _await_account(self, account_id: str) -> None:
        """Take payments until one goes to that account: the gateway reads its accounts anew within a second."""
        orders = iter(Orders(new_run_number(), ["unionpay"], source=9))
        headers = {"Authorization": f"Bearer {self.ready.merchant.api_key}", "Content-Type": "application/json"}
        deadline = time.monotonic() + _SWITCH_S
        while time.monotonic() < deadline:
            _, body = next(orders)
            answer = httpx.post(f"{self.ready.gateway}/v1/payments", content=body, headers=headers, trust_env=False)
            if answer.raise_for_status().json()["channel"] == account_id:
                return
            time.sleep(_POLL_S)
        raise StackTrouble(f"no payment goes to {account_id}")

    def audit(self, client_log: Path | None, wait_s: float | None = None) -> tuple[bool, str]:
        """`mashang audit` over the stack: whether everything agrees, and what it printed.

        With `wait_s` it waits up to so long until the stack is quiet.
        """
        command = [sys.executable, "-m", "gateway.cli", "audit", "--state", str(self.state)]
        if client_log is not None:
            command += ["--client-log", str(client_log)]
        if wait_s is not None:
            command += ["--wait", str(wait_s)]
        environment = {**os.environ, "COLUMNS": _COLUMNS}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        return done.returncode == 0, (done.stdout + done.stderr).strip()


def set_latency(simulator_url: str, latency_ms: Mapping[str, int] = LATENCY_MS) -> None:
    """Make one simulator answer in the benchmark's 50 to 100 ms, or in so many."""
    faults = {"latency_ms": dict(latency_ms)}
    httpx.put(f"{simulator_url}/_simulator/faults", json=faults, trust_env=False).raise_for_status()


@contextmanager
def own_stack(
    workers: int = 1, environment: Mapping[str, str] | None = None, kept: Path | None = None
) -> Iterator[RunningStack]:
    """A stack in a temporary folder, gone afterwards; `environment` are settings (MASHANG_…) beside our own.

    With `kept`, a state folder, it goes on where an earlier one ended, and the folder stays.  It ends when this is
    left, also by SIGTERM or SIGHUP, and with us where we are killed.  Raises StackTrouble where it does not come up, or
    another one runs in that folder.
    """
    with ended_in_order(), tempfile.TemporaryDirectory(prefix="mashang-bench-") as folder:
        state = Path(folder) / "state" if kept is None else _taken_over(kept.absolute())
        ready_file = ready_file_of(state)
        log = Path(folder) / "dev.log"
        with log.open("wb") as output:
            process = start_tethered(
                [
                    sys.executable, "-m", "gateway.cli", "dev", "--port", "0", "--state", str(state),
                    "--ready-file", str(ready_file), "--no-demo", "--workers", str(workers),
                ],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, **(environment or {})},
            )  # fmt: skip
        try:
            _await_file(ready_file, process, log)
            stack = RunningStack(read_ready_file(ready_file), state)
            asyncio.run(stack.leave_front_out())
            yield stack
        finally:
            end_session(process, _STOP_S)


@contextmanager
def running_stack(ready_file: Path) -> Iterator[RunningStack]:
    """A stack that somebody else runs, with its ready file in its state folder; it is left running."""
    with ended_in_order():
        yield RunningStack(read_ready_file(ready_file), ready_file.parent)


def _taken_over(state: Path) -> Path:
    """The same folder; the ready file of a stack that was killed is gone, for it would be taken for the next one's."""
    lock = StateLock(private_folder(state))
    try:
        lock.acquire()
    except StackError as error:
        raise StackTrouble(str(error)) from error
    ready_file_of(state).unlink(missing_ok=True)
    lock.release()
    return state


def _await_file(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise StackTrouble(f"the stack did not come up:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(_POLL_S)
