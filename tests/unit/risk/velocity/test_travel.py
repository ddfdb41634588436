"""Distances are along the great circle, between places no closer than a hundredth of a degree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.facts import Location
from risk.velocity.travel import NOWHERE, Place, distance_km, place_of, speed_kmh, values_of
from tests.support.velocities import payment

SHANGHAI = Place(3123, 12147)
BEIJING = Place(3990, 11641)
PLACES = st.builds(Place, st.integers(-9_000, 9_000), st.integers(-18_000, 18_000))


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        (SHANGHAI, BEIJING, 1_067.3),
        (Place(0, 0), Place(0, 100), 111.195),  # one degree of the equator
        (Place(0, 17_999), Place(0, -17_999), 2.2239),  # over the date line
        (Place(9_000, 0), Place(-9_000, 0), 20_015.1),  # from pole to pole
        (Place(0, 0), Place(0, 18_000), 20_015.1),
    ],
)
def test_a_distance_is_along_the_great_circle(one: Place, other: Place, km: float) -> None:
    assert distance_km(one, other) == pytest.approx(km, rel=1e-3)


@given(PLACES, PLACES)
def test_a_distance_is_the_same_both_ways_and_half_round_the_earth_at_most(one: Place, other: Place) -> None:
    assert distance_km(one, other) == pytest.approx(distance_km(other, one), abs=1e-6)
    assert 0 <= distance_km(one, other) <= 20_015.2


def test_a_place_is_rounded_and_else_the_stores() -> None:
    given = Location(31.2349, -121.4751)
    assert place_of(payment(location=given, store_location=Location(1, 1))) == Place(3123, -12148)
    assert place_of(payment(store_location=given)) == Place(3123, -12148)
    assert place_of(payment()) is None


def test_a_speed_needs_a_distance() -> None:
    assert speed_kmh(4.99, 60) is None
    assert speed_kmh(5.0, 1_800) == 10.0
    assert speed_kmh(100.0, 0) == 360_000.0  # two payments at once: as if a second lay between them


def test_without_two_places_nothing_is_known() -> None:
    assert values_of(None, SHANGHAI, 1) == values_of(SHANGHAI, None, 1) == NOWHERE
    values = values_of(SHANGHAI, BEIJING, 3_600_000)
    assert values["travel.speed_kmh"] == values["travel.distance_km"]
