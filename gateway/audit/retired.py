"""The months of payments that were taken out of the database: what other books have of them contradicts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from gateway.database.partitions import month_of, month_start

_ULID: Final = 26
_IDS: Final = ("payment_id", "refund_id", "event_id")


@dataclass(frozen=True, slots=True)
class Retired:
    """The months by name, such as 2025_09, and until when they go; none of it where nothing was taken out."""

    months: frozenset[str]
    until: datetime | None

    @classmethod
    def of(cls, names: Iterable[str]) -> Retired:
        """By the months' names."""
        months = frozenset(names)
        starts = [datetime(int(name[:4]), int(name[5:]), 1, tzinfo=UTC) for name in months]
        return cls(months, month_start(max(starts), 1) if starts else None)

    def holds(self, ids: Mapping[str, str | int]) -> bool:
        """Whether one of the ids is of such a month: a payment's, a refund's, an event's, a channel's order number."""
        if not self.months:
            return False
        named = [str(ids[name]) for name in _IDS if name in ids]
        named += [str(ids["order_no"])[:_ULID]] if "order_no" in ids else []
        return any(month_of(row_id) in self.months for row_id in named)

    def reaches(self, campaign_id: str, day: str | date) -> bool:
        """Whether a campaign's payments of that day, or of all days (EVER), may be among those taken out, in any time
        zone.  Of a campaign that was made later none can be."""
        if self.until is None or month_of(campaign_id) >= f"{self.until:%Y_%m}":
            return False
        return date.fromisoformat(str(day)) <= self.until.date() + timedelta(days=1)

    def knew(self, since: datetime | None) -> bool:
        """Whether payments since then may be among those taken out."""
        return self.until is not None and (since is None or since < self.until)


NOTHING_RETIRED: Final = Retired.of(())
