"""Children live exactly as long as they should: never past their parent, and with their data past any kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
import redis

from tests.support.servers import start_servers
from tests.support.waiting import gone_within

PARENT = Path(__file__).with_name("parent.py")
ROOT = PARENT.parents[3]

pytestmark = pytest.mark.slow


class Parent:
    """The parent program running in a process of its own, with an account's prefix before it."""

    def __init__(self, folder: Path, prefix: tuple[str, ...] = ()) -> None:
        # The tests' own signal mask is inherited, so that sigwait in the parent gets what it waits for.
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.integration.processes.parent", str(folder)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        with self.process.stdout as output:
            line = output.readline()
        if not line:
            self.process.wait()
            pytest.fail("the parent could not start its servers")
        self.facts: dict[str, Any] = json.loads(line)

    @property
    def family(self) -> list[psutil.Process]:
        """The children and theirs: PostgreSQL's back-ends too."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start_parent(tmp_path: Path) -> Iterator[Any]:
    started: list[Parent] = []

    def start(prefix: tuple[str, ...] = ()) -> Parent:
        started.append(Parent(tmp_path, prefix))
        return started[-1]

    yield start
    for parent in started:
        parent.kill()


def test_killing_the_parent_leaves_no_orphan(start_parent: Any) -> None:
    parent = start_parent()
    family = parent.family
    assert {parent.facts["postgres"], parent.facts["valkey"], parent.facts["sleeper"]} <= {each.pid for each in family}
    parent.kill()
    assert gone_within(5, family) == []


def test_a_child_whose_parent_went_before_the_tether_held_does_not_start(tmp_path: Path) -> None:
    tether = ROOT / "gateway" / "devstack" / "tether.py"
    not_our_parent = os.getpid() + 1
    started = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            str(tether),
            "9",
            str(not_our_parent),
            "same",
            "/bin/touch",
            str(tmp_path / "ran"),
        ],
        check=False,
        capture_output=True,
    )
    assert started.returncode != 0
    assert not (tmp_path / "ran").exists()


async def write_something(facts: dict[str, Any]) -> None:
    connection = await asyncpg.connect(facts["database_url"])
    await connection.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (42)")
    await connection.close()
    with redis.Redis.from_url(facts["redis_url"]) as client:
        client.set("kept", "42")


async def read_it_back(facts: dict[str, Any]) -> tuple[int, bytes]:
    connection = await asyncpg.connect(facts["database_url"])
    row = await connection.fetchval("SELECT id FROM kept")
    await connection.close()
    with redis.Redis.from_url(facts["redis_url"]) as client:
        return row, client.get("kept")


async def test_data_survive_kill_9_of_both_servers_and_the_parent(start_parent: Any) -> None:
    parent = start_parent()
    await write_something(parent.facts)
    for name in ("postgres", "valkey"):
        os.kill(parent.facts[name], signal.SIGKILL)
    parent.kill()
    assert await read_it_back(start_parent().facts) == (42, b"42")


async def test_data_survive_a_restart_right_after_the_parent_alone_was_killed(start_parent: Any) -> None:
    parent = start_parent()
    await write_something(parent.facts)
    parent.kill()
    assert await read_it_back(start_parent().facts) == (42, b"42")


async def test_a_stale_lock_with_a_strangers_process_number_does_not_stop_the_start(
    start_parent: Any, tmp_path: Path
) -> None:
    parent = start_parent()
    lock = tmp_path / "postgres" / "data" / "postmaster.pid"
    os.kill(parent.facts["postgres"], signal.SIGKILL)
    parent.kill()
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert psutil.pid_exists(start_parent().facts["postgres"])


def ordinary_users() -> list[tuple[str, ...]]:
    """Ways to be somebody else than root here; the tests run as an ordinary user need none."""
    if os.geteuid() != 0:
        return [()]
    inside_a_namespace = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    another_account = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups")
    # An interpreter in root's home is closed to other accounts; the namespace changes who we are, not what we may read.
    probe = [*another_account, sys.executable, "-c", "import tests.support.servers"]
    reachable = subprocess.run(probe, check=False, capture_output=True, cwd=ROOT)
    return [inside_a_namespace, another_account] if reachable.returncode == 0 else [inside_a_namespace]


@pytest.mark.parametrize("prefix", ordinary_users(), ids=lambda prefix: prefix[0] if prefix else "as we are")
async def test_an_ordinary_user_starts_stops_and_restarts_the_servers(
    start_parent: Any, tmp_path: Path, prefix: tuple[str, ...]
) -> None:
    if prefix[:1] == ("setpriv",):
        os.chown(tmp_path, 54321, 54321)
        open_the_way(tmp_path)
    parent = start_parent(prefix)
    await write_something(parent.facts)
    family = parent.family
    parent.process.send_signal(signal.SIGTERM)
    parent.process.wait(20)
    assert gone_within(5, family) == []
    assert await read_it_back(start_parent(prefix).facts) == (42, b"42")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused by PostgreSQL for being root")
async def test_root_restarts_what_an_ordinary_account_made(start_parent: Any, tmp_path: Path) -> None:
    """A data folder that belongs to another account is served under that account."""
    parent = start_parent()
    await write_something(parent.facts)
    family = parent.family
    parent.kill()
    assert gone_within(5, family) == []
    open_the_way(tmp_path)
    for path in (tmp_path / "postgres", *(tmp_path / "postgres").rglob("*")):
        os.chown(path, 54321, 54321)
    again = start_parent()
    assert await read_it_back(again.facts) == (42, b"42")
    assert psutil.Process(again.facts["postgres"]).uids().effective == 54321


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused by PostgreSQL for being root")
async def test_root_finds_another_account_where_user_namespaces_are_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.devstack.accounts._FOR_ROOT", ("65534:65534",))
    open_the_way(tmp_path)
    with start_servers(tmp_path / "state") as servers:
        assert psutil.Process(servers.postgres.child.pid).uids().effective == 65534
        connection = await asyncpg.connect(servers.admin_url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


def open_the_way(folder: Path) -> None:
    """Let other accounts pass to the folder, which pytest keeps to the one that runs it."""
    for each in (folder, *folder.parents[:-2]):
        each.chmod(each.stat().st_mode | 0o011)
