"""A look at a store for somebody whose wait ends: one that hangs is not waited for, and he gets what is known."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from gateway.kernel.clock import Deadline

Seen = TypeVar("Seen")
Other = TypeVar("Other")

_LAST_LOOK_S: Final = 1.0
"""What a look gets that begins when the wait is over; an ordinary one takes milliseconds."""

_left_behind: set[asyncio.Task[Any]] = set()


async def look(at: Coroutine[Any, Any, Seen], deadline: Deadline, otherwise: Other) -> Seen | Other:
    """What the look sees, or `otherwise` where it is not back when the wait is over.  Raises what the look raises.

    A look that is too late is left to its own time limit and not cancelled: a connection waits for the server's word
    on a cancelled statement, and that is what hangs.
    """
    task = asyncio.ensure_future(at)
    _left_behind.add(task)
    task.add_done_callback(_forget)
    done, _ = await asyncio.wait({task}, timeout=max(deadline.left_s, _LAST_LOOK_S))
    return task.result() if done else otherwise


def _forget(task: asyncio.Task[Any]) -> None:
    """Its error too: nobody waits for it any more, or he has it."""
    _left_behind.discard(task)
    if not task.cancelled():
        task.exception()
