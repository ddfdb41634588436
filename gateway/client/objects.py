"""What the API answers, as typed dictionaries: amounts in fen, times in RFC 3339 UTC.

A newer gateway may answer with more fields than stand here; they are kept.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, NotRequired, TypedDict, TypeVar

Wallet = Literal["wechat", "alipay", "unionpay", "digital_rmb", "jd", "best_pay", "qq"]
PaymentStatus = Literal["processing", "requires_action", "succeeded", "failed", "closed", "reversed"]
RefundStatus = Literal["pending", "succeeded", "failed"]
CouponStatus = Literal["valid", "redeemed", "expired", "voided"]
Item = TypeVar("Item")


class Page(TypedDict, Generic[Item]):
    """A page of a list, newest first; the next one starts after the last id."""

    object: Literal["list"]
    data: list[Item]
    has_more: bool


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
    fee_off: NotRequired[int]


class Risk(TypedDict):
    """What the risk check decided."""

    decision: Literal["approve", "review", "decline"]
    score: int
    reasons: list[str]


class LateCapture(TypedDict):
    """Money that arrived after the payment was over; it is given back by itself."""

    amount: int
    channel: str
    channel_trade_no: str | None
    status: Literal["pending", "refunded", "review"]
    found_at: str
    refunded_at: str | None


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
    code_id: str | None
    promotions: list[Promotion]
    risk: Risk
    failure: Failure | None
    reversal: Literal["pending", "succeeded", "failed"] | None
    review: str | None
    late_captures: list[LateCapture]
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
    funding: list[Funding]
    currency: str
    reason: str | None
    channel: str
    channel_refund_no: str | None
    failure: Failure | None
    review: str | None
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    created_at: str
    completed_at: str | None
    metadata: dict[str, str]


class Coupon(TypedDict):
    """One customer's coupon; its `id` goes into `coupons` of the payment that is to redeem it."""

    id: str
    object: Literal["coupon"]
    campaign_id: str
    name: str
    status: CouponStatus
    source: Literal["claimed", "issued", "granted"]
    earned_by: str | None
    payment_id: str | None
    created_at: str
    expires_at: str | None
    voided_at: str | None
    void_reason: Literal["refunded", "reversed", "manager"] | None


class Code(TypedDict):
    """A code that any wallet can pay; `url` is what it holds, the images and the card need no key."""

    id: str
    object: Literal["code"]
    type: Literal["static", "payment"]
    status: Literal["active", "revoked", "paid", "over"]
    name: str
    amount: int | None
    currency: str
    description: str | None
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    metadata: dict[str, str]
    payment_id: str | None
    url: str
    svg_url: str
    png_url: str
    card_url: str
    created_at: str
    revoked_at: str | None


class WebhookEndpoint(TypedDict):
    """Where the merchant is told."""

    id: str
    object: Literal["webhook_endpoint"]
    url: str
    description: str | None
    types: list[str] | None
    status: Literal["enabled", "disabled"]
    disabled_reason: Literal["merchant", "gone", "failing"] | None
    previous_secret_until: str | None
    failing_since: str | None
    created_at: str
    updated_at: str


class NewWebhookEndpoint(WebhookEndpoint):
    """The same with its secret, which is shown only now."""

    secret: str


class Message(TypedDict):
    """A webhook: `data` is the payment, refund or endpoint; `sequence` counts within the payment."""

    id: str
    type: str
    timestamp: str
    sequence: int
    data: dict[str, Any]


class Event(Message):
    """What happened, as the list of events shows it."""

    object: Literal["event"]
    payment_id: str | None
    refund_id: str | None


class EventWithDeliveries(Event):
    """An event with the log of its deliveries and their tries."""

    deliveries: list[dict[str, Any]]


class FunderPart(TypedDict):
    """One funder's part of a receipt's discount."""

    funder: str
    amount: int


class ReceiptRefund(TypedDict):
    """A refund on a receipt."""

    merchant_refund_no: str
    status: Literal["pending", "succeeded"]
    amount: int | None
    returned_to_customer: int
    created_at: str


class Receipt(TypedDict):
    """An electronic receipt (电子凭证); `receipt_url` is the same as a page for the customer."""

    object: Literal["receipt"]
    payment_id: str
    merchant_name: str
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    merchant_order_no: str
    status: Literal["paid", "partly_refunded", "refunded", "reversed"]
    wallet: Wallet | None
    channel_trade_no: str | None
    currency: str
    amount: int | None
    discount: int | None
    discounts: list[FunderPart] | None
    payable: int
    returned_to_customer: int
    refunds: list[ReceiptRefund]
    paid_at: str
    timezone: str
    receipt_url: str
