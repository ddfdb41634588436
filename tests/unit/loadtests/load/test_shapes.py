"""The shapes rise, spike and fall as they are named, and end."""

from itertools import pairwise

import pytest

from loadtests.load.shapes import STEPS, Climb, DoubleEleven, Flat, ShapeName, Soak, Steps, climb_levels, shape_of


@pytest.mark.parametrize("name", ShapeName)
def test_every_shape_keeps_between_one_and_its_top_and_is_over_at_its_end(name: ShapeName) -> None:
    shape = shape_of(name, 200, 100)
    levels = [shape.level(second) for second in range(100)]
    assert max(level for level in levels if level is not None) == 200
    assert min(level for level in levels if level is not None) >= 1
    assert levels[0] is not None
    assert shape.level(100.01) is None


def test_a_flat_load_does_not_change() -> None:
    assert {Flat(7, 10).level(second) for second in range(10)} == {7}


def test_steps_are_of_the_same_height_and_length() -> None:
    steps = Steps(100, 50)
    assert [steps.level(second) for second in range(0, 50, 10)] == [20, 40, 60, 80, 100]
    assert steps.level(9.9) == 20
    assert STEPS == 5


def test_double_eleven_jumps_at_midnight_and_falls_to_a_quarter() -> None:
    night = DoubleEleven(1_000, 100)
    assert night.level(29.9) == 200
    assert night.level(30) == night.level(49.9) == 1_000
    tail = [night.level(second) for second in range(50, 100)]
    assert tail == sorted(tail, key=lambda level: -(level or 0))
    assert night.level(99.99) == pytest.approx(250, abs=1)


def test_a_soak_goes_up_slowly_and_stays() -> None:
    soak = Soak(100, 100)
    assert soak.level(0) == 9
    assert soak.level(5) == 55
    assert {soak.level(second) for second in range(10, 100)} == {100}
    assert Soak(100, 36_000).level(299) == 100  # at most five minutes


def test_a_climb_goes_up_by_a_third_at_most_and_reaches_its_top() -> None:
    levels = climb_levels(500)
    assert levels[0] == 50
    assert levels[-1] == 500
    assert all(1 < higher / lower < 1.34 for lower, higher in pairwise(levels))
    climb = Climb(500, 20)
    assert [climb.level((number + 0.5) * climb.step_s) for number in range(len(levels))] == levels


def test_a_climb_to_a_low_top_has_steps_that_differ() -> None:
    assert climb_levels(5) == [1, 2, 3, 4, 5]
    assert climb_levels(1) == [1]
