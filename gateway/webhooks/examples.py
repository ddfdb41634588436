"""The examples of the webhook API that the OpenAPI document shows."""

from __future__ import annotations

from typing import Any, Final

from gateway.payments.examples import PAYMENT

ENDPOINT_REQUEST: Final[dict[str, Any]] = {
    "url": "https://till.example/hook",
    "description": "the shop's server",
    "types": ["payment.succeeded", "refund.succeeded"],
}

ENDPOINT: Final[dict[str, Any]] = {
    "id": "we_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "object": "webhook_endpoint",
    "url": "https://till.example/hook",
    "description": "the shop's server",
    "types": ["payment.succeeded", "refund.succeeded"],
    "status": "enabled",
    "disabled_reason": None,
    "previous_secret_until": None,
    "failing_since": None,
    "created_at": "2026-11-22T01:02:03.004Z",
    "updated_at": "2026-11-22T01:02:03.004Z",
}

NEW_ENDPOINT: Final[dict[str, Any]] = {**ENDPOINT, "secret": "whsec_…"}

ENDPOINT_LIST: Final[dict[str, Any]] = {"object": "list", "data": [ENDPOINT], "has_more": False}

MESSAGE: Final[dict[str, Any]] = {
    "id": "evt_01JD5ZV8X9N1S4D7F2G5H8J3KM",
    "type": "payment.succeeded",
    "timestamp": "2026-11-22T01:02:03.161Z",
    "sequence": 2,
    "data": PAYMENT,
}

EVENT: Final[dict[str, Any]] = {
    **MESSAGE,
    "object": "event",
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "refund_id": None,
}

EVENT_LIST: Final[dict[str, Any]] = {"object": "list", "data": [EVENT], "has_more": False}

EVENT_WITH_DELIVERIES: Final[dict[str, Any]] = {
    **EVENT,
    "deliveries": [
        {
            "endpoint_id": "we_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
            "url": "https://till.example/hook",
            "status": "succeeded",
            "tries": 2,
            "next_try_at": None,
            "created_at": "2026-11-22T01:02:03.200Z",
            "finished_at": "2026-11-22T01:02:08.341Z",
            "attempts": [
                {
                    "try": 1,
                    "at": "2026-11-22T01:02:03.212Z",
                    "http_status": None,
                    "error": "connect_failed",
                    "duration_ms": 3,
                },
                {
                    "try": 2,
                    "at": "2026-11-22T01:02:08.291Z",
                    "http_status": 200,
                    "error": None,
                    "duration_ms": 48,
                },
            ],
        }
    ],
}
