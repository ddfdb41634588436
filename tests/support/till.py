"""A till for tests: orders with new numbers and new payment codes, and the calls of the payment API."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, Final, Self

import httpx

from gateway.kernel.ids import new_ulid
from gateway.payments.schemas import PaymentObject

CODES: Final = {"wechat": ("13", 18), "alipay": ("28", 18), "unionpay": ("62", 19)}
"""Prefix and length of each wallet's payment codes."""
WALLETS: Final = tuple(CODES)
FINAL: Final = frozenset({"succeeded", "failed", "closed", "reversed"})
_counter = itertools.count(secrets.randbelow(10**8))


def auth_code(wallet: str, magic: str | None = None) -> str:
    """A new payment code of that wallet, ordinary unless it ends in a magic number such as "9003"."""
    prefix, length = CODES[wallet]
    middle = f"{next(_counter) % 10**9:09d}".rjust(length - len(prefix) - 4, "7")
    return f"{prefix}{middle}{magic or '1234'}"


def new_order(wallet: str = "wechat", magic: str | None = None, **changes: Any) -> dict[str, Any]:
    """A request with a new order number and a new code; None leaves a field out."""
    order = {
        "merchant_order_no": f"T-{new_ulid()}",
        "amount": 2599,
        "currency": "CNY",
        "method": "barcode",
        "auth_code": auth_code(wallet, magic),
        **changes,
    }
    return {name: value for name, value in order.items() if value is not None}


def new_code(wallet: str | None = "wechat", **changes: Any) -> dict[str, Any]:
    """A request for a code to show, with a new order number; without a wallet any wallet can pay it."""
    return new_order(method="qrcode", auth_code=None, **changes) | ({} if wallet is None else {"wallet": wallet})


class Till:
    """One client of the payment API.  The calls give back whole answers; `paid` and `settled` give payments."""

    def __init__(self, url: str, key: str) -> None:
        self.client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=40,
            trust_env=False,
            limits=httpx.Limits(max_connections=200),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()

    async def pay(
        self,
        order: Mapping[str, Any],
        *,
        wait_s: int | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """POST /v1/payments."""
        sent = {**(headers or {})}
        if wait_s is not None:
            sent["Prefer"] = f"wait={wait_s}"
        if idempotency_key is not None:
            sent["Idempotency-Key"] = idempotency_key
        return await self.client.post("/v1/payments", json=dict(order), headers=sent)

    async def get(self, payment_id: str, *, refresh: bool = False) -> httpx.Response:
        """GET /v1/payments/{id}."""
        return await self.client.get(f"/v1/payments/{payment_id}", params={"refresh": "true"} if refresh else {})

    async def list(self, **filters: Any) -> httpx.Response:
        """GET /v1/payments."""
        return await self.client.get("/v1/payments", params=filters)

    async def cancel(self, payment_id: str, *, wait_s: int | None = None) -> httpx.Response:
        """POST /v1/payments/{id}/cancel."""
        headers = {} if wait_s is None else {"Prefer": f"wait={wait_s}"}
        return await self.client.post(f"/v1/payments/{payment_id}/cancel", headers=headers)

    async def taken(self, wallet: str = "wechat", magic: str | None = None, **changes: Any) -> dict[str, Any]:
        """A new payment as the answer shows it, whatever became of it.  `wait_s` bounds the answer."""
        wait_s = changes.pop("wait_s", None)
        return payment_of(await self.pay(new_order(wallet, magic, **changes), wait_s=wait_s), 201)

    async def paid(self, wallet: str = "wechat", **changes: Any) -> dict[str, Any]:
        """A new payment that succeeded."""
        payment = await self.taken(wallet, **changes)
        assert payment["status"] == "succeeded", payment
        return payment

    async def id_of(self, merchant_order_no: str, timeout_s: float = 10.0) -> str:
        """The id of the payment with that number, as soon as there is one."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for payment in (await self.list(merchant_order_no=merchant_order_no)).json()["data"]:
                return str(payment["id"])
            await asyncio.sleep(0.01)
        raise TimeoutError(merchant_order_no)

    async def settled(
        self, payment_id: str, statuses: Collection[str] = FINAL, timeout_s: float = 20.0
    ) -> dict[str, Any]:
        """The payment once it stands in one of these states."""
        deadline = time.monotonic() + timeout_s
        while True:
            payment = payment_of(await self.get(payment_id))
            if payment["status"] in statuses:
                return payment
            assert time.monotonic() < deadline, f"still not {'/'.join(sorted(statuses))}: {payment}"
            await asyncio.sleep(0.05)


def payment_of(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """The payment in an answer, whose shape must be exactly the documented one."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    payment: dict[str, Any] = answer.json()
    documented = PaymentObject.model_validate_json(answer.content, strict=True).model_dump(mode="json")
    assert shape_of(payment) == shape_of(documented)
    return payment


def error_of(answer: httpx.Response, status: int, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """The error in an answer, in the one error shape, with the request id that the header has too."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    body = answer.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"type", "code", "message", "param", "request_id", "docs_url"}
    assert error["request_id"] == answer.headers["request-id"]
    assert error["type"] == ERROR_TYPES[status], error
    assert error["docs_url"].endswith(f"#{error['code']}")
    assert error["message"]
    if code is not None:
        assert error["code"] == code, error
    if param is not None:
        assert error["param"] == param, error
    return error


ERROR_TYPES: Final = {
    **dict.fromkeys((400, 404, 405, 408, 411, 413, 415, 422), "invalid_request"),
    401: "authentication",
    403: "permission",
    409: "conflict",
    429: "rate_limited",
    503: "unavailable",
}


def shape_of(value: Any) -> Any:
    """The names in a JSON value, without what stands under them; free-form objects (metadata) keep their content."""
    if isinstance(value, dict):
        return {name: inner if name == "metadata" else shape_of(inner) for name, inner in value.items()}
    return [shape_of(inner) for inner in value] if isinstance(value, list) else None
