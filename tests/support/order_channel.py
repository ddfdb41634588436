"""Channels in memory that behave: orders are opened, paid once, shut; how many are open at once is written down."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.kernel.failures import FailureCode
from routing.channels.base import (
    BarcodeCharge,
    CallLimits,
    ChannelError,
    ChannelOrder,
    ChannelRejected,
    ChannelUnknown,
    ChannelUnsent,
    CodeOrder,
    PageOrder,
    RefundOrder,
    Rhythm,
)
from routing.channels.reports import (
    CloseReport,
    CloseState,
    CodeReport,
    PageReport,
    RefundReport,
    RefundState,
    ReversalReport,
    ReversalState,
    TradeReport,
    TradeState,
)
from tests.support.fake_channel import RHYTHM


class Stage(StrEnum):
    """Where an order stands."""

    OPEN = "open"
    PAID = "paid"
    SHUT = "shut"
    RETURNED = "returned"


class Way(StrEnum):
    """How the charge of a bar code goes."""

    CAPTURES = "captures"
    CAPTURES_SILENTLY = "captures_silently"
    """Charged, and the answer is lost."""
    WAITS = "waits"
    """The customer has to type a PIN."""
    LOST = "lost"
    """It never arrives, and nobody says so."""
    LATE = "late"
    """The same, but it is still on its way (`Town.arrive`)."""
    REFUSES = "refuses"
    """The customer's trouble: no other account is asked."""
    TURNS_AWAY = "turns_away"
    """Refused before the customer's code was looked at, and signed."""
    UNSENT = "unsent"


@dataclass
class Town:
    """All channels together: what can be paid at one moment, wherever it is."""

    orders: dict[str, Stage] = field(default_factory=dict)
    open_at_once_max: int = 0
    latency_s: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(3))
    on_its_way: list[str] = field(default_factory=list)

    def arrive(self) -> None:
        """What was on its way is charged now, long after it was sent, unless its order is shut."""
        for order_no in self.on_its_way:
            self.orders.setdefault(order_no, Stage.PAID)
        self.on_its_way.clear()

    def open(self, order_no: str) -> None:
        self.orders.setdefault(order_no, Stage.OPEN)
        open_now = sum(stage is Stage.OPEN for stage in self.orders.values())
        self.open_at_once_max = max(self.open_at_once_max, open_now)

    def pay(self, order_no: str) -> bool:
        """A customer pays; False where the order cannot be paid."""
        if self.orders.get(order_no) is not Stage.OPEN:
            return False
        self.orders[order_no] = Stage.PAID
        return True

    def standing(self, stage: Stage) -> list[str]:
        """The orders that stand there."""
        return sorted(order_no for order_no, found in self.orders.items() if found is stage)

    async def answer(self) -> None:
        """Take a moment."""
        await asyncio.sleep(self.chance.uniform(0, self.latency_s))


