"""手续费折扣: what funders pay of the merchant's fee, once the account is chosen whose fee it is."""

from __future__ import annotations

from collections.abc import Sequence

from promotions.campaigns.campaign import FeeOff
from promotions.offer import Applied
from promotions.pricing.benefits import percent_of
from promotions.pricing.funding import split
from promotions.pricing.terms import terms_of


def fee_off(applied: Sequence[Applied], fee_fen: int) -> tuple[Applied, ...]:
    """The same campaigns, with what each pays of that fee, rounded down; together never more than the fee.

    Each takes its percentage of what the ones before it left of the fee.  A campaign for which nothing of the fee is
    left is dropped: a payment takes nothing of it.
    """
    found: list[Applied] = []
    left_fen = fee_fen
    for each in applied:
        benefit = each.campaign.benefit
        if not isinstance(benefit, FeeOff):
            found.append(each)
            continue
        off_fen = percent_of(benefit.percent, left_fen)
        if benefit.max_fen is not None:
            off_fen = min(off_fen, benefit.max_fen)
        left_fen -= off_fen
        if off_fen:
            found.append(each._replace(fee_off_fen=off_fen, funding=split(off_fen, terms_of(each.campaign).funding)))
    return tuple(found)
