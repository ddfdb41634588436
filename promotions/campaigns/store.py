"""Campaigns in PostgreSQL: the version in force, the versions before, top-ups.  Who may change what: lifecycle.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, Self, TypeAlias

import asyncpg
import orjson

from gateway.database.pool import Connection, named_statements
from promotions.campaigns.campaign import Campaign, Status
from promotions.campaigns.document import to_json

SQL: Final = named_statements("promotions.campaigns", "campaigns.sql")
VERSION_MAX: Final = 2**31 - 1

Database: TypeAlias = asyncpg.Pool | Connection


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of a campaign as a whole, in fen and in redemptions; None is no limit."""

    budget_fen: int | None
    budget_per_day_fen: int | None
    count: int | None
    count_per_day: int | None

    @property
    def has_slices(self) -> bool:
        """Whether what is taken is counted in slices (promotions.budget)."""
        return not (self.budget_fen is self.budget_per_day_fen is self.count is self.count_per_day is None)


@dataclass(frozen=True, slots=True)
class StoredCampaign:
    """A campaign's row.  `written` is the document of the version in force; top-ups since stand in `caps` only.

    `version` counts what was written, `revision` every change.
    """

    id: str
    status: Status
    version: int
    revision: int
    written: Mapping[str, Any]
    caps: Caps
    slices: int
    timezone: str
    starts_at: datetime | None
    ends_at: datetime | None
    created_at: datetime
    updated_at: datetime
    activated_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, record: asyncpg.Record) -> Self:
        """From the columns of `campaigns`."""
        caps = Caps(*[record[name] for name in ("budget", "budget_per_day", "count", "count_per_day")])
        same = ("slices", "timezone", "starts_at", "ends_at", "created_at", "updated_at", "activated_at", "ended_at")
        return cls(
            record["id"],
            Status(record["status"]),
            record["version"],
            record["revision"],
            orjson.loads(record["document"]),
            caps,
            *[record[name] for name in same],
        )

    @property
    def document(self) -> dict[str, Any]:
        """The document with the budget as it is after top-ups: what can be written again."""
        return {**self.written, "limits": {**self.written["limits"], "budget": self.caps.budget_fen}}


class StoredVersion(NamedTuple):
    """A version as it was written."""

    version: int
    document: Mapping[str, Any]
    created_at: datetime


async def create(connection: Connection, campaign: Campaign) -> StoredCampaign:
    """Write a draft."""
    return await _written(connection, "create", campaign)


async def save(connection: Connection, campaign: Campaign) -> StoredCampaign:
    """Write the next version of a campaign that is held."""
    return await _written(connection, "edit", campaign)


async def find(database: Database, campaign_id: str) -> StoredCampaign | None:
    """None where there is no such campaign."""
    record = await database.fetchrow(SQL["find"], campaign_id)
    return None if record is None else StoredCampaign.of(record)


async def hold(connection: Connection, campaign_id: str) -> StoredCampaign | None:
    """The same, and nobody else changes it or grants of its budget until the transaction ends."""
    record = await connection.fetchrow(SQL["hold"], campaign_id)
    return None if record is None else StoredCampaign.of(record)


async def page(
    database: Database, limit: int, *, below: str | None = None, status: Status | None = None, name: str | None = None
) -> Sequence[StoredCampaign]:
    """The newest first, of a status, with `name` in their name; those below an id, where it is given."""
    return [StoredCampaign.of(record) for record in await database.fetch(SQL["list"], below, status, name, limit)]


async def history(
    database: Database, campaign_id: str, limit: int, *, below: int | None = None
) -> Sequence[StoredVersion]:
    """A campaign's versions, the newest first; those below a version, where it is given."""
    records = await database.fetch(SQL["versions"], campaign_id, below, limit)
    return [
        StoredVersion(record["version"], orjson.loads(record["document"]), record["created_at"]) for record in records
    ]


async def set_status(connection: Connection, campaign_id: str, status: Status) -> StoredCampaign:
    """Put a campaign that is held into another status; takes effect with the commit."""
    record = await connection.fetchrow(SQL["set_status"], campaign_id, status)
    assert record is not None, "it is held"
    return StoredCampaign.of(record)


async def await_takers(connection: Connection, campaign_id: str) -> None:
    """Wait for the payments that are just taking of a campaign; the next ones wait for this transaction, and see it.

    Payments lock their slices before they look at the campaign (the guards in PostgreSQL).
    """
    await connection.execute(SQL["hold_slices"], campaign_id)


async def topped_up_by(connection: Connection, campaign_id: str, key: str) -> int | None:
    """How much (fen) the top-up of that key added to a campaign that is held; None where there was none."""
    amount: int | None = await connection.fetchval(SQL["find_top_up"], campaign_id, key)
    return amount


async def add_to_budget(connection: Connection, campaign_id: str, key: str, amount_fen: int) -> StoredCampaign:
    """Raise the budget of a campaign that is held, under a key that was not used for it."""
    record = await connection.fetchrow(SQL["top_up"], campaign_id, key, amount_fen)
    assert record is not None, "it is held"
    return StoredCampaign.of(record)


async def _written(connection: Connection, statement: str, campaign: Campaign) -> StoredCampaign:
    limits = campaign.limits
    record = await connection.fetchrow(
        SQL[statement],
        campaign.id,
        orjson.dumps(to_json(campaign)).decode(),
        limits.budget_fen,
        limits.budget_per_day_fen,
        limits.count,
        limits.count_per_day,
        campaign.slices,
        campaign.timezone.key,
        campaign.starts_at,
        campaign.ends_at,
    )
    assert record is not None
    return StoredCampaign.of(record)
