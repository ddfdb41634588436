"""Costs come from the calibrating points alone, and a curve made of known costs gives them back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtests.capacity.calibrating import CALIBRATED_AT, calibrate, judging_points, left_out, usable_points
from loadtests.capacity.costs import INTENT, OUTCOME, Role
from tests.support.capacity import MEASURED


def test_known_costs_are_found_again() -> None:
    costs = calibrate(MEASURED)
    gateway, database, valkey = (costs.by_role[role] for role in (Role.GATEWAY, Role.POSTGRESQL, Role.VALKEY))
    assert 1e6 * gateway.payment_s == pytest.approx(2_000, rel=0.01)
    assert 1e6 * gateway.batch_s == pytest.approx(50, rel=0.05)
    assert (1e6 * database.payment_s, 1e6 * database.batch_s) == pytest.approx((90, 300), rel=0.01)
    assert (1e6 * valkey.payment_s, 1e6 * valkey.batch_s) == pytest.approx((40, 20), rel=0.01)
    assert 1e6 * costs.by_role[Role.SIMULATORS].wake_s == pytest.approx(60, rel=0.01)
    assert costs.commit_s == 0.0015
    assert costs.statements == {"history": 1.0, INTENT: 1.0, OUTCOME: 1.0}


def test_points_that_judge_are_not_looked_at() -> None:
    spoilt = replace(
        MEASURED,
        curve=tuple(
            one if one.open_requests in CALIBRATED_AT else replace(one, cpu_us=dict.fromkeys(Role, 99_999.0))
            for one in MEASURED.curve
        ),
    )
    assert calibrate(spoilt) == calibrate(MEASURED)
    assert [one.open_requests for one in judging_points(MEASURED)] == [1, 8, 32, 128, 512]


def test_a_point_with_failures_is_left_out() -> None:
    *fine, last = MEASURED.curve
    failing = replace(MEASURED, curve=(*fine, replace(last, failed_share=0.02)))
    assert [one.open_requests for one in usable_points(failing)] == [1, 2, 8, 16, 32, 64, 128, 256]
    assert left_out(failing) == [512]
    assert left_out(MEASURED) == []
