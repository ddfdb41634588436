"""What every channel offers the gateway, in the gateway's words, and the three kinds of error that decide the rest."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from gateway.kernel.failures import FailureCode
from gateway.kernel.money import Money
from gateway.kernel.values import value
from routing.channels.notifications import Acknowledgements, Notification
from routing.channels.reports import CloseReport, CodeReport, PageReport, RefundReport, ReversalReport, TradeReport
from routing.channels.statements import Statement


class Wallet(StrEnum):
    """The wallets that customers pay with."""

    WECHAT = "wechat"
    ALIPAY = "alipay"
    UNIONPAY = "unionpay"
    DIGITAL_RMB = "digital_rmb"
    JD = "jd"
    BEST_PAY = "best_pay"
    QQ = "qq"


@value
class ChannelOrder:
    """One attempt at one channel, by the number that we gave it.

    `order_no` is 8–32 letters and digits and never reused; `created_at` is the attempt's own, as UnionPay identifies
    a transaction by number and time together.
    """

    order_no: str
    created_at: datetime
    amount: Money
    channel_trade_no: str | None = None


@value
class BarcodeCharge:
    """A bar code payment (被扫) to be taken: the customer's code and what the channel wants to know of the sale."""

    order: ChannelOrder
    auth_code: str = field(repr=False)
    description: str
    store_id: str | None = None
    terminal_id: str | None = None
    operator_id: str | None = None


@dataclass(frozen=True, slots=True)
class CodeOrder:
    """A code to be shown to the customer (主扫): WeChat native, Alipay precreate, UnionPay 01/07.

    The channel takes no money for it after `pay_until`, and tells the account's notification address when it was paid.
    """

    order: ChannelOrder
    description: str
    pay_until: datetime
    store_id: str | None = None
    terminal_id: str | None = None
    operator_id: str | None = None


@dataclass(frozen=True, slots=True)
class PageOrder:
    """A payment from a page inside the wallet: WeChat jsapi, Alipay trade.create, UnionPay 01/01.

    `payer_id` is what `identify_payer` returned; `return_url` is where a wallet that leaves the page comes back to.
    """

    code: CodeOrder
    payer_id: str = field(repr=False)
    return_url: str
    client_ip: str = "127.0.0.1"
    app_identifier: str = ""
    """UnionPay's `appUpIdentifier`: which bank's app opened the page, such as `UnionPay/1.0 CloudPay`."""


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Money to give back of a captured order, under a number of ours (8–32 letters and digits, kept for retries)."""

    order: ChannelOrder
    refund_no: str
    amount: Money
    created_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class RefundRules:
    """A channel's bounds for the refunds of one payment.  Sources: CHANNEL-PROTOCOLS 1.5, 2.4, 3.2."""

    interval_s: float
    """At least so long between two refunds of one payment."""
    count_max: int
    window_days: int
    """So many days after the payment no refund is taken any more."""


@value
class CallLimits:
    """Bounds of one call: how long the answer may take, and the moment after which nothing may leave this machine.

    `send_before` is on the monotonic clock and is checked just before the bytes go out, so that a process that slept
    cannot charge late; None for calls that are safe at any time (queries).  `response_bytes_max` is a bound of the
    answer other than the transport's own, as files of statements need it.
    """

    timeout_s: float
    send_before: float | None = None
    response_bytes_max: int | None = None

    @property
    def too_late_to_send(self) -> bool:
        """Whether the moment has passed."""
        return self.send_before is not None and time.monotonic() >= self.send_before


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The channel's prescribed rhythm for an order without an outcome.  Sources: CHANNEL-PROTOCOLS 1.7, 2.6, 3.4.

    `after_pending_s` and `after_unknown_s` are the waits before each query in turn; the last one repeats.
    `reverse_not_before_s` counts from the moment of sending.  `after_shown_s` is for a code on display, of which the
    channel itself tells when it is paid.
    """

    after_pending_s: tuple[float, ...]
    after_unknown_s: tuple[float, ...]
    reverse_not_before_s: float
    repeat_reversal_s: float
    after_shown_s: tuple[float, ...] = (5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)


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

    @property
    def refund_rules(self) -> RefundRules:
        """The channel's bounds for the refunds of one payment."""

    async def create_code(self, code: CodeOrder, limits: CallLimits) -> CodeReport:
        """Get the content of a code to show.  The same order with the same values again is safe."""

    async def create_page_order(self, page: PageOrder, limits: CallLimits) -> PageReport:
        """Open an order that the identified payer pays in the wallet's own page."""

    def authorize_url(self, return_url: str, state: str) -> str:
        """Where the wallet's browser is sent so that the payer is identified; it comes back with a code and `state`."""

    async def identify_payer(self, code: str, app_identifier: str, limits: CallLimits) -> str:
        """The payer's id (openid, user_id or open_id, appUserId) for the code that the browser brought back."""

    async def close(self, order: ChannelOrder, limits: CallLimits) -> CloseReport:
        """Shut an unpaid order that was shown as a code or opened in a page.  Safe to repeat."""

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Verify and read a notification; header names are in lower case.  Raises NotificationRefused."""

    @property
    def acknowledgements(self) -> Acknowledgements:
        """The channel's words for "taken in" and "not taken in"."""

    async def statement(self, day: date, limits: CallLimits) -> Statement | None:
        """The statement of a day of Beijing time (UnionPay: of a settlement date); None where there is none for it."""

    async def aclose(self) -> None:
        """Close what the account holds open."""


@value
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
