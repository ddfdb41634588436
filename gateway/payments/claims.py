"""Claims order numbers in Valkey, so that duplicates wait for the first one instead of working twice.

A claim is only an early answer: the unique order number in PostgreSQL decides.  Without Valkey every request goes on.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.exceptions import RedisError

from gateway.database.valkey import Valkey, ValkeyAway
from gateway.kernel.metrics import CLAIMS
from gateway.kernel.values import value
from risk.velocity.calling import Claim


@value
class Claiming:
    """A claim on its way; `answer` is None where Valkey cannot be asked."""

    claim: Claim
    answer: asyncio.Future[Any] | None

    @property
    def payment_id(self) -> str:
        """Who is to hold it."""
        return self.claim.holder


class Claims:
    """One claim per (merchant, order number), owned by a payment id, gone after `ttl_s`."""

    def __init__(self, valkey: Valkey, ttl_s: float) -> None:
        self._valkey = valkey
        self._ttl_ms = int(ttl_s * 1000)

    async def claim(self, merchant_id: str, merchant_order_no: str, payment_id: str) -> bool:
        """False where another payment holds the number now; True where we do, and also where Valkey cannot tell."""
        return await self.won(self.begin(merchant_id, merchant_order_no, payment_id))

    def begin(self, merchant_id: str, merchant_order_no: str, payment_id: str) -> Claiming:
        """Send it.  Returns at once: whatever is sent to Valkey next finds out whose the number is."""
        key = _key(merchant_id, merchant_order_no)
        try:
            answer = self._valkey.submit(key, ("SET", key, payment_id, "NX", "GET", "PX", self._ttl_ms))
        except ValkeyAway:
            return Claiming(Claim(key, payment_id), None)
        return Claiming(Claim(key, payment_id), answer)

    async def won(self, claiming: Claiming) -> bool:
        """What `claim` says of one that was sent."""
        try:
            holder = None if claiming.answer is None else await claiming.answer
        except (ValkeyAway, RedisError):
            claiming = Claiming(claiming.claim, None)
        if claiming.answer is None:
            CLAIMS.labels("away").inc()
            return True
        won = holder is None or holder == claiming.payment_id.encode()
        CLAIMS.labels("won" if won else "lost").inc()
        return won

    async def release(self, merchant_id: str, merchant_order_no: str, payment_id: str) -> None:
        """Free the number, for a request that was refused before it was bound; only the owner can."""
        try:
            await self._valkey.script("release_claim", [_key(merchant_id, merchant_order_no)], [payment_id])
        except (ValkeyAway, RedisError):
            CLAIMS.labels("away").inc()


def _key(merchant_id: str, merchant_order_no: str) -> str:
    return f"claim:{{{merchant_id}:{merchant_order_no}}}"
