"""What one payment more, or one taken back, makes of a customer's habits."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from risk.profiles.habits import HIGHEST_MAX, NO_HABITS, PAYERS_MAX, REGIONS_MAX, Change, Habits, after


def change(amount_fen: int = 100, *, hour: int = 12, region: str | None = None, payer: bytes | None = None) -> Change:
    return Change(b"ada", is_capture=True, amount_fen=amount_fen, hour=hour, region=region, realm="mer_1", payer=payer)


def taken_back(captured: Change) -> Change:
    return captured._replace(is_capture=False)


def after_all(*changes: Change) -> Habits:
    habits = NO_HABITS
    for each in changes:
        habits = after(habits, each)
    return habits


captures = st.builds(
    change, st.integers(1, 9), hour=st.integers(0, 23), region=st.sampled_from([None, "north", "south", "west"])
)


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[Change], list[Change]]:
    """Captures and reversals in an order that can be, and the captures that stand at its end."""
    story: list[Change] = []
    standing: list[Change] = []
    for _ in range(draw(st.integers(0, 30))):
        if standing and draw(st.booleans()):
            story.append(taken_back(standing.pop(draw(st.integers(0, len(standing) - 1)))))
        else:
            standing.append(draw(captures))
            story.append(standing[-1])
    return story, standing


@given(lives())
def test_habits_are_those_of_the_payments_that_stand(life: tuple[list[Change], list[Change]]) -> None:
    story, standing = life
    habits = after_all(*story)
    assert habits.payments == len(standing)
    assert habits.amount_fen == sum(each.amount_fen for each in standing)
    assert {hour: count for hour, count in enumerate(habits.hours) if count} == Counter(each.hour for each in standing)
    assert dict(habits.regions) == Counter(each.region for each in standing if each.region)


@given(lives())
def test_the_highest_amounts_are_of_payments_that_stand_and_never_too_high(
    life: tuple[list[Change], list[Change]],
) -> None:
    story, standing = life
    habits = after_all(*story)
    left = Counter(each.amount_fen for each in standing)
    assert not Counter(habits.highest_fen) - left
    assert list(habits.highest_fen) == sorted(habits.highest_fen, reverse=True)


@given(lives())
def test_the_highest_is_exact_until_so_many_of_the_highest_were_taken_back(
    life: tuple[list[Change], list[Change]],
) -> None:
    story, standing = life
    reversals = sum(not each.is_capture for each in story)
    if reversals < HIGHEST_MAX:
        expected = max((each.amount_fen for each in standing), default=None)
        assert next(iter(after_all(*story).highest_fen), None) == expected


def test_a_reversed_amount_leaves_the_next_highest() -> None:
    huge = change(90_000)
    assert after_all(change(500), huge, change(300), taken_back(huge)).highest_fen == (500, 300)


def test_an_amount_between_unknown_ones_is_not_taken_for_the_next_highest() -> None:
    """Of 9 8 7 6 5 the 5 is not kept; with 9 taken back nobody knows whether the 4 that comes then is the fourth."""
    nine = change(9)
    known = after_all(nine, change(8), change(7), change(6), change(5), taken_back(nine))
    assert after(known, change(4)).highest_fen == (8, 7, 6)
    assert after(known, change(7)).highest_fen == (8, 7, 7, 6)


def test_beyond_the_bound_the_region_with_the_fewest_payments_makes_room() -> None:
    many = [change(region=f"r{number}") for number in range(REGIONS_MAX) for _ in range(1 if number == 5 else 2)]
    habits = after_all(*many, change(region="new"))
    assert len(habits.regions) == REGIONS_MAX
    assert dict(habits.regions)["new"] == 1
    assert "r5" not in dict(habits.regions)


def test_the_latest_payers_are_kept_each_once_also_of_what_was_reversed() -> None:
    payers = [bytes([number]) for number in range(PAYERS_MAX + 2)]
    habits = after_all(*[change(payer=payer) for payer in payers], change(payer=payers[4]))
    assert habits.payers == (*payers[2:4], *payers[5:], payers[4])
    assert after(habits, taken_back(change(payer=payers[4]))).payers == habits.payers
