"""The curve of a day: it comes to one, by the clock of its time zone, on days of every length."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from promotions.campaigns.campaign import PaceCurve, Pacing
from promotions.pacing.curve import Curve

EVEN = Pacing(PaceCurve.EVEN, (1.0,) * 24)
LUNCH = Pacing(PaceCurve.SHAPE, tuple([1.0 if hour in {11, 12} else 0.0 for hour in range(24)]))
SHANGHAI, BERLIN, KATHMANDU = (ZoneInfo(name) for name in ("Asia/Shanghai", "Europe/Berlin", "Asia/Kathmandu"))


def unix_s(*moment: int, timezone: ZoneInfo) -> float:
    return datetime(*moment, tzinfo=timezone).timestamp()  # type: ignore[arg-type,misc]


@pytest.mark.parametrize("timezone", [SHANGHAI, BERLIN, KATHMANDU])
@pytest.mark.parametrize("pacing", [EVEN, LUNCH])
@pytest.mark.parametrize("day", [date(2026, 6, 1), date(2026, 3, 29), date(2026, 10, 25)])
def test_a_day_comes_to_one_and_never_falls(pacing: Pacing, day: date, timezone: ZoneInfo) -> None:
    curve = Curve.of(pacing, day, timezone)
    assert curve.sums[0] == 0.0
    assert curve.by(curve.ends_s) == 1.0
    assert list(curve.sums) == sorted(curve.sums)


def test_an_even_day_is_half_spent_at_noon() -> None:
    curve = Curve.of(EVEN, date(2026, 11, 22), SHANGHAI)
    assert curve.by(unix_s(2026, 11, 22, 12, timezone=SHANGHAI)) == pytest.approx(0.5)
    assert curve.by(unix_s(2026, 11, 21, 23, timezone=SHANGHAI)) == 0.0
    assert curve.by(unix_s(2026, 11, 23, 1, timezone=SHANGHAI)) == 1.0


def test_the_hours_of_the_shape_are_those_of_the_campaigns_clock() -> None:
    curve = Curve.of(LUNCH, date(2026, 11, 22), KATHMANDU)
    assert curve.by(unix_s(2026, 11, 22, 11, timezone=KATHMANDU)) == 0.0
    assert curve.by(unix_s(2026, 11, 22, 11, 30, timezone=KATHMANDU)) == pytest.approx(0.25)
    assert curve.by(unix_s(2026, 11, 22, 13, timezone=KATHMANDU)) == pytest.approx(1.0)


def test_the_hour_that_the_clock_shows_twice_counts_twice_and_the_one_that_it_leaves_out_not_at_all() -> None:
    long, short = (Curve.of(EVEN, day, BERLIN) for day in (date(2026, 10, 25), date(2026, 3, 29)))
    assert long.ends_s - long.moments[0] == 25 * 3_600
    assert long.by(unix_s(2026, 10, 25, 4, timezone=BERLIN)) == pytest.approx(5 / 25)
    assert short.ends_s - short.moments[0] == 23 * 3_600
    assert short.by(unix_s(2026, 3, 29, 4, timezone=BERLIN)) == pytest.approx(3 / 23)


def test_a_campaign_that_starts_or_ends_within_the_day_spends_all_of_it_in_its_own_part() -> None:
    day = date(2026, 11, 22)
    starts, ends = datetime(2026, 11, 22, 10, 5, tzinfo=UTC), datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
    curve = Curve.of(EVEN, day, SHANGHAI, starts, ends)
    assert curve.by(starts.timestamp()) == 0.0
    assert curve.by(starts.timestamp() + 3_600) == pytest.approx(0.25)
    assert curve.by(ends.timestamp()) == 1.0


def test_a_part_of_the_day_whose_weights_are_all_zero_is_spent_evenly() -> None:
    starts = datetime(2026, 11, 22, 20, 0, tzinfo=SHANGHAI)
    curve = Curve.of(LUNCH, date(2026, 11, 22), SHANGHAI, starts)
    assert curve.by(starts.timestamp() + 2 * 3_600) == pytest.approx(0.5)


def test_a_campaign_that_is_over_before_the_day_has_a_curve_all_the_same() -> None:
    curve = Curve.of(EVEN, date(2026, 11, 22), SHANGHAI, None, datetime(2026, 11, 1, tzinfo=UTC))
    assert curve.by(unix_s(2026, 11, 22, 12, timezone=SHANGHAI)) == 1.0
