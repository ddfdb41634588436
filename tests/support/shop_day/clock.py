"""Lets time pass for one payment at the gateway; the channels' clocks go on as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import asyncpg

_EXPIRED: Final = "UPDATE payments SET expires_at = expires_at - $2 WHERE id = $1"
_HOLD: Final = "SELECT FROM payments WHERE id = $1 FOR UPDATE"
_QUEUED: Final = (
    "SELECT FROM refunds WHERE payment_id = $1 AND status = 'pending' AND asked_at IS NULL"
    " AND next_at > now() + interval '1 s'"
)
_RESTED: Final = (
    "UPDATE refunds SET next_at = next_at - $2, asked_at = asked_at - $2, last_asked_at = last_asked_at - $2"
    " WHERE payment_id = $1"
)
_LOOK: Final = "UPDATE recovery_tasks SET next_at = least(next_at, now()) WHERE payment_id = $1"


@dataclass(frozen=True, slots=True)
class Clock:
    """Moves what is written of a payment into the past."""

    pool: asyncpg.Pool

    async def let_it_expire(self, payment_id: str) -> None:
        """The till's time for a bar code payment is over."""
        await self._pass(payment_id, 120, _EXPIRED)

    async def let_refunds_rest(self, payment_id: str) -> None:
        """Where a refund waits for its turn, a minute has passed since the one before it."""
        if await self.pool.fetchrow(_QUEUED, payment_id) is not None:
            await self._pass(payment_id, 61, _RESTED)

    async def look_now(self, payment_id: str) -> None:
        """Whatever the worker has put off for this payment is due now."""
        await self.pool.execute(_LOOK, payment_id)

    async def _pass(self, payment_id: str, seconds: float, statement: str) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(_HOLD, payment_id)  # as the worker does before it plans the next look
            await connection.execute(statement.replace("- $2", "- make_interval(secs => $2)"), payment_id, seconds)
            await connection.execute(_LOOK, payment_id)
