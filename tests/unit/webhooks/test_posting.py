"""One POST: it goes to the address that was checked, ends within its time, and reads little of what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.webhooks import posting
from gateway.webhooks.addresses import AddressRules
from gateway.webhooks.posting import ANSWER_BYTES_MAX, Poster, PostFailed, Reply
from gateway.webhooks.resolving import Resolver
from tests.support.waiting import until

RULES = AddressRules((IPv4Network("127.0.0.0/8"),))
OK = b"HTTP/1.1 204 No Content\r\n\r\n"
NAME = "till.example"

Handler = Callable[["Peer", bytes, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Peer:
    """A server that reads requests whole and answers each as its handler says."""

    handler: Handler
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    taken: int = 0
    """Bytes of answers that were accepted by the other side's socket."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                request = head + await reader.readexactly(length)
                self.requests.append(request)
                await self.handler(self, request, writer)
        writer.transport.abort()

    async def write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()
        self.taken += len(data)


def answers(data: bytes, *, close: bool = False) -> Handler:
    async def answer(peer: Peer, _: bytes, writer: asyncio.StreamWriter) -> None:
        await peer.write(writer, data)
        if close:
            raise ConnectionError

    return answer


@asynccontextmanager
async def peer_that(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    peer = Peer(handler)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=context)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in peer.tasks:
            task.cancel()
        await asyncio.gather(*peer.tasks)
        await asyncio.sleep(0)  # the sockets close


@asynccontextmanager
async def opened(
    look_up: Callable[[str], Sequence[str]] = lambda _: ["127.0.0.1"], context: ssl.SSLContext | None = None
) -> AsyncIterator[Poster]:
    resolver = Resolver(RULES, look_up)
    poster = Poster(resolver, context)
    try:
        yield poster
    finally:
        await poster.aclose()
        resolver.close()


async def post(poster: Poster, port: int, scheme: str = "http", host: str = NAME, timeout_s: float = 5.0) -> Reply:
    return await poster.post(
        RULES.target(f"{scheme}://{host}:{port}/hook?a=b"), {"webhook-id": "evt_1"}, b"{}", timeout_s
    )


async def fails(poster: Poster, port: int, code: str, scheme: str = "http", timeout_s: float = 5.0) -> None:
    with pytest.raises(PostFailed) as failed:
        await post(poster, port, scheme, timeout_s=timeout_s)
    assert failed.value.code == code


async def test_the_request_is_plain_http_with_nothing_that_was_not_asked_for() -> None:
    async with peer_that(answers(OK)) as peer, opened() as poster:
        assert await post(poster, peer.port) == Reply(204, None)
    assert peer.requests == [
        b"POST /hook?a=b HTTP/1.1\r\nHost: till.example:%d\r\nUser-Agent: Mashang-Webhooks/1\r\nAccept: */*\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\nwebhook-id: evt_1\r\n\r\n{}" % peer.port
    ]


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with peer_that(answers(OK)) as peer, opened() as poster:
        assert (await post(poster, peer.port)).status == 204


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Reply(200, None)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Reply(200, None)),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Reply(200, None)),
        (b"HTTP/1.0 200 OK\r\n\r\n", Reply(200, None)),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", Reply(302, None)),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", Reply(410, None)),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", Reply(503, 120)),
        (b"HTTP/1.1 503 \r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n", Reply(503, None)),
        (b"HTTP/1.1 429 Slow\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n", Reply(429, None)),
        (b"HTTP/1.1 429 Slow\r\nRetry-After: 99999999999999\r\nContent-Length: 0\r\n\r\n", Reply(429, None)),
    ],
)  # fmt: skip
async def test_the_status_is_the_reply(answer: bytes, reply: Reply) -> None:
    async with peer_that(answers(answer)) as peer, opened() as poster:
        assert await post(poster, peer.port) == reply
    assert len(peer.requests) == 1, "nothing is followed"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 40000 No\r\n\r\n",
        b"HTTP/1.1 -1 No\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00" * 100,
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
    ],
)
async def test_what_is_no_answer_is_malformed(answer: bytes) -> None:
    async with peer_that(answers(answer, close=True)) as peer, opened() as poster:
        with pytest.raises(PostFailed) as failed:
            await post(poster, peer.port)
        assert failed.value.code in {"answer_malformed", "connection_lost"}


