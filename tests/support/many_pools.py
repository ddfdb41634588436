"""A crowd's way out: many small pools of connections, for the cost of a request grows with the pool that it goes by.

httpcore looks at every connection of a pool for every request that comes or ends, and at every one of them once more
for each request that waits.  With some hundred requests under way that takes a core, and what the gateway has long
answered is read a minute later: a till would complain of a payment whose end nobody had asked for.
"""

from __future__ import annotations

import itertools
import ssl
from typing import Final

import httpx

_POOLS: Final = 32
_CONNECTIONS_MAX: Final = 32
"""Of one pool."""


class ManyPools(httpx.AsyncBaseTransport):
    """A transport of httpx that takes its pools in turn."""

    def __init__(self, *, keep_alive: bool) -> None:
        # Left idle too long, httpx closes a connection, sometimes one that it has just given to a request: a ReadError
        # that no gateway caused.  Without an expiry of its own it leaves them to the server, which waits far longer.
        limits = httpx.Limits(
            max_connections=_CONNECTIONS_MAX,
            max_keepalive_connections=_CONNECTIONS_MAX if keep_alive else 0,
            keepalive_expiry=None,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for all: to make one takes longer than a request
        self._pools = [httpx.AsyncHTTPTransport(verify=context, limits=limits) for _ in range(_POOLS)]
        self._turns = itertools.cycle(self._pools)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """By the next pool."""
        return await next(self._turns).handle_async_request(request)

    async def aclose(self) -> None:
        """Close all."""
        for pool in self._pools:
            await pool.aclose()
