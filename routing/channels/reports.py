"""What the channels say of orders, reversals, refunds and codes: verified answers in the gateway's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.kernel.failures import FailureCode
from gateway.kernel.values import value


class TradeState(StrEnum):
    """Where an order stands at the channel."""

    CAPTURED = "captured"
    """Paid, and nothing given back."""
    PENDING = "pending"
    """Known to the channel and not decided: the customer types a PIN, or the channel is still at work."""
    REFUSED = "refused"
    """Known to the channel and will never be paid; nothing was charged."""
    CLOSED = "closed"
    """Closed or revoked: no money stays with the merchant, whether it was paid in between or not."""
    REFUNDED = "refunded"
    """Paid, and some or all of it was given back by a refund."""
    NOT_FOUND = "not_found"
    """The channel does not know the order.  This is not an outcome: the request can still arrive."""


class ReversalState(StrEnum):
    """What a channel answers to a reversal."""

    REVERSED = "reversed"
    """Confirmed: the order is shut and no money stays with the merchant."""
    ACCEPTED = "accepted"
    """Taken in; a query says later how it ended."""
    REPEAT = "repeat"
    """The channel asks for the same reversal again (recall=Y, retry_flag=Y, customer still paying)."""
    NOT_FOUND = "not_found"
    """The channel does not know the order.  Not an outcome either."""
    REFUSED = "refused"
    """The channel will not reverse this order any more (window closed): query, then refund."""


class CloseState(StrEnum):
    """What a channel answers when an unpaid order is to be shut."""

    CLOSED = "closed"
    """Confirmed: nobody can pay it any more."""
    PAID = "paid"
    """It was paid before: query it."""
    NOT_FOUND = "not_found"
    """The channel knows no such order yet; a code on display can still make one (Alipay precreate, unscanned)."""
    UNSUPPORTED = "unsupported"
    """The channel has no such call: the order ends by its own `pay_until` (UnionPay)."""
    REPEAT = "repeat"
    """The channel asks for the same call again."""


class RefundState(StrEnum):
    """Where a refund stands at the channel."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    """Taken in; `abnormal` on the report says that it waits for a person (the payer's card is gone)."""
    FAILED = "failed"
    """It will never be carried out; nothing was given back."""
    NOT_FOUND = "not_found"


@value
class TradeReport:
    """What a verified answer of the channel says of an order.

    `amount_fen` is the order's total (WeChat amount.total, Alipay total_amount, UnionPay txnAmt) where the answer
    has it; `payer_paid_fen` is what the payer really paid after the wallet's own coupons, and no mismatch.  `failure`
    is set for REFUSED.
    """

    state: TradeState
    channel_trade_no: str | None = None
    amount_fen: int | None = None
    payer_paid_fen: int | None = None
    paid_at: datetime | None = None
    payer_id: str | None = None
    channel_code: str | None = None
    failure: FailureCode | None = None


@dataclass(frozen=True, slots=True)
class ReversalReport:
    """What a verified answer says of a reversal."""

    state: ReversalState
    channel_code: str | None = None


@dataclass(frozen=True, slots=True)
class RefundReport:
    """What a verified answer says of a refund; `channel_code` is for the table of failures."""

    state: RefundState
    channel_refund_no: str | None = None
    amount_fen: int | None = None
    channel_code: str | None = None
    abnormal: bool = False
    """The channel cannot give it back by itself: a person has to look (WeChat ABNORMAL)."""


@dataclass(frozen=True, slots=True)
class CodeReport:
    """The content of the code to be shown."""

    qr_code: str


@dataclass(frozen=True, slots=True)
class PageReport:
    """How the page goes on: `bridge` is what the wallet's in-page bridge is called with, or `pay_url` to go to.

    `bridge_url` is the script of a stand-in for that bridge (development); empty where the wallet brings its own.
    """

    bridge: Mapping[str, str] = field(default_factory=dict, repr=False)
    pay_url: str | None = None
    channel_trade_no: str | None = None
    bridge_url: str = ""


@dataclass(frozen=True, slots=True)
class CloseReport:
    """What a verified answer says of closing."""

    state: CloseState
    channel_code: str | None = None
