"""The shift report as the API shows it: pydantic models, and the report turned into them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.kernel.clock import rfc3339
from gateway.merchants.store import Merchant
from gateway.reports.shift import Books, Group, Lines, PaymentLine, RefundLine, ShiftReport, StatusSums, Sums, Till


class PaymentSums(BaseModel):
    """Payments that succeeded; fen."""

    count: int
    amount: Annotated[int, Field(description="The goods' value.")]
    discount: int
    payable: Annotated[int, Field(description="What the customers paid.")]


class RefundSums(BaseModel):
    """Refunds that succeeded; fen."""

    count: int
    amount: Annotated[int, Field(description="The goods' value.")]
    returned_to_customer: int
    discount_returned: int


class Totals(BaseModel):
    """Payments and refunds together."""

    payments: PaymentSums
    refunds: RefundSums
    net: Annotated[int, Field(description="What customers paid, less what they got back.")]
    fees: Annotated[int, Field(description="What the channels keep, by the books: fees less fees given back.")]


class StoreTotals(Totals):
    """One store's."""

    store_id: str | None


class TerminalTotals(StoreTotals):
    """One terminal's."""

    terminal_id: str | None


class OperatorTotals(Totals):
    """One operator's."""

    operator_id: str | None


class WalletTotals(Totals):
    """One wallet's."""

    wallet: str | None


class PaymentStatusTotals(BaseModel):
    """Payments of one wallet that stand in one state, whatever became of them."""

    wallet: str | None
    status: str
    count: int
    amount: int
    payable: int


class RefundStatusTotals(BaseModel):
    """Refunds of one wallet that stand in one state."""

    wallet: str | None
    status: str
    count: int
    amount: int
    returned_to_customer: int


class PaymentEntry(BaseModel):
    """A payment in the list; fen."""

    id: str
    created_at: datetime
    merchant_order_no: str
    status: str
    method: str
    wallet: str | None
    amount: int
    discount: int
    payable: int
    amount_refunded: int
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    channel: str | None
    channel_trade_no: str | None
    reversal: str | None
    review: str | None


class RefundEntry(BaseModel):
    """A refund in the list, at the till and the time at which it was made; fen."""

    id: str
    created_at: datetime
    payment_id: str
    merchant_refund_no: str
    merchant_order_no: str
    status: str
    method: str
    wallet: str | None
    amount: int
    returned_to_customer: int
    discount_returned: int
    fee_returned: int
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    channel: str
    channel_refund_no: str | None
    review: str | None


class PaymentEntries(BaseModel):
    """The first payments, in the order of their making; `GET /v1/payments` pages through all of them."""

    data: list[PaymentEntry]
    has_more: bool


class RefundEntries(BaseModel):
    """The first refunds, in the order of their making; `GET /v1/refunds` pages through all of them."""

    data: list[RefundEntry]
    has_more: bool


class OpenEntries(BaseModel):
    """What has no end yet, or waits for a person: it counts when it has one."""

    payments: PaymentEntries
    refunds: RefundEntries


class Ledger(BaseModel):
    """What the books say of the same payments and refunds, summed from their postings alone; fen."""

    captured: Annotated[int, Field(description="Captures less their reversals.")]
    discount: Annotated[int, Field(description="What the funders owe for discounts.")]
    fees: int
    returned_to_customer: int
    discount_returned: int
    fees_returned: int
    fee_off: Annotated[int, Field(description="What funders pay of the fees, less what they got back.")]
    merchant_payable: Annotated[int, Field(description="What the merchant is owed for all of it together.")]
    agrees: Annotated[
        bool, Field(description="Whether payments, refunds and books say the same for every till and wallet.")
    ]


_SUMS: dict[str, Any] = {
    "payments": {"count": 2, "amount": 5198, "discount": 500, "payable": 4698},
    "refunds": {"count": 1, "amount": 1000, "returned_to_customer": 903, "discount_returned": 97},
    "net": 3795,
    "fees": 15,
}
_EXAMPLE: dict[str, Any] = {
    "object": "shift_report",
    "merchant_id": "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "merchant_name": "Corner Café",
    "timezone": "Asia/Shanghai",
    "from": "2026-11-21T16:00:00.000Z",
    "to": "2026-11-22T16:00:00.000Z",
    "store_id": "s-1",
    "terminal_id": None,
    "operator_id": None,
    "currency": "CNY",
    "made_at": "2026-11-22T14:01:02.003Z",
    "totals": _SUMS,
    "by_store": [{**_SUMS, "store_id": "s-1"}],
    "by_terminal": [{**_SUMS, "store_id": "s-1", "terminal_id": "t-1"}],
    "by_operator": [{**_SUMS, "operator_id": "o-1"}],
    "by_wallet": [{**_SUMS, "wallet": "wechat"}],
    "payments_by_status": [{"wallet": "wechat", "status": "succeeded", "count": 2, "amount": 5198, "payable": 4698}],
    "refunds_by_status": [
        {"wallet": "wechat", "status": "succeeded", "count": 1, "amount": 1000, "returned_to_customer": 903}
    ],
    "open": {"payments": {"data": [], "has_more": False}, "refunds": {"data": [], "has_more": False}},
    "payments": {"data": [], "has_more": True},
    "refunds": {"data": [], "has_more": True},
    "ledger": {
        "captured": 4698,
        "discount": 500,
        "fees": 18,
        "returned_to_customer": 903,
        "discount_returned": 97,
        "fees_returned": 3,
        "fee_off": 0,
        "merchant_payable": 4183,
        "agrees": True,
    },
}


