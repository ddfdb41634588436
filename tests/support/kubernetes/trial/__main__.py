"""`python -m tests.support.kubernetes.trial`: play the rendered gateway pod, pay through it, stop it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from gateway.devstack.secrets import load_secrets
from gateway.processes.sockets import listen, port_of
from loadtests.stack import RunningStack, own_stack, set_latency
from tests.support.kubernetes.trial.podfile import CHANGES, PodFile, pod_file
from tests.support.kubernetes.trial.podman import Podman, PodmanTrouble, missing_programs, podman
from tests.support.proxy import Proxy
from tests.support.till import WALLETS, Till, new_order

_PYPROJECT: Final = Path(__file__).parents[4] / "pyproject.toml"
_READY_WITHIN_S: Final = 60.0
_POLL_S: Final = 0.05
_SLOW_MS: Final = 4_000
_IN_FLIGHT: Final = re.compile(r"^mashang_payments_in_flight\S* 1(?:\.0)?$", re.MULTILINE)
_READ_ONLY: Final = "import errno\ntry: open('/opt/x', 'w')\nexcept OSError as e: print(errno.errorcode[e.errno])"
_PRIVILEGES: Final = (
    "print({l.split()[0]: l.split()[1] for l in open('/proc/self/status') if l[:3] in ('Uid', 'Cap', 'NoN', 'Sec')})"
)


@dataclass(slots=True)
class Table:
    """What was tried and what came of it."""

    rows: list[tuple[bool, str, str]] = field(default_factory=list)

    def add(self, what: str, seen: str, *, good: bool) -> None:
        """One row."""
        self.rows.append((good, what, seen))
        sys.stdout.write(f"{'ok ' if good else 'BAD'}  {what:<58} {seen}\n")

    @property
    def is_good(self) -> bool:
        """Whether everything was as it should be."""
        return all(good for good, _, _ in self.rows)


@dataclass(frozen=True, slots=True)
class Trial:
    """The pod's surroundings: podman, the stack beside it, the till."""

    podman: Podman
    file: PodFile
    stack: RunningStack
    till: Till
    table: Table

    def asked(self, container_code: str) -> str:
        """What Python says in the pod."""
        return self.podman.call("exec", self.file.container, "python", "-c", container_code).strip()


def main() -> int:
    """0 where everything was as it should be, 1 where not, 2 where it cannot be tried here."""
    if missing := missing_programs():
        sys.stdout.write(f"left out: the pod is played by podman; apt install {' '.join(missing)}\n")
        return 2
    version = re.search(r'^version = "(.+)"', _PYPROJECT.read_text("utf-8"), re.MULTILINE)
    assert version is not None
    image = f"localhost/mashang:{version[1]}"
    with podman() as play:
        if not play.has_image(image):
            sys.stdout.write(f"left out: there is no {image}; make image (with the same CONTAINERS=…)\n")
            return 2
        with own_stack() as stack:
            return asyncio.run(_try(play, image, stack))


async def _try(play: Podman, image: str, stack: RunningStack) -> int:
    table = Table()
    sys.stdout.write("The gateway's pod as k8s/rendered/development.yaml has it, but for\n")
    sys.stdout.writelines(f"  {change}\n" for change in CHANGES)
    async with AsyncExitStack() as closing:
        secrets = await _secrets(stack, closing)
        with listen(0) as listener:
            port = port_of(listener)
        file = pod_file(image, port, secrets)
        till = await closing.enter_async_context(Till(f"http://127.0.0.1:{port}", stack.ready.merchant.api_key))
        trial = Trial(play, file, stack, till, table)
        try:
            async with _played(trial):
                await _is_restricted(trial)
                await _pays(trial)
                await _drains(trial)
        except PodmanTrouble as trouble:
            table.add("podman", str(trouble), good=False)
    agrees, told = await asyncio.to_thread(stack.audit, None, 60.0)
    table.add("the audit of the books", "clean" if agrees else told, good=agrees)
    return 0 if table.is_good else 1


async def _secrets(stack: RunningStack, closing: AsyncExitStack) -> dict[str, str]:
    """The stack's secrets, its servers (unix sockets of another user) reached through ports of the loopback."""
    kept = load_secrets(stack.state)
    database, valkey = urlsplit(stack.ready.database_url), urlsplit(stack.ready.redis_url)
    place = parse_qs(database.query)
    postgres_port = await _forwarded(Path(place["host"][0]) / f".s.PGSQL.{place['port'][0]}", closing)
    valkey_port = await _forwarded(Path(unquote(valkey.path)), closing)
    return {
        "MASHANG_DATABASE_URL": f"postgresql://{database.username}@127.0.0.1:{postgres_port}{database.path}",
        "MASHANG_REDIS_URL": f"redis://127.0.0.1:{valkey_port}/0",
        "MASHANG_MASTER_KEY": kept.master_key,
        "MASHANG_ADMIN_TOKEN": kept.admin_token,
    }


async def _forwarded(upstream: Path, closing: AsyncExitStack) -> int:
    with listen(0) as listener:
        port = port_of(listener)
    await closing.enter_async_context(Proxy.before(upstream, ("127.0.0.1", port)))
    return port


