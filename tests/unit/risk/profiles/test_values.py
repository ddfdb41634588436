"""What a profile says of a payment: the fields `customer.…` of risk/fields.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from risk.facts import CodeType, Facts
from risk.fields import PROFILE_FIELDS
from risk.profiles.reading import Profile, profile_values

AT = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
"""Half past eleven at night in Shanghai."""


def facts(region: str | None = None, timezone: str = "Asia/Shanghai") -> Facts:
    return Facts("mer_1", "mer_1\n1", 5_000, "barcode", CodeType.BARCODE, AT, timezone, region=region)


def at_hours(*hours: int) -> tuple[int, ...]:
    return tuple(hours.count(hour) for hour in range(24))


def value(name: str, region: str | None = None, **known: Any) -> Any:
    return profile_values(Profile(**known), facts(region))[f"customer.{name}"]


def test_exactly_the_documented_fields_are_given_with_a_profile_and_without() -> None:
    assert set(profile_values(Profile(), facts())) == PROFILE_FIELDS
    assert profile_values(None, facts()) == dict.fromkeys(PROFILE_FIELDS)


def test_somebody_new_has_no_history_and_this_is_his_first_payment() -> None:
    values = profile_values(Profile(), facts("31"))
    told = {name.removeprefix("customer."): value for name, value in values.items() if value is not None}
    assert told == {"orders": 0, "spent": 0, "first_payment": True, "segments": (), "shared_payer": False}


def test_days_are_whole_and_never_below_none() -> None:
    first, last = AT - timedelta(days=30, hours=23), AT - timedelta(hours=23)
    assert value("days_since_first", first_at=first, last_at=last) == 30
    assert value("days_since_last", first_at=first, last_at=last) == 0
    assert value("days_since_last", last_at=AT + timedelta(milliseconds=5)) == 0


@pytest.mark.parametrize(
    ("payments", "amount_fen", "usual"), [(2, 600, None), (3, 600, 200), (3, 500, 167), (4, 10, 3), (3, 1, 0)]
)
def test_the_usual_amount_is_a_mean_rounded_half_up_of_three_at_least(
    payments: int, amount_fen: int, usual: int | None
) -> None:
    assert value("usual_amount", payments=payments, amount_fen=amount_fen) == usual


@pytest.mark.parametrize(
    ("hours", "is_usual"),
    [([12] * 9, None), ([12] * 10, False), ([12] * 9 + [22], True), ([12] * 9 + [0], True), ([12] * 9 + [1], False)],
)
def test_an_hour_is_usual_where_a_payment_fell_in_it_or_beside_it_over_midnight_too(
    hours: list[int], *, is_usual: bool | None
) -> None:
    assert value("usual_hour", payments=len(hours), hours=at_hours(*hours)) is is_usual


def test_the_hour_is_that_of_the_merchants_zone() -> None:
    profile = Profile(payments=10, hours=at_hours(*[15] * 10))
    assert profile_values(profile, facts())["customer.usual_hour"] is False
    assert profile_values(profile, facts(timezone="UTC"))["customer.usual_hour"] is True


def test_a_region_is_usual_or_not_from_the_third_payment_on() -> None:
    assert value("usual_region", "31", payments=3, regions=("31",)) is True
    assert value("usual_region", "44", payments=3, regions=("31",)) is False
    assert value("usual_region", "44", payments=2, regions=("31",)) is None
    assert value("usual_region", None, payments=3, regions=("31",)) is None
