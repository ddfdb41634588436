"""The supervisor restarts what dies and stops what it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from gateway.processes.children import Child, Command
from gateway.processes.errors import StackError
from gateway.processes.supervisor import Hooks, Supervisor, pause_before_restart_s, stop_together
from tests.support.waiting import until


def silent() -> Hooks:
    return Hooks(say=lambda _: None, died=lambda _: None, restarted=lambda: None)


async def test_a_child_that_dies_is_started_again_within_a_second(tmp_path: Path) -> None:
    child = Child(Command("sleeper", ("/bin/sleep", "600"), tmp_path / "log"))
    child.start()
    supervisor = Supervisor(silent())
    supervisor.keep(child)
    watching = asyncio.create_task(supervisor.watch())
    for _ in range(3):
        first = child.pid
        killed_at = time.monotonic()
        os.kill(first, signal.SIGKILL)
        await until(lambda first=first: child.pid != first)
        assert time.monotonic() - killed_at < 1
        assert child.running
    watching.cancel()
    child.stop(timeout_s=5)


async def test_a_child_that_cannot_live_is_told_of_and_started_ever_more_seldom(tmp_path: Path) -> None:
    said: list[str] = []
    child = Child(Command("broken", ("/bin/sh", "-c", "echo no database >&2; exit 7"), tmp_path / "log"))
    child.start()
    supervisor = Supervisor(Hooks(say=said.append, died=lambda _: None, restarted=lambda: None))
    supervisor.keep(child)
    watching = asyncio.create_task(supervisor.watch())
    await until(lambda: any("in a row" in line for line in said))
    watching.cancel()
    assert "ended with status 7" in said[0]
    assert "no database" in said[-1]
    assert [pause_before_restart_s(deaths) for deaths in (0, 4, 5, 6, 7, 50)] == [0, 0, 0.5, 1, 2, 10]


async def test_a_stop_lets_children_finish_and_a_hurry_does_not(tmp_path: Path) -> None:
    script = "trap 'sleep 0.3; echo finished; exit 0' TERM; while :; do sleep 0.05; done"
    polite = Child(Command("polite", ("/bin/sh", "-c", script), tmp_path / "polite.log"))
    stubborn = Child(Command("stubborn", ("/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.05; done")))
    polite.start()
    stubborn.start()
    await asyncio.sleep(0.3)  # the shells set their traps
    await stop_together([polite], 10, asyncio.Event())
    assert polite.exit_status == 0
    assert (tmp_path / "polite.log").read_text() == "finished\n"

    hurry = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, hurry.set)
    started = time.monotonic()
    await stop_together([stubborn], 60, hurry)
    assert stubborn.exit_status == -signal.SIGKILL
    assert time.monotonic() - started < 5


def test_a_child_that_died_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = Child(Command("broken", ("/bin/sh", "-c", "echo the reason; exit 3"), tmp_path / "log"))
    child.start()
    child.wait(5)
    with pytest.raises(StackError, match=r"(?s)broken ended with status 3.*the reason"):
        child.require_running()
