"""What the SDK tests work with: an SDK in a process of its own environment, and a counter with one channel's books."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tests.sdk.install import ENVIRONMENTS, HERE, STAMP, why_no_npm
from tests.support.channels import Simulators
from tests.support.till import auth_code

DRIVERS: Final = HERE / "drivers"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: an answer that the SDK vouches for, or what it raised."""

    answer: Any = None
    raised: str | None = None
    message: str = ""


class Sdk:
    """One client of an SDK, alive in a driver's process until it is hung up."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def call(self, name: str, **arguments: Any) -> Outcome:
        """Carry out one call, whatever comes of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": name, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the driver died with {self._process.wait(10)}; what it said is above"
        return Outcome(**json.loads(line))

    def ask(self, name: str, **arguments: Any) -> Any:
        """The answer of a call; whatever the SDK raises fails the test."""
        outcome = self.call(name, **arguments)
        assert outcome.raised is None, f"{name}: the SDK raised {outcome.raised}: {outcome.message}"
        return outcome.answer


def python_driver(environment: str, script: str) -> tuple[str, ...]:
    """The command of a Python driver.  Fails the test where `make test-sdk` has not installed its SDK."""
    return (str(_installed(environment) / "bin" / "python"), str(DRIVERS / script))


def npm_driver() -> tuple[str, ...]:
    """The command of the npm SDKs' driver.  Skips the test, with their names, where npm is absent."""
    reason = why_no_npm()
    if reason is not None:
        pytest.skip(reason)
    return ("node", str(DRIVERS / "npm_sdks.mjs"), str(_installed("npm")))


def _installed(environment: str) -> Path:
    folder = ENVIRONMENTS / environment
    if not (folder / STAMP).exists():
        pytest.fail(f"{folder} is not there: run these tests with `make test-sdk`, which installs the SDKs")
    return folder


@contextmanager
def open_sdk(command: Sequence[str], settings: Mapping[str, Any]) -> Iterator[tuple[Sdk, Outcome]]:
    """Start a driver and open its client; the outcome says whether the SDK would."""
    # No proxy of the person at the terminal, and Beijing's time, in which the Alipay SDKs write their timestamps.
    environment = {"PATH": os.environ["PATH"], "TZ": "Asia/Shanghai", "PYTHONUTF8": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment
    ) as process:
        sdk = Sdk(process)
        yield sdk, sdk.call("open", **settings)


@contextmanager
def opened_sdk(command: Sequence[str], settings: Mapping[str, Any]) -> Iterator[Sdk]:
    """The same where it must open."""
    with open_sdk(command, settings) as (sdk, opened):
        assert opened.raised is None, f"the SDK did not open: {opened.raised}: {opened.message}"
        yield sdk


@dataclass(frozen=True, slots=True)
class Counter:
    """A shop's counter at one channel: new numbers and codes, faults on order, and what the channel's books say."""

    channel: str
    simulators: Simulators

    @property
    def settings(self) -> dict[str, Any]:
        """The merchant's half of the keys, and the channel's address."""
        return dict(next(seed.settings for seed in self.simulators.accounts if seed.id == f"{self.channel}_direct"))

    def order_no(self) -> str:
        """A new order or refund number."""
        return f"S{secrets.token_hex(12)}"

    def code(self, magic: str | None = None) -> str:
        """A new payment code, with the magic tail where one is wanted."""
        return auth_code(self.channel, magic)

    def fault(self, kind: str, order_no: str, **rule: Any) -> None:
        """From now on, something goes wrong with calls about this order (docs/simulators.md)."""
        self.simulators.set_faults(self.channel, {"kind": kind, "order_nos": [order_no], **rule})

    def trade(self, order_no: str) -> dict[str, Any]:
        """The one trade with that number in the channel's books."""
        [trade] = self.simulators.trades(self.channel, order_no)
        return trade

    def refunds(self, order_no: str) -> list[dict[str, Any]]:
        """What was given back of that order, according to the books."""
        url = f"{self.simulators.base_urls[self.channel]}/_simulator/refunds"
        found: list[dict[str, Any]] = self.simulators.client.get(url, params={"order_no": order_no}).json()["refunds"]
        return found


def until(ask: Callable[[], Any], wanted: Callable[[Any], bool], timeout_s: float = 10.0) -> Any:
    """Ask again and again until the answer is the wanted one; the last answer where it never is."""
    deadline = time.monotonic() + timeout_s
    while not wanted(answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


def stranger_key() -> rsa.RSAPrivateKey:
    """A new key that no channel knows."""
    return rsa.generate_private_key(65_537, 2_048)


def pkcs8_pem(key: rsa.RSAPrivateKey) -> str:
    """A private key as the channels' accounts hold it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def bare_pkcs1(pem: str) -> str:
    """The same as Alipay's own SDK wants it: PKCS#1, on one line, without header."""
    key = load_pem_private_key(pem.encode(), None)
    written = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    return bare(written)


def bare(pem: str) -> str:
    """What stands between a PEM's first and last line."""
    return "".join(pem.strip().splitlines()[1:-1])
