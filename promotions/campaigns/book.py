"""The campaigns in force in this process: read from PostgreSQL after every change, only what has changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import asyncpg
import orjson

from gateway.database.pool import named_statements
from promotions.campaigns.campaign import Campaign, Status
from promotions.campaigns.document import CampaignError, read
from promotions.campaigns.matching import CampaignSet

__all__ = ["CampaignBook", "CampaignSet"]

SQL: Final = named_statements("promotions.campaigns", "book.sql")
READ_AT_ONCE: Final = 1_000
"""Documents in one answer: ten thousand would not come within a statement's time on a slow day."""

_log: Final = logging.getLogger("mashang.campaigns")


class CampaignBook:
    """One per process; `reload` is told of every change of the directory (RevisionWatch).

    `current` is replaced, never changed: whoever prices a payment takes it once.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._fingerprint: str | None = None
        self._revisions: Mapping[str, int] = {}
        self._reading = asyncio.Lock()
        self._asked = 0
        self._answered = 0
        self._rebuilding: asyncio.Task[None] | None = None
        self.current = CampaignSet()

    async def reload(self) -> None:
        """Take over what has changed since the last time; whoever asks while others wait is answered with them."""
        self._asked = asked = self._asked + 1
        async with self._reading:
            if self._answered >= asked:
                return
            answering = self._asked
            await self._read()
            self._answered = answering

    async def _read(self) -> None:
        fingerprint = await self._pool.fetchval(SQL["fingerprint"])
        if fingerprint == self._fingerprint:
            return
        records = await self._pool.fetch(SQL["revisions"])
        revisions: dict[str, int] = {record["id"]: record["revision"] for record in records}
        before = self._revisions
        changed = [each for each, revision in revisions.items() if before.get(each) != revision]
        gone = [each for each in before if each not in revisions]
        rows = [row for at in range(0, len(changed), READ_AT_ONCE) for row in await self._rows(changed, at)]
        self.current = await asyncio.to_thread(_followed, self.current, [*gone, *changed], rows)
        self._revisions, self._fingerprint = revisions, fingerprint
        if self.current.is_ragged and (self._rebuilding is None or self._rebuilding.done()):
            self._rebuilding = asyncio.create_task(self._rebuild())
        _log.info("campaigns in force", extra={"campaigns": len(revisions), "changed": len(changed), "gone": len(gone)})

    async def _rebuild(self) -> None:
        """Build the index anew while the present one serves: neither a payment nor a revoked key waits for it."""
        before = self.current
        rebuilt = await asyncio.to_thread(before.rebuilt)
        async with self._reading:
            self.current = await asyncio.to_thread(lambda: rebuilt.replaced(before.changes_to(self.current)))

    async def _rows(self, changed: Sequence[str], at: int) -> Sequence[asyncpg.Record]:
        rows: Sequence[asyncpg.Record] = await self._pool.fetch(SQL["some"], changed[at : at + READ_AT_ONCE])
        return rows


def _followed(current: CampaignSet, changed: Sequence[str], rows: Sequence[asyncpg.Record]) -> CampaignSet:
    """The set that follows; a campaign that cannot be read takes no other with it: it is left out."""
    campaigns: dict[str, Campaign | None] = dict.fromkeys(changed)
    for row in rows:
        try:
            campaigns[row["id"]] = _campaign(row)
        except (CampaignError, ValueError) as error:
            _log.error(
                "a campaign cannot be read and gives nothing",
                extra={"campaign": row["id"], "version": row["version"], "reason": str(error)},
            )
    return current.replaced(campaigns)


def _campaign(row: asyncpg.Record) -> Campaign:
    """Raises CampaignError, and ValueError for what is no JSON to us."""
    campaign = read(
        orjson.loads(row["document"]), campaign_id=row["id"], version=row["version"], status=Status(row["status"])
    )
    limits = replace(
        campaign.limits,
        budget_fen=row["budget"],
        budget_per_day_fen=row["budget_per_day"],
        count=row["count"],
        count_per_day=row["count_per_day"],
    )
    return replace(campaign, limits=limits, slices=row["slices"])
