"""How many bytes the counters of a customer, a merchant … take at the most; the sizes are those of velocities.lua."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from risk.velocity.plan import DUE_BUCKET_S_MIN, STRANGERS_MAX
from risk.velocity.spec import (
    BUCKETS,
    DISTINCT_DIMENSIONS,
    DISTINCT_MAX,
    LABEL_DELAY_S,
    METRIC_SERIES,
    Metric,
    Series,
    Velocity,
)

_TAG_BYTES: Final = 7
_IDS_BYTES: Final = 32 * 8
_HEAD_BYTES: Final = 28 + _IDS_BYTES
_PLACES_BYTES: Final = _TAG_BYTES + 28
_VALUES_BYTES: Final = _TAG_BYTES + 12 * DISTINCT_MAX
_RING_BYTES: Final = _TAG_BYTES + 54 + 27 * BUCKETS


def entity_bytes_max(velocities: Iterable[Velocity], *, needs_travel: bool = False) -> int:
    """Of an entity's value with these velocities, all of one key, and nothing left of earlier rule sets."""
    asked = list(velocities)
    series = {METRIC_SERIES[each.metric] for each in asked} - {Series.PAYMENTS}
    dimensions = {each.metric for each in asked if each.metric in DISTINCT_DIMENSIONS}
    rings = {
        (METRIC_SERIES[each.metric], each.window_s)
        for each in asked
        if each.metric not in dimensions and each.metric is not Metric.SECONDS_SINCE_LAST
    }
    dues = {each.window_s for each in asked if each.metric is Metric.FRAUD_SHARE}
    return (
        _HEAD_BYTES
        + len(series) * (_TAG_BYTES + _IDS_BYTES)
        + len(dimensions) * _VALUES_BYTES
        + len(rings) * _RING_BYTES
        + sum(map(dues_bytes_max, dues))
        + _PLACES_BYTES * needs_travel
    )


def dues_bytes_max(window_s: int) -> int:
    """Of the payments whose labels fall due: buckets for the window and for the delay, and one at each end."""
    bucket_s = max(window_s / BUCKETS, DUE_BUCKET_S_MIN)
    buckets = math.ceil(window_s / bucket_s) + math.ceil(LABEL_DELAY_S / bucket_s) + 2
    return _TAG_BYTES + 10 + 8 * buckets


STRANGERS_BYTES_MAX: Final = STRANGERS_MAX * dues_bytes_max(BUCKETS * DUE_BUCKET_S_MIN)
"""What earlier rule sets asked for takes no more than this besides, until their windows are over."""
