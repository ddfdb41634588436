"""Channels in memory that are rough: requests and answers get lost or come late, orders outlive their time, and
processes that call die there.  What happened is written down, with the town's own time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar

from gateway.kernel.failures import FailureCode
from routing.channels.base import (
    BarcodeCharge,
    CallLimits,
    ChannelOrder,
    ChannelRejected,
    ChannelUnknown,
    ChannelUnsent,
    PageOrder,
    RefundOrder,
    RefundRules,
    Rhythm,
    Wallet,
)
from routing.channels.reports import (
    CloseReport,
    CloseState,
    PageReport,
    RefundReport,
    RefundState,
    ReversalReport,
    ReversalState,
    TradeReport,
    TradeState,
)
from tests.support.fake_channel import RHYTHM

Answer = TypeVar("Answer")
_FAULTS: Final = {"none": 70, "unsent": 4, "lost": 14, "late": 8, "killed before": 4, "killed after": 6}
LATE_S_MAX: Final = 60.0
"""A request that was sent is carried out at most so long after its caller has given up."""
_LAG_S: Final = 30.0
"""A refund is not found by every query so soon after it was made."""


class Killed(BaseException):
    """The process that called dies."""


class Stage(StrEnum):
    """Where an order stands."""

    OPEN = "open"
    PAID = "paid"
    SHUT = "shut"
    REFUSED = "refused"


@dataclass
class Return:
    """Money that goes back under one number."""

    amount_fen: int
    made_at: float
    done_at: float
    failed: bool = False


@dataclass
class Order:
    """One order.  `outlives_s`: it can be paid so long after its time, and after it was shut, if `comes_back`."""

    wallet: Wallet
    amount_fen: int
    until: float
    stage: Stage = Stage.OPEN
    outlives_s: float = 0.0
    comes_back: bool = False
    returns: dict[str, Return] = field(default_factory=dict)

    @property
    def returned_fen(self) -> int:
        """What went back, or is on its way."""
        return sum(each.amount_fen for each in self.returns.values() if not each.failed)

    def can_be_paid(self, now: float) -> bool:
        """Whether the customer's wallet would still pay it."""
        is_open = self.stage is Stage.OPEN or (self.stage is Stage.SHUT and self.comes_back)
        return is_open and now < self.until + self.outlives_s


@dataclass
class Town:
    """All channels together.  `is_rough` ends when everything is to come to its end."""

    chance: random.Random
    now: float = 0.0
    is_rough: bool = True
    merchant_is_poor: bool = False
    orders: dict[str, Order] = field(default_factory=dict)
    open_at_once_max: int = 0
    story: list[str] = field(default_factory=list)
    under_way: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    named: dict[str, datetime] = field(default_factory=dict)

    def tell(self, *words: object) -> None:
        self.story.append(f"{self.now:8.1f}  " + " ".join(map(str, words)))

    def open(self, order_no: str, order: Order) -> None:
        """An order comes to be; how many could be paid at once is remembered."""
        self.orders.setdefault(order_no, order)
        open_now = sum(each.stage is Stage.OPEN and each.until > self.now for each in self.orders.values())
        self.open_at_once_max = max(self.open_at_once_max, open_now)

    def pass_time(self, seconds: float) -> None:
        """What was under way arrives."""
        self.now += seconds
        due = [act for at, act in self.under_way if at <= self.now]
        self.under_way = [each for each in self.under_way if each[0] > self.now]
        for act in due:
            try:
                act()
            except (ChannelRejected, ChannelUnknown):
                self.tell("what came late was refused")

    async def call(self, name: str, act: Callable[[], Answer], limits: CallLimits) -> Answer:
        """Carry a request out, as roughly as it happens; `act` does it at the channel."""
        await asyncio.sleep(self.chance.uniform(0, 0.002))
        if limits.too_late_to_send:
            raise ChannelUnsent("send_before_passed")
        fault = self.chance.choices(list(_FAULTS), list(_FAULTS.values()))[0] if self.is_rough else "none"
        self.tell(name, "" if fault == "none" else f"({fault})")
        if fault == "unsent":
            raise ChannelUnsent("connect_failed")
        if fault == "killed before":
            raise Killed
        if fault == "late":
            self.under_way.append((self.now + self.chance.uniform(1, LATE_S_MAX), act))
            raise ChannelUnknown("timeout")
        answer = self._answer(act, fault)
        await asyncio.sleep(self.chance.uniform(0, 0.002))
        return answer

    def _answer(self, act: Callable[[], Answer], fault: str) -> Answer:
        refusal: ChannelRejected | None = None
        try:
            answer = act()
        except ChannelRejected as error:
            refusal = error
        self.tell("   ->", refusal.code if refusal else getattr(answer, "state", "page"))
        if fault == "lost":
            raise ChannelUnknown("timeout")
        if fault == "killed after":
            raise Killed
        if refusal is not None:
            raise refusal
        return answer


