"""Who is let through: the share of the customers, the same ones while it stands, others on another day."""

from __future__ import annotations

from datetime import date

import pytest

from promotions.pacing.gate import is_let_through

DAY = date(2026, 11, 22)
CUSTOMERS = [f"c-{number}" for number in range(20_000)]


def let_through(share: float, day: date = DAY, campaign_id: str = "cam_1") -> set[str]:
    return {who for who in CUSTOMERS if is_let_through(campaign_id, day, who, share)}


@pytest.mark.parametrize("share", [0.002, 0.1, 0.5, 0.9])
def test_so_many_are_let_through_as_the_share_says(share: float) -> None:
    assert len(let_through(share)) / len(CUSTOMERS) == pytest.approx(share, abs=0.011)


def test_everybody_or_nobody_at_the_ends() -> None:
    assert let_through(1.0) == set(CUSTOMERS)
    assert let_through(0.0) == set()


def test_who_was_let_through_stays_so_when_the_share_rises() -> None:
    assert let_through(0.2) < let_through(0.3)


def test_other_days_and_other_campaigns_draw_anew() -> None:
    chosen = let_through(0.1)
    for others in (let_through(0.1, date(2026, 11, 23)), let_through(0.1, campaign_id="cam_2")):
        assert len(chosen & others) / len(chosen) == pytest.approx(0.1, abs=0.03)
