"""A payment's day and time in a zone, as conditions ask for them: worked out once a minute, not for each payment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

TIME_FIELDS: Final = frozenset(f"payment.{name}" for name in ("date", "month", "day", "weekday", "hour", "minute"))
_MINUTE: Final = timedelta(minutes=1)


class _Minute(NamedTuple):
    """The fields from a moment on (included) until another one."""

    since: datetime
    until: datetime
    date: date
    fields: Mapping[str, int | str]


_latest: Final[dict[str | None, _Minute]] = {}
"""By zone, of which there are some hundred."""


def time_fields(at: datetime, zone: ZoneInfo) -> Mapping[str, int | str]:
    """`payment.date` and its like at that moment (aware) in a zone; not to be changed by whoever asks."""
    return _minute(at, zone).fields


def local_date(at: datetime, zone: ZoneInfo) -> date:
    """The day at that moment (aware) in a zone."""
    return _minute(at, zone).date


def _minute(at: datetime, zone: ZoneInfo) -> _Minute:
    known = _latest.get(zone.key)
    if known is not None and known.since <= at < known.until:
        return known
    # a minute of the zone's own: clocks change at the beginning of one, and an offset may have seconds
    local = at.astimezone(zone)
    since = at - timedelta(seconds=local.second, microseconds=local.microsecond)
    fields: dict[str, int | str] = {
        "payment.date": local.date().isoformat(),
        "payment.month": local.month,
        "payment.day": local.day,
        "payment.weekday": local.isoweekday(),
        "payment.hour": local.hour,
        "payment.minute": local.minute,
    }
    found = _latest[zone.key] = _Minute(since, since + _MINUTE, local.date(), fields)
    return found
