"""`make bench-curves`: what a payment costs each process while campaigns, rules, merchants, payments … grow.

The points of a curve take turns, each on its own stack where the stack has to differ; each curve ends with the audit of
its stacks.  Table, JSON and a picture; how to read them: docs/benchmarks.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from loadtests.bench.curve import TITLES, Curve, CurveName, Point, curve_verdicts
from loadtests.bench.curve_points import SIZES, Workshop, points
from loadtests.bench.document import about, newest, revision_in_words, stamp, verdict_rows, write
from loadtests.bench.outcome import Verdict
from loadtests.bench.pictures import Line, lines, page
from loadtests.bench.report import show_audit, show_unsound, target_table
from loadtests.bench.stored import prepare as prepare_stacks
from loadtests.processes import memory

_COLOURS: Final = {
    "gateway": "#2a6fbb", "PostgreSQL": "#e08a1e", "Valkey": "#c0392b", "worker": "#3a9a5b", "simulators": "#9b9b9b",
    "all of ours": "#000000",
}  # fmt: skip
_OPEN: Final = 128
_SMALL: Final = 10
"""By so much `--small` divides the sizes over a thousand."""


def sizes_of(name: CurveName, *, small: bool) -> list[int]:
    """The places of a curve."""
    return [size // _SMALL if small and size > 1_000 else size for size in SIZES[name]]


@dataclass(frozen=True, slots=True)
class Turns:
    """How often the points take turns, the counted seconds of each, and the seconds that fill caches before the first
    where there are many merchants: what is asked is what a payment costs in a gateway that has been at work a while."""

    rounds: int
    seconds: float
    fill_s: float


def measure_curve(name: CurveName, made: Sequence[Point], turns: Turns) -> Curve:
    """All points in turns."""
    curve = Curve(name, small_case=next((each.label for each in made if each.is_small_case), None))
    for point in made:
        if point.keys is not None and turns.fill_s:
            point.on.say(
                f"{name} {point.label}, caches", point.on.closed(turns.fill_s, point.open_requests, point.keys)
            )
    for number in range(turns.rounds):
        for point in made:
            measured = point.on.closed(turns.seconds, point.open_requests, point.keys)
            curve.rounds.setdefault(point.label, []).append(measured)
            curve.gateway_mib[point.label] = memory(point.on.groups["gateway"]).rss_mib
            point.on.say(f"{name} {point.label}, round {number + 1}", measured)
    return curve


def _audit(curve: Curve, made: Sequence[Point], console: Console) -> None:
    """The audit of every stack of the curve."""
    for on in {id(each.on): each.on for each in made}.values():
        curve.audits.append(on.audit())
        console.print(f"  {curve.audits[-1].summary}", style="dim", markup=False)


def _table(curve: Curve, before: Mapping[str, Any] | None) -> Table:
    names = [name for name in _COLOURS if name in curve.of(next(iter(curve.rounds))).cpu_us]
    earlier = {} if before is None else before["curves"].get(curve.name, {})
    table = Table(title=f"CPU per payment in µs, by {TITLES[curve.name]}", title_justify="left")
    table.add_column(curve.name)
    for column in (*names, "ours Σ", "±", "before", "/s", "p50 ms", "p99 ms", "refused", "errors", "others", "MiB"):
        table.add_column(column, justify="right")
    for label in curve.rounds:
        measured = curve.of(label)
        used = measured.cpu_us_per_payment
        known = earlier.get(label)
        table.add_row(
            label, *[f"{used[name]:,.0f}" for name in names], f"[bold]{curve.ours_us(label):,.0f}[/bold]",
            "" if (spread := curve.spread(label)) is None else f"{spread:.0%}",
            "" if known is None else f"{known['ours_us']:,.0f}",
            f"{measured.figures.per_second:,.0f}", f"{measured.figures.percentile_ms(50):.0f}",
            f"{measured.figures.percentile_ms(99):.0f}", str(measured.figures.refused),
            str(measured.figures.errors or 0),
            f"{measured.others_share:.0%}", f"{curve.gateway_mib[label]:,.0f}" if label in curve.gateway_mib else "",
        )  # fmt: skip
    return table


def curves_document(
    curves: Sequence[Curve], judged: Sequence[Verdict], options: Mapping[str, object], at: datetime
) -> dict[str, Any]:
    """Everything that was found, and on what."""
    return {
        **about(at),
        "options": dict(options),
        "curves": {curve.name.value: {label: _point_json(curve, label) for label in curve.rounds} for curve in curves},
        "targets": verdict_rows(judged),
        "audits": {curve.name.value: [each.to_json() for each in curve.audits] for curve in curves},
    }


def _point_json(curve: Curve, label: str) -> dict[str, Any]:
    measured = curve.of(label)
    return {
        "cpu_us_per_payment": measured.cpu_us_per_payment,
        "ours_us": curve.ours_us(label),
        "spread": curve.spread(label),
        "per_second": measured.figures.per_second,
        "latency_ms": {f"p{percent}": measured.figures.percentile_ms(percent) for percent in (50, 99)},
        "errors": measured.figures.errors,
        "refused": measured.figures.refused,
        "others_share": measured.others_share,
        "gateway_mib": curve.gateway_mib.get(label),
    }


def curves_page(document: Mapping[str, Any]) -> str:
    """A page by itself: a chart for each curve, a line for each process."""
    drawn = []
    for name, found in document["curves"].items():
        series = [
            Line(process, [each["cpu_us_per_payment"].get(process) for each in found.values()], colour)
            for process, colour in _COLOURS.items()
            if any(process in each["cpu_us_per_payment"] for each in found.values())
        ]
        series.append(Line("all of ours", [each["ours_us"] for each in found.values()], _COLOURS["all of ours"]))
        drawn.append(lines(f"µs of CPU per payment, by {TITLES[CurveName(name)]}", list(found), series, "µs"))
    return page("Scaling curves", f"{document['time']}, {revision_in_words(document['revision'])}", drawn)


def _measure(
    names: Sequence[CurveName],
    console: Console,
    options: Mapping[str, Any],
    seeded: Path | None,
    before: Mapping[str, Any] | None,
) -> list[Curve]:
    """Each curve with its table, which does not wait for the audits: those of millions of payments take long."""
    curves = []
    for number, name in enumerate(names, 1):
        console.print(f"[bold]curve {number} of {len(names)}: {TITLES[name]}[/bold]", highlight=False)
        with ExitStack() as held:
            workshop = Workshop(console, held, options["open_requests"], options["warm_up"], seeded)
            made = points(name, sizes_of(name, small=options["small"]), workshop)
            turns = Turns(options["rounds"], options["seconds"], options["fill"])
            curves.append(measure_curve(name, made, turns))
            console.print(_table(curves[-1], before))
            _audit(curves[-1], made, console)
    return curves


def _prepare(seeded: Path | None, console: Console, *, small: bool) -> None:
    if seeded is None:
        raise typer.BadParameter("--prepare needs --seeded FOLDER")
    prepare_stacks(seeded, sizes_of(CurveName.STORED, small=small), console.print)


def main(
    *,
    only: Annotated[str, typer.Option(help="Of: " + ",".join(CurveName))] = ",".join(CurveName),
    seconds: Annotated[float, typer.Option(min=1, help="Counted seconds of each turn.")] = 8.0,
    warm_up: Annotated[float, typer.Option(min=0, help="Seconds before that.")] = 3.0,
    fill: Annotated[float, typer.Option(min=0, help="Seconds that fill caches with many merchants.")] = 60.0,
    rounds: Annotated[int, typer.Option(min=1, help="How often the points take turns.")] = 3,
    open_requests: Annotated[int, typer.Option("--open", min=1, help="Requests open at once.")] = _OPEN,
    small: Annotated[bool, typer.Option(help="A tenth of the largest sizes, to see that it works.")] = False,
    seeded: Annotated[Path | None, typer.Option(help="Folder that keeps the seeded stacks of `stored`.")] = None,
    prepare: Annotated[bool, typer.Option(help="Only seed what `--seeded` is to keep; measure nothing.")] = False,
    compare: Annotated[Path | None, typer.Option(help="An earlier run's JSON; without it the newest one.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of JSON and picture.")] = Path("results"),
) -> None:
    """Measure the scaling curves (P5)."""
    try:
        names = [CurveName(each.strip()) for each in only.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{error}; there are {', '.join(CurveName)}") from None
    console = Console(width=None if sys.stdout.isatty() else 160)
    if prepare:
        _prepare(seeded, console, small=small)
        return
    before = newest(results, "curves", compare, small=small, open_requests=open_requests)
    at = datetime.now(UTC)
    options = {
        "seconds": seconds,
        "warm_up": warm_up,
        "fill": fill,
        "rounds": rounds,
        "open_requests": open_requests,
        "small": small,
    }
    curves = _measure(names, console, options, seeded, before)
    judged = curve_verdicts(curves, as_asked=not small and open_requests == _OPEN)
    if judged:
        console.print(target_table(judged, before))
    for curve in curves:
        for audit in curve.audits:
            console.print(curve.name, end=": ")
            show_audit(console, audit)
    unsound = [f"{curve.name} {label}" for curve in curves for label in curve.unsound]
    show_unsound(console, unsound)
    document = curves_document(curves, judged, options, at)
    console.print(f"Written: {write(results, 'curves', document, at)}")
    picture = results / f"curves-{stamp(at)}.html"
    picture.write_text(curves_page(document))
    console.print(f"Written: {picture}")
    if not all(audit.passed for curve in curves for audit in curve.audits) or unsound:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
