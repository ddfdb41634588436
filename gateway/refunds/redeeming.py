"""What a refund gives back to campaigns: each funder's part, to the budget that it came from.

Funders stand in the books in the order of the redemptions, and within one in that of its funding; those of discounts
and those of fees each for themselves.  So the n-th funder of a refund is the n-th of its payment's redemptions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from gateway.database.pool import Connection
from gateway.refunds.refund import Refund
from gateway.refunds.store import SQL
from promotions.redemption import Redemption


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What has gone back to a slice of a campaign's day: the pool is told of it."""

    campaign_id: str
    day: date
    slice: int
    fen: int
    count: int


async def redemptions_of(connection: Connection, payment_id: str, merchant_id: str) -> list[Redemption]:
    """What the payment took of campaigns, in the order of their numbers."""
    records = await connection.fetch(SQL["redemptions"], payment_id, merchant_id)
    return [Redemption.of_row(dict(record)) for record in records]


def campaigns_of_funders(redemptions: Sequence[Redemption]) -> Sequence[str | None]:
    """The campaign of each funder, first those of the discount, then those of the fee."""
    in_order = sorted(redemptions, key=lambda redemption: redemption.is_of_fee)  # the sort is stable
    return [redemption.campaign_id for redemption in in_order for _ in redemption.funding]


async def return_redemptions(connection: Connection, refund: Refund, *, is_full: bool) -> tuple[GivenBack, ...]:
    """Give back what a refund that has just succeeded returns to campaigns; in its transaction, once."""
    redemptions = await redemptions_of(connection, refund.payment_id, refund.merchant_id)
    if not redemptions:
        return ()
    returned: defaultdict[str | None, int] = defaultdict(int)
    for share in refund.funding:
        returned[share.campaign_id] += share.amount
    seqs = list(range(1, len(redemptions) + 1))
    fens = [returned[redemption.campaign_id] for redemption in redemptions]
    records = await connection.fetch(SQL["return_redemptions"], refund.payment_id, seqs, fens, is_full)
    return tuple([GivenBack(*record.values()) for record in records])
