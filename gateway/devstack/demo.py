"""One payment per wallet over HTTP, as a till would take it, to show that the stack works; and some bonus hunters."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any, Final

import httpx

from gateway.kernel.ids import new_ulid
from gateway.processes.errors import StackError

_AMOUNT_FEN: Final = 2599
_TIMEOUT_S: Final = 40.0
_HUNTERS: Final = 3
_CODE_PREFIXES: Final = {"wechat": "13", "alipay": "28", "unionpay": "62"}
_CODE_LENGTHS: Final = {"wechat": 18, "alipay": 18, "unionpay": 19}


@dataclass(frozen=True, slots=True)
class DemoPayment:
    """What became of one demo payment."""

    wallet: str
    amount_fen: int
    discount_fen: int
    payable_fen: int
    status: str
    failure: str
    channel: str
    channel_trade_no: str
    risk: str
    took_ms: float


def auth_code(wallet: str) -> str:
    """A payment code as the wallet's app would show it; not ending in one of the simulators' magic numbers (90xx)."""
    prefix = _CODE_PREFIXES[wallet]
    middle = "".join(secrets.choice("0123456789") for _ in range(_CODE_LENGTHS[wallet] - len(prefix) - 4))
    return f"{prefix}{middle}{secrets.randbelow(8000) + 1000}"


async def take_demo_payments(gateway: str, api_key: str) -> list[DemoPayment]:
    """Take one payment per wallet.  Raises StackError when the gateway answers with an error."""
    # Proxies of the environment are not for the loopback.
    async with httpx.AsyncClient(base_url=gateway, timeout=_TIMEOUT_S, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {api_key}"
        return [await _take(client, wallet, {"id": f"demo-{wallet}"}) for wallet in _CODE_PREFIXES]


async def take_hunting_payments(gateway: str, api_key: str) -> list[DemoPayment]:
    """Three new accounts on one new phone, one after another, for the same discount.  Raises StackError."""
    phone = f"phone-{new_ulid()}"
    async with httpx.AsyncClient(base_url=gateway, timeout=_TIMEOUT_S, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {api_key}"
        accounts = [{"id": f"hunter-{new_ulid()}", "device_id": phone} for _ in range(_HUNTERS)]
        return [await _take(client, "wechat", account) for account in accounts]


async def _take(client: httpx.AsyncClient, wallet: str, customer: dict[str, str]) -> DemoPayment:
    order: dict[str, Any] = {
        "merchant_order_no": f"DEMO-{new_ulid()}",
        "amount": _AMOUNT_FEN,
        "currency": "CNY",
        "method": "barcode",
        "auth_code": auth_code(wallet),
        "description": "latte",
        "customer": customer,
    }
    started = time.perf_counter()
    answer = await client.post("/v1/payments", json=order)
    took_ms = (time.perf_counter() - started) * 1000
    if answer.status_code != 201:
        raise StackError(f"The demo payment by {wallet} was refused with HTTP {answer.status_code}: {answer.text}")
    payment = answer.json()
    return DemoPayment(
        wallet=wallet,
        amount_fen=payment["amount"],
        discount_fen=payment["discount"],
        payable_fen=payment["payable"],
        status=payment["status"],
        failure=(payment["failure"] or {}).get("code", ""),
        channel=payment["channel"] or "",
        channel_trade_no=payment["channel_trade_no"] or "",
        risk=", ".join([payment["risk"]["decision"], *payment["risk"]["reasons"]]),
        took_ms=took_ms,
    )


def example_command(gateway: str, api_key: str) -> str:
    """A payment as a shell command to paste."""
    body = (
        f'{{"merchant_order_no": "TILL-{secrets.token_hex(3)}", "amount": {_AMOUNT_FEN}, "currency": "CNY", '
        f'"method": "barcode", "auth_code": "{auth_code("wechat")}", "description": "latte"}}'
    )
    return (
        f"curl -s {gateway}/v1/payments -H 'Authorization: Bearer {api_key}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )
