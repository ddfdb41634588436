"""The campaign's manager gives coupons to customers, within the stock."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.database.pool import Connection
from gateway.kernel.ids import new_id
from promotions.coupons.campaigns import SQL, CouponCampaign
from promotions.coupons.coupon import PREFIX
from promotions.coupons.taking import Receiver, TakeResult, TakeRow, take_arguments, take_result


async def grant(
    connection: Connection, campaign: CouponCampaign, receivers: Sequence[Receiver]
) -> Sequence[TakeResult]:
    """One coupon for each, in their order and in the caller's transaction; it holds the stock until that ends."""
    rows = [TakeRow.granted(new_id(PREFIX), campaign, receiver) for receiver in receivers]
    return [take_result(record) for record in await connection.fetch(SQL["take"], *take_arguments(rows))]