@dataclass
class OrderChannel:
    """One account.  `closes=False` has no call that shuts an order; `app` is where it has payers identified.

    `losing` are errors of its next calls for a code or a page, raised after the order was opened, but for those that
    prove that it was not.
    """

    town: Town
    closes: bool = True
    rhythm: Rhythm = RHYTHM
    losing: list[ChannelError] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    app: str = "app"
    ways: list[Way] = field(default_factory=list)
    """How its next charges go; every further one captures."""

    def authorize_url(self, return_url: str, state: str) -> str:
        return f"http://{self.app}/?{return_url}&{state}"

    async def charge_barcode(self, charge: BarcodeCharge, limits: CallLimits) -> TradeReport:
        self.calls.append("charge")
        await self.town.answer()
        way = self.ways.pop(0) if self.ways else Way.CAPTURES
        order_no = charge.order.order_no
        if limits.too_late_to_send or way is Way.UNSENT:
            raise ChannelUnsent("send_before_passed" if limits.too_late_to_send else "connect_failed")
        if way is Way.TURNS_AWAY:
            raise ChannelRejected("NO_AUTH", FailureCode.CHANNEL_MISCONFIGURED, may_fail_over=True)
        if way is Way.REFUSES:
            raise ChannelRejected("NOT_ENOUGH", FailureCode.INSUFFICIENT_FUNDS)
        if way is Way.LATE:
            self.town.on_its_way.append(order_no)
        if way in {Way.LOST, Way.LATE}:
            raise ChannelUnknown("answer_timeout")
        self.town.open(order_no)
        if way is Way.WAITS:
            return TradeReport(TradeState.PENDING)
        self.town.pay(order_no)
        if way is Way.CAPTURES_SILENTLY:
            raise ChannelUnknown("answer_timeout")
        return TradeReport(TradeState.CAPTURED, channel_trade_no=order_no, amount_fen=charge.order.amount.amount_fen)

    async def reverse(self, order: ChannelOrder, limits: CallLimits) -> ReversalReport:
        self.calls.append("reverse")
        stage = self.town.orders.get(order.order_no)
        if stage is None:
            return ReversalReport(ReversalState.NOT_FOUND)
        self.town.orders[order.order_no] = Stage.RETURNED if stage is Stage.PAID else Stage.SHUT
        return ReversalReport(ReversalState.REVERSED)

    async def create_page_order(self, page: PageOrder, limits: CallLimits) -> PageReport:
        self.calls.append("page")
        await self.town.answer()
        order_no = page.code.order.order_no
        lost = self.losing.pop(0) if self.losing else None
        if not isinstance(lost, ChannelRejected | ChannelUnsent):
            self.town.open(order_no)
        if lost is not None:
            raise lost
        await self.town.answer()
        return PageReport({"package": order_no, "payer": page.payer_id}, "http://x/pay", "42", "http://x/bridge.js")

    async def create_code(self, code: CodeOrder, limits: CallLimits) -> CodeReport:
        self.calls.append("code")
        lost = self.losing.pop(0) if self.losing else None
        if not isinstance(lost, ChannelRejected | ChannelUnsent):
            self.town.open(code.order.order_no)
        if lost is not None:
            raise lost
        return CodeReport(f"weixin://{code.order.order_no}")

    async def query(self, order: ChannelOrder, limits: CallLimits) -> TradeReport:
        self.calls.append("query")
        await self.town.answer()
        match self.town.orders.get(order.order_no):
            case None:
                return TradeReport(TradeState.NOT_FOUND)
            case Stage.OPEN:
                return TradeReport(TradeState.PENDING)
            case Stage.SHUT:
                return TradeReport(TradeState.CLOSED)
            case Stage.RETURNED:
                return TradeReport(TradeState.REFUNDED)
            case Stage.PAID:
                fen = order.amount.amount_fen
                return TradeReport(TradeState.CAPTURED, channel_trade_no=order.order_no, amount_fen=fen)

    async def close(self, order: ChannelOrder, limits: CallLimits) -> CloseReport:
        self.calls.append("close")
        await self.town.answer()
        stage = self.town.orders.get(order.order_no)
        if not self.closes:
            return CloseReport(CloseState.UNSUPPORTED)
        if stage is None:
            return CloseReport(CloseState.NOT_FOUND)
        if stage in {Stage.PAID, Stage.RETURNED}:
            return CloseReport(CloseState.PAID)
        self.town.orders[order.order_no] = Stage.SHUT
        return CloseReport(CloseState.CLOSED)

    async def refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        self.calls.append("refund")
        self.town.orders[refund.order.order_no] = Stage.RETURNED
        return RefundReport(RefundState.SUCCEEDED)

    async def query_refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        returned = self.town.orders.get(refund.order.order_no) is Stage.RETURNED
        return RefundReport(RefundState.SUCCEEDED if returned else RefundState.NOT_FOUND)

    async def aclose(self) -> None:
        """Nothing is held open."""
