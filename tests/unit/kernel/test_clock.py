"""Times of the API are UTC with milliseconds; deadlines run on the monotonic clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.clock import BEIJING, Deadline, rfc3339, utc_now

FIRST = datetime(1970, 1, 1)  # noqa: DTZ001  hypothesis takes its bounds without a zone
LAST = datetime(9999, 12, 30)  # noqa: DTZ001


@given(st.datetimes(min_value=FIRST, max_value=LAST, timezones=st.sampled_from([UTC, BEIJING])))
def test_a_time_reads_back_to_the_millisecond_whatever_its_zone(moment: datetime) -> None:
    text = rfc3339(moment)
    assert text.endswith("Z")
    assert timedelta() <= moment - datetime.fromisoformat(text) < timedelta(milliseconds=1)


def test_beijing_is_eight_hours_ahead_summer_and_winter() -> None:
    for month in (1, 7):
        assert datetime(2026, month, 1, 8, tzinfo=BEIJING) == datetime(2026, month, 1, tzinfo=UTC)


def test_a_deadline_counts_down_and_never_below_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    deadline = Deadline.after(2.5)
    assert (deadline.left_s, deadline.passed) == (2.5, False)
    now = 102.5
    assert (deadline.left_s, deadline.passed) == (0.0, True)
    now = 1_000.0
    assert (deadline.left_s, deadline.passed) == (0.0, True)


def test_a_wall_clock_that_is_set_back_moves_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = Deadline.after(60)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 59 < deadline.left_s <= 60


def test_now_is_in_utc() -> None:
    assert utc_now().tzinfo is UTC
