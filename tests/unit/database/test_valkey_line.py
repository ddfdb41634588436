"""A line keeps its connection between round trips, and nobody ever reads an answer to somebody else's command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import hiredis
import pytest

from gateway.database import valkey_line as module
from gateway.database.valkey_address import Address, client_of
from gateway.database.valkey_line import Line, ValkeyAway
from tests.support.waiting import until

TIMEOUT_S = 0.3


class Server:
    """Answers each command with its second word; `words` replaces what it says to one."""

    def __init__(self) -> None:
        self.words: dict[bytes, bytes] = {}
        self.asked: list[bytes] = []
        self.clients: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.clients.append(writer)
        commands = hiredis.Reader()
        while data := await reader.read(65_536):
            commands.feed(data)
            while (command := commands.gets()) is not False:
                writer.write(self._answer(*command))
        writer.close()

    def _answer(self, name: bytes, word: bytes, *_: bytes) -> bytes:
        if name == b"HELLO":
            return b"%1\r\n+proto\r\n:3\r\n"
        if name == b"CLIENT":
            return b"+OK\r\n"
        self.asked.append(word)
        return self.words.get(word, b"+%b\r\n" % word)


@asynccontextmanager
async def talking(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Server, Line]]:
    """A server, and a line to it that has its connection; a failure is not followed by a rest."""
    monkeypatch.setattr(module, "_REST_S", 0.0)
    server = Server()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        line = Line(client_of(Address.of(f"redis://127.0.0.1:{port}/0"), TIMEOUT_S), TIMEOUT_S)
        assert await line.submit(("GET", "first")) == b"first"
        yield server, line
        await line.aclose()
        for client in server.clients:
            client.close()


def heard_by(line: Line) -> Any:
    """The stream of the kept connection: no other way to know that what was sent has come."""
    assert line._connection is not None
    return line._connection._reader


async def test_trips_go_over_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(monkeypatch) as (server, line):
        for word in ("a", "b"):
            assert await line.submit(("GET", word)) == word.encode()
        assert len(server.clients) == 1


async def test_a_connection_that_the_server_has_closed_costs_nobody_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(monkeypatch) as (server, line):
        server.clients[0].close()
        await until(heard_by(line).at_eof)
        assert await line.submit(("GET", "next")) == b"next"
        assert len(server.clients) == 2


async def test_what_a_server_says_unasked_answers_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(monkeypatch) as (server, line):
        server.clients[0].write(b"+unasked\r\n")
        await until(lambda: bool(heard_by(line)._buffer))
        assert await line.submit(("GET", "next")) == b"next"


@pytest.mark.parametrize("said", [b"", b"$4\r\nla", b"+one\r\n"])
async def test_an_answer_that_comes_too_late_answers_no_other_command(
    monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    async with talking(monkeypatch) as (server, line):
        server.words[b"late"] = said
        server.words[b"later"] = b""
        answers = await asyncio.gather(
            line.submit(("GET", "late")), line.submit(("GET", "later")), return_exceptions=True
        )
        assert all(isinstance(answer, ValkeyAway) for answer in answers), answers
        server.clients[0].write(b"te\r\n+late\r\n")
        assert await line.submit(("GET", "next")) == b"next"


async def test_a_trip_that_was_cancelled_leaves_no_answer_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(monkeypatch) as (server, line):
        server.words[b"cancelled"] = b""
        line.submit(("GET", "cancelled"))
        await until(lambda: b"cancelled" in server.asked)
        assert line._runner is not None
        line._runner.cancel()
        await until(lambda: line._runner is None)
        server.clients[0].write(b"+cancelled\r\n")
        assert await line.submit(("GET", "next")) == b"next"
