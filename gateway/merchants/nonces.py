"""Nonces of signed requests: none is taken twice within its window, by any process while Valkey answers.

Without Valkey each process remembers its own; a replay to another one is then still bound by the order numbers (I5).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final

from redis.exceptions import RedisError

from gateway.database.valkey import Valkey, ValkeyAway
from gateway.merchants.signatures import SKEW_S_MAX

WINDOW_S: Final = 2 * SKEW_S_MAX
"""A timestamp may lie 300 s ahead, so its nonce has to be remembered until 300 s after that."""
_KEPT_MAX: Final = 100_000


class Nonces:
    """One per process."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._own: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def spend(self, key_id: str, nonce: str) -> bool:
        """False where this key has used the nonce within the window."""
        if not self._is_new_here(key_id, nonce):
            return False
        try:
            taken = await self._valkey.call("SET", f"nonce:{{{key_id}}}:{nonce}", 1, "NX", "EX", WINDOW_S)
        except (ValkeyAway, RedisError):
            return True
        return taken is not None

    def _is_new_here(self, key_id: str, nonce: str) -> bool:
        now = time.monotonic()
        while self._own and (len(self._own) > _KEPT_MAX or next(iter(self._own.values())) < now - WINDOW_S):
            self._own.popitem(last=False)
        if (key_id, nonce) in self._own:
            return False
        self._own[key_id, nonce] = now
        return True
