"""The fields of a time are those of its minute in the zone, in whatever order times come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.local_time import local_date, time_fields

ZONES = [ZoneInfo(name) for name in ("Asia/Shanghai", "Asia/Kathmandu", "Europe/London", "America/St_Johns", "UTC")]
TURNS = [
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 12, 31, 16, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(ZONES),
            st.one_of(
                st.builds(lambda off_s: TURNS[0] + timedelta(seconds=off_s), st.floats(-2e8, 4e8)),
                st.builds(
                    lambda turn, off_us: turn + timedelta(microseconds=off_us),
                    st.sampled_from(TURNS),
                    st.integers(-70_000_000, 70_000_000),
                ),
            ),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_each_moment_has_the_fields_of_its_own_time_in_the_zone(asked: list[tuple[ZoneInfo, datetime]]) -> None:
    for zone, at in asked:
        local = at.astimezone(zone)
        assert local_date(at, zone) == local.date()
        assert time_fields(at, zone) == {
            "payment.date": local.date().isoformat(),
            "payment.month": local.month,
            "payment.day": local.day,
            "payment.weekday": local.isoweekday(),
            "payment.hour": local.hour,
            "payment.minute": local.minute,
        }


def test_a_moment_in_another_zone_than_utc_is_the_same_moment() -> None:
    at = datetime(2026, 11, 22, 23, 59, 59, 999_999, tzinfo=ZoneInfo("America/St_Johns"))
    assert time_fields(at, ZONES[0]) == time_fields(at.astimezone(UTC), ZONES[0])


def test_a_day_begins_where_the_zone_says_so_to_the_second() -> None:
    monrovia = ZoneInfo("Africa/Monrovia")  # 44 minutes and 30 seconds behind, until 1972
    midnight = datetime(1971, 6, 1, 0, 44, 30, tzinfo=UTC)
    days = [local_date(midnight + timedelta(seconds=off_s), monrovia).day for off_s in (-2, -1, 0, 1)]
    assert days == [31, 31, 1, 1]
