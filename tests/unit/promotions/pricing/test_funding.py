"""Who pays a discount: exact sums, none of the running sums less for a larger discount, and the subsidy of an offer."""

from __future__ import annotations

from decimal import Decimal
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotions.campaigns.campaign import Share
from promotions.offer import Funding
from promotions.pricing import price, subsidy_fen
from promotions.pricing.funding import portions_of, split
from tests.support.campaigns import SECRET, campaign, off, payment

BANK_AND_MERCHANT = (Share("bank", Decimal("0.7")), Share("merchant", Decimal("0.3")))
THREE = (Share("bank", Decimal("0.7")), Share("merchant", Decimal("0.2")), Share("platform", Decimal("0.1")))


def shares() -> st.SearchStrategy[tuple[Share, ...]]:
    """One to five sponsors whose shares come to 1."""
    cuts = st.lists(st.integers(1, 9_999), max_size=4, unique=True).map(lambda found: [0, *sorted(found), 10_000])
    return cuts.map(lambda at: tuple(Share(f"s{n}", Decimal(b - a) / 10_000) for n, (a, b) in enumerate(pairwise(at))))


@pytest.mark.parametrize(
    ("discount_fen", "parts"),
    [(500, [350, 100, 50]), (2, [1, 1]), (9, [6, 2, 1]), (99, [69, 20, 10])],
)
def test_parts_are_cumulative_floors_and_the_last_takes_the_rest(discount_fen: int, parts: list[int]) -> None:
    found = split(discount_fen, portions_of(THREE))
    assert [part.amount_fen for part in found] == parts
    assert sum(part.amount_fen for part in found) == discount_fen


def test_a_fen_that_no_share_reaches_is_the_last_ones() -> None:
    assert split(1, portions_of(THREE)) == (Funding("platform", 1),)
    assert split(500, portions_of(BANK_AND_MERCHANT)) == (Funding("bank", 350), Funding("merchant", 150))


@given(shares(), st.integers(1, 10_000_000), st.integers(0, 1_000))
def test_parts_add_up_and_running_sums_never_fall(funders: tuple[Share, ...], discount_fen: int, more_fen: int) -> None:
    def running(fen: int) -> list[int]:
        parts = {part.sponsor: part.amount_fen for part in split(fen, portions_of(funders))}
        assert all(amount > 0 for amount in parts.values())
        return list(accumulate(parts.get(funder.sponsor, 0) for funder in funders))

    less, more = running(discount_fen), running(discount_fen + more_fen)
    assert less[-1] == discount_fen
    assert all(one <= other for one, other in zip(less, more, strict=True))
    exact = [discount_fen * each for each in accumulate(funder.share for funder in funders)]
    assert all(0 <= due - paid < 1 for due, paid in zip(exact, less, strict=True))


def test_the_subsidy_is_what_merchant_and_platform_pay() -> None:
    offer = price([campaign(benefit=off(500), funding=THREE)], payment(), SECRET)
    assert subsidy_fen(offer) == 150
