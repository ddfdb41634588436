"""Ids sort by time, are unique, and are read back or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.ids import ULID_LENGTH, first_ulid_at, is_id, new_id, new_ulid, ulid_time

milliseconds = st.integers(0, 253_402_300_799_000)
"""Until the end of the year 9999; a ULID's 48 bits reach further."""


@given(milliseconds, milliseconds)
def test_ids_sort_as_the_times_they_were_made_at(one: int, other: int) -> None:
    if one != other:
        assert (new_ulid(one) < new_ulid(other)) == (one < other)


@given(milliseconds)
def test_the_time_of_an_id_reads_back(at_ms: int) -> None:
    assert abs(
        ulid_time(new_ulid(at_ms)) - datetime(1970, 1, 1, tzinfo=UTC) - timedelta(milliseconds=at_ms)
    ) < timedelta(microseconds=20)


@given(st.integers(0, 253_402_300_799).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_the_first_id_of_a_moment_is_not_above_any_made_in_it_and_above_all_before(moment: datetime) -> None:
    first, at_ms = first_ulid_at(moment), int(moment.timestamp()) * 1000
    assert first <= new_ulid(at_ms)
    if at_ms:
        assert new_ulid(at_ms - 1) < first


def test_ten_thousand_ids_of_one_millisecond_differ() -> None:
    assert len({new_ulid(1_700_000_000_000) for _ in range(10_000)}) == 10_000


def test_an_id_is_made_now() -> None:
    assert abs(ulid_time(new_id("pay").removeprefix("pay_")) - datetime.now(UTC)) < timedelta(seconds=5)


def test_an_id_has_its_prefix_and_26_letters_of_crockfords_alphabet() -> None:
    made = new_id("pay")
    assert is_id(made, "pay")
    assert len(made) == len("pay_") + ULID_LENGTH
    assert not set(made[4:]) & set("ILOU")


ZEROS = "0" * 16


@pytest.mark.parametrize(
    "text",
    ["", "pay", "pay_", f"ref_01JD{ZEROS}000000", f"PAY_01JD{ZEROS}000000", f"pay_01jd{ZEROS}000000",
     f"pay_01JD{ZEROS}00000", f"pay_01JD{ZEROS}0000000", f"pay_01JD{ZEROS}00000U", f"pay_01JD{ZEROS}00000\u0660"],
)  # fmt: skip
def test_text_of_another_form_is_no_id_of_that_prefix(text: str) -> None:
    assert not is_id(text, "pay")


@pytest.mark.parametrize("text", ["", "01JD", "!" * 26, "01JD0000000000000000000000X", "ILOU" + "0" * 22])
def test_text_that_is_no_ulid_has_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="not a ULID"):
        ulid_time(text)