@asynccontextmanager
async def _played(trial: Trial) -> AsyncIterator[None]:
    """The pod, from `podman play kube` until it is gone again."""
    file, call = trial.file, trial.podman.call
    with tempfile.TemporaryDirectory(prefix="mashang-pod-") as folder:
        settings = Path(folder) / "settings.yaml"
        settings.write_text(file.settings, "utf-8")
        call("secret", "create", file.secret_name, "-", given=file.secret)
        try:
            began = time.monotonic()
            playing = ("play", "kube", "--network", "host", "--configmap", str(settings), "-")
            await asyncio.to_thread(call, *playing, given=file.pod)
            trial.table.add("podman play kube", f"{time.monotonic() - began:.1f} s", good=True)
            await _comes_up(trial, time.monotonic())
            yield
        finally:
            call("pod", "rm", "--force", "--ignore", file.name, check=False)
            call("secret", "rm", file.secret_name, check=False)


async def _comes_up(trial: Trial, began: float) -> None:
    for probe, path in trial.file.probes.items():
        answered = await _until(partial(_status, trial, path, 200), _READY_WITHIN_S)
        seen = (
            f"{path} after {time.monotonic() - began:.2f} s"
            if answered
            else trial.podman.call("logs", trial.file.container)
        )
        trial.table.add(f"{probe} answers", seen, good=answered)
        if not answered:
            raise PodmanTrouble("the pod does not answer")
    pid = trial.podman.inspected(trial.file.container)["State"]["Pid"]
    trial.table.add("CPU until then, whatever else the machine has to do", f"{_cpu_s(pid):.2f} s", good=True)


def _cpu_s(pid: int) -> float:
    """What a process has used of the processors so far (proc(5): utime and stime, after the name in brackets)."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _is_restricted(trial: Trial) -> None:
    written = await asyncio.to_thread(trial.asked, _READ_ONLY)
    trial.table.add("the root is read-only", written, good=written == "EROFS")
    rights = await asyncio.to_thread(trial.asked, _PRIVILEGES)
    good = "'Uid:': '10001'" in rights and "'CapEff:': '0000000000000000'" in rights and "'NoNewPrivs:': '1'" in rights
    trial.table.add("user 10001, no capabilities, no new privileges", rights, good=good)
    files = await asyncio.to_thread(trial.asked, "import os; print(len(os.listdir('/run/mashang/metrics')))")
    trial.table.add("files in the folder of the metrics", files, good=int(files) > 0)


async def _pays(trial: Trial) -> None:
    for wallet in WALLETS:
        answer = await trial.till.client.post("/v1/payments", json=new_order(wallet))
        told = answer.json().get("status", answer.text)
        trial.table.add(f"a payment by {wallet}", f"{answer.status_code} {told}", good=told == "succeeded")


async def _drains(trial: Trial) -> None:
    """SIGTERM with a payment at the channel: it is answered, the pod is not ready at once, and is gone in time."""
    wechat = trial.stack.ready.simulators["wechat"]["base_url"]
    set_latency(wechat, {"min": _SLOW_MS, "max": _SLOW_MS})
    paying = asyncio.create_task(trial.till.client.post("/v1/payments", json=new_order("wechat")))
    under_way = await _until(lambda: _in_flight(trial), 3.0)
    trial.table.add("one payment in flight, by /metrics", str(under_way), good=under_way)
    began = time.monotonic()
    grace = str(trial.file.grace_s)
    stopping = asyncio.create_task(
        asyncio.to_thread(trial.podman.call, "pod", "stop", "--time", grace, trial.file.name)
    )
    not_ready = await _until(lambda: _status(trial, "/readyz", 503), 3.0)
    seen = f"{time.monotonic() - began:.2f} s after SIGTERM" if not_ready else "never"
    trial.table.add("/readyz says 503 while it drains", seen, good=not_ready)
    answer = await paying
    status = answer.json().get("status", answer.text)
    took = f"{answer.status_code} {status}, {time.monotonic() - began:.2f} s after SIGTERM"
    trial.table.add("the payment under way is answered", took, good=status == "succeeded")
    await stopping
    took_s, exited = time.monotonic() - began, trial.podman.inspected(trial.file.container)["State"]
    trial.table.add("the pod has stopped", f"{took_s:.1f} s of {grace} s", good=took_s < trial.file.grace_s)
    trial.table.add("it was not killed", f"exit code {exited['ExitCode']}", good=exited["ExitCode"] in {0, 143})
    set_latency(wechat, {"min": 0, "max": 0})


async def _status(trial: Trial, path: str, wanted: int) -> bool:
    try:
        async with httpx.AsyncClient(base_url=trial.till.client.base_url, trust_env=False, timeout=5) as client:
            return (await client.get(path)).status_code == wanted
    except httpx.TransportError:
        return False


async def _in_flight(trial: Trial) -> bool:
    answer = await trial.till.client.get("/metrics")
    return _IN_FLIGHT.search(answer.text) is not None


async def _until(holds: Callable[[], Awaitable[bool]], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if await holds():
            return True
        await asyncio.sleep(_POLL_S)
    return False


if __name__ == "__main__":
    sys.exit(main())
