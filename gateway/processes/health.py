"""Asks the Mashang process of this container whether it is ready: `python -m gateway.processes.health [URL]`.

Exit status 0 where it is.  It runs every few seconds in every container, where there is no curl: a socket is all it
imports, for the command line, or even urllib, would cost more than the check.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Final

_TIMEOUT_S: Final = 3.0
_GATEWAY_PORT: Final = 8000
_SIMULATOR_PORT: Final = 8101
_LINE_BYTES_MAX: Final = 64


def addresses(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Where a gateway, a worker or the simulators would answer, in that order."""
    worker = environment.get("MASHANG_WORKER_PORT")
    return (
        f"http://127.0.0.1:{_GATEWAY_PORT}/readyz",
        *([f"http://127.0.0.1:{worker}/readyz"] if worker else []),
        f"http://127.0.0.1:{_SIMULATOR_PORT}/_simulator/health",
    )


def is_ready(urls: Sequence[str]) -> bool:
    """What the first process found answers; False where nobody listens, or one that does keeps silent."""
    for url in urls:
        host, _, path = url.removeprefix("http://").partition("/")
        try:
            connection = socket.create_connection((host.partition(":")[0], int(host.partition(":")[2])), _TIMEOUT_S)
        except ConnectionRefusedError:
            continue
        with connection:
            return _says_200(connection, host, path)
    return False


def _says_200(connection: socket.socket, host: str, path: str) -> bool:
    try:
        connection.sendall(f"GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode("ascii"))
        return connection.recv(_LINE_BYTES_MAX).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if is_ready(sys.argv[1:] or addresses(os.environ)) else 1)
