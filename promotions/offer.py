"""What a customer pays: the price of a payment after the discounts that were taken for it."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Offer:
    """The goods' value and what is left to pay; without campaigns in force both are the same."""

    amount: Money
    payable: Money

    @classmethod
    def full_price(cls, amount: Money) -> Offer:
        """No discount."""
        return cls(amount, amount)

    @property
    def discount(self) -> Money:
        """What the funders pay."""
        return self.amount - self.payable
