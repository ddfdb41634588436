"""The transport tells "surely not sent" from "perhaps carried out", and never sends anything twice."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import pytest
import uvloop

from routing.channels import connection
from routing.channels.base import CallLimits, ChannelUnknown, ChannelUnsent
from routing.channels.slots import BoundedTransport
from routing.channels.transport import HttpTransport, TransportSettings
from tests.unit.channels.peer import OK, Script, Visit, answers_ok, listening, never_answers

SETTINGS = TransportSettings(response_bytes_max=10_000, connect_timeout_s=0.3)
LIMITS = CallLimits(timeout_s=5.0)
HEADERS = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "mashang-test"}


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    opened = HttpTransport(SETTINGS)
    yield opened
    await opened.aclose()


async def _post(transport: HttpTransport, url: str, limits: CallLimits = LIMITS, body: bytes = b"{}") -> bytes:
    return (await transport.send("POST", f"{url}/pay?a=1", HEADERS, body, limits)).body


def _says(*pieces: bytes, reset: bool = False) -> Script:
    async def script(visit: Visit) -> None:
        await visit.request()
        for piece in pieces:
            await visit.send(piece)
            await asyncio.sleep(0.02)
        if reset:
            await visit.reset()

    return script


async def test_a_request_goes_out_exactly_as_given(transport: HttpTransport) -> None:
    async with listening(answers_ok) as peer:
        answer = await transport.send("POST", f"{peer.url}/pay?b=2&a=1", HEADERS, b'{"x":1}', LIMITS)
        assert (answer.status, answer.body, answer.headers) == (200, b"ok", {"content-length": "2"})
        assert peer.requests == [
            (
                f"POST /pay?b=2&a=1 HTTP/1.1\r\nHost: 127.0.0.1:{peer.port}\r\nAccept: application/json\r\n"
                "Content-Type: application/json\r\nUser-Agent: mashang-test\r\nContent-Length: 7\r\n\r\n"
                '{"x":1}'
            ).encode()
        ]


async def test_a_query_has_no_body_and_no_length(transport: HttpTransport) -> None:
    async with listening(answers_ok) as peer:
        await transport.send("GET", f"{peer.url}/q", {}, b"", LIMITS)
        assert peer.requests == [f"GET /q HTTP/1.1\r\nHost: 127.0.0.1:{peer.port}\r\n\r\n".encode()]


async def test_one_connection_serves_calls_in_turn(transport: HttpTransport) -> None:
    async with listening(answers_ok) as peer:
        for _ in range(5):
            assert await _post(transport, peer.url) == b"ok"
        assert (peer.connections, len(peer.requests)) == (1, 5)


# Surely not sent


async def test_a_refused_connection_is_unsent(transport: HttpTransport) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(ChannelUnsent) as caught:
            await _post(transport, f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert caught.value.code == "connect_failed"


async def test_an_unknown_host_is_unsent(transport: HttpTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_such_host(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_such_host)
    with pytest.raises(ChannelUnsent) as caught:
        await _post(transport, "http://no-such-host.invalid")
    assert caught.value.code == "connect_failed"


async def test_a_connection_that_never_opens_is_unsent(transport: HttpTransport) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # the queue of a listener that never accepts fills up, and SYNs go unanswered
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        try:
            with pytest.raises(ChannelUnsent) as caught:
                await _post(transport, f"http://127.0.0.1:{full.getsockname()[1]}")
        finally:
            for filler in fillers:
                filler.close()
    assert caught.value.code == "connect_timeout"


async def test_a_failed_tls_handshake_is_unsent(transport: HttpTransport) -> None:
    async with listening(_says(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as peer:
        with pytest.raises(ChannelUnsent) as caught:
            await _post(transport, peer.url.replace("http", "https"))
    assert caught.value.code in {"connect_failed", "connect_timeout"}


@pytest.mark.parametrize("warm", [False, True], ids=["new connection", "kept connection"])
async def test_nothing_leaves_after_send_before(transport: HttpTransport, warm: bool) -> None:
    async with listening(answers_ok) as peer:
        if warm:
            await _post(transport, peer.url)
        with pytest.raises(ChannelUnsent) as caught:
            await _post(transport, peer.url, CallLimits(5.0, send_before=time.monotonic()))
        assert caught.value.code == "send_before_passed"
        assert len(peer.requests) == int(warm)
        assert await _post(transport, peer.url) == b"ok"
        assert peer.connections == 1  # the connection was not wasted


async def test_send_before_is_checked_after_the_wait_for_a_connection() -> None:
    release = asyncio.Event()

    async def slow(visit: Visit) -> None:
        await visit.request()
        await release.wait()
        await visit.send(OK)
        await answers_ok(visit)

    transport = HttpTransport(TransportSettings(connections_max=1, pool_wait_s=3))
    async with listening(slow) as peer:
        first = asyncio.create_task(_post(transport, peer.url))
        late = asyncio.create_task(_post(transport, peer.url, CallLimits(5.0, send_before=time.monotonic() + 0.05)))
        await asyncio.sleep(0.1)
        release.set()
        assert await first == b"ok"
        with pytest.raises(ChannelUnsent):
            await late
        assert len(peer.requests) == 1
        await transport.aclose()


@pytest.mark.parametrize(("waiting_max", "code"), [(10, "pool_timeout"), (0, "pool_full")])
async def test_an_exhausted_pool_is_unsent(waiting_max: int, code: str) -> None:
    transport = HttpTransport(TransportSettings(connections_max=1, waiting_max=waiting_max, pool_wait_s=0.05))
    async with listening(never_answers) as peer:
        held = asyncio.create_task(_post(transport, peer.url))
        await peer.until(lambda: len(peer.requests) == 1)
        with pytest.raises(ChannelUnsent) as caught:
            await _post(transport, peer.url)
        assert caught.value.code == code
        await _gives_up(held)
        await transport.aclose()


async def _gives_up(call: asyncio.Task[bytes]) -> None:
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize(
    ("target", "headers"),
    [("/a b", {}), ("/a\r\nX: 1", {}), ("/", {"X": "1\r\nY: 2"}), ("/", {"X\n": "1"}), ("/é", {}), ("/", {"X": "\0"})],
)
async def test_what_could_smuggle_a_header_is_never_sent(
    transport: HttpTransport, target: str, headers: dict[str, str]
) -> None:
    async with listening(answers_ok) as peer:
        with pytest.raises(ChannelUnsent):
            await transport.send("POST", peer.url + target, headers, b"", LIMITS)
        assert peer.connections == 0


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "http:///x", "127.0.0.1", "http://127.0.0.1:port/x"])
async def test_a_bad_address_is_unsent(transport: HttpTransport, url: str) -> None:
    with pytest.raises(ChannelUnsent):
        await transport.send("GET", url, {}, b"", LIMITS)


async def test_a_closed_transport_is_unsent(transport: HttpTransport) -> None:
    await transport.aclose()
    with pytest.raises(ChannelUnsent):
        await _post(transport, "http://127.0.0.1:9")


# Perhaps carried out


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (_says(), "connection_lost"),
        (_says(reset=True), "connection_lost"),
        (_says(b"HTTP/1.1 200 OK\r\nContent-Le", reset=True), "connection_lost"),
        (_says(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf"), "answer_cut_short"),
        (_says(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", reset=True), "answer_cut_short"),
        (_says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), "answer_cut_short"),
        (_says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"), "answer_malformed"),
        (_says(b"SSH-2.0-OpenSSH\r\n"), "answer_malformed"),
        (_says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), "answer_malformed"),
        (_says(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x" * 60_000), "answer_too_large"),
        (_says(b"HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n" + b"x" * 10_001), "answer_too_large"),
        (_says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9_000), "answer_too_large"),
    ],
)
async def test_a_failure_after_sending_is_unknown_and_is_not_repeated(
    transport: HttpTransport, script: Script, code: str
) -> None:
    async with listening(script) as peer:
        with pytest.raises(ChannelUnknown) as caught:
            await _post(transport, peer.url)
        assert caught.value.code == code
        assert len(peer.requests) == 1


async def test_a_call_can_have_a_bound_of_its_own_and_the_next_on_the_connection_has_not(
    transport: HttpTransport,
) -> None:
    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + b"x" * 90_000)

    async with listening(script) as peer:
        assert len(await _post(transport, peer.url, CallLimits(5.0, response_bytes_max=90_000))) == 90_000
        for limits in (LIMITS, CallLimits(5.0, response_bytes_max=89_999)):
            with pytest.raises(ChannelUnknown) as caught:
                await _post(transport, peer.url, limits)
            assert caught.value.code == "answer_too_large"


async def test_no_answer_in_time_is_unknown_and_closes_the_connection(transport: HttpTransport) -> None:
    async with listening(never_answers) as peer:
        with pytest.raises(ChannelUnknown) as caught:
            await _post(transport, peer.url, CallLimits(0.05))
        assert caught.value.code == "answer_timeout"
        await peer.until(lambda: peer.left == 1)


async def test_a_trickling_answer_cannot_outlast_the_limit(transport: HttpTransport) -> None:
    async def trickle(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
        while True:
            await visit.send(b"x")
            await asyncio.sleep(0.01)

    async with listening(trickle) as peer:
        started = time.monotonic()
        with pytest.raises(ChannelUnknown):
            await _post(transport, peer.url, CallLimits(0.1))
        assert time.monotonic() - started < 2


async def test_a_request_that_meets_a_closing_connection_is_unknown_and_sent_once(transport: HttpTransport) -> None:
    """The stale keep-alive: the peer closes the kept connection on the next request instead of answering it."""

    async def one_answer(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK)
        await visit.request()
        await visit.reset()

    async with listening(one_answer) as peer:
        assert await _post(transport, peer.url) == b"ok"
        with pytest.raises(ChannelUnknown):
            await _post(transport, peer.url)
        assert (peer.connections, len(peer.requests)) == (1, 2)


async def test_a_connection_that_the_peer_closed_while_idle_is_replaced_before_sending(
    transport: HttpTransport,
) -> None:
    async def one_answer(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK)

    async with listening(one_answer) as peer:
        for _ in range(20):
            assert await _post(transport, peer.url) == b"ok"
        assert (peer.connections, len(peer.requests)) == (20, 20)


async def test_a_fin_that_the_event_loop_has_not_read_yet_is_seen_before_sending(transport: HttpTransport) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        call = asyncio.create_task(_post(transport, url))
        first, _ = await loop.sock_accept(server)
        await loop.sock_recv(first, 10_000)
        await loop.sock_sendall(first, OK)
        assert await call == b"ok"
        first.close()  # and with no turn of the event loop in between, the next request
        with pytest.raises(ChannelUnknown):  # of the second connection, which nobody answers
            await _post(transport, url, CallLimits(0.2))
        async with asyncio.timeout(2):
            second, _ = await loop.sock_accept(server)
        assert (await loop.sock_recv(second, 10_000)).startswith(b"POST")
        second.close()


async def test_an_old_idle_connection_is_not_used_again() -> None:
    transport = HttpTransport(TransportSettings(idle_s=0.0))
    async with listening(answers_ok) as peer:
        for _ in range(3):
            await _post(transport, peer.url)
        assert peer.connections == 3
        await transport.aclose()


@pytest.mark.parametrize("surplus", [b"EXTRA", OK, b"HTTP/1.1 200 OK\r\nX-Other: 1\r\nContent-Length: 2\r\n\r\nno"])
async def test_surplus_data_neither_changes_the_answer_nor_stays_for_the_next(
    transport: HttpTransport, surplus: bytes
) -> None:
    async with listening(_says(OK + surplus)) as peer:
        for _ in range(2):
            answer = await transport.send("GET", f"{peer.url}/", {}, b"", LIMITS)
            assert (answer.body, answer.headers) == (b"ok", {"content-length": "2"})
        assert peer.connections == 2


async def test_an_unasked_answer_on_an_idle_connection_is_never_taken_for_ours(transport: HttpTransport) -> None:
    async def talkative(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK)
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await visit.until_client_leaves()

    async with listening(talkative) as peer:
        assert await _post(transport, peer.url) == b"ok"
        await peer.until(lambda: peer.left == 1)
        assert await _post(transport, peer.url) == b"ok"
        assert peer.connections == 2


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 200, b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n", 302, b""),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", 200, b"\x1f\x8b\x08"),
    ],
)
async def test_every_form_of_answer_is_read_as_it_is(
    transport: HttpTransport, answer: bytes, status: int, body: bytes
) -> None:
    async with listening(_says(answer)) as peer:
        got = await transport.send("POST", f"{peer.url}/", HEADERS, b"{}", LIMITS)
        assert (got.status, got.body) == (status, body)
        assert len(peer.requests) == 1


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\nX-Trailer: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\nX-Trailer:\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink:\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Empty:\r\n\r\nno",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        OK + b"\r\n\r\n",
    ],
)
async def test_an_answer_leaves_nothing_to_the_next_one_of_its_connection(
    transport: HttpTransport, first: bytes
) -> None:
    async def one_after_the_other(visit: Visit) -> None:
        for answer in (first, OK):
            await visit.request()
            await visit.send(answer)
        await visit.until_client_leaves()

    async with listening(one_after_the_other) as peer:
        await transport.send("GET", f"{peer.url}/", {}, b"", LIMITS)
        answer = await transport.send("GET", f"{peer.url}/", {}, b"", LIMITS)
        assert (answer.status, answer.body, answer.headers) == (200, b"ok", {"content-length": "2"})
        assert peer.connections == 1


async def test_a_headers_long_name_is_read_and_not_remembered(transport: HttpTransport) -> None:
    name = b"X-" + b"N" * 5_000
    async with listening(_says(b"HTTP/1.1 200 OK\r\n%b: 1\r\nContent-Length: 0\r\n\r\n" % name)) as peer:
        connection._known.cache_clear()
        answer = await transport.send("GET", f"{peer.url}/", {}, b"", LIMITS)
        assert answer.headers == {name.decode().lower(): "1", "content-length": "0"}
        assert connection._known.cache_info().currsize == 1


async def test_repeated_headers_are_joined_so_that_a_second_signature_cannot_hide(transport: HttpTransport) -> None:
    async with listening(_says(b"HTTP/1.1 200 OK\r\nX-S: a\r\nx-s: b\r\nContent-Length: 0\r\n\r\n")) as peer:
        answer = await transport.send("GET", f"{peer.url}/", {}, b"", LIMITS)
        assert answer.headers["x-s"] == "a, b"


async def test_a_cancelled_call_frees_its_slot_and_its_connection_is_not_used_again() -> None:
    async def silent_then_ok(visit: Visit) -> None:
        if peer.connections == 1:
            await never_answers(visit)
        await answers_ok(visit)

    transport = HttpTransport(TransportSettings(connections_max=1))
    async with listening(silent_then_ok) as peer:
        call = asyncio.create_task(_post(transport, peer.url))
        await peer.until(lambda: len(peer.requests) == 1)
        await _gives_up(call)
        await peer.until(lambda: peer.left == 1)
        assert await _post(transport, peer.url) == b"ok"
        assert peer.connections == 2
        await transport.aclose()


async def test_many_calls_at_once_share_few_connections() -> None:
    transport = HttpTransport(TransportSettings(connections_max=8))
    async with listening(answers_ok) as peer:
        assert await asyncio.gather(*[_post(transport, peer.url) for _ in range(200)]) == [b"ok"] * 200
        assert peer.connections <= 8
        assert len(peer.requests) == 200
        await transport.aclose()


async def test_closing_the_transport_leaves_calls_under_way_unknown(transport: HttpTransport) -> None:
    async with listening(never_answers) as peer:
        call = asyncio.create_task(_post(transport, peer.url))
        await peer.until(lambda: len(peer.requests) == 1)
        await transport.aclose()
        with pytest.raises(ChannelUnknown):
            await call


# Bounds


async def test_an_account_has_a_bound_of_its_own_on_a_shared_transport(transport: HttpTransport) -> None:
    narrow = BoundedTransport(transport, calls_max=1, waiting_max=0, wait_s=0.01)
    async with listening(never_answers) as peer:
        held = asyncio.create_task(_post(cast("HttpTransport", narrow), peer.url))
        await peer.until(lambda: len(peer.requests) == 1)
        with pytest.raises(ChannelUnsent):
            await narrow.send("GET", f"{peer.url}/", {}, b"", LIMITS)
        with pytest.raises(ChannelUnknown):  # the transport behind it takes calls all the while
            await transport.send("GET", f"{peer.url}/", {}, b"", CallLimits(0.05))
        await _gives_up(held)


async def test_https_verifies_certificates_unless_told_otherwise() -> None:
    context = ssl.create_default_context()
    assert context.check_hostname
    transport = HttpTransport()
    host, _ = transport._locate("https://api.mch.weixin.qq.com/v3")
    used = cast("ssl.SSLContext", host._ssl)
    assert used.check_hostname
    assert used.verify_mode is ssl.CERT_REQUIRED


UNDER_UVLOOP = [
    test_a_request_goes_out_exactly_as_given,
    test_one_connection_serves_calls_in_turn,
    test_a_refused_connection_is_unsent,
    test_a_connection_that_never_opens_is_unsent,
    test_a_failed_tls_handshake_is_unsent,
    test_no_answer_in_time_is_unknown_and_closes_the_connection,
    test_a_request_that_meets_a_closing_connection_is_unknown_and_sent_once,
    test_a_connection_that_the_peer_closed_while_idle_is_replaced_before_sending,
    test_a_fin_that_the_event_loop_has_not_read_yet_is_seen_before_sending,
    test_an_unasked_answer_on_an_idle_connection_is_never_taken_for_ours,
    test_closing_the_transport_leaves_calls_under_way_unknown,
]


@pytest.mark.parametrize("scenario", UNDER_UVLOOP, ids=lambda scenario: scenario.__name__)
def test_it_holds_on_the_event_loop_of_production_too(scenario: Callable[[HttpTransport], Awaitable[None]]) -> None:
    async def run() -> None:
        transport = HttpTransport(SETTINGS)
        try:
            await scenario(transport)
        finally:
            await transport.aclose()

    uvloop.run(run())


@pytest.mark.parametrize("reset", [False, True])
def test_an_answer_cut_short_is_unknown_under_uvloop(reset: bool) -> None:
    async def run() -> None:
        async with listening(_says(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", reset=reset)) as peer:
            transport = HttpTransport(SETTINGS)
            with pytest.raises(ChannelUnknown) as caught:
                await _post(transport, peer.url)
            assert caught.value.code == "answer_cut_short"
            await transport.aclose()

    uvloop.run(run())
