"""`make bench-overload`: one, two and three times the capacity offered, what a refusal costs, and the audit after it.

Arrivals are random and do not wait for answers (the open model), so that more is offered than can be taken.  What is
judged is work for CPU time: payments completed for each second of CPU that was not the generator's.  With `--kill` one
of two gateway processes is killed (SIGKILL) at the peak, and the supervisor starts it again.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from gateway.devstack.ready import read_ready_file
from loadtests.bench.document import about, newest, verdict_rows, write
from loadtests.bench.measure import GENERATOR, Measurement, measure
from loadtests.bench.outcome import YARDSTICK, Audit, Verdict, is_quiet
from loadtests.bench.report import show_audit, show_unsound, target_table
from loadtests.bench.scene import Scene, scene
from loadtests.bench.servers import yardstick
from loadtests.processes import cpu_us
from loadtests.traffic.generators import Load
from loadtests.traffic.samples import percentile

PEAK: Final = "capacity"
REFUSING: Final = "nearly all refused"
KILLED: Final = "one of two killed"
_TIMES: Final = (1, 2, 3)
_REFUSED_RATE_PER_S: Final = 1_500
_FEW_IN_FLIGHT: Final = {"MASHANG_MERCHANT_PAYMENTS_IN_FLIGHT_MAX": "1"}
"""One payment at a time for each merchant: all others are refused at once."""
_SLOW_CHANNEL_MS: Final = {"min": 4_000, "max": 4_000}
"""So that hardly any payment is let in: a lone one costs as much as a hundred refusals."""
_OFFERED_SHARE_MIN: Final = 0.9
_IDLE_S: Final = 4.0
_ALONE_S: Final = 4.0
_NO_OP_OPEN: Final = 32
_NO_OP_S: Final = 3.0
_RESTART_S: Final = 20.0
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Refusing:
    """A turn in which nearly all is refused, and what is to be taken out of it to have the refusals alone."""

    measured: Measurement
    idle_us_per_s: float
    """What the gateway uses while nothing is asked of it."""
    payment_us: float
    """What a payment alone costs it, for the few that are let in."""
    no_op_us: float
    """The yardstick in the same minute."""

    @property
    def refusal_us(self) -> float:
        """CPU of the gateway for each refusal."""
        figures = self.measured.figures
        beside_us = figures.completed * self.payment_us + figures.seconds * self.idle_us_per_s
        return max(0.0, self.measured.cpu_us["gateway"] - beside_us) / max(figures.refused, 1)


@dataclass(slots=True)
class Overload:
    """What was measured, by name, and the verdict of the books after it."""

    turns: dict[str, Measurement]
    refusing: Refusing | None = None
    audits: tuple[Audit, ...] = ()
    restarted_s: float | None = None
    """How long after the kill the supervisor had started another process."""

    @property
    def unsound(self) -> list[str]:
        """The turns in which nothing was completed, or much went wrong; where one is killed, that is meant."""
        return [name for name, turn in self.turns.items() if name != KILLED and not turn.figures.is_sound]

    @property
    def passed(self) -> bool:
        """Whether the books agree after each part."""
        return all(each.passed for each in self.audits)


def per_cpu_second(measured: Measurement) -> float:
    """Payments completed for each second of CPU that all processes but the generator used."""
    used_us = sum(used for name, used in measured.cpu_us.items() if name != GENERATOR)
    return 1_000_000 * measured.figures.completed / used_us if used_us else 0.0


def peak_of(turns: Mapping[str, Measurement]) -> Measurement:
    """The turn that completed most, of those in which no more was offered than can be taken."""
    offered = [turns[name] for name in (PEAK, name_of(1)) if name in turns]
    return max(offered, key=lambda turn: turn.figures.per_second)


def offered_per_s(found: Overload, name: str) -> float | None:
    """How many a second were to arrive in a turn; None where so many were open, or nobody noted it."""
    times = {name_of(each): each for each in _TIMES}.get(name)
    return None if times is None or PEAK not in found.turns else times * found.turns[PEAK].figures.per_second


def was_offered(found: Overload, name: str) -> bool:
    """Whether the generator brought what was to be offered: else it was the one that had too much to do."""
    asked_per_s, figures = offered_per_s(found, name), found.turns[name].figures
    return asked_per_s is None or figures.answered >= _OFFERED_SHARE_MIN * asked_per_s * figures.seconds


def overload_verdicts(found: Overload) -> list[Verdict]:
    """P8: work at overload against the peak's, CPU and time of a refusal."""
    judged = []
    turn_at_peak = peak_of(found.turns)
    peak = per_cpu_second(turn_at_peak)
    for times in _TIMES[1:]:
        if (turn := found.turns.get(name_of(times))) is not None:
            share = 100 * per_cpu_second(turn) / peak
            what = f"{times} × capacity: payments per CPU second ÷ the peak's"
            told = was_offered(found, name_of(times)) and turn_at_peak.figures.is_sound
            judged.append(Verdict("P8", what, share, 90.0, at_most=False, judged=told, unit="%"))
            judged.append(_time_to_refusal(f"{times} × capacity", turn))
            late = 100 * turn.figures.late_share
            judged.append(Verdict("", f"{times} × capacity: arrivals that left late", late, 0.0, at_most=True,
                                  judged=False, unit="%"))  # fmt: skip
    if (refusing := found.refusing) is not None and refusing.measured.figures.refused:
        us = refusing.refusal_us
        judged.append(Verdict("P8", "CPU of a refusal (outermost layer)", us, 60.0, at_most=True,
                              judged=is_quiet(refusing.measured) or us <= 60.0, unit="µs"))  # fmt: skip
        judged.append(Verdict("", "CPU of a refusal ÷ no-op POST", us / refusing.no_op_us, 0.0, at_most=True,
                              judged=False))  # fmt: skip
        judged.append(_time_to_refusal(REFUSING, refusing.measured))
    return judged


