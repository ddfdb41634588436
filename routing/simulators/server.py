"""The simulators' HTTP server: raw ASGI, because a simulator must cost little beside the gateway that is measured."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import uvicorn

from routing.simulators.acts import ORDINARY, Act, CallKind, Delivery
from routing.simulators.books import Books
from routing.simulators.channel import Call, Channel, Draft, HttpAnswer, HttpRequest, Sealed, Unsigned, Visit
from routing.simulators.control import Control
from routing.simulators.door import Door
from routing.simulators.faults import FaultPlan
from routing.simulators.notifications import About
from routing.simulators.postman import HttpSender, Postman
from routing.simulators.signatures import Signatory
from routing.simulators.wallet import Wallet
from routing.simulators.whole import send_whole

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_BYTES_MAX: Final = 1 << 20
RESET_AFTER_HALF_S: Final = 0.02
"""Long enough for the first half to reach the client before the reset overtakes it."""
SIGNED_BEFORE_S: Final = 0.01
"""An answer is signed so long before it is due, so that it goes out in time whatever the signing takes."""
_MOVES_MONEY: Final = frozenset({CallKind.PAY, CallKind.REFUND})
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)
_BAD_GATEWAY: Final = HttpAnswer(
    502, [(b"content-type", b"text/html")], b"<html><body><h1>502 Bad Gateway</h1></body></html>"
)

_log = logging.getLogger(__name__)


class Simulator:
    """The ASGI application of one simulated channel."""

    def __init__(self, channel: Channel, books: Books) -> None:
        self._channel = channel
        self._signatory = Signatory()
        self._books = books
        self.faults = FaultPlan()
        self._sender = HttpSender()
        self._wallet = Wallet(books, self)
        self._postman = Postman(books, channel.herald, self, self._sender)
        self._control = Control(channel, books, self, self._postman, self._wallet)
        self.refuse_connections: Callable[[float], None] = _has_no_door
        """Set by whoever listens for it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _read_body(receive)
        if body is None:
            await _answer(send, HttpAnswer(413))
            return
        request = HttpRequest(
            method=scope["method"],
            path=scope["path"],
            raw_path=scope["raw_path"].decode("ascii"),
            query=scope["query_string"].decode("ascii"),
            headers=dict(scope["headers"]),
            body=body,
        )
        if request.path.startswith("/_simulator/"):
            await _answer(send, await self._control.answer(request))
        else:
            await self._serve(request, receive, send)

    async def _serve(self, request: HttpRequest, receive: Receive, send: Send) -> None:
        call = self._channel.read(request)
        if isinstance(call, HttpAnswer):
            await _answer(send, call)
            return
        if isinstance(call, Visit):
            await _answer(send, await self._control.receive(call))
            return
        act = self.faults.act_for(call.kind, call.order_no, call.magic or ORDINARY)
        waits_until = asyncio.get_running_loop().time() + self.faults.latency_s(call.kind) + act.slower_by_s
        answer = _carry_out(call, act)
        # A client that goes away, or is killed, in the channel's thinking time has been charged all the same.
        await self._books.durable()
        if self.faults.tells_before_answers and call.kind in _MOVES_MONEY:
            about: About = "refund" if call.kind is CallKind.REFUND else "payment"
            await self._postman.tell_before_answer(call.order_no, about)
        if isinstance(answer, Unsigned):
            by_s = waits_until - SIGNED_BEFORE_S
            answer = answer.finish(await self._signatory.sign(answer.key, answer.text, by_s))
        if (wait_s := waits_until - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(wait_s)
        await _deliver(act, answer, receive, send)

    async def tell(self) -> None:
        """Send what the channel has to tell, until cancelled."""
        try:
            await self._postman.run()
        finally:
            await self._sender.aclose()


def _has_no_door(for_s: float) -> None:
    raise RuntimeError(f"nobody listens for this simulator, so it cannot refuse connections for {for_s:g} s")


def _carry_out(call: Call, act: Act) -> Sealed | None:
    """The answer that the act leaves of the call, perhaps still to be signed; None where none goes out."""
    if act.delivery is Delivery.BAD_GATEWAY:
        return _BAD_GATEWAY
    refused = _refused(call, act)
    if refused is not None:
        return refused.seal(act.sealing)
    draft = call.perform(act) if act.processed else None
    if draft is None or act.delivery in (Delivery.NEVER, Delivery.RESET):
        return None
    if act.delivery is Delivery.MALFORMED:
        return draft.malformed()
    return (call.server_error() if act.delivery is Delivery.SERVER_ERROR else draft).seal(act.sealing)


def _refused(call: Call, act: Act) -> Draft | None:
    """The answer of a call that was not carried out; None where it is, or where there is no answer."""
    if act.error_code is not None:
        return call.fail(act.error_code)
    match act.delivery:
        case Delivery.RATE_LIMIT:
            return call.rate_limited()
        case Delivery.UNAVAILABLE:
            return call.unavailable()
        case Delivery.SERVER_ERROR if not act.processed:
            return call.server_error()
        case _:
            return None


async def _deliver(act: Act, answer: HttpAnswer | None, receive: Receive, send: Send) -> None:
    if answer is None:
        if act.delivery is Delivery.NEVER:
            await _hold(receive, act.hold_s)
        await _reset(receive, send)
    elif act.delivery is Delivery.RESET_MIDWAY:
        await _start(send, answer)
        await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
        await asyncio.sleep(RESET_AFTER_HALF_S)
        await _reset(receive, send)
    else:
        await _answer(send, answer)


async def _hold(receive: Receive, seconds: float) -> None:
    """Keep the client waiting, no longer than it stays."""
    try:
        async with asyncio.timeout(seconds):
            await receive()
    except TimeoutError:
        return


async def _reset(receive: Receive, send: Send) -> None:
    """Reset the TCP connection: uvicorn's `send` is a method of the cycle that holds the transport."""
    transport: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined]
    if not transport.is_closing():
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        transport.abort()
    await receive()


async def _read_body(receive: Receive) -> bytes | None:
    """The request's body; None when it is too large."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            return None
    return body


async def _start(send: Send, answer: HttpAnswer) -> None:
    headers = (
        answer.headers if answer.status == 204 else [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
    )
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def _answer(send: Send, answer: HttpAnswer) -> None:
    if not send_whole(send, answer):
        await _start(send, answer)
        await send({"type": "http.response.body", "body": answer.body})


async def serve(simulator: Simulator, books: Books, listener: socket.socket) -> None:
    """Serve on a bound socket until SIGTERM or SIGINT, then close the books."""
    config = uvicorn.Config(
        simulator,
        http="httptools",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        backlog=2_048,
    )
    telling = asyncio.create_task(simulator.tell())
    server = uvicorn.Server(config)
    door = Door(server, listener)
    simulator.refuse_connections = door.shut_for
    try:
        await server.serve(sockets=[door.opened()])
    finally:
        telling.cancel()
        await asyncio.wait([telling])
        books.close()
