"""The calls of a till as typed values: built here once, run by the blocking and by the asynchronous client."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from gateway.client.call import Call, Moment, json_body, moment, part, target
from gateway.client.objects import Code, Page, Payment, PaymentStatus, Receipt, Refund, RefundStatus, Wallet
from gateway.client.quotes import Quote
from gateway.client.reports import ShiftReport


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
    return Call("POST", "/v1/payments", json_body(fields), wait_s)


def quote(
    *,
    amount: int,
    auth_code: str | None = None,
    wallet: Wallet | None = None,
    method: Literal["barcode", "qrcode"] = "barcode",
    currency: str = "CNY",
    store_id: str | None = None,
    terminal_id: str | None = None,
    operator_id: str | None = None,
    customer: Mapping[str, Any] | None = None,
    coupons: Sequence[str] = (),
    expires_in: int | None = None,
) -> Call[Quote]:
    """Ask what a payment would cost now, and why not less; nothing is taken from any budget."""
    fields = {
        "amount": amount,
        "currency": currency,
        "method": method,
        "auth_code": auth_code,
        "wallet": wallet,
        "store_id": store_id,
        "terminal_id": terminal_id,
        "operator_id": operator_id,
        "customer": None if customer is None else dict(customer),
        "coupons": list(coupons) or None,
        "expires_in": expires_in,
    }
    return Call("POST", "/v1/quotes", json_body(fields))


def payment(payment_id: str, *, refresh: bool = False) -> Call[Payment]:
    """Read a payment; `refresh` asks the channel first where it is not decided."""
    return Call("GET", target(f"/v1/payments/{part(payment_id)}", refresh="true" if refresh else None))


def payments(
    *,
    merchant_order_no: str | None = None,
    status: PaymentStatus | None = None,
    created_from: Moment | None = None,
    created_to: Moment | None = None,
    store_id: str | None = None,
    terminal_id: str | None = None,
    operator_id: str | None = None,
    method: Literal["barcode", "qrcode"] | None = None,
    wallet: Wallet | None = None,
    reversal: Literal["pending", "succeeded", "failed"] | None = None,
    review: bool | None = None,
    limit: int | None = None,
    starting_after: str | None = None,
) -> Call[Page[Payment]]:
    """List payments, newest first; by `merchant_order_no` the one with that number."""
    return Call(
        "GET",
        target(
            "/v1/payments",
            merchant_order_no=merchant_order_no,
            status=status,
            created_from=moment(created_from),
            created_to=moment(created_to),
            store_id=store_id,
            terminal_id=terminal_id,
            operator_id=operator_id,
            method=method,
            wallet=wallet,
            reversal=reversal,
            review=None if review is None else str(review).lower(),
            limit=limit,
            starting_after=starting_after,
        ),
    )


def cancel(payment_id: str, *, wait_s: int | None = None) -> Call[Payment]:
    """Close, reverse or void a payment; `reversal` tells how it goes."""
    return Call("POST", f"/v1/payments/{part(payment_id)}/cancel", wait_s=wait_s)


def receipt(payment_id: str) -> Call[Receipt]:
    """The receipt of a payment that was taken."""
    return Call("GET", f"/v1/payments/{part(payment_id)}/receipt")


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
    return Call("POST", "/v1/refunds", json_body(fields), wait_s)


def find_refund(refund_id: str) -> Call[Refund]:
    """Read a refund."""
    return Call("GET", f"/v1/refunds/{part(refund_id)}")


def refunds(
    *,
    payment_id: str | None = None,
    merchant_refund_no: str | None = None,
    status: RefundStatus | None = None,
    created_from: Moment | None = None,
    created_to: Moment | None = None,
    limit: int | None = None,
    starting_after: str | None = None,
) -> Call[Page[Refund]]:
    """List refunds, newest first."""
    return Call(
        "GET",
        target(
            "/v1/refunds",
            payment_id=payment_id,
            merchant_refund_no=merchant_refund_no,
            status=status,
            created_from=moment(created_from),
            created_to=moment(created_to),
            limit=limit,
            starting_after=starting_after,
        ),
    )


def create_code(
    *,
    name: str | None = None,
    amount: int | None = None,
    description: str | None = None,
    store_id: str | None = None,
    terminal_id: str | None = None,
    operator_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Call[Code]:
    """Make a static code that any wallet can pay, to be printed once; without an amount the customer types it.

    The same `idempotency_key` gives the same code; without one each call makes a new one, however often it is sent.
    For the code of one payment call `pay` without `auth_code` and without `wallet`.
    """
    fields = {
        "type": "static",
        "name": name,
        "amount": amount,
        "description": description,
        "store_id": store_id,
        "terminal_id": terminal_id,
        "operator_id": operator_id,
        "metadata": None if metadata is None else dict(metadata),
    }
    return Call("POST", "/v1/codes", json_body(fields), idempotency_key=idempotency_key or secrets.token_hex(16))


def codes(
    *,
    status: Literal["active", "revoked"] | None = None,
    store_id: str | None = None,
    limit: int | None = None,
    starting_after: str | None = None,
) -> Call[Page[Code]]:
    """List static codes, newest first."""
    return Call(
        "GET", target("/v1/codes", status=status, store_id=store_id, limit=limit, starting_after=starting_after)
    )


def find_code(code_id: str) -> Call[Code]:
    """Read a code, static or of one payment."""
    return Call("GET", f"/v1/codes/{part(code_id)}")


def revoke_code(code_id: str) -> Call[Code]:
    """Take a static code out of use for ever; a payment that is under way goes on."""
    return Call("POST", f"/v1/codes/{part(code_id)}/revoke")


def shift_report(
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    store_id: str | None = None,
    terminal_id: str | None = None,
    operator_id: str | None = None,
    limit: int | None = None,
) -> Call[ShiftReport]:
    """What was taken and given back from `start` until before `end`: today at the merchant's, without them."""
    query = {"from": moment(start), "to": moment(end)}
    return Call(
        "GET",
        target(
            "/v1/shift_report",
            **query,
            store_id=store_id,
            terminal_id=terminal_id,
            operator_id=operator_id,
            limit=limit,
        ),
    )
