"""How far apart two places are, and how fast somebody came from one to the other."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from gateway.kernel.expressions import Value
from risk.facts import Facts

REACH_S: Final = 90 * 86_400
"""The place of a payment is known for so long."""
EXACT_KM: Final = 5.0
"""Below this distance no speed is given: so exact are such places."""
_EARTH_KM: Final = 6_371.0088
_SECONDS_MIN: Final = 1.0
"""Two payments at once are taken as so far apart in time."""

NOWHERE: Final[dict[str, Value | None]] = {"travel.distance_km": None, "travel.speed_kmh": None}
"""The fields that a rule can look at, where the payment before this one, or this one, has no place."""


class Place(NamedTuple):
    """Hundredths of a degree, WGS 84: no closer than about 1 km, so that nobody's address is stored."""

    latitude: int
    longitude: int


def place_of(facts: Facts) -> Place | None:
    """Where the customer is: as the till says, or else at the store."""
    location = facts.location or facts.store_location
    if location is None:
        return None
    return Place(round(location.latitude * 100), round(location.longitude * 100))


def distance_km(one: Place, other: Place) -> float:
    """Along the great circle, by the haversine formula on a sphere of the earth's mean radius (IUGG)."""
    first, second = math.radians(one.latitude / 100), math.radians(other.latitude / 100)
    across = math.radians((other.longitude - one.longitude) / 100)
    half = math.sin((second - first) / 2) ** 2 + math.cos(first) * math.cos(second) * math.sin(across / 2) ** 2
    return 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, half)))


def speed_kmh(distance: float, seconds: float) -> float | None:
    """None where the places are too close to each other to tell."""
    return distance / max(seconds, _SECONDS_MIN) * 3_600 if distance >= EXACT_KM else None


def values_of(before: Place | None, here: Place | None, elapsed_ms: int) -> dict[str, Value | None]:
    """The fields that a rule can look at."""
    if before is None or here is None:
        return NOWHERE
    distance = distance_km(before, here)
    return {"travel.distance_km": distance, "travel.speed_kmh": speed_kmh(distance, elapsed_ms / 1_000)}
