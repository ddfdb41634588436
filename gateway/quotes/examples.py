"""The examples of the quote API that the OpenAPI document shows."""

from __future__ import annotations

from typing import Any, Final

QUOTE_REQUEST: Final[dict[str, Any]] = {
    "amount": 2599,
    "currency": "CNY",
    "method": "barcode",
    "wallet": "wechat",
    "store_id": "s-1",
    "customer": {"id": "c-42", "card_bin": "622202"},
    "coupons": ["SPRING5"],
}

QUOTE: Final[dict[str, Any]] = {
    "object": "quote",
    "amount": 2599,
    "discount": 500,
    "payable": 2099,
    "currency": "CNY",
    "method": "barcode",
    "wallet": "wechat",
    "promotions": [
        {
            "campaign_id": "cam_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
            "name": "满20减5",
            "discount": 500,
            "funding": [{"sponsor": "bank", "amount": 350}, {"sponsor": "merchant", "amount": 150}],
        }
    ],
    "considered": [
        {
            "campaign_id": "cam_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
            "name": "满20减5",
            "applied": True,
            "reason": "applied",
            "discount": 500,
            "detail": None,
        },
        {
            "campaign_id": "cam_01JD5ZV8W3M0Q9C6R1T2X4Y7KC",
            "name": "周末半价",
            "applied": False,
            "reason": "condition",
            "discount": 0,
            "detail": "“payment.weekday in [6, 7]” is not true: payment.weekday is 3.",
        },
    ],
    "failure": None,
    "quoted_at": "2026-11-22T01:02:03.004Z",
}
