"""One POST to an address that was checked: the connection goes there and nowhere else, and TLS still names the host.

Nothing is followed, stored or taken from the environment: no redirect, cookie, proxy or content decoding.  The status
decides as soon as it is read; of the rest of the answer at most 64 KiB are read, only to use the connection again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import httptools

from gateway.webhooks.addresses import Address, AddressRefused, Target
from gateway.webhooks.resolving import NameUnknown, Resolver

ANSWER_BYTES_MAX: Final = 65_536
_REST_S: Final = 2.0
"""So long the rest of an answer is waited for, once its status is known."""
_CONNECT_S: Final = 5.0
_ADDRESSES_MAX: Final = 4
_IDLE_S: Final = 10.0
_IDLE_MAX: Final = 1_024
_USER_AGENT: Final = "Mashang-Webhooks/1"

Origin = tuple[str, str, int]


class PostFailed(Exception):
    """No status came back.  `code` is one of a few words: what the merchant sees in the delivery log."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class SurplusAnswerError(Exception):
    """The peer goes on after a complete answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the receiver said: its status, and how long it asks us to stay away."""

    status: int
    retry_after_s: int | None


class Poster:
    """Sends messages; one per process.  Belongs to the event loop that uses it."""

    def __init__(self, resolver: Resolver, ssl_context: ssl.SSLContext | None = None) -> None:
        self._resolver = resolver
        self._ssl = ssl_context or ssl.create_default_context()
        self._idle: dict[Origin, dict[Exchange, None]] = {}
        self._open: set[Exchange] = set()
        self._idle_count = 0

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Reply:
        """Send one message.  Raises PostFailed."""
        request = _request_bytes(target, headers, body)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._post(target, request)
        except TimeoutError:
            raise PostFailed("timeout") from None
        except AddressRefused:
            raise PostFailed("address_refused") from None
        except NameUnknown:
            raise PostFailed("name_unknown") from None

    async def aclose(self) -> None:
        """Drop every connection."""
        for exchange in tuple(self._open):
            exchange.abort()
        await asyncio.sleep(0)  # lets the event loop close the sockets

    async def _post(self, target: Target, request: bytes) -> Reply:
        kept = self._take_idle(target.origin)
        if kept is not None:
            try:
                return await kept.post(request)
            except PostFailed:  # closed by the peer before it had read this, most likely; a message may come twice
                if kept.has_answered:
                    raise
        return await (await self._connect(target)).post(request)

    async def _connect(self, target: Target) -> Exchange:
        """A connection to the first of the checked addresses that takes it."""
        addresses = await self._resolver.addresses(target)
        failure = PostFailed("connect_failed")
        for address in addresses[:_ADDRESSES_MAX]:
            try:
                return await self._connect_to(address, target)
            except PostFailed as error:
                failure = error
        raise failure

    async def _connect_to(self, address: Address, target: Target) -> Exchange:
        secure = target.scheme == "https"
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, exchange = await asyncio.get_running_loop().create_connection(
                    lambda: Exchange(self._keeper_of(target.origin), self._forget),
                    str(address),
                    target.port,
                    ssl=self._ssl if secure else None,
                    server_hostname=target.host if secure else None,
                )
        except TimeoutError:
            raise PostFailed("connect_timeout") from None
        except ssl.SSLError:  # before OSError, of which it is a kind
            raise PostFailed("tls_failed") from None
        except OSError:
            raise PostFailed("connect_failed") from None
        self._open.add(exchange)
        return exchange

    def _keeper_of(self, origin: Origin) -> Callable[[Exchange], None]:
        def keep(exchange: Exchange) -> None:
            if self._idle_count >= _IDLE_MAX:
                exchange.abort()
                return
            self._idle.setdefault(origin, {})[exchange] = None
            self._idle_count += 1
            exchange.origin = origin
            exchange.close_after(_IDLE_S)

        return keep

    def _take_idle(self, origin: Origin) -> Exchange | None:
        kept = self._idle.get(origin)
        while kept:
            exchange, _ = kept.popitem()
            self._left(origin)
            if exchange.is_open:
                return exchange
        return None

    def _forget(self, exchange: Exchange) -> None:
        self._open.discard(exchange)
        if exchange.origin is not None and exchange in (kept := self._idle.get(exchange.origin, {})):
            del kept[exchange]
            self._left(exchange.origin)

    def _left(self, origin: Origin) -> None:
        self._idle_count -= 1
        if not self._idle[origin]:
            del self._idle[origin]


