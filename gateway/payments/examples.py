"""The examples of the payment API that the OpenAPI document shows."""

from __future__ import annotations

from typing import Any, Final

PAYMENT_REQUEST: Final[dict[str, Any]] = {
    "merchant_order_no": "POS7-000123",
    "amount": 2599,
    "currency": "CNY",
    "method": "barcode",
    "auth_code": "134567890123456789",
    "description": "latte",
    "store_id": "s-1",
    "terminal_id": "t-1",
    "customer": {"id": "c-42", "ip": "203.0.113.7"},
    "metadata": {"table": "12"},
    "expires_in": 60,
}

CODE_REQUEST: Final[dict[str, Any]] = {
    "merchant_order_no": "POS7-000124",
    "amount": 2599,
    "currency": "CNY",
    "method": "qrcode",
    "wallet": "wechat",
    "description": "latte",
    "expires_in": 300,
}

PAYMENT: Final[dict[str, Any]] = {
    "id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "object": "payment",
    "status": "succeeded",
    "merchant_order_no": "POS7-000123",
    "amount": 2599,
    "discount": 500,
    "payable": 2099,
    "amount_refunded": 0,
    "currency": "CNY",
    "method": "barcode",
    "wallet": "wechat",
    "channel": "wechat_direct",
    "channel_trade_no": "4200002611202611223456789012",
    "qr_code": None,
    "code_id": None,
    "promotions": [
        {
            "campaign_id": "cam_01JD3R2V8W3M0Q9C6R1T2X4Y7C",
            "name": "满20减5",
            "discount": 500,
            "funding": [{"sponsor": "bank", "amount": 350}, {"sponsor": "merchant", "amount": 150}],
        }
    ],
    "risk": {"decision": "approve", "score": 0, "reasons": []},
    "failure": None,
    "reversal": None,
    "review": None,
    "late_captures": [],
    "replaces": None,
    "store_id": "s-1",
    "terminal_id": "t-1",
    "operator_id": None,
    "created_at": "2026-11-22T01:02:03.004Z",
    "completed_at": "2026-11-22T01:02:03.161Z",
    "expires_at": "2026-11-22T01:03:03.004Z",
    "metadata": {"table": "12"},
}

DECLINED_PAYMENT: Final[dict[str, Any]] = {
    **PAYMENT,
    "discount": 0,
    "payable": 2599,
    "promotions": [],
    "status": "failed",
    "channel_trade_no": None,
    "failure": {
        "code": "insufficient_funds",
        "message": "Not enough money: ask for another card or wallet.",
        "channel_code": "NOT_ENOUGH",
        "retryable": True,
    },
}

SHOWN_CODE: Final[dict[str, Any]] = {
    **PAYMENT,
    "status": "requires_action",
    "merchant_order_no": "POS7-000124",
    "method": "qrcode",
    "channel_trade_no": None,
    "qr_code": "weixin://wxpay/bizpayurl?pr=p4lpSuKzz",
    "completed_at": None,
    "expires_at": "2026-11-22T01:07:03.004Z",
}

PAYMENT_DETAIL: Final[dict[str, Any]] = {
    **PAYMENT,
    "merchant_id": "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KA",
    "attempts": [
        {
            "seq": 1,
            "order_no": "01JD5ZV8W3M0Q9C6R1T2X4Y7KBA1",
            "channel": "wechat_direct",
            "state": "captured",
            "channel_code": None,
            "created_at": "2026-11-22T01:02:03.004Z",
            "finished_at": "2026-11-22T01:02:03.161Z",
            "routing": {
                "account": "wechat_direct",
                "why": "best_value",
                "policy_version": 0,
                "rules": [],
                "candidates": [
                    {
                        "account": "wechat_direct",
                        "reason": None,
                        "success": 0.9871,
                        "fee": 8,
                        "subsidy": 150,
                        "value": 613.68,
                    }
                ],
            },
        }
    ],
    "refunds": [],
    "pricing": [
        {
            "campaign_id": "cam_01JD3R2V8W3M0Q9C6R1T2X4Y7C",
            "name": "满20减5",
            "applied": True,
            "reason": "applied",
            "discount": 500,
            "detail": None,
        },
        {
            "campaign_id": "cam_01JD3R2V8W3M0Q9C6R1T2X4Y7D",
            "name": "满300减15",
            "applied": False,
            "reason": "below_spend",
            "discount": 0,
            "detail": "It starts at ¥300.00.",
        },
    ],
}

PAYMENT_LIST: Final[dict[str, Any]] = {"object": "list", "data": [PAYMENT], "has_more": False}
