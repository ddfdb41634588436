"""What the trial does with the image: migrate, seed, simulators, gateway and worker; payments; a drain; the audit."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from gateway.devstack.demo import auth_code, take_demo_payments
from gateway.processes.errors import StackError
from loadtests.container.engine import USER_ID, Ended, Podman

GATEWAY: Final = "http://127.0.0.1:8000"
WORKER_PORT: Final = 8001
_WORKER: Final = f"http://127.0.0.1:{WORKER_PORT}"
_STATE: Final = "/var/lib/mashang/demo"
_STARTS: Final = 5
_READY_S_MAX: Final = 60.0
_STOP_S: Final = 75
_PIN_CODE: Final = "9003"  # the simulated customer types a PIN for three seconds
_TOOLS: Final = ("pip", "uv", "gcc", "cc", "make", "curl", "wget")
_NAMES: Final = ("mashang-try-gateway", "mashang-try-worker", "mashang-try-simulators")
_IDENTITY: Final = (
    "id -u; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status; touch /x 2>/dev/null && echo written || echo read-only; "
    f"for tool in {' '.join(_TOOLS)}; do command -v $tool; done; true"
)


_SIGNING: Final = """
import os, pathlib
from gateway.kernel.rsa.choice import RsaChoice
from gateway.kernel.rsa.choosing import find_way
library = pathlib.Path(os.environ["MASHANG_CRYPTO_MB_LIBRARY"])
held = any(str(library) in maps.read_text() for maps in pathlib.Path("/proc").glob("[0-9]*/maps"))
way = find_way(RsaChoice.AUTO, library)
print(f"{way.choice}, {'loaded' if held else 'not loaded'}: {way.reason}")
"""
"""Whether some process of the container has the library in its memory, and whether it signs as OpenSSL does."""


@dataclass(slots=True)
class Results:
    """What was seen, in order; a check that failed does not end the trial."""

    checks: list[tuple[str, bool, str]] = field(default_factory=list)
    starts_s: list[float] = field(default_factory=list)
    starts_cpu_s: list[float] = field(default_factory=list)

    def check(self, what: str, holds: bool, shown: str = "") -> None:
        """Note whether something holds, with what was seen."""
        self.checks.append((what, holds, shown))

    @property
    def all_hold(self) -> bool:
        """Whether nothing failed."""
        return all(holds for _, holds, _ in self.checks)


class Trial:
    """One image, tried on stores that run already."""

    def __init__(self, podman: Podman, results: Results) -> None:
        self._podman = podman
        self._results = results
        self._gateway, self._worker, self._simulators = _NAMES

    def run(self) -> None:
        """All of it.  Raises StackError where going on makes no sense; containers are removed in any case."""
        try:
            self._prepare()
            self._start_others()
            self._measure_starts()
            self._look_inside()
            self._pay()
            self._drain()
            self._stop_others()
            self._audit()
        finally:
            self._podman.remove(*_NAMES)

    def _prepare(self) -> None:
        for what, command in (
            ("migrate", ("migrate",)),
            ("migrate again changes nothing", ("migrate",)),
            ("demo seed", ("demo", "seed", "--state", _STATE, "--reached-as", "127.0.0.1")),
        ):
            ended = self._podman.run(*command)
            self._results.check(what, ended.status == 0, f"{ended.took_s:.1f} s")
            _need(what, ended)
        self._as_compose_does()
        refused = self._podman.run(
            "-c", "MASHANG_ENV=production exec mashang demo seed --reached-as x", entrypoint="sh"
        )
        self._results.check("demo seed is refused in production", refused.status == 2, refused.output[-90:])

    def _as_compose_does(self) -> None:
        """The secrets are made in one container and read by the shell of the next."""
        made = self._podman.run(
            "demo", "secrets", "--state", _STATE, "--password-file", f"{_STATE}/../postgres/password"
        )
        script = f'set -a; . {_STATE}/demo.env; exec mashang "$@"'
        migrated = self._podman.run("-c", script, "mashang", "migrate", "--status", entrypoint="/bin/sh")
        self._results.check("demo secrets, and a command that reads them", made.status == migrated.status == 0)

    def _start_others(self) -> None:
        self._podman.start(self._simulators, "simulators", "--state", _STATE)
        self._podman.start(self._worker, "worker", MASHANG_WORKER_PORT=str(WORKER_PORT))
        self._wait_ready(self._simulators, "http://127.0.0.1:8104/_simulator/health")
        self._wait_ready(self._worker, f"{_WORKER}/readyz")

    def _measure_starts(self) -> None:
        """Start the gateway several times: from the call of podman until /readyz says 200."""
        for left in reversed(range(_STARTS)):
            began = time.monotonic()
            self._podman.start(self._gateway, "serve", "--host", "0.0.0.0")  # noqa: S104 - as in the image
            self._wait_ready(self._gateway, f"{GATEWAY}/readyz")
            self._results.starts_s.append(time.monotonic() - began)
            self._results.starts_cpu_s.append(_cpu_s(self._podman.pid(self._gateway)))
            if left:
                self._podman.stop(self._gateway, _STOP_S)
        middle = statistics.median(self._results.starts_s)
        self._results.check("start to ready within 3 s", middle <= 3, f"median {middle:.2f} s of {_STARTS}")

    def _look_inside(self) -> None:
        for name in _NAMES:
            seen = self._podman.inside(name, "sh", "-c", _IDENTITY).output.split("\n")
            facts = {str(USER_ID), "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "read-only"}
            self._results.check(f"{name}: user, rights, root, tools", facts == set(seen), " · ".join(seen))
        self._look_at_signing()
        # They share a network here, so the image's check would find the gateway from everywhere.
        self._results.check("health check of the image, in the gateway", self._podman.is_healthy(self._gateway))
        asked = self._podman.inside(self._worker, "python", "-m", "gateway.processes.health", f"{_WORKER}/readyz")
        self._results.check("health check of the worker", asked.status == 0)
        for url in (GATEWAY, _WORKER):
            answer = httpx.get(f"{url}/metrics", trust_env=False)
            families = answer.text.count("# TYPE mashang_")
            self._results.check(f"{url}/metrics", answer.status_code == 200 and families > 0, f"{families} families")

    def _look_at_signing(self) -> None:
        """Gateway and simulators sign with the one file of the extra `multibuffer`, where the processor can."""
        expected = "multibuffer, loaded" if "avx512ifma" in Path("/proc/cpuinfo").read_text("ascii") else "openssl"
        for name in (self._gateway, self._simulators):
            seen = self._podman.inside(name, "python", "-c", _SIGNING).output.splitlines()[-1]
            self._results.check(f"{name}: RSA by {expected}", seen.startswith(expected), seen)

    def _pay(self) -> None:
        for payment in asyncio.run(take_demo_payments(GATEWAY, self._api_key())):
            shown = f"{payment.payable_fen} fen over {payment.channel}, {payment.took_ms:.0f} ms"
            self._results.check(f"a payment by {payment.wallet}", payment.status == "succeeded", shown)

    def _drain(self) -> None:
        """SIGTERM while a customer types a PIN: that payment gets its answer, then the process ends."""
        with self._slow_payment() as answers:
            self._await_in_flight()
            status = self._podman.stop(self._gateway, _STOP_S)
        self._results.check("SIGTERM: the payment under way is answered", answers == ["succeeded"], str(answers))
        self._results.check("SIGTERM: the gateway ends by itself", status in {0, 143}, f"exit status {status}")

    def _stop_others(self) -> None:
        for name in (self._worker, self._simulators):
            status = self._podman.stop(name, _STOP_S)
            self._results.check(f"SIGTERM: {name} ends by itself", status in {0, 143}, f"exit status {status}")

    def _audit(self) -> None:
        """The simulators answer it, so they are started once more."""
        self._podman.start(self._simulators, "simulators", "--state", _STATE)
        self._wait_ready(self._simulators, "http://127.0.0.1:8104/_simulator/health")
        audited = self._podman.run("audit", "--state", _STATE)
        self._results.check("audit of the three books", audited.status == 0, audited.output.splitlines()[-1])

    @contextmanager
    def _slow_payment(self) -> Iterator[list[str]]:
        """A payment for which its customer types a PIN, on a thread; what became of it is in the list at the end."""
        answers: list[str] = []
        paying = threading.Thread(target=lambda: answers.append(_pay_with_pin(self._api_key())))
        paying.start()
        yield answers
        paying.join()

    def _await_in_flight(self) -> None:
        _until(lambda: _in_flight(httpx.get(f"{GATEWAY}/metrics", trust_env=False).text) > 0, "no payment is in flight")

    def _wait_ready(self, name: str, url: str) -> None:
        with httpx.Client(trust_env=False, timeout=2) as client:
            try:
                _until(lambda: _answers(client, url), f"{name} does not answer at {url}")
            except StackError as error:
                raise StackError(f"{error}\n{self._podman.logs(name)}") from None

    def _api_key(self) -> str:
        ready = json.loads((self._podman.state / "demo" / "ready.json").read_bytes())
        return str(ready["merchant"]["api_key"])


def write_facts(path: Path, podman: Podman, results: Results) -> None:
    """Put the figures into a JSON file, for whoever compares them later."""
    facts = {
        "image": podman.image,
        "size_bytes": podman.size_bytes(),
        "layers_bytes": [{"made_by": made_by, "bytes": size} for made_by, size in podman.layers()],
        "start_to_ready_s": results.starts_s,
        "start_to_ready_cpu_s": results.starts_cpu_s,
        "checks": [{"check": what, "holds": holds, "seen": seen} for what, holds, seen in results.checks],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    """Wait until a condition holds.  Raises StackError."""
    deadline = time.monotonic() + _READY_S_MAX
    while not holds():
        if time.monotonic() > deadline:
            raise StackError(otherwise)
        time.sleep(0.01)


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == 200
    except httpx.TransportError:
        return False


def _pay_with_pin(api_key: str) -> str:
    order = {
        "merchant_order_no": f"TRY-{secrets.token_hex(6)}",
        "amount": 2599,
        "currency": "CNY",
        "method": "barcode",
        "auth_code": auth_code("wechat")[:-4] + _PIN_CODE,
    }
    headers = {"Authorization": f"Bearer {api_key}"}
    answer = httpx.post(f"{GATEWAY}/v1/payments", json=order, headers=headers, timeout=60, trust_env=False)
    return str(answer.json().get("status", answer.text))


def _in_flight(metrics: str) -> float:
    lines = [line for line in metrics.splitlines() if line.startswith("mashang_payments_in_flight")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def _cpu_s(pid: int) -> float:
    """CPU seconds that a process has used so far (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _need(what: str, ended: Ended) -> None:
    if ended.status:
        raise StackError(f"{what} failed: {ended.output}")
