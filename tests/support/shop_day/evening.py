"""The evening: everything that the shop can ask for, collected through gateway.client once the day is quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from gateway.client import AsyncClient, Event, Payment, Refund, ShiftReport, calls, webhook_calls
from gateway.kernel.clock import BEIJING
from routing.channels.base import CallLimits
from routing.channels.registry import build_channel
from routing.channels.statements import StatementLine
from routing.channels.transport import HttpTransport
from tests.support.channels import Simulators

_QUIET_S: Final = 100.0
_OPEN: Final = frozenset({"processing", "requires_action"})
_SETTLES_LATE: Final = "unionpay"
"""Its day ends at 23:00."""


@dataclass(frozen=True, slots=True)
class Evening:
    """What the shop and its channels say of the day; `lines` are the channels' statements."""

    payments: dict[str, Payment]
    refunds: dict[str, Refund]
    events: list[Event]
    report: ShiftReport
    lines: list[StatementLine]

    def paid(self) -> list[Payment]:
        """The payments that succeeded."""
        return [payment for payment in self.payments.values() if payment["status"] == "succeeded"]

    def given_back(self, payment_id: str | None = None) -> list[Refund]:
        """The refunds that succeeded, of all payments or of one."""
        return [
            refund
            for refund in self.refunds.values()
            if refund["status"] == "succeeded" and payment_id in {None, refund["payment_id"]}
        ]


async def evening(till: AsyncClient, simulators: Simulators, began: datetime) -> Evening:
    """Wait until everything has its end, and collect it."""
    payments, refunds = await _quiet(till)
    return Evening(
        payments={payment["id"]: payment for payment in payments},
        refunds={refund["id"]: refund for refund in refunds},
        events=[event async for event in till.each(webhook_calls.events(limit=100))],
        report=await till.shift_report(start=began, end=datetime.now(UTC) + timedelta(seconds=1), limit=1_000),
        lines=await _statements(simulators, began),
    )


def sums(payments: Iterable[Payment], refunds: Iterable[Refund]) -> dict[str, Any]:
    """What a cashier adds up by hand; the fees are the channels' affair."""
    paid, back = list(payments), list(refunds)
    return {
        "payments": {
            "count": len(paid),
            **{name: sum(int(payment[name]) for payment in paid) for name in ("amount", "discount", "payable")},
        },
        "refunds": {
            "count": len(back),
            **{
                name: sum(int(refund[name]) for refund in back)
                for name in ("amount", "returned_to_customer", "discount_returned")
            },
        },
        "net": sum(payment["payable"] for payment in paid) - sum(refund["returned_to_customer"] for refund in back),
    }


def grouped(
    evening: Evening, key: Callable[[Any], Any], wallet_of: Callable[[Refund], Any] | None = None
) -> dict[Any, dict[str, Any]]:
    """The same sums by whatever the key finds in payments and (with another key, if need be) in refunds."""
    of_refund = wallet_of or key
    keys = {key(payment) for payment in evening.paid()} | {of_refund(refund) for refund in evening.given_back()}
    return {
        wanted: sums(
            [payment for payment in evening.paid() if key(payment) == wanted],
            [refund for refund in evening.given_back() if of_refund(refund) == wanted],
        )
        for wanted in keys
    }


async def _quiet(till: AsyncClient) -> tuple[list[Payment], list[Refund]]:
    """All payments and refunds, once none is open, nothing is being cancelled, and late money has gone back."""
    async with asyncio.timeout(_QUIET_S):
        while True:
            payments = [payment async for payment in till.each(calls.payments(limit=100))]
            refunds = [refund async for refund in till.each(calls.refunds(limit=100))]
            open_ = [
                payment
                for payment in payments
                if payment["status"] in _OPEN
                or payment["reversal"] == "pending"
                or any(late["status"] == "pending" for late in payment["late_captures"])
            ]
            if not open_ and all(refund["status"] != "pending" for refund in refunds):
                return payments, refunds
            await asyncio.sleep(0.2)


async def _statements(simulators: Simulators, began: datetime) -> list[StatementLine]:
    """The lines of every account's statements since then, as the gateway's own adapters read them."""
    transport = HttpTransport()
    lines: list[StatementLine] = []
    try:
        for seed in simulators.accounts:
            channel = build_channel(seed.channel, seed.settings, transport)
            for day in _days(began, timedelta(hours=seed.channel == _SETTLES_LATE)):
                statement = await channel.statement(day, CallLimits(timeout_s=10))
                lines += [] if statement is None else statement.lines
            await channel.aclose()
    finally:
        await transport.aclose()
    return lines


def _days(began: datetime, ahead: timedelta) -> list[date]:
    first, last = ((moment + ahead).astimezone(BEIJING).date() for moment in (began, datetime.now(UTC)))
    return [first] if first == last else [first, last]
