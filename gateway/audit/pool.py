"""What the pool in Valkey has beside PostgreSQL: how much is stranded, and how much Valkey would promise in vain.

Neither is a mismatch: PostgreSQL guards every limit again, and the worker puts slices right every few seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
import redis.asyncio as redis
from redis.exceptions import RedisError

from gateway.database.pool import named_statements
from gateway.database.valkey_address import Address, client_of, close
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


async def survey_pool(connection: asyncpg.Connection, redis_url: str) -> PoolTally | None:
    """Compare slice by slice; None where Valkey does not answer, or is a cluster."""
    address = Address.of(redis_url)
    if address.is_cluster:
        return None
    tally = PoolTally(await connection.fetchval(_SQL["epoch"]))
    rows = await connection.fetch(_SQL["present_slices"])
    client = client_of(address, _TIMEOUT_S)
    try:
        for start in range(0, len(rows), _AT_ONCE):
            await _add(client, rows[start : start + _AT_ONCE], tally)
    except (RedisError, OSError, ValueError):
        return None
    finally:
        await close(client)
    return tally


async def _add(client: redis.Redis, rows: Sequence[asyncpg.Record], tally: PoolTally) -> None:
    pipeline = client.pipeline(transaction=False)
    for row in rows:
        pipeline.hgetall(place_of(Slice(row["campaign_id"], row["day"], row["slice"]), tally.epoch).key)
    for row, fields in zip(rows, await pipeline.execute(), strict=True):
        if fields and row["room"] is not None:
            tally.add(Kept.of(fields), row["room"])