def _time_to_refusal(name: str, turn: Measurement) -> Verdict:
    p99_ms = percentile(turn.figures.refusals_ms, 99)
    judged = bool(turn.figures.refused) and (is_quiet(turn) or p99_ms < 50.0)
    return Verdict("P8", f"{name}: time to a refusal, p99", p99_ms, 50.0, at_most=True, judged=judged, unit="ms")


def name_of(times: int) -> str:
    """The name of a turn with so many times the capacity offered."""
    return f"{times} × capacity offered"


def _offer(on: Scene, seconds: float, open_requests: int) -> dict[str, Measurement]:
    """The capacity, and one to three times as many arrivals."""
    turns = {PEAK: on.closed(seconds, open_requests)}
    on.say(f"{PEAK}, {open_requests} open", turns[PEAK])
    for times in _TIMES:
        rate_per_s = turns[PEAK].figures.per_second * times
        turns[name_of(times)] = on.arriving(rate_per_s, seconds)
        on.say(f"{name_of(times)}, {rate_per_s:.0f}/s", turns[name_of(times)])
    return turns


def _kill_one(on: Scene, seconds: float, rate_per_s: float) -> tuple[Measurement, float | None]:
    """Kill one gateway process while twice the capacity is offered; how long until there were as many again."""
    ready_file = on.stack.state / "ready.json"
    gone: list[tuple[int, float]] = []

    def kill() -> None:
        victim = read_ready_file(ready_file).processes.gateway[0]
        os.kill(victim, signal.SIGKILL)
        gone.append((victim, time.monotonic()))

    # What a killed process used moves to its parent's account, and its successor has none yet: no CPU is told.
    measured = replace(on, groups={}).arriving(rate_per_s, seconds, kill)
    victim, killed_s = gone[0]
    while time.monotonic() < killed_s + seconds + _RESTART_S:
        if victim not in read_ready_file(ready_file).processes.gateway:
            return measured, ready_file.stat().st_mtime - (time.time() - (time.monotonic() - killed_s))
        time.sleep(_POLL_S)
    return measured, None


def _show(console: Console, found: Overload) -> None:
    table = Table(title="Overload", title_justify="left")
    table.add_column("turn")
    for column in ("offered/s", "answered/s", "completed/s", "refused/s", "errors", "per CPU s", "gateway µs",
                   "p50 ms", "p99 ms", "refusal p99 ms", "late", "others"):  # fmt: skip
        table.add_column(column, justify="right")
    for name, turn in _all_turns(found).items():
        figures, used_us = turn.figures, turn.cpu_us_per_payment.get("gateway")
        offered = offered_per_s(found, name)
        table.add_row(
            name, "" if offered is None else f"{offered:,.0f}",
            f"{figures.answered / figures.seconds:,.0f}", f"{figures.per_second:,.0f}",
            f"{figures.refused / figures.seconds:,.0f}", _told(figures.errors),
            "" if used_us is None else f"{per_cpu_second(turn):,.0f}",
            "" if used_us is None else f"{used_us:,.0f}", f"{figures.percentile_ms(50):.0f}",
            f"{figures.percentile_ms(99):.0f}", f"{percentile(figures.refusals_ms, 99):.1f}",
            f"{figures.late_share:.1%}", "" if used_us is None else f"{turn.others_share:.0%}",
        )  # fmt: skip
    console.print(table)
    console.print("Per CPU s: payments for each second of CPU of all processes but the generator.")
    if found.restarted_s is not None:
        console.print(f"Killed one of two gateway processes: another one was there after {found.restarted_s:.1f} s")


