"""A receipt as a value: what a customer is shown of a payment, by the merchant's wish; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.kernel.clock import rfc3339
from gateway.kernel.money import Money
from gateway.ledger.postings import Funder
from gateway.payments.payment import Payment
from gateway.payments.states import Status
from gateway.refunds.refund import Refund, RefundStatus


class ShownDiscounts(StrEnum):
    """How a merchant wants discounts on its receipts."""

    BY_FUNDER = "by_funder"
    TOTAL = "total"
    NONE = "none"
    """Only what the customer paid and got back."""


class Standing(StrEnum):
    """What a receipt says at its head."""

    PAID = "paid"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class Shop:
    """Who gives the receipt, and how it wants it."""

    name: str
    timezone: str
    discounts: ShownDiscounts


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A refund on a receipt; fen."""

    merchant_refund_no: str
    status: RefundStatus
    amount: int
    returned_to_customer: int
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt; fen.  `funding` is who paid for the discount."""

    shop: Shop
    payment: Payment
    paid_at: datetime
    funding: tuple[Funder, ...]
    refunds: tuple[GivenBack, ...]
    url: str

    @classmethod
    def of(
        cls,
        shop: Shop,
        payment: Payment,
        *,
        paid_at: datetime,
        funding: Sequence[Funder],
        refunds: Sequence[Refund],
        url: str,
    ) -> Receipt:
        """The receipt of a payment that was taken; refunds that failed are not on it."""
        given = [
            GivenBack(
                refund.merchant_refund_no, refund.status, refund.amount, refund.returned_to_customer, refund.created_at
            )
            for refund in refunds
            if refund.status is not RefundStatus.FAILED
        ]
        return cls(shop, payment, paid_at, _by_sponsor(funding), tuple(given), url)

    @property
    def amount(self) -> int:
        """The goods' value."""
        return self.payment.amount.amount_fen

    @property
    def payable(self) -> int:
        """What the customer paid."""
        return self.payment.payable.amount_fen

    @property
    def discount(self) -> int:
        """What the customer did not have to pay."""
        return self.amount - self.payable

    @property
    def returned(self) -> int:
        """What the customer got back: by a reversal all of it."""
        if self.standing is Standing.REVERSED:
            return self.payable
        return sum(refund.returned_to_customer for refund in self._done)

    @property
    def standing(self) -> Standing:
        """What stands at the head."""
        refunded = sum(refund.amount for refund in self._done)
        if self.payment.status is Status.REVERSED:
            return Standing.REVERSED
        if refunded >= self.amount:
            return Standing.REFUNDED
        return Standing.PARTLY_REFUNDED if refunded else Standing.PAID

    @property
    def _done(self) -> list[GivenBack]:
        return [refund for refund in self.refunds if refund.status is RefundStatus.SUCCEEDED]

    def to_json(self) -> dict[str, Any]:
        """The receipt object (schemas.ReceiptObject)."""
        payment, shows = self.payment, self.shop.discounts
        is_open, by_funder = shows is not ShownDiscounts.NONE, shows is ShownDiscounts.BY_FUNDER
        return {
            "object": "receipt",
            "payment_id": payment.id,
            "merchant_name": self.shop.name,
            "store_id": payment.store_id,
            "terminal_id": payment.terminal_id,
            "operator_id": payment.operator_id,
            "merchant_order_no": payment.merchant_order_no,
            "status": self.standing,
            "wallet": payment.wallet,
            "channel_trade_no": payment.channel_trade_no,
            "currency": payment.amount.currency,
            "amount": self.amount if is_open else None,
            "discount": self.discount if is_open else None,
            "discounts": [_funder_json(funder) for funder in self.funding] if by_funder else None,
            "payable": self.payable,
            "returned_to_customer": self.returned,
            "refunds": [_refund_json(refund, is_open=is_open) for refund in self.refunds],
            "paid_at": rfc3339(self.paid_at),
            "timezone": self.shop.timezone,
            "receipt_url": self.url,
        }


def _by_sponsor(funding: Sequence[Funder]) -> tuple[Funder, ...]:
    """One line for each: the books have one for each campaign."""
    parts: dict[str, Money] = {}
    for funder in funding:
        parts[funder.sponsor] = parts[funder.sponsor] + funder.amount if funder.sponsor in parts else funder.amount
    return tuple([Funder(sponsor, amount) for sponsor, amount in parts.items()])


def _funder_json(funder: Funder) -> dict[str, Any]:
    return {"funder": funder.sponsor, "amount": funder.amount.amount_fen}


def _refund_json(refund: GivenBack, *, is_open: bool) -> dict[str, Any]:
    return {
        "merchant_refund_no": refund.merchant_refund_no,
        "status": refund.status,
        "amount": refund.amount if is_open else None,
        "returned_to_customer": refund.returned_to_customer,
        "created_at": rfc3339(refund.made_at),
    }
