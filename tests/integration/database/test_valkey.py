"""The Valkey pipeline: calls leave together, a server that is away costs little, scripts come back after a flush."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from redis.exceptions import ResponseError

from gateway.database import valkey_line as module
from gateway.database.valkey import Valkey, ValkeyAway
from gateway.database.valkey_address import Address, client_of
from gateway.database.valkey_line import Line
from tests.support.proxy import Mode, Proxy
from tests.support.rows import settings

DATABASE_URL = "postgresql://nobody@/none"
_MOVED = ("EVAL", "return redis.error_reply('MOVED 7 127.0.0.1:1')", 0)


@pytest.fixture
async def valkey(redis_url: str) -> AsyncIterator[Valkey]:
    opened = Valkey(settings(DATABASE_URL, redis_url))
    yield opened
    await opened.aclose()


@pytest.fixture
async def proxied(redis_url: str, tmp_path: Path) -> AsyncIterator[tuple[Valkey, Proxy]]:
    """A Valkey client that reaches the server through a proxy, and waits a tenth of a second at most."""
    found = re.fullmatch(r"unix://([^?]+)(.*)", redis_url)
    assert found is not None
    async with Proxy.before(Path(found[1]), tmp_path / "valkey.sock") as proxy:
        opened = Valkey(settings(DATABASE_URL, f"unix://{tmp_path}/valkey.sock{found[2]}", redis_timeout_s=0.1))
        yield opened, proxy
        await opened.aclose()


async def test_calls_made_at_once_leave_in_one_pipeline_and_each_gets_its_own_answer(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(valkey._servers.line, "_rows_metric", SimpleNamespace(observe=sizes.append))
    answers = await asyncio.gather(*[valkey.call("SET", f"k{number}", number) for number in range(100)])
    assert set(answers) <= {True, b"OK"}
    assert await asyncio.gather(*[valkey.call("GET", f"k{number}") for number in range(3)]) == [b"0", b"1", b"2"]
    assert sizes == [100, 3]


async def test_a_command_that_is_made_when_it_leaves_goes_behind_the_others_and_is_answered_before_them(
    valkey: Valkey,
) -> None:
    """A payment is woken by the claim of its order number, and finds its counters there already."""
    told: list[asyncio.Future[object]] = []
    counted = valkey.submit("late", lambda: ("GET", "late"))
    claims = [valkey.submit("late", ("SET", "late", number)) for number in range(2)]
    for each in (*claims, counted):
        each.add_done_callback(told.append)
    assert (await asyncio.gather(counted, *claims))[0] == b"1"
    assert told == [counted, *claims]


async def test_what_a_cluster_sends_elsewhere_is_queued_there_in_the_order_in_which_it_left(redis_url: str) -> None:
    """Counters that look at a claim beside them must find it there too."""
    moved: list[object] = []
    client = client_of(Address.of(redis_url), 1.0)
    line = Line(client, 1.0, lambda call, _: moved.append(call.to_command()[-1]))
    late = line.submit(lambda: (*_MOVED, "counted"))
    claim = line.submit((*_MOVED, "claim"))
    asked = line.submit(("GET", "asked"))
    assert await asyncio.wait_for(asked, 2) is None
    assert moved == ["claim", "counted"]
    assert not late.done()
    assert not claim.done()
    await line.aclose()


async def test_a_command_that_the_server_refuses_fails_alone(valkey: Valkey) -> None:
    answers = await asyncio.gather(
        valkey.call("SET", "text", "x"), valkey.call("INCR", "text"), valkey.call("GET", "text"), return_exceptions=True
    )
    assert isinstance(answers[1], ResponseError)
    assert answers[2] == b"x"


async def test_a_command_that_cannot_be_written_leaves_nobody_waiting(valkey: Valkey) -> None:
    answers = await asyncio.wait_for(
        asyncio.gather(valkey.call("GET", "\ud800"), valkey.call("GET", "other"), return_exceptions=True), 2
    )
    assert isinstance(answers[0], UnicodeEncodeError)
    assert await valkey.call("GET", "never set") is None


async def test_a_caller_who_goes_away_takes_no_other_with_him(valkey: Valkey) -> None:
    tasks = [asyncio.create_task(valkey.call("PING")) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[1], asyncio.CancelledError)
    assert not isinstance(answers[0], BaseException)
    assert not isinstance(answers[2], BaseException)


@pytest.mark.parametrize("mode", [Mode.FREEZE, Mode.DROP_ANSWERS])
async def test_a_silent_server_is_away_within_its_timeout_then_at_once_and_up_again_after_a_rest(
    proxied: tuple[Valkey, Proxy], mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey, proxy = proxied
    monkeypatch.setattr(module, "_REST_S", 0.2)
    assert await valkey.ping()
    proxy.mode = mode
    began = time.monotonic()
    with pytest.raises(ValkeyAway):
        await valkey.call("PING")
    assert time.monotonic() - began < 0.5
    began = time.monotonic()
    with pytest.raises(ValkeyAway):
        await valkey.call("PING")
    assert time.monotonic() - began < 0.05
    proxy.thaw()
    await asyncio.sleep(0.25)
    assert await valkey.ping()


async def test_whoever_is_queued_when_the_server_goes_silent_does_not_wait_for_his_own_turn(
    proxied: tuple[Valkey, Proxy],
) -> None:
    valkey, proxy = proxied
    assert await valkey.ping()
    proxy.mode = Mode.FREEZE
    calls = [asyncio.create_task(valkey.call("PING")) for _ in range(3 * module._PIPELINE_MAX)]
    began = time.monotonic()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(answer, ValkeyAway) for answer in answers)
    assert time.monotonic() - began < 0.5
    proxy.thaw()


async def test_a_connection_that_breaks_is_away_once_and_new_the_next_time(
    proxied: tuple[Valkey, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey, proxy = proxied
    monkeypatch.setattr(module, "_REST_S", 0.0)
    assert await valkey.ping()
    proxy.reset_connections()
    await asyncio.sleep(0.01)
    assert [await valkey.ping() for _ in range(3)][1:] == [True, True]


async def test_too_many_calls_are_refused_and_not_queued(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUEUE_MAX", 2)
    answers = await asyncio.gather(*[valkey.call("PING") for _ in range(4)], return_exceptions=True)
    assert [isinstance(answer, ValkeyAway) for answer in answers] == [False, False, True, True]


async def test_scripts_that_the_server_has_forgotten_are_loaded_again(valkey: Valkey) -> None:
    for _ in range(2):
        await valkey.call("SET", "claim:{m:o}", "pay_1")
        assert await valkey.script("release_claim", ["claim:{m:o}"], ["pay_2"]) == 0
        assert await valkey.script("release_claim", ["claim:{m:o}"], ["pay_1"]) == 1
        assert await valkey.call("EXISTS", "claim:{m:o}") == 0
        await valkey.call("SCRIPT", "FLUSH", "SYNC")


async def test_a_script_is_sent_by_its_hash_once_the_server_knows_it(valkey: Valkey) -> None:
    await valkey.script("release_claim", ["x"], ["y"])
    await valkey.call("CONFIG", "RESETSTAT")
    await valkey.script("release_claim", ["x"], ["y"])
    stats = await valkey._servers.line.client.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 1
    assert "cmdstat_eval" not in stats
