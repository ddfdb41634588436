"""`make bench-profile`: what each phase of a payment costs the gateway, with everything in force and with nothing.

py-spy samples the gateway under the benchmark's load.  Each stack belongs to a phase (loadtests/bench/phases.py), and
the CPU that the operating system booked in the same seconds is divided by the phases' shares of the samples.  perf,
where there is one, divides the same time by library.  How to read it: docs/benchmarks.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from loadtests.bench import native
from loadtests.bench.campaign_sets import InForce, campaign_sets
from loadtests.bench.document import newest
from loadtests.bench.measure import Measurement, measure
from loadtests.bench.phases import awake
from loadtests.bench.profile_report import (
    Profile,
    Tally,
    profile_document,
    show_functions,
    show_profiles,
    write_profiles,
)
from loadtests.bench.rule_sets import rule_sets
from loadtests.stack import RunningStack, own_stack, running_stack
from loadtests.traffic.generators import Load

_SAMPLES_PER_SECOND: Final = 200
_WARM_UP_S: Final = 3.0
_END_S: Final = 60.0
EVERYTHING: Final = "1,000 rules and 100 campaigns"
NOTHING: Final = "neither"


@dataclass(frozen=True, slots=True)
class _Plan:
    """How it is measured: counted seconds of each turn, turns of each kind, and the load."""

    seconds: float
    rounds: int
    open_requests: int
    wallet: str
    by_line: bool


@dataclass(slots=True)
class _Found:
    """What the turns of one kind have found so far."""

    stacks: list[str] = field(default_factory=list)
    kinds: Counter[native.Kind] = field(default_factory=Counter)
    measured: list[Measurement] = field(default_factory=list)

    def profile(self) -> Profile:
        total = self.measured[0]
        for each in self.measured[1:]:
            total = total + each
        return Profile.of(
            total, [each.cpu_us_per_payment["gateway"] for each in self.measured], self.stacks, self.kinds
        )


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


def tally(stacks: Iterable[str]) -> Tally:
    """Count samples by function.

    A stack is py-spy's raw line: frames from the outermost on, joined by semicolons, then a blank and a count.
    """
    itself: Counter[str] = Counter()
    with_called: Counter[str] = Counter()
    for stack, number in awake(stacks):
        frames = stack.split(";")
        itself[frames[-1]] += number
        for frame in set(frames):
            with_called[frame] += number
    return Tally(itself, with_called)


def _turn(stack: RunningStack, plan: _Plan, found: _Found) -> None:
    """One turn of load with the profilers at work."""
    pid = stack.ready.processes.gateway[0]
    with tempfile.TemporaryDirectory(prefix="mashang-profile-") as folder:
        raw, perf_data = Path(folder) / "raw.txt", Path(folder) / "perf.data"
        profilers: list[subprocess.Popen[bytes]] = []
        beside: list[subprocess.Popen[bytes]] = []

        def watch() -> None:
            profilers.append(_start_py_spy(pid, plan, raw))
            if (perf := native.start(pid, plan.seconds, perf_data)) is not None:
                beside.append(perf)

        load = Load(
            url=f"{stack.ready.gateway}/v1/payments",
            key=stack.ready.merchant.api_key,
            wallet=plan.wallet,
            open_requests=plan.open_requests,
            seconds=plan.seconds,
            warm_up_s=_WARM_UP_S,
        )
        found.measured.append(measure(load, stack.process_groups, watch))
        for perf in beside:
            perf.wait(_END_S)
        if profilers[0].wait(_END_S) != 0:
            raise SystemExit("py-spy failed: it needs root, or kernel.yama.ptrace_scope = 0")
        found.stacks += raw.read_text(errors="replace").split("\n")
        found.kinds += native.read(perf_data)


def _start_py_spy(pid: int, plan: _Plan, raw: Path) -> subprocess.Popen[bytes]:
    command = [
        find_py_spy(), "record", "--pid", str(pid), "--format", "raw", "--output", str(raw), "--nonblocking",
        "--rate", str(_SAMPLES_PER_SECOND), "--duration", str(int(plan.seconds)),
    ]  # fmt: skip
    if not plan.by_line:
        command.append("--function")
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _profile(stack: RunningStack, plan: _Plan, console: Console) -> dict[str, _Found]:
    """Profile with everything in force and with nothing, in turns."""
    found = {EVERYTHING: _Found(), NOTHING: _Found()}
    stack.set_latency()
    with campaign_sets(stack.ready) as campaigns, rule_sets(stack.ready) as rules:
        for number in range(plan.rounds):
            for name, so_far in found.items():
                campaigns.put_in_force(InForce.HUNDRED if name == EVERYTHING else InForce.NONE)
                rules.put_in_force(rules=name == EVERYTHING)
                time.sleep(1)
                _turn(stack, plan, so_far)
                used_us = so_far.measured[-1].cpu_us_per_payment["gateway"]
                console.print(f"round {number + 1}, {name}: {used_us:.0f} µs", style="dim", highlight=False)
    return found


def main(
    *,
    seconds: Annotated[float, typer.Option(min=2, help="Counted seconds of each turn.")] = 12.0,
    rounds: Annotated[int, typer.Option(min=1, help="How many turns each kind has.")] = 2,
    open_requests: Annotated[int, typer.Option("--open", min=1, help="Requests open at once.")] = 128,
    wallet: Annotated[str, typer.Option(help="wechat, alipay, unionpay or mix.")] = "wechat",
    rows: Annotated[int, typer.Option(help="So many functions are listed, too.")] = 0,
    lines: Annotated[bool, typer.Option(help="Those by line instead of by function.")] = False,
    ready_file: Annotated[
        Path | None, typer.Option(help="A stack that runs already; without it one is started.")
    ] = None,
    compare: Annotated[Path | None, typer.Option(help="An earlier profile's JSON; without it the newest one.")] = None,
    keep_stacks: Annotated[Path | None, typer.Option(help="Write py-spy's raw stacks into this folder.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of JSON and picture.")] = Path("results"),
) -> None:
    """Profile the gateway by phase, and show it beside an earlier profile."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    plan = _Plan(seconds, rounds, open_requests, wallet, by_line=lines)
    before = newest(results, "profile", compare, wallet=wallet, open_requests=open_requests)
    at = datetime.now(UTC)
    chosen: AbstractContextManager[RunningStack] = own_stack() if ready_file is None else running_stack(ready_file)
    with chosen as stack:
        found = _profile(stack, plan, console)
    profiles = {name: each.profile() for name, each in found.items()}
    show_profiles(console, profiles, before)
    for name, each in found.items():
        if rows:
            show_functions(console, name, tally(each.stacks), rows)
        if keep_stacks is not None:
            keep_stacks.mkdir(parents=True, exist_ok=True)
            (keep_stacks / f"{name.replace(' ', '-').replace(',', '')}.txt").write_text("\n".join(each.stacks) + "\n")
    options = {"seconds": seconds, "rounds": rounds, "open_requests": open_requests, "wallet": wallet}
    for path in write_profiles(results, profile_document(profiles, options, at), before, at):
        console.print(f"Written: {path}")


if __name__ == "__main__":
    typer.run(main)
