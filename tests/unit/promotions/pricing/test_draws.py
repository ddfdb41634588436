"""Random draws: the stated mean exactly, within the bounds, the same for the same asker and different for others."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from promotions.campaigns.campaign import RandomOff
from promotions.pricing.draws import Asked, drawn_fen, part_of
from tests.support.campaigns import SECRET

DAY = date(2026, 11, 22)
BENEFIT = RandomOff(1_000, 1_800, 1_200)


def bounds() -> st.SearchStrategy[RandomOff]:
    """Any bounds with a mean between them."""
    three = st.lists(st.integers(0, 5_000), min_size=3, max_size=3).map(sorted)
    return three.map(lambda fen: RandomOff(fen[0], fen[2], fen[1]))


@given(bounds())
def test_the_expectation_is_the_stated_mean_exactly(benefit: RandomOff) -> None:
    width = benefit.max_fen - benefit.min_fen
    if width == 0:
        assert part_of(benefit, 0) == (benefit.mean_fen, benefit.mean_fen)
        return
    expectation = Fraction(0)
    for part in range(width):
        first, last = part_of(benefit, part)
        assert benefit.min_fen <= first <= last <= benefit.max_fen
        expectation += Fraction(first + last, 2) / width  # of values that are equally likely
    assert expectation == benefit.mean_fen


@given(bounds(), st.text(max_size=20), st.integers(0, 100))
def test_a_draw_lies_within_its_bounds(benefit: RandomOff, customer: str, number: int) -> None:
    drawn = drawn_fen(benefit, SECRET, Asked("cam_a", customer, DAY, number))
    assert benefit.min_fen <= drawn <= benefit.max_fen


def test_the_mean_of_many_draws_is_near_the_stated_one() -> None:
    drawn = [drawn_fen(BENEFIT, SECRET, Asked("cam_a", f"c-{number}", DAY, 0)) for number in range(20_000)]
    assert abs(sum(drawn) / len(drawn) - BENEFIT.mean_fen) < 8  # the standard error is 1.4
    assert min(drawn) < 1_010
    assert max(drawn) > 1_780


def test_asking_again_draws_the_same_and_anything_else_another_value() -> None:
    asked = Asked("cam_a", "c-42", DAY, 0)
    drawn = drawn_fen(BENEFIT, SECRET, asked)
    assert drawn_fen(BENEFIT, SECRET, asked) == drawn
    others = [
        (SECRET, asked._replace(number=1)),
        (SECRET, asked._replace(day=date(2026, 11, 23))),
        (SECRET, asked._replace(customer="c-43")),
        (SECRET, asked._replace(campaign_id="cam_b")),
        (b"another key of the tests", asked),
    ]
    assert all(drawn_fen(BENEFIT, secret, other) != drawn for secret, other in others)
