"""What a benchmark started does not outlive it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from loadtests.ending import end_session, ended_in_order
from tests.support.waiting import gone_within

ROOT = Path(__file__).parents[3]
SLEEPER = "import time; print('there', flush=True); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"
BENCH = f"""
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from loadtests.ending import ended_in_order, start_tethered
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it stays ignored, as it should
with ended_in_order():
    child = start_tethered([sys.executable, "-c", {SLEEPER!r}], start_new_session=True)
    try:
        print(child.pid, flush=True)
        child.wait()
    finally:
        child.terminate()
        child.wait()
        Path(sys.argv[1]).touch()
"""


@contextmanager
def started(program: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], bytes]]:
    """A program in a session of its own, and its first line."""
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_that_ends_a_benchmark_ends_what_it_started(number: signal.Signals, tmp_path: Path) -> None:
    cleaned = tmp_path / "cleaned"
    with started(BENCH, str(cleaned)) as (bench, child):
        left = psutil.Process(int(child))
        bench.send_signal(number)
        bench.wait(30)
        assert gone_within(30, [left]) == []
    assert cleaned.exists() is (number != signal.SIGKILL), "in order wherever that is possible"


def test_what_does_not_end_in_time_is_killed_with_its_session() -> None:
    with started(DEAF) as (process, said):
        assert said == b"there\n"
        assert end_session(process, 0.2) == -signal.SIGKILL


def test_whom_a_process_leaves_behind_in_its_session_does_not_outlive_it() -> None:
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {DEAF!r}]); import time; time.sleep(600)"
    with started(parent) as (process, said):
        assert said == b"there\n"
        [left] = psutil.Process(process.pid).children()
        assert end_session(process, 30) == -signal.SIGTERM
        assert gone_within(30, [left]) == []


def test_a_second_signal_does_not_cut_the_cleaning_up_short_and_handlers_come_back() -> None:
    before, cleaned = signal.getsignal(signal.SIGTERM), []

    def measure() -> None:
        with ended_in_order():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                cleaned.append(True)

    with pytest.raises(SystemExit):
        measure()
    assert cleaned
    assert signal.getsignal(signal.SIGTERM) is before
