"""A payment as it stands, for tests of what is decided about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.kernel.money import Money
from gateway.payments.payment import Payment
from gateway.payments.states import Status

CREATED = datetime(2026, 11, 22, 4, 5, 6, 7_000, tzinfo=UTC)


def payment(**changes: Any) -> Payment:
    """¥25.99 at WeChat, taken a moment ago."""
    standing = Payment(
        id="pay_01KAN0000000000000000000AB",
        merchant_id="mer_1",
        merchant_order_no="POS7-1",
        status=Status.PROCESSING,
        amount=Money(2_599),
        payable=Money(2_599),
        method="barcode",
        wallet="wechat",
        account_id="wechat_direct",
        attempt_seq=1,
        metadata={},
        created_at=CREATED,
        expires_at=CREATED + timedelta(seconds=60),
    )
    return standing.with_(**changes)