class ShiftReportObject(BaseModel):
    """A till's day (交班/日结): sums, lists, and the books beside them.

    A payment counts by the time and the till that made it, a refund by the time and the till of the refund.
    """

    model_config = ConfigDict(populate_by_name=True, json_schema_extra={"examples": [_EXAMPLE]})

    object: Literal["shift_report"]
    merchant_id: str
    merchant_name: str
    timezone: str
    start: Annotated[datetime, Field(alias="from")]
    end: Annotated[datetime, Field(alias="to")]
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    currency: Literal["CNY"]
    made_at: datetime
    totals: Totals
    by_store: list[StoreTotals]
    by_terminal: list[TerminalTotals]
    by_operator: list[OperatorTotals]
    by_wallet: list[WalletTotals]
    payments_by_status: list[PaymentStatusTotals]
    refunds_by_status: list[RefundStatusTotals]
    open: OpenEntries
    payments: PaymentEntries
    refunds: RefundEntries
    ledger: Ledger


def report_json(report: ShiftReport, merchant: Merchant) -> dict[str, Any]:
    """The report object (ShiftReportObject)."""
    sums, books = report.total()
    return {
        "object": "shift_report",
        "merchant_id": merchant.id,
        "merchant_name": merchant.name,
        "timezone": merchant.timezone,
        "from": rfc3339(report.period.start),
        "to": rfc3339(report.period.end),
        **report.wanted._asdict(),
        "currency": "CNY",
        "made_at": rfc3339(report.made_at),
        "totals": _totals(sums, books),
        "by_store": [
            {"store_id": store, **_totals(*both)} for store, both in report.by(lambda g: g.till.store_id).items()
        ],
        "by_terminal": [
            {"store_id": till.store_id, "terminal_id": till.terminal_id, **_totals(*both)}
            for till, both in report.by(_terminal).items()
        ],
        "by_operator": [
            {"operator_id": operator, **_totals(*both)}
            for operator, both in report.by(lambda g: g.till.operator_id).items()
        ],
        "by_wallet": [{"wallet": wallet, **_totals(*both)} for wallet, both in report.by(lambda g: g.wallet).items()],
        "payments_by_status": [_status(found, "payable") for found in report.payment_statuses],
        "refunds_by_status": [_status(found, "returned_to_customer") for found in report.refund_statuses],
        "open": _lines(report.open),
        **_lines(report.lines),
        "ledger": {**_ledger(books), "agrees": report.agrees},
    }


def _terminal(group: Group) -> Till:
    return group.till._replace(operator_id=None)


def _totals(sums: Sums, books: Books) -> dict[str, Any]:
    return {
        "payments": {
            "count": sums.payments,
            "amount": sums.amount,
            "discount": sums.discount,
            "payable": sums.payable,
        },
        "refunds": {
            "count": sums.refunds,
            "amount": sums.refunded,
            "returned_to_customer": sums.returned,
            "discount_returned": sums.discount_returned,
        },
        "net": sums.net,
        "fees": books.fees,
    }


def _ledger(books: Books) -> dict[str, Any]:
    return {
        "captured": books.captured,
        "discount": books.discount,
        "fees": books.fee,
        "returned_to_customer": books.returned,
        "discount_returned": books.discount_returned,
        "fees_returned": books.fee_returned,
        "fee_off": books.fee_off,
        "merchant_payable": books.merchant,
    }


def _status(found: StatusSums, customer: str) -> dict[str, Any]:
    return {
        "wallet": found.wallet,
        "status": found.status,
        "count": found.count,
        "amount": found.amount,
        customer: found.customer,
    }


def _lines(lines: Lines) -> dict[str, Any]:
    return {
        "payments": {"data": [_payment(line) for line in lines.payments], "has_more": lines.more_payments},
        "refunds": {"data": [_refund(line) for line in lines.refunds], "has_more": lines.more_refunds},
    }


def _payment(line: PaymentLine) -> dict[str, Any]:
    shown = line._asdict()
    channel = shown.pop("account_id")
    return {
        **shown,
        "created_at": rfc3339(line.created_at),
        "discount": line.amount - line.payable,
        "channel": channel,
    }


def _refund(line: RefundLine) -> dict[str, Any]:
    shown = line._asdict()
    channel = shown.pop("account_id")
    return {**shown, "created_at": rfc3339(line.created_at), "channel": channel}
