"""The month of an id is that of its ULID's time, at every edge of a month."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.database.partitions import month_of, month_start
from gateway.kernel.ids import first_ulid_at, new_ulid

MOMENTS = st.integers(2_678_400, 253_300_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(MOMENTS)
def test_a_month_begins_and_ends_with_its_first_and_last_millisecond(moment: datetime) -> None:
    start, end = month_start(moment), month_start(moment, 1)
    expected = f"{start:%Y_%m}"
    assert month_of(f"pay_{first_ulid_at(start)}") == expected
    assert month_of(f"pay_{new_ulid(int(end.timestamp()) * 1000 - 1)}") == expected
    assert month_of(f"pay_{first_ulid_at(end)}") == f"{end:%Y_%m}" != expected


@pytest.mark.parametrize(
    "text", ["", "pay_", "pay_01JD", "pay_UUUUUUUUUU0000000000000000", "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KBX"]
)
def test_what_is_no_id_has_no_month(text: str) -> None:
    assert month_of(text) == ""
