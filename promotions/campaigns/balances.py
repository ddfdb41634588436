"""What is left of campaigns' budgets: total = spent + held + left + returned to the sponsors, from one snapshot.

Nothing of it is stored: what was taken stands in the slices, what of that is held is what undecided payments took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import asyncpg

from promotions.campaigns.campaign import Status
from promotions.campaigns.store import SQL, Database, StoredCampaign


@dataclass(frozen=True, slots=True)
class Taken:
    """What payments took of a campaign and did not give back, in fen and in redemptions; `held` is a part of it."""

    today: date
    used_fen: int
    used_count: int
    today_fen: int
    today_count: int
    held_fen: int
    held_count: int


@dataclass(frozen=True, slots=True)
class Balance:
    """A campaign's budget: what it is, and what became of it.  Without a budget, nothing is left or returned (None)."""

    campaign: StoredCampaign
    taken: Taken

    @property
    def spent_fen(self) -> int:
        """What payments that succeeded keep."""
        return self.taken.used_fen - self.taken.held_fen

    @property
    def left_fen(self) -> int | None:
        """What can still be taken; nothing once it has ended."""
        return 0 if self._has_ended and self._unused_fen is not None else self._unused_fen

    @property
    def returned_fen(self) -> int | None:
        """What went back to the sponsors at the end, and what refunds give back since."""
        return self._unused_fen if self._has_ended or self._unused_fen is None else 0

    def to_json(self) -> dict[str, Any]:
        """As the admin API shows it, in fen."""
        caps, taken = self.campaign.caps, self.taken
        return {
            "total": caps.budget_fen,
            "spent": self.spent_fen,
            "held": taken.held_fen,
            "left": self.left_fen,
            "returned_to_sponsor": self.returned_fen,
            "count": {
                "total": caps.count,
                "used": taken.used_count,
                "held": taken.held_count,
                "left": self._unless_ended(_rest(caps.count, taken.used_count)),
            },
            "today": self._today(),
        }

    @property
    def _has_ended(self) -> bool:
        return self.campaign.status is Status.ENDED

    @property
    def _unused_fen(self) -> int | None:
        return _rest(self.campaign.caps.budget_fen, self.taken.used_fen)

    def _unless_ended(self, left: int | None) -> int | None:
        return 0 if self._has_ended and left is not None else left

    def _today(self) -> dict[str, Any]:
        """Of the present day: no more is left than of the whole, and nothing where a limit was lowered below it."""
        caps, taken = self.campaign.caps, self.taken
        left = _least(_rest(caps.budget_per_day_fen, taken.today_fen), self._unused_fen)
        left_count = _least(_rest(caps.count_per_day, taken.today_count), _rest(caps.count, taken.used_count))
        return {
            "day": taken.today.isoformat(),
            "budget": caps.budget_per_day_fen,
            "used": taken.today_fen,
            "left": self._unless_ended(left),
            "count": caps.count_per_day,
            "count_used": taken.today_count,
            "count_left": self._unless_ended(left_count),
        }


async def find_balance(database: Database, campaign_id: str) -> Balance | None:
    """None where there is no such campaign."""
    return next(iter(await balances_of(database, [campaign_id])), None)


async def balances_of(database: Database, campaign_ids: Sequence[str]) -> Sequence[Balance]:
    """Campaigns with what became of their budgets, in that order; those that do not exist are left out."""
    records = {record["id"]: record for record in await database.fetch(SQL["balances"], list(campaign_ids))}
    found = [records[campaign_id] for campaign_id in campaign_ids if campaign_id in records]
    return [Balance(StoredCampaign.of(record), _taken(record)) for record in found]


def _taken(record: asyncpg.Record) -> Taken:
    return Taken(
        today=record["today"],
        used_fen=record["used"],
        used_count=record["used_count"],
        today_fen=record["today_used"],
        today_count=record["today_count"],
        held_fen=record["held"],
        held_count=record["held_count"],
    )


def _rest(cap: int | None, used: int) -> int | None:
    return None if cap is None else cap - used


def _least(*found: int | None) -> int | None:
    """The least of what is limited, or 0."""
    known = [each for each in found if each is not None]
    return max(min(known), 0) if known else None
