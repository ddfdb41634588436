"""Keeps customers' profiles up, for the risk check: one loop of the worker, of which one at a time has its turn."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from gateway.kernel.metrics import RISK_PROFILES_BEHIND
from risk.profiles.following import Following

_log = logging.getLogger("mashang.profiling")
_PAUSE_S: Final = 1.0


async def keep_profiles(pool: asyncpg.Pool, are_asked_for: Callable[[], bool]) -> None:
    """Follow the events, through any trouble, while a rule in force asks for profiles; run until cancelled.

    Where none does, nothing is lost: following begins where it stopped.
    """
    following = Following(pool)
    while True:
        more = False
        try:
            if are_asked_for():
                more = await following.step()
                if following.behind_s is not None:
                    RISK_PROFILES_BEHIND.set(following.behind_s)
            else:
                RISK_PROFILES_BEHIND.set(0)
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("customers' profiles stand still", extra={"error": type(error).__name__})
        except Exception:  # the end of this loop would be the worker's
            _log.exception("customers' profiles stand still")
        await asyncio.sleep(0 if more else _PAUSE_S)
