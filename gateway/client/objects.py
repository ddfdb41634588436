"""What the API answers, as typed dictionaries: amounts in fen, times in RFC 3339 UTC.

A newer gateway may answer with more fields than stand here; they are kept.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Wallet = Literal["wechat", "alipay", "unionpay"]
PaymentStatus = Literal["processing", "requires_action", "succeeded", "failed", "closed", "reversed"]
RefundStatus = Literal["pending", "succeeded", "failed"]


class Failure(TypedDict):
    """Why it failed; `retryable` means: with a new number."""

    code: str
    message: str
    channel_code: str | None
    retryable: bool


class Funding(TypedDict):
    """One funder's part of a discount."""

    sponsor: str
    amount: int


class Promotion(TypedDict):
    """A discount that was taken from a campaign."""

    campaign_id: str
    name: str
    discount: int
    funding: list[Funding]


class Payment(TypedDict):
    """A payment."""

    id: str
    object: Literal["payment"]
    status: PaymentStatus
    merchant_order_no: str
    amount: int
    discount: int
    payable: int
    amount_refunded: int
    currency: str
    method: Literal["barcode", "qrcode"]
    wallet: Wallet | None
    channel: str | None
    channel_trade_no: str | None
    qr_code: str | None
    promotions: list[Promotion]
    failure: Failure | None
    reversal: Literal["pending", "succeeded", "failed"] | None
    review: str | None
    late_captures: list[dict[str, Any]]
    replaces: str | None
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    created_at: str
    completed_at: str | None
    expires_at: str
    metadata: dict[str, str]


class Refund(TypedDict):
    """A refund; `amount` is goods value."""

    id: str
    object: Literal["refund"]
    status: RefundStatus
    payment_id: str
    merchant_refund_no: str
    amount: int
    returned_to_customer: int
    discount_returned: int
    fee_returned: int
    currency: str
    reason: str | None
    failure: Failure | None
    created_at: str
    completed_at: str | None
    metadata: dict[str, str]


class Code(TypedDict):
    """A code that any wallet can pay; `url` is what it holds."""

    id: str
    object: Literal["code"]
    url: str
    status: str
    name: str


class WebhookEndpoint(TypedDict, total=False):
    """Where the merchant is told; `secret` is there only when it has just been made."""

    id: str
    url: str
    status: str
    types: list[str] | None
    secret: str


class Event(TypedDict):
    """What happened, as a webhook tells it; `sequence` counts within the payment."""

    id: str
    type: str
    timestamp: str
    sequence: int
    data: dict[str, Any]


class PaymentList(TypedDict):
    """A page of payments, newest first."""

    object: Literal["list"]
    data: list[Payment]
    has_more: bool


class RefundList(TypedDict):
    """A page of refunds, newest first."""

    object: Literal["list"]
    data: list[Refund]
    has_more: bool


class EventList(TypedDict):
    """A page of events, newest first."""

    object: Literal["list"]
    data: list[Event]
    has_more: bool
