"""The pool's heartbeat, raised by a worker once a second, and the fence where Valkey shows signs of a loss."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from redis.exceptions import RedisError

from gateway.database.valkey import Valkey, ValkeyAway
from gateway.kernel.metrics import POOL_FENCES
from promotions.budget.asking import SCRIPTS
from promotions.budget.epochs import BEHIND_MAX, Beat, PoolState, Sign, sign_of
from promotions.budget.lanes import LANES, beat_key
from promotions.budget.loading import SQL, state_of

_log: Final = logging.getLogger("mashang.pool")


@dataclass(frozen=True, slots=True)
class Found:
    """What a lane had before its heartbeat was raised, and the server that has the lane."""

    before: Beat | None
    run_id: bytes

    def sign(self, seen: int, state: PoolState) -> Sign | None:
        """Of a loss; `seen` is the generation that this worker knows the lane to have had (0: none)."""
        if self.before is None:
            return Sign.LOST if state.generation > 1 else None
        if self.before.epoch != state.epoch:
            return None  # nothing stands under this epoch in this lane yet
        known = Beat(seen, self.run_id, state.epoch)
        return sign_of(self.before, known, state.generation)


class Heart:
    """One per worker; `beat` writes what no other worker has written this second."""

    def __init__(self, pool: asyncpg.Pool, valkey: Valkey) -> None:
        self._pool = pool
        self._valkey = valkey
        self._seen = [0] * LANES
        self._epoch = 0

    async def state(self) -> PoolState:
        """The epoch and the generation."""
        return await state_of(self._pool)

    async def beat(self) -> PoolState | None:
        """Raise the generation in PostgreSQL and then in every lane; with a new epoch where one is called for.

        None where another worker has done so this second.
        """
        row = await self._pool.fetchrow(SQL["beat"])
        if row is None:
            return None
        state = PoolState(*row)
        sign = await self._raise(state, may_be_missing=state.generation == 1)
        return state if sign is None else await self._fence(state, sign)

    async def _fence(self, state: PoolState, sign: Sign) -> PoolState:
        epoch = await self._pool.fetchval(SQL["fence"], state.epoch, sign.value)
        if epoch is None:
            return await self.state()
        _log.warning("the budget pool begins anew", extra={"epoch": epoch, "reason": sign.value})
        POOL_FENCES.labels(sign.value).inc()
        fenced = PoolState(epoch, state.generation)
        await self._raise(fenced, may_be_missing=True)
        return fenced

    async def _raise(self, state: PoolState, *, may_be_missing: bool) -> Sign | None:
        """The first sign of a loss in any lane; lanes whose server does not answer show none."""
        if state.epoch != self._epoch:
            self._epoch, self._seen = state.epoch, [0] * LANES
        arguments = [state.generation, state.epoch, BEHIND_MAX, int(may_be_missing)]
        found = await asyncio.gather(*(self._raise_lane(lane, arguments) for lane in range(LANES)))
        signs = [self._sign(lane, each, state, may_be_missing) for lane, each in enumerate(found) if each is not None]
        return next((sign for sign in signs if sign is not None), None)

    def _sign(self, lane: int, found: Found, state: PoolState, may_be_missing: bool) -> Sign | None:
        sign = None if may_be_missing and found.before is None else found.sign(self._seen[lane], state)
        if sign is None:
            self._seen[lane] = max(state.generation, 0 if found.before is None else found.before.generation)
        return sign

    async def _raise_lane(self, lane: int, arguments: Sequence[Any]) -> Found | None:
        try:
            before, run_id = await self._valkey.script(SCRIPTS["beat"], [beat_key(lane)], arguments)
        except (ValkeyAway, RedisError):
            return None
        return Found(Beat.of(before), run_id)
