"""A plan for tests that draw from the market, or read a report."""

from pathlib import Path

import pytest

from loadtests.load.plan import Model, Plan, Shop
from loadtests.load.shapes import ShapeName


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(
        gateway="http://127.0.0.1:1",
        scanners={},
        shops=[Shop(f"mer_{number}", f"sk_test_secret_{number}") for number in range(50)],
        coupon_campaign_id="cam_1",
        customers=1_000,
        displayed_percent=15.0,
        model=Model.OPEN,
        shape=ShapeName.FLAT,
        level=10,
        seconds=10.0,
        think_s=0.3,
        by_hand=False,
        run_number=1_234_567,
        seed=1,
        folder=tmp_path,
    )
