"""A bound on calls under way at once, with a bounded queue of bounded waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

from routing.channels.base import CallLimits, ChannelUnsent, Transport, TransportResponse


class Slots:
    """`limit` holders at once, first come first served; taking a free slot costs no switch of tasks."""

    def __init__(self, limit: int, waiting_max: int) -> None:
        self._free = limit
        self._waiting_max = waiting_max
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """Take a slot that is free; False where none is."""
        is_free = self._free > 0
        if is_free:
            self._free -= 1
        return is_free

    async def acquire(self, wait_s: float) -> None:
        """Take a slot.  Raises ChannelUnsent (`pool_full`, `pool_timeout`) where none comes free in time."""
        if self.take():
            return
        if len(self._waiting) >= self._waiting_max:
            raise ChannelUnsent("pool_full")
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(ticket)
        try:
            async with asyncio.timeout(wait_s):
                await ticket
        except TimeoutError:
            self._leave(ticket)
            raise ChannelUnsent("pool_timeout") from None
        except BaseException:
            self._leave(ticket)
            raise

    def release(self) -> None:
        """Hand the slot to the one who waits longest."""
        while self._waiting:
            ticket = self._waiting.popleft()
            if not ticket.done():
                ticket.set_result(None)
                return
        self._free += 1

    def _leave(self, ticket: asyncio.Future[None]) -> None:
        """Give up waiting; a slot that was handed over in the same moment goes on to the next."""
        if ticket.done() and not ticket.cancelled():
            self.release()
        elif ticket in self._waiting:
            self._waiting.remove(ticket)


class BoundedTransport:
    """A `Transport` that lends another one to a single account, with a bound of its own on calls under way."""

    def __init__(self, transport: Transport, *, calls_max: int, waiting_max: int, wait_s: float) -> None:
        self._transport = transport
        self._slots = Slots(calls_max, waiting_max)
        self._wait_s = wait_s

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, limits: CallLimits
    ) -> TransportResponse:
        """As the transport behind it, once a slot is free."""
        if not self._slots.take():
            await self._slots.acquire(min(self._wait_s, limits.timeout_s))
        try:
            return await self._transport.send(method, url, headers, body, limits)
        finally:
            self._slots.release()

    async def aclose(self) -> None:
        """Nothing is held here: who opened the transport closes it."""
