"""Each funder in the books of a payment is known to be of one campaign."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.money import Money
from gateway.ledger import postings
from gateway.payments.settle import funding_of_promotions
from gateway.refunds.redeeming import campaigns_of_funders
from promotions.offer import Funding
from promotions.redemption import Redemption
from tests.unit.payments.payments import payment

DAY = date(2026, 11, 22)


@st.composite
def redemptions(draw: st.DrawFn) -> tuple[Redemption, ...]:
    """Up to five, each of a discount, of a fee, or of a coupon to come, with up to five funders."""
    found = []
    for number in range(draw(st.integers(0, 5))):
        parts = draw(st.lists(st.integers(1, 500), max_size=5))
        funding = tuple([Funding(f"sponsor {number}.{place}", fen) for place, fen in enumerate(parts)])
        taken, is_of_fee = sum(parts), draw(st.booleans())
        discount_fen, fee_off_fen = (0, taken) if is_of_fee else (taken, 0)
        found.append(Redemption(f"cam_{number}", 1, "x", DAY, 0, discount_fen, fee_off_fen, funding))
    return tuple(found)


@given(redemptions())
def test_the_funders_of_the_books_stand_in_the_order_of_the_redemptions(taken: tuple[Redemption, ...]) -> None:
    paid = payment(promotions=taken)
    booked = postings.capture("mer_1", "wechat_direct", Money(10**6), Money(10**6), funding_of_promotions(paid))
    funders = [*postings.funding_of(booked), *postings.fee_funding_of(booked)]
    campaigns = campaigns_of_funders(taken)
    assert len(campaigns) == len(funders)
    for campaign_id, funder in zip(campaigns, funders, strict=True):
        assert campaign_id == f"cam_{funder.sponsor.removeprefix('sponsor ').partition('.')[0]}"
