"""Payments with discounts as tills see them, and their judges: who was refused too early, and where every fen is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import asyncpg
from redis.exceptions import RedisError

from gateway.database.valkey import Valkey, ValkeyAway
from promotions.budget.beating import Heart
from promotions.budget.lanes import Slice, place_of
from tests.support.audits import audit_here
from tests.support.book import ClientBook
from tests.support.channels import Simulators
from tests.support.load import Sale
from tests.support.manager import Manager
from tests.support.rows import settings
from tests.support.waiting import eventually

OFF_FEN: Final = 500
"""What ANY_PAYMENT gives from 20.00 on."""
_CHECKS: Final = ("I4.slices", "I4.budget", "I4.discount", "I9.funding")


class Money(NamedTuple):
    """A campaign's budget as the admin API shows it, in fen."""

    total: int
    spent: int
    held: int
    left: int
    returned: int


class InValkey(NamedTuple):
    """A slice as Valkey has it: fen left (None: it is not there, or not limited) and reservations that are open."""

    left_fen: int | None
    open: int


async def money_of(manager: Manager, campaign_id: str) -> Money:
    """Where a campaign's money is; every fen is somewhere."""
    shown = (await manager.client.get(f"/admin/v1/campaigns/{campaign_id}")).json()["budget"]
    money = Money(*(shown[name] for name in ("total", "spent", "held", "left", "returned_to_sponsor")))
    assert money.total == sum(money[1:]), shown
    assert min(money) >= 0, shown
    return money


def got_it(sale: Sale) -> bool:
    """Whether a sale was paid with a discount."""
    return sale.payment["status"] == "succeeded" and sale.payment["discount"] > 0


def refused_too_early(sales: Sequence[Sale]) -> list[str]:
    """Payments that ended without a discount before the last one that got it had begun: it was still to be had then.

    Of sales that all could have had the same discount, none of which gave it back.  Each with how much too early.
    """
    last_began_s = max(sale.began_s for sale in sales if got_it(sale))
    early = [(last_began_s - sale.ended_s, sale.payment["id"]) for sale in sales if not got_it(sale)]
    return [f"{payment_id}: {by_s:.3f} s" for by_s, payment_id in early if by_s > 0]


_PATIENCE_S: Final = 2.0
"""A look of a test's at Valkey; a payment gives it much less."""


@dataclass(frozen=True, slots=True)
class PoolView:
    """Looks into both stores of a running stack: what the pool has in Valkey, beside PostgreSQL."""

    database_url: str
    database: asyncpg.Connection
    valkey: Valkey

    @classmethod
    @asynccontextmanager
    async def opened(cls, database_url: str, redis_url: str) -> AsyncIterator[Self]:
        """Until the block ends."""
        patient = settings(database_url, redis_url, redis_timeout_s=_PATIENCE_S)
        valkey, database = Valkey(patient), await asyncpg.connect(database_url)
        try:
            yield cls(database_url, database, valkey)
        finally:
            await database.close()
            await valkey.aclose()

    async def epoch(self) -> int:
        """PostgreSQL's."""
        return int(await self.database.fetchval("SELECT epoch FROM pool_state"))

    async def generation(self) -> int:
        """The seconds that the workers have counted."""
        return int(await self.database.fetchval("SELECT generation FROM pool_state"))

    async def in_valkey(self, campaign_id: str) -> list[InValkey]:
        """Each slice of the campaign's last day, under the present epoch."""
        hashes = [await self.valkey.call("HGETALL", key) for key in await self._keys(campaign_id)]
        return [_in_valkey(fields) for fields in hashes]

    async def is_right(self, campaign_id: str) -> bool:
        """Whether Valkey has in every slice what PostgreSQL has left, and nothing reserved."""
        rooms = [InValkey(row["left"], 0) for row in await self._slices(campaign_id)]
        try:
            return bool(rooms) and await self.in_valkey(campaign_id) == rooms
        except (ValkeyAway, RedisError):
            return False

    async def until_right(self, campaign_id: str, timeout_s: float = 20) -> None:
        """Wait until it is."""
        await eventually(lambda: self.is_right(campaign_id), timeout_s)

    async def lie(self, campaign_id: str, fen: int) -> None:
        """Valkey believes from now on that each slice has so much left."""
        for key in await self._keys(campaign_id):
            await self.valkey.call("HSET", key, "left", str(fen))

    async def hasten(self, generations: int) -> None:
        """The pool's time goes by heartbeats: let it beat so many times at once, instead of once a second."""
        async with asyncpg.create_pool(self.database_url, min_size=1, max_size=1) as connections:
            heart = Heart(connections, self.valkey)
            until = await self.generation() + generations
            while await self.generation() < until:
                await self.database.execute("UPDATE pool_state SET beaten_at = 'epoch'")
                await heart.beat()

    async def redemptions(self, campaign_id: str) -> list[asyncpg.Record]:
        """What was taken of it, whatever became of the payment."""
        return list(await self.database.fetch("SELECT * FROM redemptions WHERE campaign_id = $1", campaign_id))

    async def _keys(self, campaign_id: str) -> list[str]:
        epoch = await self.epoch()
        slices = [Slice(campaign_id, row["day"], row["slice"]) for row in await self._slices(campaign_id)]
        return [place_of(each, epoch).key for each in slices]

    async def _slices(self, campaign_id: str) -> list[asyncpg.Record]:
        query = (
            "SELECT day, slice, granted - used AS left FROM campaign_slices s WHERE campaign_id = $1"
            " AND day = (SELECT max(day) FROM campaign_slices WHERE campaign_id = $1) ORDER BY slice"
        )
        return list(await self.database.fetch(query, campaign_id))


async def all_books_agree(database_url: str, simulators: Simulators, book: ClientBook, *more: str) -> Mapping[str, Any]:
    """The audit agrees, and it has compared discounts, budgets and whatever checks are named."""
    report = await audit_here(database_url, simulators, book)
    compared = {check["name"]: check["compared"] for check in report["checks"]}
    assert [name for name in (*_CHECKS, *more) if not compared[name]] == [], compared
    return report


def _in_valkey(fields: Mapping[bytes, bytes]) -> InValkey:
    left = fields.get(b"left")
    return InValkey(None if left is None else int(left), sum(name.startswith(b"o") for name in fields))
