"""What campaigns allow: the budget of each, and the widest limits that any of its versions had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import asyncpg
import orjson

from gateway.database.pool import named_statements
from promotions.facts import EVER
from promotions.pacing.curve import day_bounds

_SQL: Final = named_statements("gateway.audit", "statements.sql")
_PAGE: Final = 500
_EVER: Final = EVER.isoformat()


class _Version(NamedTuple):
    """A version's limits as they were written, in force from then until the next one's."""

    since: datetime
    limits: Mapping[str, Any]


@dataclass(slots=True)
class Allowed:
    """One campaign.  None is no limit."""

    budget: int | None
    count: int | None
    timezone: ZoneInfo
    versions: list[_Version] = field(default_factory=list)
    stocks: list[int | None] = field(default_factory=list)

    def on_day(self, name: str, day: str) -> int | None:
        """The widest of the limits `budget_per_day` or `count_per_day` that were in force on a day."""
        begins, ends = day_bounds(date.fromisoformat(day), self.timezone)
        later = [version.since for version in self.versions[1:]]
        in_force = [
            version.limits.get(name)
            for version, until in zip(self.versions, [*later, None], strict=True)
            if version.since < ends and (until is None or until > begins)
        ]
        return _widest(in_force)

    def of_scope(self, scope: str, day: str) -> tuple[int | None, int | None]:
        """The widest number and amount (fen) that one of a scope may take, on a day or ever."""
        names = ("lifetime", "amount") if day == _EVER else ("day", "amount_per_day")
        given = [version.limits.get(f"per_{scope}") or {} for version in self.versions]
        number, fen = (_widest([limits.get(name) for limits in given]) for name in names)
        return number, fen

    @property
    def stock(self) -> int | None:
        """The widest stock of coupons."""
        return _widest(self.stocks)


def _widest(limits: list[int | None]) -> int | None:
    known = [limit for limit in limits if limit is not None]
    return max(known) if known and len(known) == len(limits) else None


async def read_allowed(connection: asyncpg.Connection) -> dict[str, Allowed]:
    """All campaigns, by id."""
    allowed = {
        row["id"]: Allowed(row["budget"], row["count"], ZoneInfo(row["timezone"]))
        async for row in connection.cursor(_SQL["campaigns"], prefetch=_PAGE)
    }
    async for row in connection.cursor(_SQL["campaign_versions"], prefetch=_PAGE):
        document = orjson.loads(row["document"])
        campaign = allowed[row["campaign_id"]]
        campaign.versions.append(_Version(row["created_at"], document.get("limits") or {}))
        campaign.stocks.append((document.get("coupon") or {}).get("stock"))
    return allowed
