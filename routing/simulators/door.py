"""The listening socket of one simulator, which a fault can close for a while so that connections are refused."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final, cast

import uvicorn

BACKLOG: Final = 2_048
_ANSWER_GOES_OUT_S: Final = 0.05
"""Long enough for the answer to whoever ordered it."""
_ADDRESS_TAKEN_S: Final = 0.2
"""Between two tries to listen where another process took the address meanwhile."""


class Door:
    """A bound socket and the server behind it.

    The socket may be inherited, and then stands in the parent too: closing our copy would leave connections waiting
    there for ever.  Shutting it down ends the listening for every copy, until somebody listens again.
    """

    def __init__(self, server: uvicorn.Server, listener: socket.socket) -> None:
        self._server = server
        self._listener = listener
        self._address = listener.getsockname()
        self._shut: asyncio.Task[None] | None = None

    def opened(self) -> socket.socket:
        """A copy of the socket for the server, which closes what it is given."""
        return self._listener.dup()

    def shut_for(self, seconds: float) -> None:
        """Refuse connections for so long, and reset those that stand; not while it is shut already."""
        if self._shut is None or self._shut.done():
            self._shut = asyncio.create_task(self._shut_for(seconds))

    async def _shut_for(self, seconds: float) -> None:
        await asyncio.sleep(_ANSWER_GOES_OUT_S)
        for listening in self._server.servers:
            listening.close()
        self._stop_listening()
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(seconds)
        await self._open()

    def _stop_listening(self) -> None:
        """Keep the address, so that nobody else takes it meanwhile.

        A port that was asked for stays bound; one that the kernel had chosen went with the listening.
        """
        self._listener.shutdown(socket.SHUT_RDWR)
        try:
            self._listener.bind(self._address)
        except OSError as error:
            if error.errno != errno.EINVAL:  # it is bound
                raise

    async def _open(self) -> None:
        """Listen again, once the address is free: while nobody listened, others could take it."""
        while not self._listens():  # noqa: ASYNC110 nothing tells when an address becomes free
            await asyncio.sleep(_ADDRESS_TAKEN_S)
        loop = asyncio.get_running_loop()
        self._server.servers = [await loop.create_server(self._protocol, sock=self.opened(), backlog=BACKLOG)]

    def _listens(self) -> bool:
        try:
            self._listener.listen(BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True

    def _protocol(self) -> asyncio.Protocol:
        """As uvicorn makes them at its start."""
        config, server = self._server.config, self._server
        make = cast("Callable[..., asyncio.Protocol]", config.http_protocol_class)
        return make(config=config, server_state=server.server_state, app_state=server.lifespan.state)
