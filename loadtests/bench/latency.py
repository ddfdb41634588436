"""`make bench-latency`: what the gateway adds to the channel's own time, at half capacity and for a lone payment.

The channel answers after a fixed time, so that what an answer takes beyond it is the gateway's (and the little that
the simulator needs to compute its answer).  Arrivals are random and independent (the open model).  The commit that the
target speaks of is measured on the same PostgreSQL in the same seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from loadtests.bench.commits import CommitProbe, idle_commit_ms
from loadtests.bench.document import about, newest, verdict_rows, write
from loadtests.bench.measure import Measurement
from loadtests.bench.outcome import Verdict, is_quiet
from loadtests.bench.report import show_audit, show_unsound, target_table
from loadtests.bench.scene import Scene, scene
from loadtests.traffic.samples import percentile

CHANNEL_MS: Final = 75
_OVER_COMMITS_MS: Final = 3.0
_P99_MS_MAX: Final = 25.0
_OPEN: Final = 128
_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Latency:
    """One run: latencies from arrival to answer, and commits measured in the same seconds."""

    measured: Measurement
    commit_ms: float
    channel_ms: float = CHANNEL_MS

    def own_ms(self, percent: float) -> float:
        """What so many percent of the payments took at most beyond the channel's own time.

        One that was refused or went wrong took for ever.
        """
        return percentile([*self.measured.figures.latencies_ms, *[inf] * self.lost], percent) - self.channel_ms

    @property
    def is_sound(self) -> bool:
        """Whether something was completed, and hardly anything went wrong."""
        return self.measured.figures.is_sound

    @property
    def lost(self) -> int:
        """Payments that were refused or went wrong."""
        return self.measured.figures.refused + sum(self.measured.figures.errors.values())

    @property
    def allowed_ms(self) -> float:
        """Two commits and 3 ms."""
        return 2 * self.commit_ms + _OVER_COMMITS_MS


def latency_verdicts(half: Latency, lone: Latency, *, as_asked: bool = True) -> list[Verdict]:
    """P4; not judged is what falls short while strangers use the machine, or was measured another way than asked."""
    commits = "(asked: two commits + 3 ms)"
    judged = [
        _verdict(f"half load: the gateway's own p50 {commits}", half, 50, half.allowed_ms),
        _verdict("half load: the gateway's own p99", half, 99, _P99_MS_MAX),
        _verdict(f"a lone payment: the gateway's own p50 {commits}", lone, 50, lone.allowed_ms),
    ]
    return [
        *(replace(each, judged=each.judged and as_asked) for each in judged),
        _shown("a commit of this PostgreSQL under half load, median", half.commit_ms),
        _shown("a commit of this PostgreSQL between lone payments, median", lone.commit_ms),
        _shown("arrivals that left late", 100 * half.measured.figures.late_share, "%"),
        _shown("half load: payments that were refused or went wrong", float(half.lost), ""),
    ]


def _verdict(what: str, latency: Latency, percent: float, asked_ms: float) -> Verdict:
    own_ms = latency.own_ms(percent)
    judged = is_quiet(latency.measured) or own_ms <= asked_ms
    return Verdict("P4", what, own_ms, asked_ms, at_most=True, judged=judged, unit="ms")


def _shown(what: str, value: float, unit: str = "ms") -> Verdict:
    return Verdict("", what, value, 0.0, at_most=True, judged=False, unit=unit)


def _measure(on: Scene, seconds: float, open_requests: int, share: float) -> tuple[Latency, Latency, float]:
    """At that share of the capacity, and one payment at a time; and the capacity."""
    database_url = on.stack.ready.database_url
    capacity = on.closed(seconds, open_requests)
    on.say(f"capacity, {open_requests} open", capacity)
    on.stack.set_latency({"min": CHANNEL_MS, "max": CHANNEL_MS})
    rate_per_s = capacity.figures.per_second * share
    with CommitProbe(database_url) as probe:
        half = on.arriving(rate_per_s, seconds)
    on.say(f"{rate_per_s:.0f} arrivals/s", half)
    with CommitProbe(database_url) as lone_probe:
        lone = on.closed(seconds, 1)
    on.say("one at a time", lone)
    return Latency(half, probe.median_ms), Latency(lone, lone_probe.median_ms), capacity.figures.per_second


def _document(
    half: Latency, lone: Latency, judged: Sequence[Verdict], at: datetime, options: Mapping[str, object]
) -> dict[str, Any]:
    return {
        **about(at),
        "options": dict(options),
        "runs": {
            name: {
                "own_ms": {f"p{percent}": each.own_ms(percent) for percent in (50, 90, 99)},
                "commit_ms": each.commit_ms,
                "per_second": each.measured.figures.per_second,
                "late_share": each.measured.figures.late_share,
                "others_share": each.measured.others_share,
                "errors": each.measured.figures.errors,
                "refused": each.measured.figures.refusals,
            }
            for name, each in (("half load", half), ("lone payment", lone))
        },
        "targets": verdict_rows(judged),
    }


def main(
    *,
    seconds: Annotated[float, typer.Option(min=1, help="Counted seconds of each turn.")] = 15.0,
    open_requests: Annotated[
        int, typer.Option("--open", min=1, help="Open requests where capacity is measured.")
    ] = _OPEN,
    share: Annotated[float, typer.Option(help="Arrivals as a share of the capacity.")] = _SHARE,
    ready_file: Annotated[Path | None, typer.Option(help="A stack that runs already.")] = None,
    compare: Annotated[Path | None, typer.Option(help="An earlier run's JSON; without it the newest one.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of the JSON documents.")] = Path("results"),
) -> None:
    """Measure what the gateway adds to the channel's own time (P4)."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    before, at = newest(results, "latency", compare, share=share, open_requests=open_requests), datetime.now(UTC)
    with scene(console, ready_file) as on:
        idle_ms = idle_commit_ms(on.stack.ready.database_url)
        console.print(f"a commit while nothing else runs: {idle_ms:.2f} ms", style="dim", highlight=False)
        half, lone, capacity_per_s = _measure(on, seconds, open_requests, share)
        audit = on.audit()
    options = {
        "seconds": seconds,
        "share": share,
        "open_requests": open_requests,
        "capacity_per_second": capacity_per_s,
        "idle_commit_ms": idle_ms,
    }
    judged = latency_verdicts(half, lone, as_asked=(share, open_requests) == (_SHARE, _OPEN))
    console.print(target_table(judged, before))
    unsound = [name for name, each in (("half load", half), ("lone payment", lone)) if not each.is_sound]
    show_unsound(console, unsound)
    show_audit(console, audit)
    document = {**_document(half, lone, judged, at, options), "audit": audit.to_json()}
    console.print(f"Written: {write(results, 'latency', document, at)}")
    if not audit.passed or unsound:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
