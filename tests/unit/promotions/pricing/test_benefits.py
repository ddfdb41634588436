"""What each benefit takes off: the market's campaigns (DOMAIN.md) worked out by hand, and what stacking rests on."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotions.campaigns.campaign import (
    AmountOff,
    Benefit,
    CouponReward,
    FeeOff,
    FixedPrice,
    PercentOff,
    RandomOff,
    Tier,
)
from promotions.pricing.benefits import percent_of, spend_min_fen
from tests.support.campaigns import discount_of

TIERS = AmountOff((Tier(500, 100), Tier(2_000, 500), Tier(30_000, 1_500)))
HALF = PercentOff(Decimal(50))
TENTH_TO_SEVEN = PercentOff(Decimal("12.5"), max_fen=700, spend_fen=1_000)
SMALL_RANDOM = RandomOff(1, 500, 100, percent_max=Decimal(5))


@pytest.mark.parametrize(
    ("benefit", "amount_fen", "drawn_fen", "discount_fen"),
    [
        pytest.param(TIERS, 500, 0, 100, id="满5减1 at 5.00"),
        pytest.param(TIERS, 1_999, 0, 100, id="满5减1 just below the next tier"),
        pytest.param(TIERS, 2_000, 0, 500, id="满20减5 at 20.00"),
        pytest.param(TIERS, 29_999, 0, 500, id="满20减5 below 300.00"),
        pytest.param(TIERS, 30_000, 0, 1_500, id="满300减15"),
        pytest.param(HALF, 1_999, 0, 999, id="周末半价, rounded down"),
        pytest.param(TENTH_TO_SEVEN, 1_001, 0, 125, id="12.5 % of 10.01"),
        pytest.param(TENTH_TO_SEVEN, 100_000, 0, 700, id="12.5 % capped at 7.00"),
        pytest.param(RandomOff(1_000, 1_800, 1_200, spend_fen=1_801), 1_801, 1_234, 1_234, id="光大×瑞幸"),
        pytest.param(SMALL_RANDOM, 2_599, 300, 129, id="聚合收款立减: a draw above 5 %"),
        pytest.param(SMALL_RANDOM, 2_599, 77, 77, id="聚合收款立减: a draw below 5 %"),
        pytest.param(FixedPrice(990), 2_599, 0, 1_609, id="a fixed price"),
        pytest.param(FixedPrice(990), 800, 0, 0, id="a fixed price above the amount"),
    ],
)
def test_a_benefit_takes_off_what_its_words_say(
    benefit: Benefit, amount_fen: int, drawn_fen: int, discount_fen: int
) -> None:
    discount = discount_of(benefit, amount_fen, drawn_fen)
    assert discount is not None
    assert discount(amount_fen) == discount_fen


def test_fees_and_coupons_are_no_discount() -> None:
    assert discount_of(FeeOff(Decimal(50)), 2_599) is None
    assert discount_of(CouponReward("cam_b"), 2_599) is None


def test_the_lowest_tier_is_the_threshold() -> None:
    assert spend_min_fen(TIERS) == 500
    assert spend_min_fen(TENTH_TO_SEVEN) == 1_000
    assert spend_min_fen(HALF) == 0


def test_a_percentage_is_exact_where_binary_fractions_are_not() -> None:
    assert percent_of(Decimal("0.1"), 3_000) == 3
    assert percent_of(Decimal("33.333333333333333333333333333333333333"), 3 * 10**30) == 10**30 - 1


percents = st.integers(1, 10_000).map(lambda hundredths: Decimal(hundredths) / 100)
benefits = st.one_of(
    st.integers(1, 5_000).map(lambda fen: AmountOff((Tier(0, fen),))),
    st.builds(PercentOff, percents, st.none() | st.integers(1, 3_000)),
    st.builds(lambda low, more: RandomOff(low, low + more, low), st.integers(0, 500), st.integers(0, 500)),
    st.integers(1, 5_000).map(FixedPrice),
)


@given(benefits, st.integers(1, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_what_is_left_never_falls_when_more_was_left_before(
    benefit: Benefit, amount_fen: int, one_fen: int, other_fen: int
) -> None:
    discount = discount_of(benefit, amount_fen, 250)
    assert discount is not None
    less, more = sorted((one_fen, other_fen))
    assert less - discount(less) <= more - discount(more)
    assert discount(less) <= discount(more)
    assert 0 <= discount(less) <= less