class Exchange(asyncio.Protocol):
    """One connection: a request at a time, and of each answer the status.

    `on_idle` is called when it is fit for the next request, `on_lost` when it is gone.
    """

    def __init__(self, on_idle: Callable[[Exchange], None], on_lost: Callable[[Exchange], None]) -> None:
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._reply: asyncio.Future[Reply] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._timer: asyncio.TimerHandle | None = None
        self._bytes_left = 0
        self._retry_after: bytes | None = None
        self._complete = True
        self._keep_alive = False
        self.has_answered = False
        self.origin: Origin | None = None

    @property
    def is_open(self) -> bool:
        """Whether a request may be written."""
        return self._transport is not None and not self._transport.is_closing()

    async def post(self, request: bytes) -> Reply:
        """Write a request; the reply comes with the answer's status.  Raises PostFailed."""
        if self._transport is None or not self.is_open:
            raise PostFailed("connection_lost")
        self._stop_timer()
        self._reply = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._bytes_left = ANSWER_BYTES_MAX
        self._retry_after, self._complete, self.has_answered = None, False, False
        self._transport.write(request)
        try:
            return await self._reply
        except asyncio.CancelledError:  # nothing can tell what the peer still sends
            self.abort()
            raise

    def close_after(self, seconds: float) -> None:
        """Close, unless there is another request until then."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def abort(self) -> None:
        """Drop the connection."""
        self._fail("connection_lost")

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, within the bound; what nobody asked for ends the connection."""
        self.has_answered = True
        surplus = self._complete or len(data) > self._bytes_left
        wanted = b"" if self._complete else data[: self._bytes_left]
        self._bytes_left -= len(wanted)
        try:
            self._parser.feed_data(wanted)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            surplus = True
        if surplus:  # the status stands where it came before
            self._fail("answer_malformed")

    def connection_lost(self, _exc: Exception | None) -> None:
        """Closed by either side."""
        self._fail("connection_lost")
        self._transport = None
        self._on_lost(self)

    # What the parser calls

    def on_message_begin(self) -> None:
        """A second answer to one request is for nobody."""
        if self._complete:
            raise SurplusAnswerError

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header is of interest."""
        if name.lower() == b"retry-after":
            self._retry_after = value

    def on_headers_complete(self) -> None:
        """The final status decides; what follows is read for a moment and thrown away."""
        status = self._parser.get_status_code()
        if status < 200:
            return
        self._keep_alive = self._parser.should_keep_alive()  # known here, and only here
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(Reply(status, _seconds(self._retry_after)))
        self._reply = None
        self._timer = asyncio.get_running_loop().call_later(_REST_S, self.abort)

    def on_message_complete(self) -> None:
        """The connection is free, unless the peer ends it."""
        if self._parser.get_status_code() < 200:
            return
        self._complete = True
        self._stop_timer()
        if self.is_open and self._keep_alive:
            self._on_idle(self)
        else:
            self._close()

    # Ends

    def _fail(self, code: str) -> None:
        reply, self._reply = self._reply, None
        self._close()
        if reply is not None and not reply.done():
            reply.set_exception(PostFailed(code))

    def _close(self) -> None:
        self._stop_timer()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _seconds(retry_after: bytes | None) -> int | None:
    """`Retry-After` in seconds; a date is not read, for the clocks may differ."""
    with contextlib.suppress(TypeError, ValueError):
        if retry_after is not None and retry_after.isdigit() and len(retry_after) < 10:
            return int(retry_after)
    return None


def _request_bytes(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    """The request as it goes over the wire.  Every part is of our own making or was checked by AddressRules."""
    lines: Sequence[str] = (
        f"POST {target.path} HTTP/1.1",
        f"Host: {target.authority}",
        f"User-Agent: {_USER_AGENT}",
        "Accept: */*",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *[f"{name}: {value}" for name, value in headers.items()],
    )
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body
