"""The way out to the channels: pooled HTTP/1.1 that says of every failure whether the request can have left.

A request is written once or not at all.  There are no retries, redirects, proxies, cookies or content decoding, and
`send_before` is checked in the same step of the event loop that writes.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from routing.channels.base import CallLimits, ChannelUnsent, TransportResponse
from routing.channels.connection import Connection
from routing.channels.slots import Slots

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """Bounds of a transport.

    `connections_max` calls are under way at once, per host; up to `waiting_max` more wait, each at most `pool_wait_s`.
    A connection unused for `idle_s` is not used again: the peer is about to close it, and a request that crosses
    with the closing would be unknown.
    """

    connections_max: int = 512
    waiting_max: int = 2_048
    pool_wait_s: float = 1.0
    connect_timeout_s: float = 2.0
    idle_s: float = 15.0
    response_bytes_max: int = 1_048_576
    ssl_context: ssl.SSLContext | None = None


class _Host:
    """The connections to one scheme, host and port."""

    def __init__(self, origin: str, settings: TransportSettings) -> None:
        scheme, _, self.authority = origin.partition("://")
        name, port = _split_authority(self.authority)
        if scheme not in _PORTS or not name:
            raise ChannelUnsent("bad_address")
        self._name = name
        self._port = port or _PORTS[scheme]
        self._settings = settings
        self._ssl = (settings.ssl_context or ssl.create_default_context()) if scheme == "https" else None
        self._idle: dict[Connection, None] = {}  # a stack from which one in the middle can be taken
        self._open: set[Connection] = set()
        self.slots = Slots(settings.connections_max, settings.waiting_max)

    def kept(self) -> Connection | None:
        """A connection that is open and fit for a request: the one used last."""
        now = time.monotonic()
        while self._idle:
            candidate, _ = self._idle.popitem()
            if now - candidate.idle_since < self._settings.idle_s and candidate.is_fit_again:
                return candidate
            candidate.abort()
        return None

    async def connect(self, wait_s: float) -> Connection:
        """A new connection.  Raises ChannelUnsent."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(min(wait_s, self._settings.connect_timeout_s)):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._settings.response_bytes_max, self.give_back, self._forget),
                    self._name,
                    self._port,
                    ssl=self._ssl,
                )
        except TimeoutError:
            raise ChannelUnsent("connect_timeout") from None
        except (OSError, UnicodeError):  # refused, unreachable, unknown host, TLS failure (an OSError too), bad name
            raise ChannelUnsent("connect_failed") from None
        if not connection.is_open:
            raise ChannelUnsent("connect_failed")
        self._open.add(connection)
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        self._idle[connection] = None

    def close(self) -> None:
        """Drop every connection."""
        for connection in tuple(self._open):
            connection.abort()

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._idle.pop(connection, None)


class HttpTransport:
    """A `Transport` for any number of accounts and hosts.  It belongs to the event loop that uses it."""

    def __init__(self, settings: TransportSettings | None = None) -> None:
        self._settings = settings or TransportSettings()
        self._hosts: dict[str, _Host] = {}
        self._closed = False

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, limits: CallLimits
    ) -> TransportResponse:
        """Send one request once and read its answer."""
        deadline_s = time.monotonic() + limits.timeout_s
        host, target = self._locate(url)
        request = _request_bytes(method, target, host.authority, headers, body)
        if not host.slots.take():
            await host.slots.acquire(min(self._settings.pool_wait_s, limits.timeout_s))
        try:
            connection = host.kept() or await host.connect(max(0.0, deadline_s - time.monotonic()))
            if limits.too_late_to_send:
                host.give_back(connection)
                raise ChannelUnsent("send_before_passed")
            try:
                left_s = max(0.0, deadline_s - time.monotonic())
                return await connection.exchange(request, left_s, limits.response_bytes_max)
            except BaseException:  # failed or cancelled: nothing can tell what the peer still sends on it
                connection.abort()
                raise
        finally:
            host.slots.release()

    async def aclose(self) -> None:
        """Close every connection; exchanges under way end as unknown."""
        self._closed = True
        for host in self._hosts.values():
            host.close()
        await asyncio.sleep(0)  # lets the event loop close the sockets

    def _locate(self, url: str) -> tuple[_Host, str]:
        if self._closed:
            raise ChannelUnsent("transport_closed")
        start = url.find("://") + 3
        slash = url.find("/", start)
        origin, target = (url, "/") if slash < 0 else (url[:slash], url[slash:])
        host = self._hosts.get(origin)
        if host is None:
            host = self._hosts[origin] = _Host(origin, self._settings)
        return host, target


def _split_authority(authority: str) -> tuple[str, int | None]:
    """Host and port of `host`, `host:8080` or `[::1]:8080`."""
    name, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        return authority.strip("[]"), None
    if not port.isdigit():
        return "", None
    return name.strip("[]"), int(port)


def _request_bytes(method: str, target: str, authority: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The request as it goes over the wire.  Refuses anything that could smuggle in a second header or request."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {authority}"]
    lines.extend([f"{name}: {value}" for name, value in headers.items()])
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines)
    clean = head.isascii() and head.count("\n") == head.count("\r") == len(lines) - 1
    if not clean or " " in target or "\0" in head:
        raise ChannelUnsent("bad_request")
    return head.encode("ascii") + b"\r\n\r\n" + body
