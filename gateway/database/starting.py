"""Waits for the database while a process starts: one that has just been started again is there in a moment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from gateway.database.batches import BROKEN
from gateway.kernel.clock import Deadline

Result = TypeVar("Result")

_WITHIN_S: Final = 10.0
_PAUSE_S: Final = 0.25
_log: Final = logging.getLogger("mashang.database")


async def once_there(ask: Callable[[], Awaitable[Result]], within_s: float = _WITHIN_S) -> Result:
    """What the database answers; a broken or refused connection is tried again for so many seconds, then raised."""
    deadline = Deadline.after(within_s)
    while True:
        try:
            return await ask()
        except BROKEN as error:
            if deadline.passed:
                raise
            _log.warning("the database is not there yet", extra={"error": type(error).__name__})
        await asyncio.sleep(_PAUSE_S)
