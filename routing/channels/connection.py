"""One HTTP/1.1 connection that knows exactly whether a request was written, and reads one bounded answer at a time."""

from __future__ import annotations

import asyncio
import contextlib
import select
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final, cast

import httptools

from gateway.kernel.lazy_timer import LazyTimer
from routing.channels.base import ChannelUnknown, TransportResponse

HEADER_BYTES_MAX: Final = 32_768
_KNOWN_NAME_BYTES_MAX: Final = 64
"""Longer names are not remembered: a peer's answer may have some of a mebibyte."""


def _lower(name: bytes) -> str:
    """A header's name as it is looked up."""
    return name.decode("latin-1").lower()


_known = lru_cache(maxsize=256)(_lower)
"""The same for short names: a peer sends the same few again and again."""


class SurplusDataError(Exception):
    """The peer goes on after a complete answer."""


class Connection(asyncio.Protocol):
    """Requests go out one after the other; a peer that speaks unasked loses the connection.

    `on_idle` is called when a complete answer leaves the connection fit for the next request,
    `on_lost` when it is gone.
    """

    def __init__(
        self, response_bytes_max: int, on_idle: Callable[[Connection], None], on_lost: Callable[[Connection], None]
    ) -> None:
        self._response_bytes_max = response_bytes_max
        self._body_bytes_max = response_bytes_max
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[TransportResponse] | None = None
        self._timer = LazyTimer(self._is_late)
        self._parser = httptools.HttpResponseParser(self)
        self._poll = select.poll()
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._bytes_left = 0
        self._keep_alive = False
        self._ends_with_connection = False
        self.idle_since = time.monotonic()

    @property
    def is_open(self) -> bool:
        """Whether a request may be written, as far as the event loop knows."""
        return self._transport is not None and not self._transport.is_closing() and self._answer is None

    @property
    def is_fit_again(self) -> bool:
        """Whether another request may be written: open, and the peer neither closed it nor spoke unasked meanwhile.

        The operating system is asked, because the event loop may not have read the peer's FIN yet.
        """
        return self.is_open and not self._poll.poll(0)

    def exchange(
        self, request: bytes, timeout_s: float, response_bytes_max: int | None = None
    ) -> asyncio.Future[TransportResponse]:
        """Write a request; the future brings the answer or ChannelUnknown, for from here on the peer may have it.

        `response_bytes_max` stands in for the connection's own bound.
        """
        if self._transport is None or not self.is_open:
            raise RuntimeError("the connection is not fit for a request")
        self._answer = asyncio.get_running_loop().create_future()
        self._timer.set(timeout_s)
        self._headers, self._body = {}, []
        self._body_bytes_max = response_bytes_max or self._response_bytes_max
        self._bytes_left = self._body_bytes_max + HEADER_BYTES_MAX
        self._ends_with_connection = False
        self._transport.write(request)
        return self._answer

    def abort(self) -> None:
        """Drop the connection; an exchange under way ends as unknown."""
        self._fail("connection_dropped")

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport, and its socket for `is_fit_again`."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, within the bound; data that nobody asked for ends the connection."""
        if self._answer is None:
            self._close()
            return
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            self._fail("answer_too_large")
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # Where the answer is complete already, it stands; only the connection does not.
            self._fail("answer_malformed")

    def eof_received(self) -> bool:
        """An answer without a length ends with the connection; any other one is cut short."""
        if self._answer is not None and self._ends_with_connection:
            self._finish()
        return False

    def connection_lost(self, _exc: Exception | None) -> None:
        """Closed by either side: an exchange under way has no answer."""
        self._fail("answer_cut_short" if self._headers else "connection_lost")
        self._transport = None
        self._timer.close()
        self._on_lost(self)

    # What the parser calls

    def on_message_begin(self) -> None:
        """A second answer to one request must not touch the first."""
        if self._answer is None:
            raise SurplusDataError

    def on_header(self, name: bytes, value: bytes) -> None:
        """Lower-case names; repeated headers are joined as RFC 9110 says."""
        key = _known(name) if len(name) <= _KNOWN_NAME_BYTES_MAX else _lower(name)
        text = value.decode("latin-1")
        known = self._headers.get(key)
        self._headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        """The parser knows here, and only here, whether the connection outlives the answer."""
        self._keep_alive = self._parser.should_keep_alive()
        length_is_known = "content-length" in self._headers or "transfer-encoding" in self._headers
        self._ends_with_connection = not length_is_known and self._parser.get_status_code() >= 200

    def on_body(self, body: bytes) -> None:
        """Collect a part of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """An interim answer (1xx) is skipped; the final one is handed over."""
        if self._parser.get_status_code() < 200:
            self._headers = {}
        else:
            self._finish()

    # Ends

    def _finish(self) -> None:
        answer, body = self._answer, b"".join(self._body)
        if answer is None:
            return
        if len(body) > self._body_bytes_max:
            self._fail("answer_too_large")
            return
        self._end_exchange()
        if not answer.done():
            answer.set_result(TransportResponse(self._parser.get_status_code(), self._headers, body))
        if self._keep_alive:
            self.idle_since = time.monotonic()
            self._on_idle(self)
        else:
            self._close()

    def _is_late(self) -> None:
        self._fail("answer_timeout")

    def _fail(self, code: str) -> None:
        answer = self._answer
        self._end_exchange()
        self._close()
        if answer is not None and not answer.done():
            answer.set_exception(ChannelUnknown(code))

    def _end_exchange(self) -> None:
        self._answer = None
        self._timer.clear()

    def _close(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            with contextlib.suppress(KeyError, ValueError):
                self._poll.unregister(self._transport.get_extra_info("socket").fileno())
            self._transport.abort()
