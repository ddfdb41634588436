"""Screens orders: what the risk check is told of them and of their place, and what follows from its decision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from gateway.kernel.failures import FailureCode
from gateway.kernel.secrets import Vault
from gateway.merchants.stores import Place, StoreBook
from gateway.payments.counting import Hears
from gateway.payments.payment import Payment, PaymentOrder
from gateway.payments.schemas import Customer, PaymentRequest
from risk.decision import APPROVED, Decision, Verdict
from risk.desk import Begun, Screening
from risk.facts import CodeType, Facts, Location, Tolerance
from risk.velocity.calling import Claim
from routing.channels.base import Wallet
from routing.channels.codes import wallet_of

_NOBODY: Final = Customer()


class OrderScreening:
    """One per process."""

    def __init__(
        self, desk: Screening, places: StoreBook, vault: Vault, now: Callable[[], datetime], counting: Hears
    ) -> None:
        self._desk = desk
        self._counting = counting
        self._places = places
        self._vault = vault
        self._now = now

    async def begin(self, order: PaymentOrder, wallet: Wallet | None, claim: Claim | None = None) -> Begun | None:
        """Count the payment and ask what rules look at; None where no rule set is in force.

        Returns without a trip through the event loop where the place is known, so that what is asked leaves together
        with the claim, which was sent before: who does not get it sends a payment again, and counts nothing.
        """
        if not self._desk.in_force:
            return None
        place = await self._places.get(order.merchant_id, order.request.store_id)
        facts = facts_of(order, wallet, place, self._vault, self._now())
        return self._desk.begin(facts, Tolerance(place.risk_open_amount_max), claim=claim)

    async def decide(self, begun: Begun | None) -> Decision:
        """The decision, within the deadline."""
        return APPROVED if begun is None else await self._desk.decide(begun)

    async def look(self, order: PaymentOrder, wallet: Wallet | None) -> Decision:
        """What would be decided about such an order now; nothing is counted."""
        if not self._desk.in_force:
            return APPROVED
        place = await self._places.get(order.merchant_id, order.request.store_id)
        facts = facts_of(order, wallet, place, self._vault, self._now())
        return await self._desk.judge(self._desk.begin(facts, Tolerance(place.risk_open_amount_max), look=True))

    def bound(self, payment: Payment, begun: Begun) -> None:
        """The payment is durable; where it was declined here, that counts."""
        self._counting.ended(payment, begun.facts)


def refusal_of(decision: Decision) -> FailureCode | None:
    """Why a payment is refused after the decision; None where it goes on."""
    if decision.verdict is Verdict.DECLINE:
        return FailureCode.RISK_DECLINED
    return FailureCode.RISK_UNAVAILABLE if decision.beyond_tolerance else None


def wallet_of_order(request: PaymentRequest) -> Wallet | None:
    """The wallet that pays; None for a code that any wallet can pay, or a payment code of no wallet that we know."""
    return request.wallet if request.auth_code is None else wallet_of(request.auth_code)


def facts_of(order: PaymentOrder, wallet: Wallet | None, place: Place, vault: Vault, at: datetime) -> Facts:
    """An order as risk rules see it; `at` is the database's time."""
    request, merchant_id = order.request, order.merchant_id
    customer = request.customer or _NOBODY
    return Facts(
        merchant_id=merchant_id,
        order_key=f"{merchant_id}:{request.merchant_order_no}",
        amount_fen=request.amount,
        method=method_of(request),
        code_type=_code_type(order),
        at=at,
        timezone=order.timezone,
        wallet=wallet,
        store_id=request.store_id,
        terminal_id=request.terminal_id,
        operator_id=request.operator_id,
        region=place.region,
        category=place.category,
        code_id=order.code_id,
        customer=_keyed(vault, place.customer_realm, customer.id),
        device=_keyed(vault, place.customer_realm, customer.device_id),
        ip=customer.ip,
        card_bin=customer.card_bin,
        location=_where(customer),
        store_location=_location(place),
        device_rooted=customer.device_rooted,
        merchant_since=place.since,
        merchant_tier=place.risk_tier,
        has_coupon=bool(request.coupons),
    )


def method_of(request: PaymentRequest) -> str:
    """`barcode`, `qrcode`, or `page` for a code that any wallet can pay."""
    return "page" if request.method == "qrcode" and request.wallet is None else request.method


def _code_type(order: PaymentOrder) -> CodeType:
    if order.request.method == "barcode":
        return CodeType.BARCODE
    return CodeType.DYNAMIC if order.code_id is None else CodeType.STATIC


def _keyed(vault: Vault, realm: str, value: str | None) -> str | None:
    """What stands for a customer or a device of the realm, as in promotions."""
    return None if value is None else vault.name_hash(f"{realm}\n{value}".encode()).hex()


def _where(customer: Customer) -> Location | None:
    said = customer.location
    return None if said is None else Location(said.latitude, said.longitude)


def _location(place: Place) -> Location | None:
    if place.latitude is None or place.longitude is None:
        return None
    return Location(place.latitude, place.longitude)
