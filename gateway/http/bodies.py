"""Request bodies: read within their bounds of size and time, or left unread, or given to the next reader again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from starlette.types import Message, Receive

from gateway.http.whole import body_here
from gateway.kernel.errors import InvalidRequest

_DISCARDED_BYTES_MAX: Final = 1 << 20
_JOINED_HERE_BYTES_MAX: Final = 1 << 20
"""Joining 64 MiB takes 30 ms, and more than 1 MiB is joined without the interpreter's lock: in a thread."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, limit: int, timeout_s: float) -> bytes:
    """The whole body within its bounds of size and time.  Raises 400, 408, 413 or 415."""
    body = body_at_once(headers, receive, limit)
    if body is not None:
        return body
    try:
        async with asyncio.timeout(timeout_s):
            return await _receive_all(receive, limit)
    except TimeoutError:
        raise InvalidRequest("request_timeout", "The body took too long to arrive.", status=408) from None


def body_at_once(headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> bytes | None:
    """The same where it has come with its head, as nearly all do; None where it has to be waited for."""
    length = headers.get(b"content-length")
    if length is not None and (not length.isdigit() or int(length) > limit):
        raise _too_large(limit)
    if b"content-encoding" in headers:
        raise InvalidRequest(
            "unsupported_encoding", "Send the body uncompressed.", param="Content-Encoding", status=415
        )
    body = body_here(receive)
    if body is not None and len(body) > limit:
        raise _too_large(limit)
    return body


def rest_is_short(headers: Mapping[bytes, bytes]) -> bool:
    """Whether what was not read of a body is soon over: then the connection can be kept, and no answer is lost by a
    reset that overtakes it."""
    length = headers.get(b"content-length", b"")
    return length.isdigit() and int(length) <= _DISCARDED_BYTES_MAX


def replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body that was read already, and then whatever comes (a disconnect)."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


async def _receive_all(receive: Receive, limit: int) -> bytes:
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequest("incomplete_body", "The request broke off.", status=400)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(chunks) if size <= _JOINED_HERE_BYTES_MAX else await asyncio.to_thread(b"".join, chunks)


def _too_large(limit: int) -> InvalidRequest:
    return InvalidRequest("body_too_large", f"The body may have at most {limit} bytes.", param="body", status=413)
