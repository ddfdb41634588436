"""`make bench-memory`: an hour of payments with everything in force, and what each process holds meanwhile (P9).

Payments of all wallets arrive at random moments, so many a second (the open model), modestly: what climbs climbs with
their number and with time, not with load.  It ends with the audit.  Table, JSON and a picture: docs/benchmarks.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from loadtests.bench.document import about, newest, revision_in_words, stamp, verdict_rows, write
from loadtests.bench.measure import Measurement
from loadtests.bench.memory_watch import SETTLED_S, Held, MemoryWatch, Reading, held_by, memory_verdicts
from loadtests.bench.outcome import Audit, Verdict
from loadtests.bench.pictures import Line, lines, page
from loadtests.bench.report import show_audit, show_unsound, target_table
from loadtests.bench.scene import Scene, scene

_ASKED_MINUTES: Final = 60.0
_EVERY_S: Final = 15.0
_RATE_PER_S: Final = 100.0
_SAID_EVERY_S: Final = 60.0
_PLACES: Final = 60
"""About so many points of each line are drawn: one a minute of the hour."""
_LABELS: Final = 6
_COLOURS: Final = ("#2a6fbb", "#7d3fb0", "#12808f", "#b03f7d", "#3a9a5b", "#e08a1e", "#c0392b", "#9b9b9b")


class Progress:
    """A line a minute."""

    def __init__(self, console: Console, minutes: float) -> None:
        self._console = console
        self._minutes = minutes
        self._next_s = 0.0

    def tell(self, reading: Reading) -> None:
        """Say what a reading found, unless that was said just now."""
        if reading.at_s < self._next_s:
            return
        self._next_s += _SAID_EVERY_S
        held = ", ".join(f"{name} {mib:.1f}" for name, mib in reading.mib.items())
        line = f"minute {reading.at_s / 60:.0f} of {self._minutes:g}: {held} MiB"
        self._console.print(line, style="dim", highlight=False)


def _measure(on: Scene, minutes: float, rate_per_s: float, every_s: float) -> tuple[Measurement, list[Held]]:
    watch = MemoryWatch(on.groups, every_s, Progress(on.console, minutes).tell)
    with watch:
        measured = on.arriving(rate_per_s, minutes * 60)
    on.say(f"{rate_per_s:g} arrivals/s over {minutes:g} minutes", measured)
    found = held_by(watch.readings)
    on.console.print(_table(found))
    return measured, found


def _last_half_s(held: Held) -> float:
    return held.points[-1][0] / 2


def _table(found: Sequence[Held]) -> Table:
    table = Table(title="Memory in MiB (RSS; PostgreSQL and simulators PSS)", title_justify="left")
    table.add_column("process")
    for column in ("at first", "after 10 min", "at the end", "highest", "climb/h after 10 min", "in the last half"):
        table.add_column(column, justify="right")
    for held in found:
        settled = next((mib for at_s, mib in held.points if at_s >= SETTLED_S), None)
        climbs = (held.climb_mib_per_h(), held.climb_mib_per_h(_last_half_s(held)))
        table.add_row(
            held.name, f"{held.points[0][1]:,.1f}", "" if settled is None else f"{settled:,.1f}",
            f"{held.points[-1][1]:,.1f}", f"{held.highest_mib:,.1f}",
            *["" if each is None else f"{each:+,.1f}" for each in climbs],
        )  # fmt: skip
    return table


def memory_document(
    measured: Measurement, found: Sequence[Held], judged: Sequence[Verdict], at: datetime, options: Mapping[str, object]
) -> dict[str, Any]:
    """Every reading, and what was made of them."""
    return {
        **about(at),
        "options": dict(options),
        "payments": measured.figures.completed,
        "per_second": measured.figures.per_second,
        "errors": measured.figures.errors,
        "refused": measured.figures.refusals,
        "others_share": measured.others_share,
        "processes": {
            held.name: {
                "highest_mib": held.highest_mib,
                "climb_mib_per_h": held.climb_mib_per_h(),
                "climb_mib_per_h_last_half": held.climb_mib_per_h(_last_half_s(held)),
                "s_and_mib": [[round(at_s, 1), round(mib, 2)] for at_s, mib in held.points],
            }
            for held in found
        },
        "targets": verdict_rows(judged),
    }


def memory_page(document: Mapping[str, Any]) -> str:
    """A page by itself: a line for each process over the minutes."""
    series = {name: each["s_and_mib"] for name, each in document["processes"].items()}
    length = len(next(iter(series.values())))
    shown = range(0, length, max(1, round(length / _PLACES)))
    places = [_place(number, at) for number, at in enumerate(next(iter(series.values()))[each][0] for each in shown)]
    drawn = [
        Line(name, [points[each][1] for each in shown], _COLOURS[number % len(_COLOURS)])
        for number, (name, points) in enumerate(series.items())
    ]
    about_it = f"{document['time']}, {revision_in_words(document['revision'])}, {document['payments']:,} payments"
    return page("Memory", about_it, [lines("MiB by minutes since the beginning", places, drawn, "MiB")])


def _place(number: int, at_s: float) -> str:
    """Few places have a label, for there is no room for more."""
    return f"{at_s / 60:.0f}" if number % (_PLACES // _LABELS) == 0 else ""


def _is_as_asked(minutes: float, ready_file: Path | None) -> bool:
    """Whether it was an hour, on a stack whose conditions are known."""
    return minutes >= _ASKED_MINUTES and ready_file is None


def _unsound(measured: Measurement, found: Sequence[Held]) -> list[str]:
    ended = [f"{held.name}, which ended" for held in found if held.has_ended]
    return [*ended, *([] if measured.figures.is_sound else ["the payments"])]


def _finish(console: Console, document: Mapping[str, Any], audit: Audit, results: Path, at: datetime) -> None:
    show_audit(console, audit)
    console.print(f"Written: {write(results, 'memory', {**document, 'audit': audit.to_json()}, at)}")
    picture = results / f"memory-{stamp(at)}.html"
    picture.write_text(memory_page(document))
    console.print(f"Written: {picture}")


def main(
    *,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long payments arrive.")] = _ASKED_MINUTES,
    rate: Annotated[float, typer.Option(min=1, help="Arrivals a second.")] = _RATE_PER_S,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two readings.")] = _EVERY_S,
    workers: Annotated[int, typer.Option(min=1, help="Gateway processes.")] = 1,
    wallet: Annotated[str, typer.Option(help="wechat, alipay, unionpay, or the mix of them.")] = "mix",
    ready_file: Annotated[Path | None, typer.Option(help="A stack that runs already.")] = None,
    compare: Annotated[Path | None, typer.Option(help="An earlier run's JSON; without it the newest one.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of JSON and picture.")] = Path("results"),
) -> None:
    """Watch the memory of every process over an hour of payments (P9)."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    options = {"minutes": minutes, "rate_per_s": rate, "every_s": every, "workers": workers, "wallet": wallet}
    before, at = newest(results, "memory", compare, minutes=minutes, rate_per_s=rate), datetime.now(UTC)
    with scene(console, ready_file, workers=workers) as on:
        on.wallet = wallet
        measured, found = _measure(on, minutes, rate, every)
        audit = on.audit()
    unsound = _unsound(measured, found)
    judged = memory_verdicts(found, as_asked=_is_as_asked(minutes, ready_file) and not unsound)
    console.print(target_table(judged, before))
    show_unsound(console, unsound)
    _finish(console, memory_document(measured, found, judged, at, options), audit, results, at)
    if not audit.passed or unsound:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
