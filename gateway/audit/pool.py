"""What the pool in Valkey has beside PostgreSQL: how much is stranded, and how much Valkey would promise in vain.

Neither is a mismatch: PostgreSQL guards every limit again, and the worker puts slices right every few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import asyncpg
from redis.exceptions import RedisError

from gateway.database.pool import named_statements
from gateway.database.valkey_address import Address, client_of, close
from gateway.database.valkey_cluster import Cluster
from gateway.database.valkey_line import ValkeyAway
from promotions.budget.lanes import Slice, place_of
from promotions.budget.reconciling import Kept

_SQL: Final = named_statements("gateway.audit", "statements.sql")
_AT_ONCE: Final = 500
_TIMEOUT_S: Final = 5.0


@dataclass(slots=True)
class PoolTally:
    """Slices of the present days that are in Valkey.  `stranded_fen` PostgreSQL has and Valkey does not; `ahead_fen`
    is the other way round."""

    epoch: int
    slices: int = 0
    left_fen: int = 0
    reserved_fen: int = 0
    stranded_fen: int = 0
    ahead_fen: int = 0

    def add(self, kept: Kept, room_fen: int) -> None:
        """One slice, of which PostgreSQL has so much left."""
        left, reserved = int(kept.left or 0), sum(each.fen for each in kept.open)
        self.slices += 1
        self.left_fen += left
        self.reserved_fen += reserved
        self.stranded_fen += max(0, room_fen - left - reserved)
        self.ahead_fen += max(0, left + reserved - room_fen)


Hashes: TypeAlias = list[Mapping[bytes, bytes]]
Reader: TypeAlias = Callable[[Sequence[str]], Awaitable[Hashes]]
"""The hashes under some keys, in their order; empty where there is none."""


async def survey_pool(connection: asyncpg.Connection, redis_url: str) -> PoolTally | None:
    """Compare slice by slice; None where Valkey does not answer, in a cluster where one of its nodes does not."""
    tally = PoolTally(await connection.fetchval(_SQL["epoch"]))
    rows = await connection.fetch(_SQL["present_slices"])
    try:
        async with _reading(Address.of(redis_url)) as read:
            for start in range(0, len(rows), _AT_ONCE):
                await _add(read, rows[start : start + _AT_ONCE], tally)
    except (RedisError, ValkeyAway, OSError, ValueError):
        return None
    return tally


@asynccontextmanager
async def _reading(address: Address) -> AsyncIterator[Reader]:
    if address.is_cluster:
        cluster = Cluster(address, _TIMEOUT_S)

        async def read_each(keys: Sequence[str]) -> Hashes:
            found: Hashes = await asyncio.gather(*[cluster.submit(key, ("HGETALL", key)) for key in keys])
            return found

        try:
            yield read_each
        finally:
            await cluster.aclose()
        return
    client = client_of(address, _TIMEOUT_S)

    async def read(keys: Sequence[str]) -> Hashes:
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.hgetall(key)
        found: Hashes = await pipeline.execute()
        return found

    try:
        yield read
    finally:
        await close(client)


async def _add(read: Reader, rows: Sequence[asyncpg.Record], tally: PoolTally) -> None:
    keys = [place_of(Slice(row["campaign_id"], row["day"], row["slice"]), tally.epoch).key for row in rows]
    for row, fields in zip(rows, await read(keys), strict=True):
        if fields and row["room"] is not None:
            tally.add(Kept.of(fields), row["room"])
