"""A counter of the shop: a till that talks through gateway.client, and knows what it has sold."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict, TypeVar

from gateway.client import ApiError, AsyncClient, OutcomeUnknown, Payment, Refund, calls
from gateway.client.call import Call
from tests.support.shop_day.clock import Clock
from tests.support.shop_day.customers import Customers
from tests.support.till import auth_code

Result = TypeVar("Result")
_FOR_NOW: Final = frozenset({429, 500, 503})
_PAUSE_S: Final = (0.05, 0.3)
_WAIT_S: Final = 10.0
_MARGIN_S: Final = 6.0
"""The client's own, and a second for a busy machine."""
_END_S: Final = 60.0
_LOOK_S: Final = 0.2


class Place(TypedDict):
    """Where and by whom something is sold."""

    store_id: str
    terminal_id: str
    operator_id: str


@dataclass(frozen=True, slots=True)
class Sold:
    """A payment that the till has made, how it may end on a day without faults, and what it was meant to show."""

    kind: str
    payment_id: str
    ends: frozenset[str]


@dataclass(slots=True)
class Shop:
    """What all counters share.

    `repeats` counts the calls that had to be made more than once; `overdue` are those that took longer than they may.
    """

    customers: Customers
    clock: Clock
    rng: random.Random
    sold: list[Sold] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    gives_up_after_s: float = _END_S
    repeats: int = 0
    overdue: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def patience(self, call: Call[Any], took_s: float) -> None:
        """A call of the client took so long, with an answer or without."""
        if took_s > (_WAIT_S if call.wait_s is None else call.wait_s) + _MARGIN_S:
            self.overdue.append(f"{call.method} {call.target}: {took_s:.1f} s")

    def number(self, prefix: str) -> str:
        """A new number of the merchant's."""
        return f"{prefix}-{self.rng.getrandbits(40):010x}-{next(self._numbers):05d}"


@dataclass(slots=True)
class Counter:
    """One till.  Its calls are repeated for as long as no answer, or a refusal for the moment, comes."""

    shop: Shop
    till: AsyncClient
    place: Place

    async def run(self, call: Call[Result]) -> Result:
        """The call's answer.  Raises ApiError for a refusal that stands."""
        for again in itertools.count():
            began = time.monotonic()
            try:
                answer = await self.till.run(call)
            except OutcomeUnknown:
                pass
            except ApiError as error:
                if error.status not in _FOR_NOW:
                    raise
            else:
                self.shop.repeats += again > 0
                return answer
            finally:
                self.shop.patience(call, time.monotonic() - began)
            await asyncio.sleep(self.shop.rng.uniform(*_PAUSE_S))
        raise AssertionError

    def order(self, kind: Callable[..., Any], **changes: Any) -> Call[Payment]:
        """A new order of this till; `kind` is the sale that it belongs to."""
        wanted = {
            "merchant_order_no": self.shop.number("S"),
            "amount": self.shop.rng.randint(100, 99_999),
            "description": kind.__name__.replace("_", " "),
            **self.place,
            **changes,
        }
        return calls.pay(**wanted)

    async def sell(self, kind: Callable[..., Any], ends: str, **changes: Any) -> Payment:
        """Send a new order and remember what was sold."""
        return self.remember(kind, ends, await self.run(self.order(kind, **changes)))

    async def sell_by_bar_code(
        self, kind: Callable[..., Any], wallet: str, ends: str = "succeeded", magic: str | None = None, **changes: Any
    ) -> Payment:
        """The customer shows a code of that wallet."""
        return await self.sell(kind, ends, auth_code=auth_code(wallet, magic), **changes)

    def remember(self, kind: Callable[..., Any], ends: str, payment: Payment) -> Payment:
        """It is a sale of this kind, and on a quiet day it ends as one of these (words with spaces between)."""
        self.shop.sold.append(Sold(kind.__name__, payment["id"], frozenset(ends.split())))
        return payment

    async def code_of(self, payment: Payment) -> Payment:
        """The payment once its code is on display, or over."""
        async with asyncio.timeout(_END_S):
            while payment["status"] == "processing":
                await asyncio.sleep(_LOOK_S)
                payment = await self.run(calls.payment(payment["id"]))
        return payment

    async def end_of(self, payment: Payment) -> Payment:
        """The payment once it has its end.  One that waits for longer than the cashier does is cancelled."""
        gives_up = time.monotonic() + self.shop.gives_up_after_s
        async with asyncio.timeout(_END_S):
            while _is_open(payment):
                await asyncio.sleep(_LOOK_S)
                if time.monotonic() > gives_up and payment["reversal"] is None:
                    payment = await self.run(calls.cancel(payment["id"], wait_s=1))
                else:
                    payment = await self.run(calls.payment(payment["id"]))
        return payment

    async def cancel(self, payment: Payment) -> Payment:
        """Cancel and wait for the end.  What is of yesterday already is refunded instead, as the answer says."""
        try:
            found = await self.run(calls.cancel(payment["id"]))
        except ApiError as error:
            if error.code != "use_refund":
                raise
            await self.refund(payment, payment["amount"])
            return payment
        return await self.end_of(found)

    async def refund(self, payment: Payment, amount: int, **changes: Any) -> Refund:
        """Give so much back and wait for the end, however long the channel wants the till to wait between two."""
        call = calls.refund(
            payment_id=payment["id"], amount=amount, merchant_refund_no=self.shop.number("R"), **self.place, **changes
        )
        made = await self.run(call)
        async with asyncio.timeout(_END_S):
            while made["status"] == "pending":
                await self.shop.clock.let_refunds_rest(payment["id"])
                await asyncio.sleep(_LOOK_S)
                made = await self.run(calls.find_refund(made["id"]))
        self.shop.refunds.append(made)
        return made


def _is_open(payment: Payment) -> bool:
    return payment["status"] in {"processing", "requires_action"} or payment["reversal"] == "pending"
