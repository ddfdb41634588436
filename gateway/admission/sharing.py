"""Quotas over several processes: each takes the part of a merchant's quota that it sees of the merchant's traffic.

Twice a second every process tells Valkey how much each merchant with a quota asks of it, and learns how much of the
whole that is; no payment waits for it.  A tenth of the quota is divided evenly, so that a till whose connection moves
to another process is not refused there.  Without Valkey each process goes by the whole quota: the limit is then that
much higher, and nobody is refused for its sake.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Final

from redis.exceptions import RedisError

from gateway.admission.admission import Admission, Standing
from gateway.database.valkey import Valkey, ValkeyAway
from gateway.kernel.ids import new_ulid

INTERVAL_S: Final = 0.5
_LIFETIME_MS: Final = 3_000
_EVEN: Final = 0.1
_SMOOTHING: Final = 0.5
_MERCHANTS_MAX: Final = 256
"""So many are shared at a time, those nearest to their limits first; of the others each process has the whole."""

_log: Final = logging.getLogger("mashang.admission")


class QuotaSharing:
    """One per process."""

    def __init__(self, valkey: Valkey, admission: Admission) -> None:
        self._valkey = valkey
        self._admission = admission
        self._process = new_ulid()
        self._is_alone = False

    async def exchange(self, now: float) -> None:
        """Tell and learn once, for every merchant with a quota that has come lately."""
        standings = list(self._admission.standings.items())
        for _, standing in standings:
            standing.weight += _SMOOTHING * (standing.offered + standing.in_flight - standing.weight)
            standing.offered = 0
        limited = [(name, one) for name, one in standings if one.bucket is not None or one.in_flight_max is not None]
        limited.sort(key=lambda each: -_nearness(each[1]))
        nearest = limited[:_MERCHANTS_MAX]
        heard = await asyncio.gather(*(self._share(name, standing.weight) for name, standing in nearest))
        for (_, standing), fraction in zip(nearest, heard, strict=True):
            self._admission.divide(standing, fraction, now)
        for _, standing in limited[_MERCHANTS_MAX:]:
            if standing.fraction != 1.0:  # a part of old would stay for as long as others are nearer
                self._admission.divide(standing, 1.0, now)

    async def _share(self, name: str, weight: float) -> float:
        """This process's part; all of it where Valkey cannot tell."""
        arguments = [self._process, f"{weight:.3f}", _LIFETIME_MS]
        try:
            total, processes = await self._valkey.script("share_quota", [f"quota:{{{name}}}"], arguments)
        except (ValkeyAway, RedisError) as error:
            self._tell_alone(error)
            return 1.0
        self._is_alone = False
        return fraction_of(float(f"{weight:.3f}"), float(total), processes)

    def _tell_alone(self, error: Exception) -> None:
        if not self._is_alone:
            _log.warning("merchants' quotas are not shared", extra={"error": type(error).__name__})
        self._is_alone = True


def _nearness(standing: Standing) -> float:
    """Which part of the tightest limit that a merchant has here it asked for lately; above one for what is refused."""
    limits = (standing.rate * standing.fraction * INTERVAL_S, standing.in_flight_max or 0)
    return standing.weight / min([limit for limit in limits if limit] or [math.inf])


def fraction_of(weight: float, total: float, processes: int) -> float:
    """A process's part of a quota; the parts of all processes that have told the same weights add up to one."""
    even = 1.0 / max(1, processes)
    return even if total <= 0 else _EVEN * even + (1.0 - _EVEN) * min(1.0, weight / total)
