"""The knee is the last step before two bent ones in a row."""

from collections import Counter
from dataclasses import replace

from loadtests.load.knee import Step, bends_of, judge, step_of, steps_of
from loadtests.load.shapes import Climb
from loadtests.load.tally import End, Kind, Tally

_GOOD = Step(level=10, paid_per_s=9.5, p50_ms=80, p95_ms=100, p99_ms=120, refused_share=0, answers=100)


def _at(level: int, **worse: float) -> Step:
    return replace(_GOOD, level=level, paid_per_s=0.95 * level, **worse)


def test_a_climb_without_a_bend_has_no_knee_yet() -> None:
    found = judge([_at(10), _at(13), _at(17)])
    assert (found.knee, found.bends, found.found) == (None, [], False)


def test_two_slow_steps_prove_the_knee_before_them() -> None:
    found = judge([_at(10), _at(13), _at(17, p50_ms=250), _at(22, p50_ms=900)])
    assert found.knee == _at(13)
    assert found.bends == ["median answer 250 ms, at first 80 ms"]


def test_one_slow_step_alone_may_be_chance() -> None:
    found = judge([_at(10), _at(13, p50_ms=250), _at(17), _at(22, p50_ms=250)])
    assert not found.found


def test_goodput_that_bends_and_refusals_are_bends_too() -> None:
    stuck = replace(_at(17), paid_per_s=11.0)
    [bend] = bends_of([_at(10), _at(13), stuck])
    assert bend == "11 payments/s, 68% of the best yield"
    assert bends_of([_at(10), _at(13, refused_share=0.06)]) == ["6 refusals for 100 customers"]
    assert bends_of([_at(10), _at(13, p95_ms=330)]) == ["95 % of the answers within 330 ms, at first 100 ms"]


def test_a_step_of_which_too_little_is_known_is_no_measure_and_not_judged() -> None:
    unknown = replace(_at(10), p50_ms=0.0, p95_ms=0.0, paid_per_s=0.0, answers=0)
    assert not judge([unknown, _at(13), _at(17), _at(22)]).found
    assert bends_of([_at(10), replace(_at(13), p50_ms=900, answers=19)]) == []
    assert judge([unknown, _at(13), _at(17, p50_ms=400), _at(22, p50_ms=400)]).knee == _at(13)


def test_a_climb_that_begins_beyond_the_knee_says_so() -> None:
    found = judge([_at(10, refused_share=0.5), _at(13, refused_share=0.5)])
    assert found.found
    assert found.knee is None


def test_a_steps_payments_are_divided_by_the_seconds_that_were_counted() -> None:
    """Ten a second all the time: whatever fraction of a second the climb began at, each step has ten a second."""
    tally = Tally()
    for at in range(1_000, 1_040):
        tally.at(at).ends[End.PAID] = 10
    climb = Climb(13, 8.0)
    for began_s in (1_000.0, 1_000.4, 1_000.999):
        steps = steps_of(climb, tally, began_s, began_s + 3 * climb.step_s + 0.1)
        assert [step.level for step in steps] == climb.levels[:3]
        assert [step.paid_per_s for step in steps] == [10.0, 10.0, 10.0]


def test_a_step_that_is_not_over_is_left_out_and_its_first_second_is_the_one_befores() -> None:
    tally = Tally()
    climb = Climb(13, 8.0)
    for at in range(1_000, 1_004):
        tally.at(at).ends[End.PAID] = 10
    tally.at(1_004).ends[End.PAID] = 500
    tally.at(1_005).ends[End.PAID] = 20
    assert steps_of(climb, tally, 1_000.0, 1_003.9) == []
    first, second = steps_of(climb, tally, 1_000.0, 1_008.0)
    assert (first.paid_per_s, second.paid_per_s) == (10.0, 20 / 3)


def test_a_step_is_made_of_what_was_counted() -> None:
    tally = Tally()
    second = tally.at(1.0)
    second.ends = Counter({End.PAID: 40, End.DECLINED: 2})
    second.refused = Counter({"429": 5})
    second.arrived = 50
    tally.answered(1.0, Kind.PAY, 80.0)
    step = step_of(10, 4.0, tally.total())
    assert (step.paid_per_s, step.refused_share, step.paid_per_level, step.answers) == (10.0, 0.1, 1.0, 1)
    assert 78 < step.p50_ms < 82