@dataclass
class RoughChannel:
    """One account.  UnionPay has no call that shuts an order; each wallet tells of refunds in its own way."""

    town: Town
    wallet: Wallet
    rhythm: Rhythm = RHYTHM
    refund_rules: RefundRules = field(default_factory=lambda: RefundRules(3.0, 1_000, 365))

    async def charge_barcode(self, charge: BarcodeCharge, limits: CallLimits) -> TradeReport:
        raise AssertionError("the charges of these tests arrive by themselves")

    async def create_page_order(self, page: PageOrder, limits: CallLimits) -> PageReport:
        chance, order = self.town.chance, page.code.order
        left_s = (page.code.pay_until - datetime.now(UTC)).total_seconds()
        until = self.town.now + (left_s if self.wallet is Wallet.UNIONPAY else max(left_s, 60.0))
        outlives_s = chance.choice([0.0, 0.0, 0.0, 60.0, 300.0, 600.0])

        def act() -> PageReport:
            known = self.town.orders.get(order.order_no)
            if known is not None and known.stage is not Stage.OPEN:
                raise ChannelUnknown("order_paid")
            made = Order(self.wallet, order.amount.amount_fen, until, outlives_s=outlives_s)
            self.town.open(order.order_no, made)
            return PageReport({"package": order.order_no})

        return await self.town.call(f"page {order.order_no[-2:]}", act, limits)

    async def query(self, order: ChannelOrder, limits: CallLimits) -> TradeReport:
        return await self.town.call(f"query {order.order_no[-2:]}", lambda: self.report(order.order_no), limits)

    def report(self, order_no: str) -> TradeReport:
        """How the order stands, as this channel says it."""
        order = self.town.orders.get(order_no)
        if order is None:
            return TradeReport(TradeState.NOT_FOUND)
        if order.stage is Stage.PAID:
            return TradeReport(self._paid(order), channel_trade_no=f"T{order_no}", amount_fen=order.amount_fen)
        if order.stage is Stage.REFUSED:
            return TradeReport(TradeState.REFUSED, failure=FailureCode.CHANNEL_REFUSED)
        is_over = order.stage is Stage.SHUT or (self.wallet is Wallet.ALIPAY and order.until <= self.town.now)
        return TradeReport(TradeState.CLOSED if is_over else TradeState.PENDING)

    def _paid(self, order: Order) -> TradeState:
        done = [each for each in order.returns.values() if not each.failed and each.done_at <= self.town.now]
        if self.wallet is Wallet.WECHAT and order.returned_fen:
            return TradeState.REFUNDED
        is_whole = sum(each.amount_fen for each in done) >= order.amount_fen
        return TradeState.CLOSED if self.wallet is Wallet.ALIPAY and is_whole else TradeState.CAPTURED

    async def close(self, order: ChannelOrder, limits: CallLimits) -> CloseReport:
        return await self.town.call(f"close {order.order_no[-2:]}", lambda: self._close(order.order_no), limits)

    def _close(self, order_no: str) -> CloseReport:
        order = self.town.orders.get(order_no)
        if self.wallet is Wallet.UNIONPAY:
            return CloseReport(CloseState.UNSUPPORTED)
        if order is None:
            return CloseReport(CloseState.NOT_FOUND)
        if order.stage is Stage.PAID:
            return CloseReport(CloseState.PAID)
        order.stage, order.comes_back = Stage.SHUT, self.town.chance.random() < 0.15
        return CloseReport(CloseState.CLOSED)

    async def reverse(self, order: ChannelOrder, limits: CallLimits) -> ReversalReport:
        return await self.town.call(f"reverse {order.order_no[-2:]}", lambda: self._reverse(order.order_no), limits)

    def _reverse(self, order_no: str) -> ReversalReport:
        order = self.town.orders.get(order_no)
        if order is None:
            return ReversalReport(ReversalState.NOT_FOUND)
        if order.stage is Stage.PAID and order.returned_fen:
            return ReversalReport(ReversalState.REFUSED)
        if order.stage is not Stage.REFUSED:
            order.stage = Stage.SHUT
        is_told_later = self.wallet is Wallet.UNIONPAY
        return ReversalReport(ReversalState.ACCEPTED if is_told_later else ReversalState.REVERSED)

    async def void(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        return await self.refund(refund, limits)

    async def refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        self._must_be_named_the_same(refund)
        return await self.town.call(f"refund {refund.refund_no[26:]}", lambda: self._refund(refund), limits)

    def _refund(self, refund: RefundOrder) -> RefundReport:
        chance, amount_fen = self.town.chance, refund.amount.amount_fen
        order = self.town.orders.get(refund.order.order_no)
        if order is None or order.stage is not Stage.PAID:
            raise ChannelRejected("no_order", FailureCode.REFUND_REFUSED)
        known = order.returns.get(refund.refund_no)
        if known is not None and chance.random() < 0.6:
            raise ChannelRejected("known", FailureCode.REFUND_REFUSED)
        if known is None:
            if order.returned_fen + amount_fen > order.amount_fen:
                raise ChannelRejected("exceeds", FailureCode.REFUND_REFUSED)
            if self.town.merchant_is_poor:
                raise ChannelRejected("balance", FailureCode.MERCHANT_BALANCE_INSUFFICIENT)
            done_at = self.town.now + chance.choice([0.0, 0.0, 20.0, 200.0])
            known = Return(amount_fen, self.town.now, done_at, self.town.is_rough and chance.random() < 0.1)
            order.returns[refund.refund_no] = known
        assert known.amount_fen == amount_fen, "one number, one amount"
        return self._returned(known)

    def _returned(self, known: Return) -> RefundReport:
        if known.done_at > self.town.now:
            return RefundReport(RefundState.PENDING, "R1")
        if known.failed:
            return RefundReport(RefundState.FAILED, "R1")
        return RefundReport(RefundState.SUCCEEDED, "R1", amount_fen=known.amount_fen)

    async def query_refund(self, refund: RefundOrder, limits: CallLimits) -> RefundReport:
        self._must_be_named_the_same(refund)
        return await self.town.call(f"query {refund.refund_no[26:]}", lambda: self._query_refund(refund), limits)

    def _query_refund(self, refund: RefundOrder) -> RefundReport:
        order = self.town.orders.get(refund.order.order_no)
        known = None if order is None else order.returns.get(refund.refund_no)
        lags = self.town.is_rough and self.town.chance.random() < 0.5
        if known is None or (lags and self.town.now < known.made_at + _LAG_S):
            return RefundReport(RefundState.NOT_FOUND)
        return self._returned(known)

    def _must_be_named_the_same(self, refund: RefundOrder) -> None:
        """UnionPay knows a refund by its number and time together, and its order by UnionPay's own number."""
        assert self.town.named.setdefault(refund.refund_no, refund.created_at) == refund.created_at
        assert refund.order.channel_trade_no is not None

    async def aclose(self) -> None:
        """Nothing is held open."""
