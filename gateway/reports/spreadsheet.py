"""A shift report as a file for spreadsheets: one line for each payment and refund, amounts in fen."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from gateway.reports.shift import PaymentLine, RefundLine, ShiftReport

COLUMNS: Final = (
    "kind", "time", "id", "payment_id", "merchant_order_no", "merchant_refund_no", "status", "method", "wallet",
    "amount_fen", "discount_fen", "customer_fen", "store_id", "terminal_id", "operator_id", "channel",
    "channel_number", "reversal", "review",
)  # fmt: skip
"""`amount_fen` is goods value, `customer_fen` what the customer paid, or got back."""
_BOM: Final = "\ufeff"
"""Without it Excel reads UTF-8 as the machine's own code page."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_UNKEPT: Final = re.compile(r"0[0-9]+|[0-9]{16,}")


def as_csv(report: ShiftReport, timezone: ZoneInfo) -> bytes:
    """The file, in UTF-8; times in the merchant's time zone.  No text of it is taken for a formula."""
    written = io.StringIO(_BOM)
    written.seek(0, io.SEEK_END)
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in _lines(report, timezone):
        writer.writerow([_harmless(value) for value in line])
    return written.getvalue().encode()


def _lines(report: ShiftReport, timezone: ZoneInfo) -> Iterator[tuple[str | int | None, ...]]:
    for payment in report.lines.payments:
        yield _payment(payment, timezone)
    for refund in report.lines.refunds:
        yield _refund(refund, timezone)


def _payment(line: PaymentLine, timezone: ZoneInfo) -> tuple[str | int | None, ...]:
    return (
        "payment", _local(line.created_at, timezone), line.id, line.id, line.merchant_order_no, None, line.status,
        line.method, line.wallet, line.amount, line.amount - line.payable, line.payable, line.store_id,
        line.terminal_id, line.operator_id, line.account_id, line.channel_trade_no, line.reversal, line.review,
    )  # fmt: skip


def _refund(line: RefundLine, timezone: ZoneInfo) -> tuple[str | int | None, ...]:
    return (
        "refund", _local(line.created_at, timezone), line.id, line.payment_id, line.merchant_order_no,
        line.merchant_refund_no, line.status, line.method, line.wallet, line.amount, line.discount_returned,
        line.returned_to_customer, line.store_id, line.terminal_id, line.operator_id, line.account_id,
        line.channel_refund_no, None, line.review,
    )  # fmt: skip


def _local(moment: datetime, timezone: ZoneInfo) -> str:
    return moment.astimezone(timezone).strftime("%Y-%m-%d %H:%M:%S")


def _harmless(value: str | int | None) -> str | int:
    """A text that a spreadsheet would compute, or a number whose digits it would not keep, is marked as text."""
    if not isinstance(value, str):
        return "" if value is None else value
    is_changed = value.startswith(_FORMULA) or bool(_UNKEPT.fullmatch(value))
    return f"'{value}" if is_changed else value
