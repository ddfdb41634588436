"""What every channel offers the gateway, in the gateway's words, and the three kinds of error that decide the rest."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway.kernel.failures import FailureCode
from gateway.kernel.money import Money


class Wallet(StrEnum):
    """The wallets that customers pay with."""

    WECHAT = "wechat"
    ALIPAY = "alipay"
    UNIONPAY = "unionpay"


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


class RefundState(StrEnum):
    """Where a refund stands at the channel."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    FAILED = "failed"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class ChannelOrder:
    """One attempt at one channel, by the number that we gave it.

    `order_no` is 8–32 letters and digits and never reused; `created_at` is the attempt's own, as UnionPay identifies
    a transaction by number and time together.
    """

    order_no: str
    created_at: datetime
    amount: Money
    channel_trade_no: str | None = None


@dataclass(frozen=True, slots=True)
class BarcodeCharge:
    """A bar code payment (被扫) to be taken: the customer's code and what the channel wants to know of the sale."""

    order: ChannelOrder
    auth_code: str = field(repr=False)
    description: str
    store_id: str | None = None
    terminal_id: str | None = None
    operator_id: str | None = None


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Money to give back of a captured order, under a number of ours (8–32 letters and digits, kept for retries)."""

    order: ChannelOrder
    refund_no: str
    amount: Money
    created_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
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
    """What a verified answer says of a refund.  `failure` words are for people, `channel_code` for the table."""

    state: RefundState
    channel_refund_no: str | None = None
    amount_fen: int | None = None
    channel_code: str | None = None


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Bounds of one call: how long the answer may take, and the moment after which nothing may leave this machine.

    `send_before` is on the monotonic clock and is checked just before the bytes go out, so that a process that slept
    cannot charge late; None for calls that are safe at any time (queries).
    """

    timeout_s: float
    send_before: float | None = None

    @property
    def too_late_to_send(self) -> bool:
        """Whether the moment has passed."""
        return self.send_before is not None and time.monotonic() >= self.send_before


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The channel's prescribed rhythm for an order without an outcome.  Sources: CHANNEL-PROTOCOLS 1.7, 2.6, 3.4.

    `after_pending_s` and `after_unknown_s` are the waits before each query in turn; the last one repeats.
    `reverse_not_before_s` counts from the moment of sending.
    """

    after_pending_s: tuple[float, ...]
    after_unknown_s: tuple[float, ...]
    reverse_not_before_s: float
    repeat_reversal_s: float


class ChannelError(Exception):
    """A call without an outcome of the order.  `code` is the channel's or transport's own word, never customer data."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


class ChannelUnsent(ChannelError):
    """Nothing left this machine (no connection, pool exhausted, `send_before` passed).  Others may be tried."""


class ChannelRejected(ChannelError):
    """A definite refusal: nothing was charged under this order number and nothing will be.

    `may_fail_over` is true only for codes proven not to have consumed the customer's code or charged.
    """

    def __init__(self, code: str, failure: FailureCode, message: str = "", *, may_fail_over: bool = False) -> None:
        super().__init__(code, message)
        self.failure = failure
        self.may_fail_over = may_fail_over


class ChannelUnknown(ChannelError):
    """It may have been carried out (timeout after sending, reset, 5xx, malformed or badly signed answer): query."""


class Channel(Protocol):
    """One account at one channel.  Methods raise ChannelUnsent, ChannelRejected or ChannelUnknown and nothing else."""

    @property
    def rhythm(self) -> Rhythm:
        """How to ask again while there is no outcome."""

    async def charge_barcode(self, charge: BarcodeCharge, limits: CallLimits) -> TradeReport:
        """Take a bar code payment: CAPTURED or PENDING; a refusal is raised as ChannelRejected."""

    async def query(self, order: ChannelOrder, limits: CallLimits) -> TradeReport:
        """Ask where an order stands; an order that is not there is reported as NOT_FOUND, not raised."""

    async def reverse(self, order: ChannelOrder, limits: CallLimits) -> ReversalReport:
        """Shut the order and give back what was paid (撤销 / 冲正).  Safe to repeat."""

    async def void(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """Take back a known capture on the same channel day: UnionPay 消费撤销 31/00; elsewhere a full refund."""

    async def refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """Give money back.  Safe to repeat under the same refund number and amount."""

    async def query_refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        """Ask where a refund stands."""

    async def aclose(self) -> None:
        """Close what the account holds open."""


@dataclass(frozen=True, slots=True)
class TransportResponse:
    """A whole answer: status, headers with lower-case names, and the raw body (bounded)."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Transport(Protocol):
    """Sends one request and reads one bounded answer; never retries, never follows redirects."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, limits: CallLimits
    ) -> TransportResponse:
        """Raises ChannelUnsent where surely nothing left this machine, ChannelUnknown for any other failure."""

    async def aclose(self) -> None:
        """Close every connection."""
