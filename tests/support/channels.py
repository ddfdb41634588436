"""The channel simulators for tests: real processes on sockets of the test's own, and what their books say."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx

from gateway.payments.numbers import attempt_order_no
from gateway.processes.children import Child, Command
from gateway.processes.sockets import listen, port_of
from routing.simulators.provision import AccountSeed, provision
from tests.support.preloaded import PreloadedChild

CHANNELS: Final = ("wechat", "alipay", "unionpay")
FRONT: Final = "qra"
"""UnionPay's bar-code front: a second route for every wallet, so only tests of routes start it."""
QUICK_RHYTHM: Final[Mapping[str, Any]] = {
    "after_pending_s": [0.2],
    "after_unknown_s": [0.2],
    "reverse_not_before_s": 0.5,
    "repeat_reversal_s": 0.2,
    "after_shown_s": [0.3],
}
"""The channels' rhythms in quick motion: what takes minutes in a shop takes a second in a test."""


@dataclass(slots=True)
class Simulators:
    """The running simulators.  `children` can be killed and started again by their channel's name.

    `rotated` are the accounts with their next credentials, which the simulators know already.
    """

    base_urls: Mapping[str, str]
    children: Mapping[str, Child]
    accounts: Sequence[AccountSeed]
    rotated: Sequence[AccountSeed] = ()
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=5, trust_env=False))

    def accounts_with(self, rhythm: Mapping[str, Any] | None) -> list[AccountSeed]:
        """The gateway's accounts, with another rhythm than the channels' own."""
        if rhythm is None:
            return list(self.accounts)
        return [replace(account, settings={**account.settings, "rhythm": dict(rhythm)}) for account in self.accounts]

    def trades(self, channel: str, order_no: str | None = None) -> list[dict[str, Any]]:
        """What that channel's books say, of all orders or of one."""
        query = {} if order_no is None else {"order_no": order_no}
        answer = self.client.get(f"{self.base_urls[channel]}/_simulator/trades", params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["trades"]
        return found

    def trades_of(self, payment: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What the books of the payment's channel say of its first attempt."""
        account = next((account for account in self.accounts if account.id == payment.get("channel")), None)
        channel = payment["wallet"] if account is None else account.channel
        return self.trades(channel, attempt_order_no(payment["id"], 1))

    def trade_of(self, payment: Mapping[str, Any]) -> dict[str, Any]:
        """The same, where there must be exactly one."""
        [trade] = self.trades_of(payment)
        return trade

    def scan(self, channel: str, qr_code: str, **more: str) -> dict[str, Any]:
        """A customer scans a code on display and, unless told otherwise, pays."""
        answer = self.client.post(f"{self.base_urls[channel]}/_simulator/scan", json={"qr_code": qr_code, **more})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def set_faults(self, channel: str, *rules: Mapping[str, Any], **plan: Any) -> None:
        """Replace the faults in force at a channel (docs/simulators.md)."""
        answer = self.client.put(
            f"{self.base_urls[channel]}/_simulator/faults", json={"rules": [dict(rule) for rule in rules], **plan}
        )
        assert answer.status_code == 200, answer.text

    def clear_faults(self) -> None:
        """Back to ordinary channels."""
        for url in self.base_urls.values():
            self.client.delete(f"{url}/_simulator/faults")


@contextmanager
def start_simulators(folder: Path, keys: Path, *, front: bool = False) -> Iterator[Simulators]:
    """Start the three direct channels, and UnionPay's front where it is wanted, with their books under `folder`.

    `keys` may be shared by a whole test run, for they cost most.
    """
    with ExitStack() as stack:
        names = (*CHANNELS, FRONT) if front else CHANNELS
        listeners = {name: stack.enter_context(listen(0)) for name in names}
        base_urls = {name: f"http://127.0.0.1:{port_of(listener)}" for name, listener in listeners.items()}
        made = provision(keys, base_urls)
        folder.mkdir(parents=True, exist_ok=True)
        children = {}
        for name, listener in listeners.items():
            command = (
                sys.executable, "-m", "routing.simulators", name,
                "--config", str(made.simulators[name]), "--books", str(folder / f"{name}.sqlite"),
                "--fd", str(listener.fileno()),
            )  # fmt: skip
            child = PreloadedChild(
                Command(f"{name} simulator", command, folder / f"{name}.log", None, (listener.fileno(),))
            )
            child.start()
            stack.callback(child.stop, signal.SIGTERM, timeout_s=5)
            children[name] = child
        simulators = Simulators(base_urls, children, made.accounts, made.rotated)
        stack.callback(simulators.client.close)
        for name, child in children.items():
            wait_until_answers(simulators.client, f"{base_urls[name]}/_simulator/health", child)
        yield simulators


def wait_until_answers(client: httpx.Client, url: str, child: Child, timeout_s: float = 20.0) -> None:
    """Wait until the address answers 200.  Raises StackError with the log's end when the process dies first."""
    deadline = time.monotonic() + timeout_s
    while True:
        child.require_running()
        try:
            if client.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(url)
        time.sleep(0.01)
