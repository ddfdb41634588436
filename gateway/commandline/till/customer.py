"""`mashang scan`: plays the customer of a development stack, who scans a code on display with his wallet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from gateway.commandline.till.shown import say
from gateway.devstack.options import ready_file_of
from gateway.devstack.ready import ReadyFile, read_ready_file
from gateway.devstack.screen import yuan
from gateway.processes.errors import StackError

_WALLETS: Final = {"weixin": "wechat", "qr.alipay.com": "alipay", "qr.95516.com": "unionpay"}
"""By the scheme or the host of the code's content."""
_FRONT: Final = "qra"
"""The simulator whose codes several wallets can scan."""
_TIMEOUT_S: Final = 10.0


def scan(code: str, state: Path, *, decline: bool, wallet: str | None = None) -> bool:
    """Scan and pay, or decline; False where the wallet does not pay.  Raises StackError for what cannot be scanned.

    `wallet` is for codes that several can scan; a code of one wallet's is scanned by that one.
    """
    ready = read_ready_file(ready_file_of(state))
    simulator = _simulator_of(code, ready)
    wallet = wallet or (simulator if simulator != _FRONT else "unionpay")
    order = {"qr_code": code, "action": "decline" if decline else "pay", "wallet": wallet}
    url = f"{ready.simulators[simulator]['base_url']}/_simulator/scan"
    try:
        answer = httpx.post(url, json=order, timeout=_TIMEOUT_S, trust_env=False)
    except httpx.TransportError as error:
        raise StackError(f"The {simulator} simulator does not answer: {error}") from error
    told = answer.json()
    if answer.is_success:
        say(f"{wallet}: {told['status']}, {yuan(told['amount'])}, order {told['order_no']}")
        return bool(told["status"] == "captured")
    say(f"{wallet} does not pay this code: {_reason(told, answer)}")
    return False


def _simulator_of(code: str, ready: ReadyFile) -> str:
    parts = urlsplit(code)
    simulator = _WALLETS.get(parts.scheme) or _WALLETS.get(parts.hostname or "")
    if simulator is not None:
        return simulator
    if _FRONT in ready.simulators and code.startswith(f"{ready.simulators[_FRONT]['base_url']}/scan?"):
        return _FRONT
    if code.startswith(f"{ready.gateway}/q/"):
        raise StackError(f"Any wallet can pay this code: open it in a browser, which plays one. {code}")
    raise StackError("This is the content of no wallet's code.")


def _reason(told: Any, answer: httpx.Response) -> str:
    error = told.get("error") if isinstance(told, dict) else None
    return str(error or answer.status_code)
