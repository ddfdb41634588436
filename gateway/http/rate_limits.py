"""Bounds how often somebody without a key may call: so many times in a window, over all processes by Valkey.

Without Valkey every process counts for itself: the bound is then that much higher, and nobody is refused for its sake.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from redis.exceptions import RedisError

from gateway.database.valkey import Valkey, ValkeyAway
from gateway.kernel.errors import RateLimited
from gateway.kernel.metrics import REFUSED

_KEPT_MAX: Final = 50_000


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` in each window of `window_s`; `name` stands in the metrics and before the keys."""

    name: str
    calls: int
    window_s: float


class RateLimits:
    """One per process."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._own: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def admit(self, limit: Limit, who: str) -> None:
        """Count one more call of `who` (an address, a token).  Raises RateLimited beyond the limit."""
        count, left_s = await self._count(limit, who)
        if count > limit.calls:
            REFUSED.labels("rate_limit").inc()
            wait_s = max(1, math.ceil(left_s))
            raise RateLimited("too_many_requests", f"Too many requests: wait {wait_s} s.", retry_after_s=wait_s)

    async def allows(self, limit: Limit, who: str) -> bool:
        """Count one more call of `who`; False beyond the limit, for callers that can do without it."""
        count, _ = await self._count(limit, who)
        return count <= limit.calls

    async def _count(self, limit: Limit, who: str) -> tuple[int, float]:
        """The calls in this window, and the seconds that are left of it."""
        key = f"rate:{{{limit.name}:{who}}}"
        try:
            count, left_ms = await self._valkey.script("count_window", [key], [int(limit.window_s * 1000)])
        except (ValkeyAway, RedisError):
            return self._count_here(key, limit.window_s)
        return count, max(0, left_ms) / 1000

    def _count_here(self, key: str, window_s: float) -> tuple[int, float]:
        now = time.monotonic()
        count, ends = self._own.pop(key, (0, now + window_s))
        if ends <= now:
            count, ends = 0, now + window_s
        self._own[key] = (count + 1, ends)
        if len(self._own) > _KEPT_MAX:
            self._own.popitem(last=False)
        return count + 1, ends - now


def client_address(request: Request, trusted_proxies: int) -> str:
    """The caller's address; behind so many proxies of our own, what the outermost of them wrote to X-Forwarded-For.

    An IPv6 caller counts as its /64, which one subscriber has whole.
    """
    address = request.client.host if request.client is not None else "unknown"
    if trusted_proxies:
        hops = [hop.strip() for value in request.headers.getlist("x-forwarded-for") for hop in value.split(",")]
        address = hops[-trusted_proxies] if len(hops) >= trusted_proxies else address
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((found, 64), strict=False).network_address)
    return str(found)
