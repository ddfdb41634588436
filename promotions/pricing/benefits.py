"""What a benefit takes off a price.  Pure, in whole fen, always rounded down.

Whether a benefit gives anything, and its tier, its draw and `percent_max`, go by the goods' value; what it then takes
off goes by what is left to pay once others have taken theirs.  So what is left after a benefit never falls when what
was left before it rises: the search for the best combination (stacking.py) rests on that.
"""

from __future__ import annotations

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


def spend_min_fen(benefit: Benefit) -> int:
    """From which goods' value on a benefit gives anything."""
    return benefit.tiers[0].spend_fen if isinstance(benefit, AmountOff) else benefit.spend_fen


def discount_of(benefit: Benefit, amount_fen: int, drawn_fen: int | None) -> DiscountOf | None:
    """What a benefit takes off, for goods of that value (which reaches its threshold); None where it is no discount.

    `drawn_fen` is the customer's draw, for random benefits only.
    """
    match benefit:
        case AmountOff(tiers):
            return _amount(max([tier.off_fen for tier in tiers if tier.spend_fen <= amount_fen]))
        case PercentOff(percent, max_fen):
            return _percentage(percent, max_fen)
        case RandomOff(percent_max=percent_max):
            assert drawn_fen is not None, "whoever prices a random benefit draws first"
            off_fen = drawn_fen if percent_max is None else min(drawn_fen, percent_of(percent_max, amount_fen))
            return _amount(off_fen)
        case FixedPrice(price_fen):
            return lambda left_fen: max(left_fen - price_fen, 0)
        case FeeOff() | CouponReward():
            return None


def percent_of(percent: Decimal, amount_fen: int) -> int:
    """So many percent of an amount, rounded down; exact."""
    numerator, denominator = percent.as_integer_ratio()
    return amount_fen * numerator // (100 * denominator)


def _amount(off_fen: int) -> DiscountOf:
    return lambda left_fen: min(off_fen, left_fen)


def _percentage(percent: Decimal, max_fen: int | None) -> DiscountOf:
    numerator, denominator = percent.as_integer_ratio()
    denominator *= 100
    if max_fen is None:
        return lambda left_fen: left_fen * numerator // denominator
    return lambda left_fen: min(left_fen * numerator // denominator, max_fen)