async def test_a_peer_that_hangs_up_without_an_answer_is_lost() -> None:
    async with peer_that(answers(b"", close=True)) as peer, opened() as poster:
        await fails(poster, peer.port, "connection_lost")
    assert len(peer.requests) == 1


async def test_nobody_listening_is_a_failed_connection() -> None:
    async with peer_that(answers(OK)) as peer:
        port = peer.port
    async with opened() as poster:
        await fails(poster, port, "connect_failed")


async def test_a_peer_that_never_answers_costs_no_more_than_the_time_allowed() -> None:
    async def silent(_: Peer, __: bytes, ___: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with peer_that(silent) as peer, opened() as poster:
        began = time.monotonic()
        await fails(poster, peer.port, "timeout", timeout_s=0.2)
        assert time.monotonic() - began < 2


async def test_an_answer_whose_head_trickles_in_costs_no_more_than_the_time_allowed() -> None:
    async def trickles(peer: Peer, _: bytes, writer: asyncio.StreamWriter) -> None:
        await peer.write(writer, b"HTTP/1.1 200 OK\r\n")
        while True:
            await peer.write(writer, b"X: y\r\n")
            await asyncio.sleep(0.01)

    async with peer_that(trickles) as peer, opened() as poster:
        await fails(poster, peer.port, "timeout", timeout_s=0.2)


async def test_a_head_without_end_is_cut_off() -> None:
    async def endless(peer: Peer, _: bytes, writer: asyncio.StreamWriter) -> None:
        await peer.write(writer, b"HTTP/1.1 200 OK\r\n")
        while True:
            await peer.write(writer, b"X-Filler: %b\r\n" % (b"y" * 1000))

    async with peer_that(endless) as peer, opened() as poster:
        await fails(poster, peer.port, "answer_malformed")


async def test_of_a_body_without_end_little_is_read_and_the_status_stands() -> None:
    over = asyncio.Event()

    async def endless(peer: Peer, _: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            await peer.write(writer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                await peer.write(writer, b"3e8\r\n%b\r\n" % (b"y" * 1000))
        finally:
            over.set()

    async with peer_that(endless) as peer, opened() as poster:
        assert (await post(poster, peer.port)).status == 200
        async with asyncio.timeout(5):
            await over.wait()
        assert peer.taken < ANSWER_BYTES_MAX + 8_000_000, "the socket's buffers fill, and no more is read"
        assert not poster._open


async def test_the_rest_of_an_answer_is_waited_for_only_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_REST_S", 0.05)
    async with peer_that(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")) as peer, opened() as poster:
        assert (await post(poster, peer.port)).status == 200
        await until(lambda: not poster._open)


async def test_a_connection_serves_many_messages_one_after_the_other() -> None:
    async with peer_that(answers(OK)) as peer, opened() as poster:
        for _ in range(20):
            await post(poster, peer.port)
        assert (peer.connections, len(peer.requests)) == (1, 20)
        await asyncio.gather(*(post(poster, peer.port) for _ in range(5)))
        assert peer.connections == 5


async def test_a_kept_connection_that_the_peer_has_closed_costs_no_message() -> None:
    async with peer_that(answers(OK, close=True)) as peer, opened() as poster:
        for _ in range(5):
            await post(poster, peer.port)
    assert len(peer.requests) == 5


async def test_a_peer_that_hangs_up_on_a_kept_connection_gets_the_message_once_more_and_not_oftener() -> None:
    async def hangs_up_on_the_third(peer: Peer, _: bytes, writer: asyncio.StreamWriter) -> None:
        if len(peer.requests) >= 3:
            raise ConnectionError
        await peer.write(writer, OK)

    async with peer_that(hangs_up_on_the_third) as peer, opened() as poster:
        await asyncio.gather(post(poster, peer.port), post(poster, peer.port))
        await fails(poster, peer.port, "connection_lost")
    assert len(peer.requests) == 4


async def test_a_second_answer_to_one_request_is_nobodys() -> None:
    async with peer_that(answers(OK + b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")) as peer, opened() as poster:
        for _ in range(3):
            assert (await post(poster, peer.port)).status == 204
        assert peer.connections == 3, "such a connection is not used again"


async def test_a_connection_nobody_needs_is_closed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_IDLE_S", 0.05)
    async with peer_that(answers(OK)) as peer, opened() as poster:
        await post(poster, peer.port)
        await until(lambda: not poster._open)
        assert (poster._idle, poster._idle_count) == ({}, 0)


async def test_no_more_connections_are_kept_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_IDLE_MAX", 2)
    async with peer_that(answers(OK)) as peer, opened() as poster:
        await asyncio.gather(*(post(poster, peer.port) for _ in range(6)))
        assert poster._idle_count == 2


async def test_a_message_that_is_given_up_leaves_no_connection_behind() -> None:
    async def silent(_: Peer, __: bytes, ___: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with peer_that(silent) as peer, opened() as poster:
        task = asyncio.create_task(post(poster, peer.port))
        await until(lambda: bool(peer.requests))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not poster._open)


async def test_a_name_that_leads_inside_is_never_connected_to() -> None:
    async with peer_that(answers(OK)) as peer:
        for addresses in (["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["::1"]):
            async with opened(lambda _, found=tuple(addresses): found) as poster:  # type: ignore[misc]
                await fails(poster, peer.port, "address_refused")
    assert peer.connections == 0


async def test_a_name_that_changes_its_address_meanwhile_is_connected_to_where_it_was_checked() -> None:
    """The resolver says something harmless once and loopback from then on; whoever asks twice is lured inside."""
    said: list[str] = []

    def rebinds(_: str) -> Sequence[str]:
        said.append("127.0.0.2" if not said else "10.0.0.1")
        return [said[-1]]

    async with peer_that(answers(OK)) as peer, opened(rebinds) as poster:
        await fails(poster, peer.port, "connect_failed")  # nobody listens at the address that was checked
        assert said == ["127.0.0.2"]
        assert peer.connections == 0
        poster._resolver._known.clear()
        await fails(poster, peer.port, "address_refused")


async def test_the_next_address_is_tried_where_the_first_does_not_take_connections() -> None:
    async with peer_that(answers(OK)) as peer, opened(lambda _: ["127.0.0.2", "127.0.0.1"]) as poster:
        assert (await post(poster, peer.port)).status == 204


async def test_an_unknown_name_is_told_apart() -> None:
    def unknown(_: str) -> Sequence[str]:
        raise OSError

    async with opened(unknown) as poster:
        await fails(poster, 80, "name_unknown")


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{name}.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(("shown", "code"), [(NAME, None), ("other.example", "tls_failed")])
async def test_tls_verifies_the_name_although_the_connection_goes_to_a_number(
    tmp_path: Path, shown: str, code: str | None
) -> None:
    pem = certificate(tmp_path, shown)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    trusting = ssl.create_default_context(cafile=str(pem))
    async with peer_that(answers(OK), serving) as peer, opened(context=trusting) as poster:
        if code is None:
            assert (await post(poster, peer.port, "https")).status == 204
        else:
            await fails(poster, peer.port, code, "https")
            assert peer.requests == []


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate(tmp_path, NAME))
    async with peer_that(answers(OK), serving) as peer, opened() as poster:
        await fails(poster, peer.port, "tls_failed", "https")
        assert peer.requests == []
