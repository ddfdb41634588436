"""A shift report made up by hand, for tests of how it is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.merchants.store import Merchant
from gateway.reports.shift import (
    Books,
    Group,
    Lines,
    PaymentLine,
    Period,
    RefundLine,
    ShiftReport,
    StatusSums,
    Sums,
    Till,
)

START = datetime(2026, 11, 21, 16, tzinfo=UTC)
MERCHANT = Merchant("mer_1", "街角 <Café>", "Asia/Shanghai")
TILL = Till("s-1", "t-1", "o-1")
PAYMENT = PaymentLine(
    "pay_1", START, "POS7-1", "succeeded", "barcode", "wechat", 2_599, 2_099, 1_000, "s-1", "t-1", "o-1",
    "wechat_direct", "4200002611202611223456789012", None, None,
)  # fmt: skip
REFUND = RefundLine(
    "ref_1", START + timedelta(hours=1), "pay_1", "R-1", "POS7-1", "succeeded", "barcode", "wechat", 1_000, 807, 193, 3,
    "s-1", "t-1", "o-1", "wechat_direct", None, None,
)  # fmt: skip
SUMS = Sums(payments=1, amount=2_599, payable=2_099, refunds=1, refunded=1_000, returned=807, fee_returned=3)
BOOKS = Books(
    captured=2_099, discount=500, fee=8, returned=807, discount_returned=193, fee_returned=3,
    merchant=2_599 - 8 - 1_000 + 3,
)  # fmt: skip


def report(**changes: object) -> ShiftReport:
    """One payment and its refund, at one till."""
    fields = {
        "period": Period(START, START + timedelta(days=1)),
        "wanted": Till(),
        "made_at": START + timedelta(hours=22),
        "sums": {Group(TILL, "wechat"): SUMS},
        "books": {Group(TILL, "wechat"): BOOKS},
        "payment_statuses": (StatusSums("wechat", "succeeded", 1, 2_599, 2_099),),
        "refund_statuses": (StatusSums("wechat", "succeeded", 1, 1_000, 807),),
        "lines": Lines((PAYMENT,), (REFUND,)),
        "open": Lines((), ()),
    }
    return ShiftReport(**(fields | changes))  # type: ignore[arg-type]
