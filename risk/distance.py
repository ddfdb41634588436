"""How far apart two places are."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt
from typing import Final

from risk.facts import Location

_DIAMETER_KM: Final = 2 * 6_371.0088
"""Twice the mean radius of the earth (IUGG)."""


def distance_km(one: Location, other: Location) -> float:
    """Along the great circle, by the haversine formula; some 0.5 % off, as the earth is no sphere."""
    latitude, other_latitude = radians(one.latitude), radians(other.latitude)
    half = sin((other_latitude - latitude) / 2)
    across = sin(radians(other.longitude - one.longitude) / 2)
    chord = half * half + cos(latitude) * cos(other_latitude) * across * across
    return _DIAMETER_KM * asin(min(sqrt(chord), 1.0))
