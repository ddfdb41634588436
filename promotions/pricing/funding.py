"""Who pays a discount: each sponsor's part, exact to the fen."""

from __future__ import annotations

from collections.abc import Sequence

from promotions.campaigns.campaign import Share
from promotions.offer import Funding, Offer

SUBSIDIZING = frozenset({"merchant", "platform"})
"""The sponsors whose part routing weighs as a cost of the sale (ARCHITECTURE.md "The books")."""


def split(discount_fen: int, shares: Sequence[Share]) -> tuple[Funding, ...]:
    """The parts of a discount, by cumulative floors in the order of the shares; the last takes the remainder.

    The sponsors up to the n-th pay floor(discount × their shares) together: of two discounts none of these sums is
    less for the larger one.  Sponsors whose part is nothing are left out.
    """
    parts: list[Funding] = []
    numerator, denominator, paid_fen = 0, 1, 0
    for share in shares[:-1]:
        top, bottom = share.share.as_integer_ratio()
        numerator, denominator = numerator * bottom + top * denominator, denominator * bottom
        due_fen = discount_fen * numerator // denominator
        parts.append(Funding(share.sponsor, due_fen - paid_fen))
        paid_fen = due_fen
    parts.append(Funding(shares[-1].sponsor, discount_fen - paid_fen))
    return tuple([part for part in parts if part.amount_fen])


def subsidy_fen(offer: Offer) -> int:
    """What the merchant and the platform add to an offer's price."""
    return sum(part.amount_fen for applied in offer.applied for part in applied.funding if part.sponsor in SUBSIDIZING)
