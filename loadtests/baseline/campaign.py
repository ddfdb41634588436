"""The baseline's one campaign: so much off from an amount on, shared by a bank and the merchant."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.kernel.money import Money
from gateway.ledger.postings import MERCHANT, Funder

CAMPAIGN_ID: Final = "cam_hot"


class Campaign(NamedTuple):
    """As it stands in the table; amounts in fen."""

    id: str
    name: str
    spend: int
    off: int
    bank_percent: int

    def discount(self, amount: int) -> int:
        """What is taken off."""
        return min(self.off, amount - 1) if amount >= self.spend else 0

    def funding(self, discount: int) -> list[Funder]:
        """Who pays for it."""
        bank = discount * self.bank_percent // 100
        return [Funder("bank", Money(bank)), Funder(MERCHANT, Money(discount - bank))]
