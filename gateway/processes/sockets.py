"""Listening sockets, bound by the parent and inherited by its children, so that a restart refuses no connection."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from typing import Final

from gateway.processes.errors import StackError

BACKLOG: Final = 2048
"""So many connections wait for a process that is busy."""
GATEWAY_PORT: Final = 8000
_GATEWAY_PORTS_TRIED: Final = 50


def listen(port: int, host: str = "127.0.0.1") -> socket.socket:
    """A listening TCP socket.  Raises OSError when the port is taken or forbidden."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def listen_exactly(port: int, host: str = "127.0.0.1") -> socket.socket:
    """The port the user named, or a StackError that says what to do."""
    try:
        return listen(port, host)
    except OSError as error:
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be opened ({error.strerror})"
        raise StackError(
            f"Port {port} on {host} {reason}. Name another with --port, or find who has it: ss -ltnp 'sport = :{port}'"
        ) from error


def listen_first_free(ports: Iterable[int]) -> socket.socket:
    """The first port of these that is free, or else any free one."""
    for port in ports:
        try:
            return listen(port)
        except OSError:
            continue
    return listen(0)


def listen_gateway(port: int | None) -> socket.socket:
    """The gateway's socket: the port named, or the next free one from 8000."""
    if port is not None:
        return listen_exactly(port)
    return listen_first_free(range(GATEWAY_PORT, GATEWAY_PORT + _GATEWAY_PORTS_TRIED))


def port_of(listener: socket.socket) -> int:
    """The port that a socket listens on."""
    port: int = listener.getsockname()[1]
    return port
