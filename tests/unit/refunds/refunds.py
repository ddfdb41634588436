"""A refund for tests, as it is read from the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.kernel.ids import new_id
from gateway.kernel.money import Currency
from gateway.refunds.refund import Refund, RefundStatus

NOW: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    """So many seconds before now."""
    return NOW - timedelta(seconds=seconds)


def refund(**changes: Any) -> Refund:
    """A pending refund of 1,000 fen, read now."""
    fields: dict[str, Any] = {
        "id": new_id("ref"),
        "merchant_id": "mer_1",
        "payment_id": new_id("pay"),
        "merchant_refund_no": "R-1",
        "seq": 1,
        "attempt_seq": 1,
        "account_id": "wechat_direct",
        "amount": 1_000,
        "returned_to_customer": 1_000,
        "discount_returned": 0,
        "fee_returned": 4,
        "funding": (),
        "currency": Currency.CNY,
        "status": RefundStatus.PENDING,
        "reason": None,
        "store_id": None,
        "terminal_id": None,
        "operator_id": None,
        "metadata": {},
        "channel_refund_no": None,
        "failure": None,
        "failure_channel_code": None,
        "review": None,
        "asked_at": None,
        "last_asked_at": None,
        "tries": 0,
        "next_at": NOW,
        "created_at": NOW,
        "completed_at": None,
        "read_at": NOW,
    }
    return Refund(**(fields | changes))