def _all_turns(found: Overload) -> dict[str, Measurement]:
    """With the refusals by themselves at the end."""
    return found.turns if found.refusing is None else {**found.turns, REFUSING: found.refusing.measured}


def _told(errors: Mapping[str, int]) -> str:
    return ", ".join(f"{number} × {what}" for what, number in errors.items()) or "0"


def _document(found: Overload, at: datetime, options: Mapping[str, object]) -> dict[str, Any]:
    return {
        **about(at),
        "options": dict(options),
        "turns": {
            name: {
                "offered_per_second": offered_per_s(found, name),
                "answered_per_second": turn.figures.answered / turn.figures.seconds,
                "completed_per_second": turn.figures.per_second,
                "refused": turn.figures.refusals,
                "errors": turn.figures.errors,
                "per_cpu_second": per_cpu_second(turn),
                "cpu_us_per_payment": turn.cpu_us_per_payment,
                "latency_ms": {f"p{percent}": turn.figures.percentile_ms(percent) for percent in (50, 99)},
                "refusal_ms": {f"p{percent}": percentile(turn.figures.refusals_ms, percent) for percent in (50, 99)},
                "late_share": turn.figures.late_share,
                "others_share": turn.others_share,
            }
            for name, turn in _all_turns(found).items()
        },
        "restarted_s": found.restarted_s,
        "targets": verdict_rows(overload_verdicts(found)),
        "audits": [each.to_json() for each in found.audits],
    }


def _refuse(console: Console, seconds: float) -> tuple[Refusing, Audit]:
    """On a stack of its own, which takes one payment at a time of each merchant and refuses all others."""
    with scene(console, everything=False, environment=_FEW_IN_FLIGHT) as on, yardstick() as no_op:
        idle_us_per_s = _idle_us_per_s(on)
        alone = on.closed(_ALONE_S, 1)
        payment_us = alone.cpu_us_per_payment["gateway"] - idle_us_per_s / max(alone.figures.per_second, 1)
        on.stack.set_latency(_SLOW_CHANNEL_MS)
        measured = on.arriving(_REFUSED_RATE_PER_S, seconds)
        on.say(f"{REFUSING}, {_REFUSED_RATE_PER_S}/s", measured)
        load = Load(no_op.url, "", "wechat", _NO_OP_OPEN, _NO_OP_S, 1.0)
        no_op_us = measure(load, no_op.process_groups).cpu_us_per_payment[YARDSTICK]
        return Refusing(measured, idle_us_per_s, payment_us, no_op_us), on.audit()


def _idle_us_per_s(on: Scene) -> float:
    before = cpu_us(on.groups)["gateway"]
    time.sleep(_IDLE_S)
    return (cpu_us(on.groups)["gateway"] - before) / _IDLE_S


def main(
    *,
    seconds: Annotated[float, typer.Option(min=1, help="Counted seconds of each turn.")] = 15.0,
    open_requests: Annotated[
        int, typer.Option("--open", min=1, help="Open requests where capacity is measured.")
    ] = 128,
    kill: Annotated[bool, typer.Option(help="Two gateway processes, one of them killed under overload.")] = False,
    refusals: Annotated[bool, typer.Option(help="Measure the refusal by itself, on a stack of its own.")] = True,
    compare: Annotated[Path | None, typer.Option(help="An earlier run's JSON; without it the newest one.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of the JSON documents.")] = Path("results"),
) -> None:
    """Offer more than can be taken (P8)."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    before, at = newest(results, "overload", compare, open_requests=open_requests, kill=kill), datetime.now(UTC)
    with scene(console, workers=2 if kill else 1) as on:
        found = Overload(_offer(on, seconds, open_requests))
        if kill:
            rate_per_s = 2 * found.turns[PEAK].figures.per_second
            found.turns[KILLED], found.restarted_s = _kill_one(on, seconds, rate_per_s)
        found.audits = (on.audit(),)
    if refusals:
        found.refusing, audit = _refuse(console, seconds)
        found.audits += (audit,)
    _show(console, found)
    console.print(target_table(overload_verdicts(found), before))
    show_unsound(console, found.unsound)
    for each in found.audits:
        show_audit(console, each)
    options = {"seconds": seconds, "open_requests": open_requests, "kill": kill}
    console.print(f"Written: {write(results, 'overload', _document(found, at, options), at)}")
    if not found.passed or found.unsound or (kill and found.restarted_s is None):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
