"""A merchant's server for the webhook benchmark: verifies every signature, answers 204, and tells what has come.

`POST /hook` takes messages; `PUT /secret` says with which secret they are signed; `GET /report` tells.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import time
from typing import Final, cast

import httptools
import orjson
import uvloop

from gateway.client.errors import WebhookRefused
from gateway.client.webhooks import verify_webhook

_NO_CONTENT: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
_REFUSED: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"


class Book:
    """What has come: how often each event, how many messages were signed wrong, and when the first and last came."""

    def __init__(self) -> None:
        self.secret = ""
        self.times: dict[str, int] = {}
        self.refused = 0
        self.first_s = self.last_s = 0.0

    def take(self, headers: dict[str, str], body: bytes) -> bytes:
        """Note one message; the answer to it."""
        try:
            event = verify_webhook(self.secret, headers, body)
        except WebhookRefused:
            self.refused += 1
            return _REFUSED
        self.times[event["id"]] = self.times.get(event["id"], 0) + 1
        self.last_s = time.monotonic()
        self.first_s = self.first_s or self.last_s
        return _NO_CONTENT

    def report(self) -> bytes:
        """As JSON."""
        return orjson.dumps({name: getattr(self, name) for name in ("times", "refused", "first_s", "last_s")})


class Connection(asyncio.Protocol):
    """One sender's connection."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._reset()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A sender has come."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Part of a request, or several."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """The path."""
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer."""
        assert self._transport is not None
        path, headers, body = self._path, self._headers, self._body
        self._reset()
        if path == b"/hook":
            self._transport.write(self._book.take(headers, body))
        elif path == b"/secret":
            self._book.secret = body.decode()
            self._transport.write(_NO_CONTENT)
        else:
            report = self._book.report()
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(report), report))

    def _reset(self) -> None:
        self._path, self._body = b"", b""
        self._headers: dict[str, str] = {}


async def _serve(listener: socket.socket) -> None:
    book = Book()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(book), sock=listener)
    await server.serve_forever()


def main() -> None:
    """Serve on an inherited socket until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    uvloop.run(_serve(socket.socket(fileno=parser.parse_args().fd)))


if __name__ == "__main__":
    main()
