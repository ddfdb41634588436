"""The law of pacing over whole days: on the curve, not gone at noon, not left at midnight, and without flapping."""

from __future__ import annotations

from datetime import date
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from loadtests.parts.pacing import LUNCH_AND_DINNER, Demand, Played, play_day
from promotions.campaigns.campaign import PaceCurve, Pacing
from promotions.pacing.controller import GRANT_STEPS, LEAD_S, SHARE_MIN, STEP_MAX, Pace, Sight, granted_part, step
from promotions.pacing.curve import Curve

DAY, SHANGHAI = date(2026, 11, 22), ZoneInfo("Asia/Shanghai")
EVEN = Pacing(PaceCurve.EVEN, (1.0,) * 24)
SHAPE = Pacing(PaceCurve.SHAPE, tuple(map(float, LUNCH_AND_DINNER)))
EACH = 500
CUSTOMERS = 40_000
TOLERANCE = 0.025
"""Of the day's budget, above or below the curve."""


def noon_rush(second: float) -> float:
    """Ten times the customers for half an hour."""
    return 10.0 if 12 * 3_600 <= second < 12.5 * 3_600 else 1.0


@cache
def played(pacing: Pacing, times: float, seed: int = 1, *, rush: bool = False, customers: int = CUSTOMERS) -> Played:
    """A day whose customers would take `times` the budget."""
    demand = Demand(customers, rush=noon_rush) if rush else Demand(customers)
    budget = int(customers * EACH / times)
    return play_day(pacing, demand, budget, EACH, day=DAY, timezone=SHANGHAI, seed=seed)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("times", [1.5, 3.0, 10.0])
def test_the_spend_follows_the_curve_all_day_where_the_demand_suffices(times: float, seed: int) -> None:
    day = played(SHAPE, times, seed)
    assert day.ahead_max <= TOLERANCE
    assert day.behind_max <= TOLERANCE


@pytest.mark.parametrize("times", [1.5, 3.0, 10.0])
def test_nothing_is_left_at_midnight_where_the_demand_suffices(times: float) -> None:
    assert played(SHAPE, times).course[-1][1] >= 0.98


@pytest.mark.parametrize("pacing", [EVEN, SHAPE])
def test_it_is_not_gone_at_noon_although_the_customers_would_take_ten_times_as_much(pacing: Pacing) -> None:
    hour, used, wanted, _ = played(pacing, 10.0).course[12 * 720]
    assert hour == 12.0
    assert used <= wanted + TOLERANCE


def test_an_even_curve_catches_up_in_the_morning_after_a_night_without_customers() -> None:
    day = played(EVEN, 3.0)
    assert day.behind_max > 0.1
    assert all(abs(used - wanted) <= TOLERANCE for hour, used, wanted, _ in day.course if 12 <= hour <= 21)


@pytest.mark.parametrize("times", [1.5, 3.0, 10.0])
def test_the_share_does_not_flap(times: float) -> None:
    """17,280 looks a day; the demand itself turns four times."""
    day = played(SHAPE, times)
    assert day.changes <= 150
    assert day.turns <= 75


def test_a_rush_of_ten_times_the_customers_stays_within_the_cap_and_is_made_up_for() -> None:
    day = played(SHAPE, 3.0, rush=True)
    assert day.ahead_max <= 0.04
    assert day.course[13 * 720][1] <= day.course[13 * 720][2] + TOLERANCE
    assert day.course[-1][1] >= 0.98


def test_a_small_budget_of_a_hundred_discounts_is_kept_too() -> None:
    day = played(SHAPE, 10.0, customers=1_000)
    assert day.ahead_max <= 0.05
    assert day.course[12 * 720][1] <= 0.5
    assert day.course[-1][1] >= 0.95


CURVE = Curve.of(EVEN, DAY, SHANGHAI)
NOON = CURVE.moments[0] + 12 * 3_600
BUDGET = 864_000
"""Ten a second, evenly."""
KNOWN = Pace(share=0.5, spent=9_000.0, exposed_s=450.0)
"""Twenty a second, were everybody let through: half of them are just right."""


def sight(used: int, taken: int = 50) -> Sight:
    return Sight(NOON, 5.0, used, taken, BUDGET)


def test_the_share_stays_while_it_leads_back_to_the_curve() -> None:
    assert step(KNOWN, sight(BUDGET // 2), CURVE).share == 0.5
    within = int(BUDGET / 2 * (1 - 0.002))
    assert step(KNOWN, sight(within), CURVE).share == 0.5


def test_the_share_moves_by_at_most_a_step_at_once() -> None:
    assert step(KNOWN, sight(BUDGET), CURVE).share == 0.5 / STEP_MAX
    assert step(KNOWN, sight(0), CURVE).share == 0.5 * STEP_MAX


def test_a_wish_beyond_the_band_is_followed_exactly() -> None:
    behind = int(BUDGET / 2 - 1_200 * 10 * 0.4)
    assert step(KNOWN, sight(behind), CURVE).share == pytest.approx(0.5 * 1.4, rel=0.01)


def test_nobody_is_never_let_through() -> None:
    pace = KNOWN
    for _ in range(100):
        pace = step(pace, sight(BUDGET), CURVE)
    assert pace.share == SHARE_MIN


def test_without_any_demand_the_door_opens_wide() -> None:
    pace = Pace(share=0.1)
    for _ in range(10):
        pace = step(pace, sight(0, 0), CURVE)
    assert pace.share == 1.0


def test_what_refunds_gave_back_is_spent_again() -> None:
    returned = step(KNOWN, sight(BUDGET // 2 - 20_000, taken=-20_000), CURVE)
    assert returned.share > 0.5


def test_what_is_granted_is_ahead_of_the_curve_by_its_lead_and_rises_in_steps() -> None:
    ahead = (12 * 3_600 + LEAD_S) / 86_400
    assert ahead <= granted_part(NOON, CURVE) < ahead + 1 / GRANT_STEPS
    moments = [granted_part(CURVE.moments[0] + second, CURVE) for second in range(0, 86_400, 5)]
    assert len(set(moments)) <= GRANT_STEPS
    assert moments[-1] == 1.0
