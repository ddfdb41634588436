"""The shift report as the API answers it: what was taken and given back at the tills, in fen, beside the ledger."""

from __future__ import annotations

from typing import Literal, TypedDict

from gateway.client.objects import PaymentStatus, RefundStatus, Wallet


class PaymentSums(TypedDict):
    """Payments that succeeded; `payable` is what the customers paid."""

    count: int
    amount: int
    discount: int
    payable: int


class RefundSums(TypedDict):
    """Refunds that succeeded."""

    count: int
    amount: int
    returned_to_customer: int
    discount_returned: int


class Totals(TypedDict):
    """Both together: `net` is what customers paid less what they got back, `fees` what the channels keep."""

    payments: PaymentSums
    refunds: RefundSums
    net: int
    fees: int


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

    wallet: Wallet | None


class PaymentStatusTotals(TypedDict):
    """Payments of one wallet that stand in one state."""

    wallet: Wallet | None
    status: PaymentStatus
    count: int
    amount: int
    payable: int


class RefundStatusTotals(TypedDict):
    """Refunds of one wallet that stand in one state."""

    wallet: Wallet | None
    status: RefundStatus
    count: int
    amount: int
    returned_to_customer: int


class PaymentEntry(TypedDict):
    """A payment in the list."""

    id: str
    created_at: str
    merchant_order_no: str
    status: PaymentStatus
    method: Literal["barcode", "qrcode"]
    wallet: Wallet | None
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


class RefundEntry(TypedDict):
    """A refund in the list."""

    id: str
    created_at: str
    payment_id: str
    merchant_refund_no: str
    merchant_order_no: str
    status: RefundStatus
    method: Literal["barcode", "qrcode"]
    wallet: Wallet | None
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


class PaymentEntries(TypedDict):
    """The first payments, oldest first; Client.payments pages through all of them."""

    data: list[PaymentEntry]
    has_more: bool


class RefundEntries(TypedDict):
    """The first refunds, oldest first; Client.refunds pages through all of them."""

    data: list[RefundEntry]
    has_more: bool


class OpenEntries(TypedDict):
    """What has no end yet, or waits for a person."""

    payments: PaymentEntries
    refunds: RefundEntries


class LedgerSums(TypedDict):
    """What the books say of the same payments and refunds; `agrees` is the evening's question."""

    captured: int
    discount: int
    fees: int
    returned_to_customer: int
    discount_returned: int
    fees_returned: int
    fee_off: int
    merchant_payable: int
    agrees: bool


ShiftReport = TypedDict(
    "ShiftReport",
    {
        "object": Literal["shift_report"],
        "merchant_id": str,
        "merchant_name": str,
        "timezone": str,
        "from": str,
        "to": str,
        "store_id": str | None,
        "terminal_id": str | None,
        "operator_id": str | None,
        "currency": str,
        "made_at": str,
        "totals": Totals,
        "by_store": list[StoreTotals],
        "by_terminal": list[TerminalTotals],
        "by_operator": list[OperatorTotals],
        "by_wallet": list[WalletTotals],
        "payments_by_status": list[PaymentStatusTotals],
        "refunds_by_status": list[RefundStatusTotals],
        "open": OpenEntries,
        "payments": PaymentEntries,
        "refunds": RefundEntries,
        "ledger": LedgerSums,
    },
)
"""A till's day (交班/日结).  A payment counts by the time and till that made it, a refund by the refund's own."""
