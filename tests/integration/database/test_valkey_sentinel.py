"""Valkey behind a sentinel: its master is found by name, and the next one after a failover."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from redis.exceptions import RedisError

from gateway.database.valkey import Valkey, ValkeyAway
from gateway.devstack.valkey import program
from gateway.processes.children import Child, Command
from tests.support.rows import settings
from tests.support.waiting import eventually

_SENTINEL = """
port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor till 127.0.0.1 {master} 1
sentinel down-after-milliseconds till 500
sentinel failover-timeout till 3000
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """A master, its replica, and the sentinel that watches them."""

    sentinel_port: int
    master: Child
    ports: tuple[int, int]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    sentinel_port, first, second = _free_port(), _free_port(), _free_port()
    children = []
    for port, options in (
        (first, ()),
        (second, ("--replicaof", f"127.0.0.1 {first}", "--repl-diskless-sync-delay", "0")),
    ):
        folder = tmp_path / str(port)
        folder.mkdir()
        common = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "")
        children.append(_started(f"server {port}", common + options, folder / "log"))
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(_SENTINEL.format(port=sentinel_port, folder=tmp_path, master=first))
    children.append(_started("sentinel", (str(configuration), "--sentinel"), tmp_path / "log"))
    yield Watched(sentinel_port, children[0], (first, second))
    for child in children:
        child.stop(signal.SIGKILL, timeout_s=5)


async def test_the_master_is_found_by_its_name_and_the_next_one_after_a_failover(watched: Watched) -> None:
    valkey = Valkey(settings("postgresql://nobody@/none", f"redis+sentinel://127.0.0.1:{watched.sentinel_port}/till"))
    await eventually(lambda: _can_write(valkey))
    with redis.Redis("127.0.0.1", watched.sentinel_port) as sentinel:
        await eventually(lambda: _sees_a_replica(sentinel))
        watched.master.stop(signal.SIGKILL, timeout_s=5)
        await eventually(lambda: _can_write(valkey), timeout_s=60)
        assert sentinel.sentinel_get_master_addr_by_name("till")[1] == watched.ports[1]
    await valkey.aclose()


async def _can_write(valkey: Valkey) -> bool:
    try:
        return bool(await valkey.call("SET", "key", "x"))
    except (ValkeyAway, RedisError):
        return False


async def _sees_a_replica(sentinel: redis.Redis) -> bool:
    found = await asyncio.to_thread(sentinel.sentinel_slaves, "till")
    return len(found) == 1 and not found[0]["is_disconnected"]


def _started(name: str, arguments: tuple[str, ...], log: Path) -> Child:
    child = Child(Command(name, (str(program()), *arguments), log=log, death_signal=signal.SIGKILL))
    child.start()
    return child


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
