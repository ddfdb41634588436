"""Tallies add up exactly over processes, and their percentiles are right to two percent."""

import random

import orjson
import pytest

from loadtests.load.tally import End, Kind, Second, Tally, bucket_of, middle_ms, percentile_ms


def _tally(*, at: float, paid: int, ms: float) -> Tally:
    tally = Tally()
    for _ in range(paid):
        tally.at(at).ends[End.PAID] += 1
        tally.answered(at, Kind.PAY, ms)
    return tally


def test_a_bucket_knows_its_times_to_two_percent() -> None:
    for ms in (0.5, 3.0, 84.0, 999.0, 30_000.0):
        assert middle_ms(bucket_of(ms)) == pytest.approx(ms, rel=0.021)


def test_percentiles_are_those_of_the_times() -> None:
    chooser = random.Random(4)
    times = sorted(chooser.lognormvariate(4, 0.5) for _ in range(5_000))
    second = Tally()
    for ms in times:
        second.answered(7.0, Kind.PAY, ms)
    for percent in (50, 95, 99):
        assert second.total().percentile_ms(percent) == pytest.approx(times[int(50 * percent)], rel=0.03)
    assert percentile_ms({}, 50) == 0.0
    assert second.total().percentile_ms(50, Kind.REFUND) == 0.0


def test_processes_add_up_as_they_travel() -> None:
    whole = Tally()
    for sender in (_tally(at=10.2, paid=3, ms=80), _tally(at=10.9, paid=2, ms=80), _tally(at=12.0, paid=1, ms=90)):
        sender.sales["wechat bar code"] += 1
        sender.failed(10.0, "boom")
        whole.add(Tally.from_json(orjson.loads(orjson.dumps(sender.taken()))))
        assert sender.total() == Second()
    assert {at: second.paid for at, second in whole.seconds.items()} == {10: 5, 12: 1}
    assert whole.total().answers[Kind.PAY].total() == 6
    assert whole.sales == {"wechat bar code": 3}
    assert whole.errors == {"boom": 3}
    assert whole.total().errors == 3


def test_only_whole_seconds_are_between_two_moments() -> None:
    tally = Tally()
    for at in range(5):
        tally.at(at).ends[End.PAID] += 1
    assert tally.between(0.5, 3.9).paid == 2
    assert tally.between(0, 5).paid == 5


def test_who_is_served_over_twenty_milliseconds_late_is_counted_late() -> None:
    tally = Tally()
    for late_ms in (0.0, 20.0, 20.1, 300.0):
        tally.came(1.0, late_ms)
    assert (tally.total().arrived, tally.total().late, tally.total().late_ms_max) == (4, 2, 300.0)


def test_texts_of_errors_are_bounded() -> None:
    tally = Tally()
    for number in range(1_000):
        tally.failed(1.0, f"error {number}")
    assert len(tally.errors) == 201
    assert tally.errors["other errors"] == 800
    assert tally.total().errors == 1_000
