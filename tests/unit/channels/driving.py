"""Drives calls from tests that are no coroutines; Hypothesis makes hundreds, too many for a loop each."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def driven(call: Coroutine[Any, Any, T]) -> T:
    """What a call returns or raises, run in a loop that is kept for the next one."""
    return _loop().run_until_complete(call)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop
