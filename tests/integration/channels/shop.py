"""A channel account of the integration tests with everything around it: its notifications, and customers who pay."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from gateway.kernel.ids import new_ulid
from gateway.kernel.money import Money
from routing.channels.base import CallLimits, ChannelOrder, CodeOrder, RefundOrder
from routing.channels.notifications import Notification
from routing.channels.reports import RefundReport, RefundState
from tests.integration.channels.conftest import Account
from tests.unit.simulators.listener import Heard, Listener

LIMITS = CallLimits(timeout_s=5.0)


@dataclass(frozen=True)
class Shop:
    """An account that is notified, and what it heard."""

    account: Account
    rotated: Account
    listener: Listener

    @property
    def wallet(self) -> str:
        return self.account.seed.wallet

    def control(self, method: str, place: str, document: object = None, status: int = 200) -> Any:
        """One call of the simulator's control API."""
        url = f"{self.account.simulator_url}/_simulator/{place}"
        answer = httpx.request(method, url, json=document, trust_env=False)
        assert answer.status_code == status, answer.text
        return answer.json()

    def scan(self, qr_code: str, *, status: int = 200, **more: object) -> Any:
        """What the customer does with a code."""
        return self.control("POST", "scan", {"qr_code": qr_code, **more}, status)

    async def heard_of(self, number: str, count: int = 1) -> list[Notification]:
        """The notifications about an order or refund, once there are so many."""
        async with asyncio.timeout(10):
            while True:
                if len(found := self._read_about(number)) >= count:
                    return found
                await asyncio.sleep(0.05)

    def _read_about(self, number: str) -> list[Notification]:
        told = [self.account.channel.read_notification(item.headers, item.body) for item in self.listener.heard]
        return [item for item in told if number in {item.order_no, item.refund_no}]

    def told_of(self, order_no: str) -> Any:
        """The order's only notification, as the simulator shows it."""
        [found] = self.control("GET", f"notifications?order_no={order_no}")["notifications"]
        return found

    def resent(self, notification_id: str, **forging: object) -> Heard:
        """The notification as it comes once more, forged as asked."""
        before = len(self.listener.heard)
        self.control("POST", f"notifications/{notification_id}/resend", forging)
        [again] = self.listener.heard[before:]
        del self.listener.heard[before:]
        return again


def code_order(amount_fen: int = 1280) -> CodeOrder:
    """A code of a new order, good for five minutes."""
    now = datetime.now(UTC)
    order = ChannelOrder(f"{new_ulid()}A1", now, Money(amount_fen))
    return CodeOrder(order, "拿铁, 大杯（热）", now + timedelta(minutes=5), "S1", "T0000001", "O1")


def refund_of(order: ChannelOrder, amount_fen: int) -> RefundOrder:
    """The first refund of an order."""
    return RefundOrder(order, f"{order.order_no}F01", Money(amount_fen), datetime.now(UTC), "少了一份")


async def until_given_back(shop: Shop, refund: RefundOrder) -> RefundReport:
    """Where a refund stands once it is decided."""
    async with asyncio.timeout(10):
        while True:
            report = await shop.account.channel.query_refund(refund, LIMITS)
            if report.state is not RefundState.PENDING:
                return report
            await asyncio.sleep(0.1)


async def paid_code(shop: Shop, amount_fen: int = 1280) -> ChannelOrder:
    """An order that was shown as a code and paid."""
    code = code_order(amount_fen)
    shown = await shop.account.channel.create_code(code, LIMITS)
    assert shop.scan(shown.qr_code, payer="alice")["order_no"] == code.order.order_no
    return code.order
