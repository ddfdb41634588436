"""What a customer is asked for: the one place where the pages, the card and the endpoints behind them have it from."""

from __future__ import annotations

from typing import NamedTuple

from gateway.payments.payment import Payment


class Price(NamedTuple):
    """Of an order: its goods' value, the discount, and what is paid; fen."""

    amount_fen: int
    payable_fen: int

    @property
    def discount_fen(self) -> int:
        """What the customer does not pay."""
        return self.amount_fen - self.payable_fen


def price_of_payment(payment: Payment) -> Price:
    """What was agreed when the payment was made."""
    return Price(payment.amount.amount_fen, payment.payable.amount_fen)


def price_of_code(amount_fen: int) -> Price:
    """Of a static code before there is a payment: nobody has been recognised, so nothing is taken off."""
    return Price(amount_fen, amount_fen)
