"""The holders of the keys in use, kept in memory so that authentication costs no query; emptied with every change."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN, database_away
from gateway.kernel.errors import NotAuthenticated, NotPermitted
from gateway.kernel.secrets import secret_hash
from gateway.merchants.store import KeyHolder, Scope, find_holder

_KEPT_MAX: Final = 20_000
_KEY_LENGTH_MAX: Final = 128


class Directory:
    """Answers who presents a bearer key.  Unknown keys are remembered too, so that guessing costs no query either."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._holders: OrderedDict[bytes, KeyHolder] = OrderedDict()
        self._unknown: OrderedDict[bytes, None] = OrderedDict()  # apart, so that guessing does not push out a holder
        self._generation = 0

    async def forget(self) -> None:
        """Something changed: ask the database again for everyone."""
        self._holders.clear()
        self._unknown.clear()
        self._generation += 1

    async def authenticate(self, authorization: str | None, scope: Scope) -> KeyHolder:
        """Raises NotAuthenticated without a valid key, NotPermitted where the key lacks the scope."""
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret or len(secret) > _KEY_LENGTH_MAX:
            raise NotAuthenticated("missing_key", "Send your key as: Authorization: Bearer sk_…")
        holder = await self._find(secret_hash(secret))
        if holder is None:
            raise NotAuthenticated("invalid_key", "This key is unknown or revoked.")
        if scope not in holder.scopes:
            raise NotPermitted("scope_missing", f"This key may not do that: it lacks the scope “{scope}”.")
        return holder

    async def _find(self, hashed: bytes) -> KeyHolder | None:
        if (known := self._holders.get(hashed)) is not None or hashed in self._unknown:
            return known
        generation = self._generation
        try:
            holder = await find_holder(self._pool, hashed)
        except BROKEN:
            raise database_away() from None
        if generation == self._generation:  # what was read before a change must not outlive it
            if holder is None:
                self._unknown[hashed] = None
            else:
                self._holders[hashed] = holder
            for kept in (self._holders, self._unknown):
                if len(kept) > _KEPT_MAX:
                    kept.popitem(last=False)
        return holder
