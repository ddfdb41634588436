"""Knowing when a process answers: by the byte it writes once it serves, and by asking it over HTTP."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Final

import httpx

from gateway.processes.children import Child
from gateway.processes.errors import StackError, log_tail

_POLL_S: Final = 0.02
_TIMEOUT_S: Final = 60.0


class ReadyPipe:
    """A pipe into which each gateway process writes one byte once it accepts connections."""

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._bytes = 0

    async def wait_for(self, children: Sequence[Child]) -> None:
        """Wait until all of them have written.  Raises StackError when one dies or nothing comes."""
        deadline = time.monotonic() + _TIMEOUT_S
        while self._bytes < len(children):
            require_alive(children, deadline)
            self._read()
            await asyncio.sleep(_POLL_S)

    def close(self) -> None:
        """Close both ends; a process that starts later finds nobody listening and goes on."""
        os.close(self._read_end)
        os.close(self.write_end)

    def _read(self) -> None:
        try:
            self._bytes += len(os.read(self._read_end, 1024))
        except BlockingIOError:
            return


async def wait_until_answers(url: str, child: Child) -> None:
    """Wait until the address answers 200.  Raises StackError when its process dies or the time is over."""
    deadline = time.monotonic() + _TIMEOUT_S
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        while True:
            require_alive([child], deadline, f" ({url} does not answer 200)")
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(_POLL_S)


def require_alive(children: Sequence[Child], deadline: float, what: str = "") -> None:
    """Raise StackError when one of the processes died or the time is over."""
    for child in children:
        child.require_running()
        if time.monotonic() > deadline:
            log = log_tail(child.command.log)
            raise StackError(f"{child.command.name} was not ready within {_TIMEOUT_S:.0f} s{what}{log}")
