"""The worker's part of pacing: looks at each paced campaign every few seconds, and moves its share and its cap.

Where a campaign stands is kept in `campaign_pace`, so that workers may come, go and take turns.
"""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

import asyncpg
import orjson

from gateway.database.batches import BROKEN
from promotions.budget import grants
from promotions.campaigns.campaign import PaceCurve, Pacing
from promotions.campaigns.terms import HOURS
from promotions.pacing.book import SQL
from promotions.pacing.controller import TICK_S, Pace, Sight, granted_part, step
from promotions.pacing.curve import Curve

_SOON: Final = 0.8
"""Another worker's look that is younger than so much of a tick stands for ours."""

_log: Final = logging.getLogger("mashang.pacing")


@dataclass(frozen=True, slots=True)
class Paced:
    """A paced campaign at one look.  `budget` and `used` are of its present day: in fen, or in number without one.

    `grantable` is what grants take their share of: the day's limit, or all that is left.
    """

    campaign_id: str
    day: date
    at: datetime
    curve: Curve
    budget: int
    grantable: int
    granted_share: float | None
    used: int
    pace: Pace
    seen_at: datetime | None
    seen_used: int

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self | None:
        """From a row of `look`; None where nothing of the campaign is limited, so that there is nothing to pace."""
        day, timezone = row["day"], ZoneInfo(row["timezone"])
        grantable = _grantable(row)
        budget = _todays(row, timezone)
        if budget is None or not grantable:
            return None
        in_fen = _is_in_fen(row)
        known = row["updated_at"] is not None
        return cls(
            campaign_id=row["id"],
            day=day,
            at=row["at"],
            curve=Curve.of(pacing_of(row["pacing"]), day, timezone, row["starts_at"], row["ends_at"]),
            budget=budget,
            grantable=grantable,
            granted_share=row["granted_share"] if row["granted_day"] == day else None,
            used=row["used"] if in_fen else row["used_count"],
            pace=Pace(row["share"], row["spent"], row["exposed_s"]) if known else Pace(),
            seen_at=row["updated_at"],
            seen_used=row["seen_used"] if known and row["seen_day"] == day else 0,
        )

    def stepped(self) -> Pace | None:
        """Where it stands after this look; None where somebody has just looked."""
        elapsed_s = TICK_S if self.seen_at is None else (self.at - self.seen_at).total_seconds()
        if elapsed_s < TICK_S * _SOON:
            return None
        sight = Sight(self.at.timestamp(), elapsed_s, self.used, self.used - self.seen_used, self.budget)
        return step(self.pace, sight, self.curve)

    @property
    def share_due(self) -> float:
        """The share that should be granted by now: today's budget along the curve."""
        return min(1.0, granted_part(self.at.timestamp(), self.curve) * self.budget / self.grantable)


def pacing_of(document: str) -> Pacing:
    """The pacing of a campaign's document (promotions/campaigns/document.py has checked it)."""
    shape = orjson.loads(document).get("shape")
    return Pacing(PaceCurve.EVEN, (1.0,) * HOURS) if shape is None else Pacing(PaceCurve.SHAPE, tuple(shape))


async def keep_pace(pool: asyncpg.Pool) -> None:
    """Look every few seconds, through any trouble; run until cancelled."""
    while True:
        try:
            await look(pool)
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("campaigns could not be paced", extra={"error": type(error).__name__})
        except Exception:  # were this loop to end, the shares of this moment would stay for ever
            _log.exception("campaigns could not be paced")
        await asyncio.sleep(TICK_S)


async def look(pool: asyncpg.Pool) -> None:
    """One look at every paced campaign."""
    await pool.execute(SQL["open"])
    for row in await pool.fetch(SQL["held_back"]):
        await grants.pace_to(pool, row["campaign_id"], row["day"], 1.0)
    for row in await pool.fetch(SQL["look"]):
        paced = Paced.of(row)
        pace = None if paced is None else paced.stepped()
        if paced is not None and pace is not None:
            await _note(pool, paced, pace)


async def _note(pool: asyncpg.Pool, paced: Paced, pace: Pace) -> None:
    """Write the share, and grant along the curve: the share alone holds nobody back who comes all at once."""
    state = (pace.share, paced.day, paced.used, pace.spent, pace.exposed_s, paced.at)
    await pool.execute(SQL["note"], paced.campaign_id, *state, paced.seen_at)
    if paced.granted_share is None or not math.isclose(paced.granted_share, paced.share_due):
        await grants.pace_to(pool, paced.campaign_id, paced.day, paced.share_due)


def _is_in_fen(row: asyncpg.Record) -> bool:
    return row["budget"] is not None or row["budget_per_day"] is not None


def _todays(row: asyncpg.Record, timezone: ZoneInfo) -> int | None:
    """What may be spent today: the day's limit, or the same part of the whole for each day until its end.

    Never more than what the days before have left of the whole.
    """
    per_day, left = _limits(row)
    if left is None:
        return per_day
    if per_day is not None:
        return min(per_day, left)
    return left if row["ends_at"] is None else -(-left // _days_left(row, timezone))


def _grantable(row: asyncpg.Record) -> int | None:
    """What `grants.pace_to` takes its share of."""
    per_day, left = _limits(row)
    return left if per_day is None else per_day


def _limits(row: asyncpg.Record) -> tuple[int | None, int | None]:
    """The day's limit, and what the days before have left of the whole."""
    names = ("budget", "budget_per_day", "before") if _is_in_fen(row) else ("count", "count_per_day", "before_count")
    total: int | None = row[names[0]]
    per_day: int | None = row[names[1]]
    before: int = row[names[2]]
    return per_day, None if total is None else max(0, total - before)


def _days_left(row: asyncpg.Record, timezone: ZoneInfo) -> int:
    """Days until the campaign's end, today among them; one that ends at midnight does not have the day after."""
    ends_at: datetime = row["ends_at"]
    today: date = row["day"]
    last = (ends_at - timedelta(microseconds=1)).astimezone(timezone).date()
    return max(1, (last - today).days + 1)
