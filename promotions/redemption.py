"""What a payment took of a campaign, once its intent is durable: as rows, and as the payment shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from promotions.offer import Funding


@dataclass(frozen=True, slots=True)
class Redemption:
    """A row of `redemptions`.  `slice` is None where the campaign has no budget and no number."""

    campaign_id: str
    version: int
    name: str
    day: date
    slice: int | None
    discount_fen: int
    fee_off_fen: int
    funding: tuple[Funding, ...]
    coupon_id: str | None = None
    rewards: bool = False
    returns_budget: bool = True
    returns_limits: bool = False

    def to_json(self) -> dict[str, Any]:
        """As the payment object shows it (PRODUCT.md "The payment object")."""
        shown: dict[str, Any] = {
            "campaign_id": self.campaign_id,
            "name": self.name,
            "discount": self.discount_fen,
            "funding": [{"sponsor": part.sponsor, "amount": part.amount_fen} for part in self.funding],
        }
        return shown if not self.fee_off_fen else shown | {"fee_off": self.fee_off_fen}
