"""The generator counts every answer once, survives broken connections, and writes a book that the audit can read."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import islice, pairwise
from pathlib import Path

import orjson
import pytest

from loadtests.traffic.generator import Run, generate, generate_at, heads_of
from loadtests.traffic.orders import Orders

Answering = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server that answers each request by a function of its number."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.order_nos: list[str] = []
        self.open_most = 0
        self._open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                body = orjson.loads(await reader.readexactly(length))
                self.order_nos.append(body["merchant_order_no"])
                self._open += 1
                self.open_most = max(self.open_most, self._open)
                await asyncio.sleep(0.01)
                self._open -= 1
                await self._answering(len(self.order_nos), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )


SUCCESS = answer(201, b'{"object":"payment","status":"succeeded"}')


@asynccontextmanager
async def serving(answering: Answering) -> AsyncIterator[tuple[Peer, str]]:
    peer = Peer(answering)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield peer, f"http://127.0.0.1:{port}/v1/payments"
    finally:
        server.close()
        await server.wait_closed()


async def arrive(url: str, *moments_s: float, open_max: int = 8) -> Run:
    """Requests that arrive so many seconds from now."""
    began_s = time.monotonic()
    run = Run(heads_of(url, ["sk_test_x"]), iter(Orders(1, ["wechat"])), began_s + 5, None)
    await generate_at(url, iter([began_s + each for each in moments_s]), open_max, run)
    return run


async def load(url: str, *, open_requests: int = 4, seconds: float = 0.3, book: Path | None = None) -> Run:
    file = None if book is None else book.open("ab")
    run = Run(heads_of(url, ["sk_test_x"]), iter(Orders(1, ["wechat"])), time.monotonic() + seconds, file)
    await generate(url, open_requests, run)
    if file is not None:
        file.close()
    return run


async def test_every_request_is_answered_once_and_never_more_are_open_than_asked_for() -> None:
    async with serving(succeed) as (peer, url):
        run = await load(url)
    assert len(run.samples) == len(peer.order_nos) == len(set(peer.order_nos)) > 20
    assert all(sample.succeeded and sample.latency_ms >= 10 for sample in run.samples)
    assert peer.open_most == 4


async def test_an_answer_in_pieces_is_one_answer() -> None:
    async def dribble(_: int, writer: asyncio.StreamWriter) -> None:
        for piece in (SUCCESS[:20], SUCCESS[20:70], SUCCESS[70:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.002)

    async with serving(dribble) as (peer, url):
        run = await load(url, open_requests=2)
    assert [sample.succeeded for sample in run.samples] == [True] * len(peer.order_nos)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (answer(201, b'{"object":"payment","status":"failed"}'), 201),
        (answer(503, b'{"error":{}}'), 503),
    ],
)
async def test_what_is_no_success_does_not_count_as_one(given: bytes, status: int) -> None:
    async def refuse(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(given)

    async with serving(refuse) as (_, url):
        run = await load(url)
    assert {(sample.status, sample.succeeded) for sample in run.samples} == {(status, False)}


async def test_who_is_refused_comes_back_a_second_later_and_not_at_once() -> None:
    async def refuse(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(503, b'{"error":{}}'))

    async with serving(refuse) as (peer, url):
        run = await load(url, open_requests=1, seconds=2.2)
    assert len(peer.order_nos) == len(run.samples) >= 2
    moments_s = [sample.at_s for sample in run.samples]
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(moments_s))


async def test_a_declined_payment_is_told_from_one_that_went_wrong() -> None:
    async def decline(number: int, writer: asyncio.StreamWriter) -> None:
        body = b'{"status":"failed","failure":{"code":"risk_declined"}}' if number == 1 else b'{"status":"failed"}'
        writer.write(answer(201, body))

    async with serving(decline) as (_, url):
        run = await load(url, open_requests=1, seconds=0.1)
    assert [sample.declined for sample in run.samples][:2] == [True, False]


async def test_a_broken_connection_is_noted_and_opened_again() -> None:
    async def break_third(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 3:
            writer.transport.abort()
        else:
            writer.write(SUCCESS)

    async with serving(break_third) as (peer, url):
        run = await load(url, open_requests=1)
    assert [sample.status for sample in run.samples].count(0) == 1
    assert len(run.samples) == len(peer.order_nos) > 3


async def test_the_book_has_a_line_for_each_request_with_what_was_sent_and_answered(tmp_path: Path) -> None:
    async def sometimes(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 2:
            writer.transport.abort()
        else:
            writer.write(SUCCESS)

    async with serving(sometimes) as (peer, url):
        await load(url, open_requests=1, book=tmp_path / "book.jsonl")
    lines = [orjson.loads(line) for line in (tmp_path / "book.jsonl").read_bytes().splitlines()]
    assert [line["merchant_order_no"] for line in lines] == peer.order_nos
    assert all(line["request"]["merchant_order_no"] == line["merchant_order_no"] for line in lines)
    assert lines[0]["http_status"] == 201
    assert lines[0]["answer"]["status"] == "succeeded"
    assert lines[1]["http_status"] is None
    assert lines[1]["answer"] is None


async def succeed(_: int, writer: asyncio.StreamWriter) -> None:
    writer.write(SUCCESS)


async def test_requests_leave_as_they_arrive_whatever_became_of_the_earlier_ones() -> None:
    six = asyncio.Event()

    async def succeed_when_six_have_come(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 6:
            six.set()
        await six.wait()
        writer.write(SUCCESS)

    async with serving(succeed_when_six_have_come) as (peer, url):
        run = await arrive(url, *[0.05] * 6, 0.2)
    assert len(run.samples) == len(set(peer.order_nos)) == 7, "six at the same moment do not wait for one another"
    assert all(sample.succeeded for sample in run.samples)


async def test_an_arrival_that_finds_all_connections_busy_leaves_late_and_its_latency_counts_from_its_arrival() -> None:
    async with serving(succeed) as (peer, url):
        run = await arrive(url, *[0.05] * 5, open_max=1)
    assert peer.open_most == 1
    last = max(run.samples, key=lambda sample: sample.at_s)
    assert last.late_ms >= 35, "four answers of 10 ms came before it left"
    assert last.latency_ms >= last.late_ms + 10


async def test_a_broken_connection_takes_no_later_arrival_with_it() -> None:
    async def break_first(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            writer.transport.abort()
        else:
            writer.write(SUCCESS)

    async with serving(break_first) as (_, url):
        run = await arrive(url, 0.0, 0.0, 0.1, open_max=1)
    assert sorted(sample.status for sample in run.samples) == [0, 201, 201]


def test_of_many_merchants_few_send_most() -> None:
    sent = Counter(islice(heads_of("http://h:1/v1/payments", ["sk_a", "sk_b", "sk_c", "sk_d"]), 20_000))
    by_key = [number for _, number in sorted(sent.items())]
    assert [number / by_key[0] for number in by_key] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4], rel=0.15)
    assert all(head.startswith(b"POST /v1/payments HTTP/1.1\r\nHost: h:1\r\n") for head in sent)
