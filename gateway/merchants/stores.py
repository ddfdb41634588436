"""Stores of merchants; and in memory, for every payment, what campaigns and risk rules look at of where it is made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from gateway.database.batches import BROKEN, database_away
from gateway.database.pool import named_statements
from gateway.merchants.changes import MerchantChanges
from gateway.merchants.remembered import Remembered
from gateway.merchants.store import Database

SQL: Final = named_statements("gateway.merchants", "stores.sql")
STORE_ID_LENGTH_MAX: Final = 32
_KEPT_MAX: Final = 100_000
"""Places, some 400 bytes each."""


class Store(NamedTuple):
    """A merchant's store under the id that its tills send; what is None is as the merchant's.

    Where it lies is in degrees (WGS 84), both or neither.
    """

    store_id: str
    name: str | None = None
    category: str | None = None
    region: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class Place(NamedTuple):
    """Where a payment is made.  `customer_realm` is what its customers' ids belong to: a realm, or the merchant.

    `since` is when the merchant was made known; `risk_open_amount_max` what it takes (fen) while what the risk check
    looks at is away, None for any amount.  Latitude and longitude are the store's.
    """

    customer_realm: str
    category: str | None
    region: str | None
    since: datetime | None = None
    risk_tier: str | None = None
    risk_open_amount_max: int | None = None
    latitude: float | None = None
    longitude: float | None = None


async def list_stores(database: Database, merchant_id: str, limit: int, *, after: str | None = None) -> Sequence[Store]:
    """A merchant's stores by id; those after one, where it is given."""
    return [Store(*record) for record in await database.fetch(SQL["list"], merchant_id, after, limit)]


async def find_store(database: Database, merchant_id: str, store_id: str) -> Store | None:
    """None where it is not known."""
    record = await database.fetchrow(SQL["find"], merchant_id, store_id)
    return None if record is None else Store(*record)


async def put_stores(database: Database, merchant_id: str, stores: Sequence[Store]) -> None:
    """Write stores, each once, over what is known of them.  Raises asyncpg.ForeignKeyViolationError."""
    columns = [[store[number] for store in stores] for number in range(len(Store._fields))]
    await database.execute(SQL["put"], merchant_id, *columns)


async def delete_store(database: Database, merchant_id: str, store_id: str) -> bool:
    """False where it was not known."""
    status = await database.execute(SQL["delete"], merchant_id, store_id)
    return str(status) == "DELETE 1"


class StoreBook:
    """Where payments are made, kept in memory: the places in use, the oldest forgotten beyond a bound.

    `reload` is told of every change in the directory (RevisionWatch), and forgets the places of merchants that changed.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._changes = MerchantChanges(pool)
        self._places = Remembered[tuple[str, str | None], Place](_KEPT_MAX)
        self._generation = 0

    async def get(self, merchant_id: str, store_id: str | None) -> Place:
        """The place of a merchant's store, known or not.  Raises Unavailable where it has to be read and cannot be."""
        found = self._places.get((merchant_id, store_id))
        return await self._read(merchant_id, store_id) if found is None else found

    async def reload(self) -> None:
        """Forget what may have changed."""
        changed = await self._changes.read()
        if changed is None or changed:
            self._places.forget(changed)
            self._generation += 1

    async def _read(self, merchant_id: str, store_id: str | None) -> Place:
        generation = self._generation
        try:
            record = await self._pool.fetchrow(SQL["place"], merchant_id, store_id)
        except BROKEN:
            raise database_away() from None
        place = Place(merchant_id, None, None) if record is None else Place(*record)
        if generation == self._generation:  # what was read before a change must not outlive it
            self._places.keep((merchant_id, store_id), place, merchant_id)
        return place
