"""What a payment took of a campaign, once its intent is durable: as rows, and as the payment shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

import orjson

from promotions.campaigns.campaign import CouponReward
from promotions.offer import Applied, Funding


class Redemption(NamedTuple):
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

    @classmethod
    def of(cls, applied: Applied, slice_: int | None) -> Redemption:
        """What an offer's campaign gives, as the intent statement writes it (budget/rows.py)."""
        campaign = applied.campaign
        return cls(
            campaign_id=campaign.id,
            version=campaign.version,
            name=campaign.name,
            day=applied.day,
            slice=slice_,
            discount_fen=applied.discount_fen,
            fee_off_fen=applied.fee_off_fen,
            funding=applied.funding,
            coupon_id=applied.coupon_id,
            rewards=isinstance(campaign.benefit, CouponReward),
            returns_budget=campaign.on_refund.returns_budget,
            returns_limits=campaign.on_refund.returns_limits,
        )

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Redemption:
        """A row of the table."""
        return cls(
            campaign_id=row["campaign_id"],
            version=row["campaign_version"],
            name=row["name"],
            day=row["day"],
            slice=row["slice"],
            discount_fen=row["discount"],
            fee_off_fen=row["fee_off"],
            funding=tuple([Funding(part["sponsor"], part["amount"]) for part in orjson.loads(row["funding"])]),
            coupon_id=row["coupon_id"],
            rewards=row["rewards"],
            returns_budget=row["returns_budget"],
            returns_limits=row["returns_limits"],
        )

    @property
    def is_of_fee(self) -> bool:
        """Whether its funders pay for the merchant's fee, not for the customer's price."""
        return self.fee_off_fen > 0

    @property
    def taken_fen(self) -> int:
        """What the budget gives."""
        return self.discount_fen + self.fee_off_fen

    def to_json(self) -> dict[str, Any]:
        """As the payment object shows it (PRODUCT.md "The payment object")."""
        shown: dict[str, Any] = {
            "campaign_id": self.campaign_id,
            "name": self.name,
            "discount": self.discount_fen,
            "funding": [{"sponsor": part.sponsor, "amount": part.amount_fen} for part in self.funding],
        }
        return shown if not self.fee_off_fen else shown | {"fee_off": self.fee_off_fen}
