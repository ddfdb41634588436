"""The time of each payment in its merchant's time zone, as rules see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from risk.backtest.timeline import Ints, Timeline, coded

_MS: Final = 1_000
_QUARTER_S: Final = 900
"""Clocks are put forward and back at quarters of an hour."""


def calendar_columns(timeline: Timeline, timezones: Sequence[str]) -> Mapping[str, npt.NDArray[Any]]:
    """`payment.date`, `month`, `day`, `weekday` (1 is Monday), `hour`, `minute`; shape (n,) each."""
    local_s = _local_s(timeline.at_ms // _MS, timezones)
    local = local_s.astype("datetime64[s]")
    dates, days = local.astype("datetime64[D]"), local_s // 86_400
    months = local.astype("datetime64[M]")
    return {
        "payment.date": dates.astype(str).astype(object),
        "payment.month": months.astype(np.int64) % 12 + 1,
        "payment.day": (dates - months.astype("datetime64[D]")).astype(np.int64) + 1,
        "payment.weekday": (days + 3) % 7 + 1,
        "payment.hour": local_s % 86_400 // 3_600,
        "payment.minute": local_s % 3_600 // 60,
    }


def _local_s(at_s: Ints, timezones: Sequence[str]) -> Ints:
    """Seconds since the epoch on the merchants' clocks."""
    local_s = at_s.copy()
    names = list(dict.fromkeys(timezones))
    codes = np.zeros(len(at_s), dtype=np.int64) if len(names) == 1 else coded(timezones)
    for code, name in enumerate(names):
        places, zone = np.flatnonzero(codes == code), ZoneInfo(name)
        quarters, of = np.unique(at_s[places] // _QUARTER_S, return_inverse=True)
        offsets = np.fromiter((_offset_s(quarter * _QUARTER_S, zone) for quarter in quarters.tolist()), np.int64)
        local_s[places] += offsets[of]
    return local_s


def _offset_s(at_s: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at_s, UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())
