"""Proxies in a thread of their own, so that they go on while a test blocks its event loop (to start a process, say).

with Doors() as doors:
    door = doors.before(("127.0.0.1", 8101))      # listens on a port of its own: door.listening
    door.mode = Mode.FREEZE                       # see proxy.py
    door.open_again()                             # what is open now breaks, and everything passes from now on
    door.shut()                                   # nobody listens: connections are refused
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.support.channels import Simulators
from tests.support.proxy import Address, Mode, Proxy

_Result = TypeVar("_Result")


class Door:
    """One proxy.  Its methods return when what they ask for has happened."""

    def __init__(self, doors: Doors, upstream: Address, listening: Address) -> None:
        self.listening = listening
        self._doors = doors
        self._upstream = upstream
        self._context: AbstractAsyncContextManager[Proxy] | None = None
        self._proxy = Proxy(upstream)
        self.unshut()

    @property
    def mode(self) -> Mode:
        """What happens to the bytes."""
        return self._proxy.mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        async def change() -> None:
            if mode is Mode.PASS:
                self._proxy.thaw()
            else:
                self._proxy.mode = mode

        self._doors.run(change())

    @property
    def held(self) -> int:
        """Pieces that a freeze holds back."""
        return self._proxy.held

    def lose_answer(self, needle: bytes) -> None:
        """Break the connection on which an answer containing these bytes comes next, instead of passing it on."""

        async def lose() -> None:
            self._proxy.lose_answer(needle)

        self._doors.run(lose())

    @property
    def answers_lost(self) -> int:
        """How many answers were lost that way."""
        return self._proxy.answers_lost

    def reset(self) -> None:
        """Break what is open; bytes held back are lost."""

        async def reset() -> None:
            self._proxy.reset_connections()

        self._doors.run(reset())

    def open_again(self) -> None:
        """Break what is open, and let everything through from now on."""
        self.reset()
        self.mode = Mode.PASS

    def shut(self) -> None:
        """Stop listening and break what is open: whoever knocks is refused."""
        if self._context is not None:
            self._doors.run(self._context.__aexit__(None, None, None))
            self._context = None
            if isinstance(self.listening, Path):
                self.listening.unlink(missing_ok=True)

    def unshut(self) -> None:
        """Listen (again)."""
        if self._context is not None:
            return
        self._context = Proxy.before(self._upstream, self.listening)
        self._proxy = self._doors.run(self._context.__aenter__())


class Doors:
    """The thread with its event loop, and all doors in it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="doors", daemon=True)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run a coroutine to its end in the doors' loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    def before(self, upstream: Address, listening: Address | None = None) -> Door:
        """A door in front of a server, on a free port unless it is told where."""
        door = Door(self, upstream, listening or ("127.0.0.1", free_port()))
        self._stack.callback(door.shut)
        return door

    def before_postgres(self, url: str) -> tuple[Door, str]:
        """A door in front of a PostgreSQL socket, and the database's address through it."""
        address = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="msh-"))  # sockets need short names
        name = f".s.PGSQL.{query['port']}"
        door = self.before(Path(query["host"]) / name, Path(folder) / name)
        return door, url.replace(f"host={quote(query['host'], safe='/')}", f"host={quote(folder, safe='/')}")

    def before_valkey(self, url: str) -> tuple[Door, str]:
        """A door in front of a Valkey socket, and the numbered database's address through it."""
        address = urlsplit(url)
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="msh-"))
        listening = Path(folder) / "valkey.sock"
        door = self.before(Path(unquote(address.path)), listening)
        return door, f"unix://{quote(str(listening), safe='/')}?{address.query}"

    def before_url(self, url: str) -> tuple[Door, str]:
        """A door in front of an HTTP server, and the server's address through it."""
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        door = self.before((address.hostname, address.port))
        assert not isinstance(door.listening, Path)
        return door, f"http://{door.listening[0]}:{door.listening[1]}"

    def before_simulators(self, simulators: Simulators) -> tuple[dict[str, Door], Simulators]:
        """A door for each channel, and the simulators with the gateway's accounts pointing to the doors.

        The control API and the books are still asked directly.
        """
        doors, accounts = {}, list(simulators.accounts)
        for channel, url in simulators.base_urls.items():
            doors[channel], through = self.before_url(url)
            accounts = [replace(account, settings=_moved(account.settings, url, through)) for account in accounts]
        return doors, replace(simulators, accounts=accounts)


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _moved(settings: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    return {name: value.replace(old, new) if isinstance(value, str) else value for name, value in settings.items()}
