"""What became of a campaign in a time: what it gave, who paid, what it brought in, and why others had nothing."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import asyncpg

from gateway.database.pool import Connection
from gateway.kernel.errors import InvalidRequest, Unavailable
from gateway.kernel.ids import first_ulid_at
from promotions.reporting.counting import SQL, What

REDEMPTIONS_MAX: Final = 500_000
DAYS_MAX: Final = 92
_AT_ONCE_MAX: Final = 1
"""A report reads all redemptions of its time: the other connections are for payments."""
_WAIT_S: Final = 2.0
_CLOCKS_DIFFER: Final = timedelta(hours=1)
"""An id carries the time of the process that made it, a row the database's."""


class Period(NamedTuple):
    """From a moment until before another one."""

    start: datetime
    end: datetime

    @property
    def is_sound(self) -> bool:
        """Whether it has a length, and none that is too long."""
        return timedelta(0) < self.end - self.start <= timedelta(days=DAYS_MAX)


@dataclass(slots=True)
class Hour:
    """What payments took in an hour of the campaign's clock (amounts in fen), and what was asked of the campaign."""

    begins: datetime
    redemptions: int = 0
    succeeded: int = 0
    held: int = 0
    spent_fen: int = 0
    held_fen: int = 0
    turnover_fen: int = 0
    refunded_fen: int = 0
    new_customers: int = 0
    sponsors: dict[str, int] = field(default_factory=dict)
    """What each paid of `spent_fen`."""
    asked: dict[str, int] = field(default_factory=dict)
    """Counts by What, and refusals by their reason."""


class Returned(NamedTuple):
    """What refunds gave back to a sponsor."""

    sponsor: str
    refunds: int
    fen: int


@dataclass(frozen=True, slots=True)
class Report:
    """The report; hours in which nothing happened are left out."""

    campaign_id: str
    period: Period
    made_at: datetime
    hours: tuple[Hour, ...]
    returned: tuple[Returned, ...]
    customers: int
    """Of those that are known."""

    def total(self, name: str) -> int:
        """The sum of a figure over all hours."""
        return sum(getattr(hour, name) for hour in self.hours)

    def asked(self, what: str) -> int:
        """How often something was asked or refused."""
        return sum(hour.asked.get(what, 0) for hour in self.hours)

    @property
    def returned_fen(self) -> int:
        """What refunds gave back to all sponsors."""
        return sum(part.fen for part in self.returned)

    @property
    def refusals(self) -> list[tuple[str, int]]:
        """Why payments did not get it, the most frequent reason first."""
        counts: defaultdict[str, int] = defaultdict(int)
        for hour in self.hours:
            for what, count in hour.asked.items():
                counts[what] += count if what not in set(What) else 0
        return sorted(((what, count) for what, count in counts.items() if count), key=lambda each: (-each[1], each[0]))

    @property
    def sponsors(self) -> list[tuple[str, int, int]]:
        """Each sponsor, what it spent and what it got back."""
        spent: defaultdict[str, int] = defaultdict(int)
        for hour in self.hours:
            for sponsor, fen in hour.sponsors.items():
                spent[sponsor] += fen
        back = {part.sponsor: part.fen for part in self.returned}
        return [(sponsor, fen, back.get(sponsor, 0)) for sponsor, fen in sorted(spent.items())]

    @property
    def conversion(self) -> float | None:
        """Redemptions for each quote that offered the campaign; above 1 where tills pay without asking before."""
        quoted = self.asked(What.QUOTED)
        return self.total("redemptions") / quoted if quoted else None

    @property
    def turnover_per_fen(self) -> float | None:
        """Goods sold and not refunded, for each fen of subsidy that did not come back."""
        subsidy = self.total("spent_fen") - self.returned_fen
        return (self.total("turnover_fen") - self.total("refunded_fen")) / subsidy if subsidy > 0 else None


class CampaignReports:
    """One per process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._free = asyncio.Semaphore(_AT_ONCE_MAX)

    async def read(self, campaign_id: str, timezone: str, period: Period) -> Report:
        """The report, from one snapshot.

        Raises InvalidRequest (`report_too_large`) beyond REDEMPTIONS_MAX, Unavailable while another is being read.
        """
        ids = [f"pay_{first_ulid_at(moment)}" for moment in _wide(period)]
        arguments = (campaign_id, *ids, *period, timezone)
        async with self._snapshot() as connection:
            if (
                await connection.fetchval(SQL["count_redemptions"], *arguments[:3], REDEMPTIONS_MAX + 1)
                > REDEMPTIONS_MAX
            ):
                message = f"A report looks at {REDEMPTIONS_MAX:,} redemptions at most: ask for a shorter time."
                raise InvalidRequest("report_too_large", message, param="from")
            hours = _hours(
                await connection.fetch(SQL["hours"], *arguments),
                await connection.fetch(SQL["sponsors"], *arguments),
                await connection.fetch(SQL["counted"], campaign_id, *period, timezone),
            )
            returned = await connection.fetch(SQL["returned"], *arguments)
            return Report(
                campaign_id=campaign_id,
                period=period,
                made_at=await connection.fetchval("SELECT now()"),
                hours=hours,
                returned=tuple([Returned(*row.values()) for row in returned]),
                customers=await connection.fetchval(SQL["customers"], *arguments),
            )

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Connection]:
        try:
            await asyncio.wait_for(self._free.acquire(), _WAIT_S)
        except TimeoutError:
            raise Unavailable("busy", "Another report is being read: try again.", retry_after_s=1) from None
        try:
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield connection
        finally:
            self._free.release()


def _wide(period: Period) -> Period:
    return Period(period.start - _CLOCKS_DIFFER, period.end + _CLOCKS_DIFFER)


_FIGURES: Final = (
    "redemptions",
    "succeeded",
    "held",
    "spent_fen",
    "held_fen",
    "turnover_fen",
    "refunded_fen",
    "new_customers",
)


def _hours(taken: Sequence[Any], sponsors: Sequence[Any], counted: Sequence[Any]) -> tuple[Hour, ...]:
    """The three kinds of rows put together by their hour."""
    hours = {row["hour"]: Hour(row["hour"], *[row[name] for name in _FIGURES]) for row in taken}
    for row in sponsors:
        hours[row["hour"]].sponsors[row["sponsor"]] = row["spent_fen"]
    for row in counted:
        hours.setdefault(row["hour"], Hour(row["hour"])).asked[row["what"]] = row["count"]
    return tuple([hours[begins] for begins in sorted(hours)])
