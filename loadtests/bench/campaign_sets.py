"""The campaigns that are in force while the gateway is measured: none, one that every payment draws from, or a hundred.

They are set up and switched as a manager does it: drafted and activated, then paused and resumed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import Any, Final

import asyncpg

from gateway.devstack.ready import ReadyFile
from loadtests.traffic.market import campaigns_of
from promotions.campaigns import lifecycle
from promotions.campaigns.campaign import Allowance, Campaign, CouponReward, Limits
from promotions.campaigns.document import CampaignError, parse, to_json
from promotions.campaigns.lifecycle import Step

_FOLLOWED_S: Final = 1.5
"""Every process looks for changes several times a second."""
_MERCHANT: Final = "'mer_0'"
"""One of the market's merchants stands for the one whose till is measured."""
_PLENTY_FEN: Final = 10**14
_PLENTY: Final = 10**8
_DRAWN_FOR_ONE: Final = 1.5
"""So many of the market are drawn that enough are left without those that reward with coupons of others."""
_AT_A_TIME: Final = 100


class InForce(StrEnum):
    """Which campaigns are active."""

    NONE = "none"
    HOT = "hot"
    HUNDRED = "hundred"


HOT: Final[dict[str, Any]] = {
    "name": "hot",
    "benefit": {"type": "amount_off", "tiers": [{"spend": 100, "off": 10}]},
    "limits": {"budget": _PLENTY_FEN},
    "funding": [{"sponsor": "bank", "share": "0.7"}, {"sponsor": "merchant", "share": "0.3"}],
}
"""Every order of the load is of ¥1 at least."""


def campaigns_for(merchant_id: str, number: int = 100) -> list[dict[str, Any]]:
    """So many campaigns of the market, with budgets that last; about as many of them are that merchant's own."""
    documents = (_document(campaign, merchant_id) for campaign in campaigns_of(int(number * _DRAWN_FOR_ONE)))
    return list(islice(filter(_is_sound, documents), number))


def put_in_force(ready: ReadyFile, number: int) -> None:
    """Write so many campaigns and begin them, for good; returns when they are followed."""
    asyncio.run(_begin(ready, campaigns_for(ready.merchant.id, number)))
    time.sleep(_FOLLOWED_S)


def end_all(ready: ReadyFile) -> None:
    """End every campaign that an earlier measurement on the same state left behind."""
    asyncio.run(_end_all(ready.database_url))


async def _end_all(database_url: str) -> None:
    async with _connected(database_url) as connection:
        left = await connection.fetch("SELECT id FROM campaigns WHERE status IN ('active', 'paused')")
    await _end(database_url, [row["id"] for row in left])


async def _begin(ready: ReadyFile, documents: list[dict[str, Any]]) -> None:
    async with _connected(ready.database_url) as connection:
        for first in range(0, len(documents), _AT_A_TIME):
            async with connection.transaction():
                for document in documents[first : first + _AT_A_TIME]:
                    drafted = await lifecycle.draft(connection, document)
                    await lifecycle.take(connection, drafted.id, Step.ACTIVATE)


def _is_sound(document: dict[str, Any]) -> bool:
    """Whether a manager could write it: the market has a few that pricing alone takes."""
    try:
        return not isinstance(parse(document).benefit, CouponReward)
    except CampaignError:
        return False


def _document(campaign: Campaign, merchant_id: str) -> dict[str, Any]:
    lasting = replace(campaign, starts_at=None, ends_at=None, limits=_lasting(campaign.limits))
    document = to_json(lasting)
    return document | {"condition": (document["condition"] or "").replace(_MERCHANT, f"'{merchant_id}'")}


def _lasting(limits: Limits) -> Limits:
    """The same limits, so wide that the load does not reach them."""
    return Limits(
        budget_fen=limits.budget_fen and _PLENTY_FEN,
        budget_per_day_fen=limits.budget_per_day_fen and _PLENTY_FEN,
        count=limits.count and _PLENTY,
        count_per_day=limits.count_per_day and _PLENTY,
        per={
            scope: Allowance(each.lifetime and _PLENTY, each.day and _PLENTY, each.amount_fen, each.amount_per_day_fen)
            for scope, each in limits.per.items()
        },
    )


@dataclass
class CampaignSets:
    """The campaigns of a stack that is measured; one set is in force at a time, at first none."""

    database_url: str
    ids: dict[InForce, Sequence[str]]
    now: InForce = InForce.NONE

    def put_in_force(self, wanted: InForce) -> None:
        """Pause the campaigns of the present set, resume those of the wanted one, and wait until it is followed."""
        if wanted is not self.now:
            asyncio.run(_switch(self.database_url, self.ids[self.now], self.ids[wanted]))
            self.now = wanted
            time.sleep(_FOLLOWED_S)


@contextmanager
def campaign_sets(ready: ReadyFile) -> Iterator[CampaignSets]:
    """Set every campaign up, paused; at the end all have ended."""
    ids = asyncio.run(_set_up(ready))
    try:
        yield CampaignSets(ready.database_url, ids)
    finally:
        asyncio.run(_end(ready.database_url, [each for some in ids.values() for each in some]))


async def _set_up(ready: ReadyFile) -> dict[InForce, Sequence[str]]:
    documents = {InForce.NONE: [], InForce.HOT: [HOT], InForce.HUNDRED: campaigns_for(ready.merchant.id)}
    async with _connected(ready.database_url) as connection:
        return {name: [await _paused(connection, each) for each in some] for name, some in documents.items()}


async def _paused(connection: asyncpg.Connection, document: dict[str, Any]) -> str:
    async with connection.transaction():
        drafted = await lifecycle.draft(connection, document)
        await lifecycle.take(connection, drafted.id, Step.ACTIVATE)
        await lifecycle.take(connection, drafted.id, Step.PAUSE)
    return drafted.id


async def _switch(database_url: str, off: Sequence[str], on: Sequence[str]) -> None:
    async with _connected(database_url) as connection:
        for campaign_id in off:
            async with connection.transaction():
                await lifecycle.take(connection, campaign_id, Step.PAUSE)
        for campaign_id in on:
            async with connection.transaction():
                await lifecycle.take(connection, campaign_id, Step.RESUME)


async def _end(database_url: str, campaign_ids: Sequence[str]) -> None:
    async with _connected(database_url) as connection:
        for campaign_id in campaign_ids:
            async with connection.transaction():
                await lifecycle.take(connection, campaign_id, Step.END)


@asynccontextmanager
async def _connected(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()
