"""Where the gateway's time goes: py-spy samples it under the benchmark's load, and the dearest functions are printed.

`make bench-profile`, or `python -m loadtests.bench.profile --ready-file FILE` for a stack that runs already.  Only
samples in which a thread was at work count; the shares are of the gateway's CPU time, native code (OpenSSL, uvloop)
under the Python function that called it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from loadtests.bench.measure import Measurement, measure
from loadtests.stack import RunningStack, own_stack, running_stack
from loadtests.traffic.generators import Load
from loadtests.traffic.orders import WALLETS

_SAMPLES_PER_SECOND: Final = 200
_WARM_UP_S: Final = 3.0


def find_py_spy() -> str:
    """The profiler: beside the interpreter, on PATH, or installed from PyPI into this environment."""
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if found is not None:
        return found
    uv = Path(sys.executable).with_name("uv")
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix}
    subprocess.run([str(uv), "pip", "install", "--quiet", "py-spy"], env=environment, check=True)
    return str(beside)


def tally(stacks: Iterable[str]) -> tuple[Counter[str], Counter[str], int]:
    """Samples by function where it was at work itself, and where it or what it called was; and all samples.

    A stack is py-spy's raw line: frames from the outermost on, joined by semicolons, then a blank and a count.
    """
    itself: Counter[str] = Counter()
    with_called: Counter[str] = Counter()
    total = 0
    for line in stacks:
        path, _, number = line.rpartition(" ")
        frames = path.split(";")
        total += int(number)
        itself[frames[-1]] += int(number)
        for frame in set(frames):
            with_called[frame] += int(number)
    return itself, with_called, total


def _profile(stack: RunningStack, options: argparse.Namespace) -> tuple[list[str], Measurement]:
    """The raw stacks, and what was measured while the profiler ran."""
    with tempfile.TemporaryDirectory(prefix="mashang-profile-") as folder:
        raw = Path(folder) / "raw.txt"
        command = [
            find_py_spy(), "record", "--pid", str(stack.ready.processes.gateway[0]), "--format", "raw",
            "--output", str(raw), "--nonblocking", "--rate", str(_SAMPLES_PER_SECOND),
            "--duration", str(int(options.seconds)),
        ]  # fmt: skip
        if not options.lines:
            command.append("--function")
        load = Load(
            url=f"{stack.ready.gateway}/v1/payments",
            key=stack.ready.merchant.api_key,
            wallet=options.wallet,
            open_requests=options.open,
            seconds=options.seconds,
            warm_up_s=_WARM_UP_S,
        )
        profilers: list[subprocess.Popen[bytes]] = []
        measured = measure(
            load,
            stack.process_groups,
            lambda: profilers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)),
        )
        if profilers[0].wait(30) != 0:
            raise SystemExit("py-spy failed: it needs root, or kernel.yama.ptrace_scope = 0")
        return raw.read_text().splitlines(), measured


def _show(console: Console, title: str, counts: Counter[str], total: int, rows: int) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("share", justify="right")
    table.add_column("function")
    for name, number in counts.most_common(rows):
        table.add_row(f"{100 * number / total:.1f} %", name)
    console.print(table)


def main() -> None:
    """Profile and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ready-file", type=Path, help="a running stack; without it one is started")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--open", type=int, default=128)
    parser.add_argument("--wallet", choices=[*WALLETS, "mix"], default="wechat")
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--lines", action="store_true", help="by line instead of by function")
    options = parser.parse_args()
    chosen: AbstractContextManager[RunningStack] = (
        own_stack() if options.ready_file is None else running_stack(options.ready_file)
    )
    with chosen as stack:
        stack.set_latency()
        time.sleep(1)
        stacks, measured = _profile(stack, options)
    itself, with_called, total = tally(stacks)
    console = Console(width=140)
    console.print(
        f"{measured.figures.per_second:.0f} payments/s, {measured.cpu_us_per_payment['gateway']:.0f} µs of gateway CPU "
        f"per payment, {total} samples"
    )
    _show(console, "Itself", itself, total, options.rows)
    _show(console, "With what it calls", with_called, total, options.rows)


if __name__ == "__main__":
    main()
