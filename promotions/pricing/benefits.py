"""What a benefit takes off a price.  Pure, in whole fen, always rounded down.

Whether a benefit gives anything, and its tier, its draw and `percent_max`, go by the goods' value; what it then takes
off goes by what is left to pay once others have taken theirs.  So what is left after a benefit never falls when what
was left before it rises: the search for the best combination (stacking.py) rests on that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

from promotions.campaigns.campaign import (
    AmountOff,
    Benefit,
    CouponReward,
    FeeOff,
    FixedPrice,
    PercentOff,
    RandomOff,
)

DiscountOf: TypeAlias = Callable[[int], int]
"""From what is left to pay to what is taken off it, both in fen."""
GivenBy: TypeAlias = Callable[[int], DiscountOf]
"""From the goods' value in fen, which reaches the benefit's threshold, to what is taken off."""


def spend_min_fen(benefit: Benefit) -> int:
    """From which goods' value on a benefit gives anything."""
    return benefit.tiers[0].spend_fen if isinstance(benefit, AmountOff) else benefit.spend_fen


def is_discount(benefit: Benefit) -> bool:
    """Whether it changes what the customer pays."""
    return not isinstance(benefit, (FeeOff, CouponReward))


def given_by(benefit: Benefit) -> GivenBy | None:
    """What a benefit gives, worked out as far as the payment is not needed; None where it is drawn, or no discount."""
    match benefit:
        case AmountOff(tiers):
            spends = [tier.spend_fen for tier in tiers]
            discounts = [amount_off(tier.off_fen) for tier in tiers]
            return lambda amount_fen: discounts[bisect_right(spends, amount_fen) - 1]
        case PercentOff(percent, max_fen):
            discount = most_of(percent, max_fen)
            return lambda _: discount
        case FixedPrice(price_fen):
            fixed = _fixed_price(price_fen)
            return lambda _: fixed
        case RandomOff() | FeeOff() | CouponReward():
            return None


def amount_off(off_fen: int) -> DiscountOf:
    """So much, or all that is left."""
    return lambda left_fen: off_fen if off_fen < left_fen else left_fen  # noqa: FURB136  a third of min()'s time


def percent_of(percent: Decimal, amount_fen: int) -> int:
    """So many percent of an amount, rounded down; exact."""
    return most_of(percent, None)(amount_fen)


def most_of(percent: Decimal | None, max_fen: int | None) -> Callable[[int], int]:
    """From an amount to so many percent of it, rounded down (None: all of it), at most `max_fen` (None: no bound)."""
    numerator, denominator = (100, 1) if percent is None else percent.as_integer_ratio()
    denominator *= 100
    if max_fen is None:
        return lambda amount_fen: amount_fen * numerator // denominator
    return lambda amount_fen: min(amount_fen * numerator // denominator, max_fen)


def _fixed_price(price_fen: int) -> DiscountOf:
    return lambda left_fen: max(left_fen - price_fen, 0)
