"""CPU time of process trees, children that have ended included."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from loadtests.processes import cpu_us, machine_busy_us, memory, parse_stat

BURN = "import time\nwhile time.process_time() < 0.3: pass"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN!r}], check=True)
print("burnt", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_a_command_with_blanks_and_brackets_does_not_shift_the_fields() -> None:
    head = "42 (postgres: a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4"
    tick_us = 1_000_000 // os.sysconf("SC_CLK_TCK")
    assert parse_stat(f"{head} 100 20 3 4 20 0 1 0 99 1000 10") == (7, 103 * tick_us, 24 * tick_us)


def test_what_an_ended_child_used_stays_in_the_sum_of_its_tree(parent: subprocess.Popen[bytes]) -> None:
    before = cpu_us({"tree": [parent.pid]})["tree"]
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"burnt\n"
    used = cpu_us({"tree": [parent.pid]})["tree"] - before
    assert 250_000 <= used <= 1_500_000


def test_the_sum_of_a_tree_never_falls_while_a_child_lives_and_ends(parent: subprocess.Popen[bytes]) -> None:
    seen, deadline = [0], time.monotonic() + 20
    while parent.poll() is None and seen[-1] < 270_000 and time.monotonic() < deadline:
        seen.append(cpu_us({"tree": [parent.pid]})["tree"])
    assert seen == sorted(seen)
    assert seen[-1] >= 270_000, "what was burnt, but for the ticks that two processes have begun and not ended"


def test_a_process_that_is_gone_counts_for_nothing() -> None:
    assert cpu_us({"gone": [2**22 + 1]}) == {"gone": 0}


def test_the_machine_is_at_least_as_busy_as_we_are() -> None:
    before, machine_before = time.process_time(), machine_busy_us()
    while time.process_time() < before + 0.2:
        pass
    assert machine_busy_us() - machine_before >= 150_000


def test_memory_of_this_process_is_what_it_holds() -> None:
    held = memory([os.getpid()])
    assert 10 < held.pss_mib <= held.rss_mib
