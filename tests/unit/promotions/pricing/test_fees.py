"""手续费折扣: the funders pay part of the merchant's fee, and the customer's price stays."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from promotions.campaigns.campaign import FeeOff, Share, Stacking
from promotions.offer import Funding
from promotions.pricing import fee_off, price
from tests.support.campaigns import SECRET, campaign, cascading, payment

HALF = (Share("bank", Decimal("0.5")), Share("platform", Decimal("0.5")))


def test_funders_pay_their_percentage_of_the_fee() -> None:
    offer = price([campaign(benefit=FeeOff(Decimal(50)), funding=HALF)], payment(), SECRET)
    assert offer.payable == offer.amount
    [applied] = fee_off(offer.applied, 15)
    assert (applied.discount_fen, applied.fee_off_fen, applied.taken_fen) == (0, 7, 7)
    assert applied.funding == (Funding("bank", 3), Funding("platform", 4))


def test_a_most_is_kept_and_discounts_stay_as_they_are() -> None:
    fees = campaign("cam_f", FeeOff(Decimal(100), max_fen=5), stacking=Stacking("fees"))
    offer = price([campaign(), fees], payment(), SECRET)
    discount, fee = fee_off(offer.applied, 15)
    assert discount == offer.applied[0]
    assert fee.fee_off_fen == 5


def test_where_there_is_no_fee_nothing_is_taken() -> None:
    offer = price([campaign(benefit=FeeOff(Decimal(50)))], payment(), SECRET)
    assert fee_off(offer.applied, 0) == ()
    assert fee_off(offer.applied, 1) == ()


@given(st.lists(st.integers(1, 100), min_size=1, max_size=5), st.integers(0, 1_000))
def test_several_never_pay_more_than_the_fee(percents: list[int], fee_fen: int) -> None:
    several = [campaign(f"cam_{n}", FeeOff(Decimal(each)), stacking=cascading()) for n, each in enumerate(percents)]
    offer = price(several, payment(), SECRET)
    assert len(offer.applied) == len(percents)
    found = fee_off(offer.applied, fee_fen)
    assert sum(each.fee_off_fen for each in found) <= fee_fen
    assert all(each.fee_off_fen > 0 for each in found)
    if 100 in percents:
        assert sum(each.fee_off_fen for each in found) == fee_fen
