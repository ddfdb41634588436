"""The examples of the refund API that the OpenAPI document shows."""

from __future__ import annotations

from typing import Any, Final

REFUND_REQUEST: Final[dict[str, Any]] = {
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "amount": 1000,
    "merchant_refund_no": "POS7-R-000045",
    "reason": "one latte returned",
    "operator_id": "o-1",
}

REFUND: Final[dict[str, Any]] = {
    "id": "ref_01JD60A1B2M0Q9C6R1T2X4Y7KC",
    "object": "refund",
    "status": "succeeded",
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "merchant_refund_no": "POS7-R-000045",
    "amount": 1000,
    "returned_to_customer": 807,
    "discount_returned": 193,
    "fee_returned": 3,
    "funding": [{"sponsor": "bank", "amount": 135}, {"sponsor": "merchant", "amount": 58}],
    "currency": "CNY",
    "reason": "one latte returned",
    "channel": "wechat_direct",
    "channel_refund_no": "50300002611202611223456789012",
    "failure": None,
    "review": None,
    "store_id": None,
    "terminal_id": None,
    "operator_id": "o-1",
    "created_at": "2026-11-22T01:12:03.004Z",
    "completed_at": "2026-11-22T01:12:04.161Z",
    "metadata": {},
}

FAILED_REFUND: Final[dict[str, Any]] = {
    **REFUND,
    "status": "failed",
    "channel_refund_no": None,
    "failure": {
        "code": "merchant_balance_insufficient",
        "message": "The merchant's balance at the channel is too low: top it up and refund again.",
        "channel_code": "NOT_ENOUGH",
        "retryable": True,
    },
}

REFUND_LIST: Final[dict[str, Any]] = {"object": "list", "data": [REFUND], "has_more": False}
