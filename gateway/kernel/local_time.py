"""What a condition can ask of a payment's time in a zone, worked out once a minute and not for each payment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

TIME_FIELDS: Final = frozenset(f"payment.{name}" for name in ("date", "month", "day", "weekday", "hour", "minute"))
_MINUTE: Final = timedelta(minutes=1)


class _Minute(NamedTuple):
    """The fields from a moment on (included) until another one."""

    since: datetime
    until: datetime
    fields: Mapping[str, int | str]


_latest: Final[dict[str | None, _Minute]] = {}
"""By zone, of which there are some hundred."""


def time_fields(at: datetime, zone: ZoneInfo) -> Mapping[str, int | str]:
    """`payment.date` and its like at that moment (aware) in a zone; not to be changed by whoever asks."""
    known = _latest.get(zone.key)
    if known is not None and known.since <= at < known.until:
        return known.fields
    # clocks change at whole minutes of UTC, as far back as there are payments
    since = at.replace(second=0, microsecond=0)
    local = since.astimezone(zone)
    fields: dict[str, int | str] = {
        "payment.date": local.date().isoformat(),
        "payment.month": local.month,
        "payment.day": local.day,
        "payment.weekday": local.isoweekday(),
        "payment.hour": local.hour,
        "payment.minute": local.minute,
    }
    _latest[zone.key] = _Minute(since, since + _MINUTE, fields)
    return fields
