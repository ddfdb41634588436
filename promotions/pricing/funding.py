"""Who pays a discount: each sponsor's part, exact to the fen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Final, NamedTuple

from promotions.campaigns.campaign import Share
from promotions.offer import Funding, Offer

SUBSIDIZING: Final = frozenset({"merchant", "platform"})
"""The sponsors whose part routing weighs as a cost of the sale (ARCHITECTURE.md "The books")."""


class Portion(NamedTuple):
    """A sponsor, and what he and those before him pay together of a discount, as a fraction; the last one's is 1."""

    sponsor: str
    numerator: int
    denominator: int


def portions_of(shares: Sequence[Share]) -> tuple[Portion, ...]:
    """The running sums of the shares, exact; none for a campaign that costs nothing itself (it gives coupons)."""
    if not shares:
        return ()
    sums = accumulate(Fraction(share.share) for share in shares[:-1])
    before = [Portion(share.sponsor, *total.as_integer_ratio()) for share, total in zip(shares[:-1], sums, strict=True)]
    return (*before, Portion(shares[-1].sponsor, 1, 1))


def split(discount_fen: int, portions: Iterable[Portion]) -> tuple[Funding, ...]:
    """The parts of a discount, by cumulative floors in the order of the shares; the last takes the remainder.

    The sponsors up to the n-th pay floor(discount × their shares) together: of two discounts none of these sums is
    less for the larger one.  Sponsors whose part is nothing are left out.
    """
    parts: list[Funding] = []
    paid_fen = 0
    for sponsor, numerator, denominator in portions:
        due_fen = discount_fen * numerator // denominator
        if due_fen != paid_fen:
            parts.append(Funding(sponsor, due_fen - paid_fen))
            paid_fen = due_fen
    return tuple(parts)


def subsidy_fen(offer: Offer) -> int:
    """What the merchant and the platform add to an offer's price."""
    return sum([fen for applied in offer.applied for sponsor, fen in applied.funding if sponsor in SUBSIDIZING])
