"""Every call of the API as a typed value: built here once, run by the blocking and by the asynchronous client."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from gateway.client.objects import (
    Code,
    Event,
    EventList,
    Payment,
    PaymentList,
    Refund,
    RefundList,
    Wallet,
    WebhookEndpoint,
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One request: `target` is the path with its query, `body` what is sent, `wait_s` the till's patience.

    A call that is not `repeatable` makes something new each time: it is not sent again where it may have arrived.
    """

    method: str
    target: str
    body: bytes = b""
    wait_s: int | None = None
    repeatable: bool = True


def pay(
    *,
    merchant_order_no: str,
    amount: int,
    auth_code: str | None = None,
    wallet: Wallet | None = None,
    currency: str = "CNY",
    description: str | None = None,
    store_id: str | None = None,
    terminal_id: str | None = None,
    operator_id: str | None = None,
    customer: Mapping[str, Any] | None = None,
    coupons: Sequence[str] = (),
    expected_payable: int | None = None,
    replaces: str | None = None,
    expires_in: int | None = None,
    notify_url: str | None = None,
    metadata: Mapping[str, str] | None = None,
    wait_s: int | None = None,
) -> Call[Payment]:
    """Take a payment.  With `auth_code` the customer's bar code is charged; without it a code to show comes back in
    `qr_code`: the one of `wallet`, or one that any wallet can pay.
    """
    fields = {
        "merchant_order_no": merchant_order_no,
        "amount": amount,
        "currency": currency,
        "method": "qrcode" if auth_code is None else "barcode",
        "auth_code": auth_code,
        "wallet": wallet,
        "description": description,
        "store_id": store_id,
        "terminal_id": terminal_id,
        "operator_id": operator_id,
        "customer": None if customer is None else dict(customer),
        "coupons": list(coupons) or None,
        "expected_payable": expected_payable,
        "replaces": replaces,
        "expires_in": expires_in,
        "notify_url": notify_url,
        "metadata": None if metadata is None else dict(metadata),
    }
    return Call("POST", "/v1/payments", _json(fields), wait_s)


def payment(payment_id: str, *, refresh: bool = False) -> Call[Payment]:
    """Read a payment; `refresh` asks the channel first where it is not decided."""
    return Call("GET", _target(f"/v1/payments/{_part(payment_id)}", refresh="true" if refresh else None))


def payments(
    *,
    merchant_order_no: str | None = None,
    status: str | None = None,
    created_from: str | None = None,
    created_to: str | None = None,
    store_id: str | None = None,
    terminal_id: str | None = None,
    limit: int | None = None,
    starting_after: str | None = None,
) -> Call[PaymentList]:
    """List payments, newest first."""
    return Call(
        "GET",
        _target(
            "/v1/payments",
            merchant_order_no=merchant_order_no,
            status=status,
            created_from=created_from,
            created_to=created_to,
            store_id=store_id,
            terminal_id=terminal_id,
            limit=limit,
            starting_after=starting_after,
        ),
    )


def cancel(payment_id: str, *, wait_s: int | None = None) -> Call[Payment]:
    """Close, reverse or void a payment; `reversal` tells how it goes."""
    return Call("POST", f"/v1/payments/{_part(payment_id)}/cancel", wait_s=wait_s)


def refund(
    *,
    payment_id: str,
    amount: int,
    merchant_refund_no: str,
    reason: str | None = None,
    store_id: str | None = None,
    terminal_id: str | None = None,
    operator_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
    wait_s: int | None = None,
) -> Call[Refund]:
    """Give goods' value back, in part or in whole, as often as the channel allows."""
    fields = {
        "payment_id": payment_id,
        "amount": amount,
        "merchant_refund_no": merchant_refund_no,
        "reason": reason,
        "store_id": store_id,
        "terminal_id": terminal_id,
        "operator_id": operator_id,
        "metadata": None if metadata is None else dict(metadata),
    }
    return Call("POST", "/v1/refunds", _json(fields), wait_s)


def find_refund(refund_id: str) -> Call[Refund]:
    """Read a refund."""
    return Call("GET", f"/v1/refunds/{_part(refund_id)}")


def refunds(
    *,
    payment_id: str | None = None,
    merchant_refund_no: str | None = None,
    status: str | None = None,
    limit: int | None = None,
    starting_after: str | None = None,
) -> Call[RefundList]:
    """List refunds, newest first."""
    return Call(
        "GET",
        _target(
            "/v1/refunds",
            payment_id=payment_id,
            merchant_refund_no=merchant_refund_no,
            status=status,
            limit=limit,
            starting_after=starting_after,
        ),
    )


def create_code(*, name: str, amount: int | None = None, **fields: Any) -> Call[Code]:
    """Make a static code that any wallet can pay; the customer types the amount where none is given."""
    return Call(
        "POST", "/v1/codes", _json({"type": "static", "name": name, "amount": amount, **fields}), repeatable=False
    )


def create_webhook_endpoint(
    url: str, *, types: Sequence[str] | None = None, description: str | None = None
) -> Call[WebhookEndpoint]:
    """Be told of events; the answer holds the `secret` for verify_webhook, shown only now."""
    fields = {"url": url, "types": None if types is None else list(types), "description": description}
    return Call("POST", "/v1/webhook_endpoints", _json(fields), repeatable=False)


def events(
    *, payment_id: str | None = None, limit: int | None = None, starting_after: str | None = None
) -> Call[EventList]:
    """List events, newest first: what a server that was away has missed."""
    return Call("GET", _target("/v1/events", payment_id=payment_id, limit=limit, starting_after=starting_after))


def resend_event(event_id: str) -> Call[Event]:
    """Have an event delivered once more."""
    return Call("POST", f"/v1/events/{_part(event_id)}/resend", b"{}")


def _json(fields: Mapping[str, Any]) -> bytes:
    """The fields that are set; the same call gives the same bytes."""
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def _target(path: str, **query: Any) -> str:
    wanted = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(wanted)}" if wanted else path


def _part(identifier: str) -> str:
    """An id as one part of a path, whatever it holds."""
    return quote(identifier, safe="")
