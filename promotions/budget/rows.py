"""What an offer's campaigns give, as rows for the intent statement: the slice chosen, the counters, who funds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from gateway.database.redemptions import RedemptionRow
from promotions.campaigns.campaign import CouponReward
from promotions.offer import Applied


def redemption_rows(applied: Sequence[Applied], slices: Mapping[str, int]) -> tuple[RedemptionRow, ...]:
    """The rows in the order applied; `slices` has the slice by campaign, for those that have slices."""
    return tuple([redemption_row(part, slices.get(part.campaign.id)) for part in applied])


def redemption_row(applied: Applied, slice_: int | None) -> RedemptionRow:
    """One campaign's row.  `slice_` is None where the campaign has neither a budget nor a number."""
    campaign = applied.campaign
    uses = applied.uses
    return RedemptionRow(
        campaign_id=campaign.id,
        version=campaign.version,
        name=campaign.name,
        day=applied.day,
        slice=slice_,
        discount=applied.discount_fen,
        fee_off=applied.fee_off_fen,
        funding=orjson.dumps([{"sponsor": sponsor, "amount": fen} for sponsor, fen in applied.funding]).decode(),
        uses=orjson.dumps([use[:3] for use in uses]).decode() if uses else None,
        coupon_id=applied.coupon_id,
        rewards=isinstance(campaign.benefit, CouponReward),
        returns_budget=campaign.on_refund.returns_budget,
        returns_limits=campaign.on_refund.returns_limits,
        new_customer=applied.is_new_customer,
        counters=uses,
    )
