"""A profile by phase as a table, a JSON document and a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import orjson
from rich.console import Console
from rich.table import Table

from loadtests.bench.document import about, stamp
from loadtests.bench.measure import Measurement
from loadtests.bench.native import Kind
from loadtests.bench.phases import Phase, by_phase, unmapped
from loadtests.bench.pictures import Bar, page, stacked_bars

_COLOURS: Final = (
    "#4e79a7", "#76b7b2", "#9c755f", "#bab0ac", "#e15759", "#f28e2b", "#edc948", "#59a14f", "#b07aa1", "#7b4173",
    "#ff9da7", "#9467bd", "#8cd17d", "#499894", "#d4a6c8", "#3a6fb0", "#d37295", "#a0a0a0", "#c9c9c9", "#000000",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """What one kind of payment costs the gateway: µs of CPU in all, in the kernel, by phase and by kind of code."""

    us: float
    system_us: float
    spread_us: float
    """From the cheapest turn to the dearest."""
    per_second: float
    completed: int
    others_share: float
    samples: int
    phases: Mapping[Phase, float]
    noise: Mapping[Phase, float]
    """One standard deviation of a phase's µs, by the number of its samples."""
    kinds: Mapping[Kind, float]
    unmapped: Mapping[str, int]

    @classmethod
    def of(cls, measured: Measurement, turns_us: Iterable[float], stacks: Iterable[str], kinds: Counter[Kind]) -> Self:
        """Divide the CPU of the measured seconds by the samples of the same seconds."""
        stacks, turns_us = list(stacks), list(turns_us)
        samples = by_phase(stacks)
        total, us = max(samples.total(), 1), measured.cpu_us_per_payment["gateway"]
        return cls(
            us=us,
            system_us=measured.system_us["gateway"] / max(measured.figures.completed, 1),
            spread_us=max(turns_us) - min(turns_us),
            per_second=measured.figures.per_second,
            completed=measured.figures.completed,
            others_share=measured.others_share,
            samples=samples.total(),
            phases={phase: us * samples[phase] / total for phase in Phase},
            noise={phase: us * sqrt(samples[phase]) / total for phase in Phase},
            kinds={kind: us * kinds[kind] / kinds.total() for kind in Kind if kinds[kind]},
            unmapped=dict(unmapped(stacks).most_common(10)),
        )


class Tally(NamedTuple):
    """Samples by function where it was at work itself, and where it or what it called was."""

    itself: Counter[str]
    with_called: Counter[str]


def show_profiles(console: Console, profiles: Mapping[str, Profile], before: Mapping[str, Any] | None) -> None:
    """Print the phases, the kinds of code, and user and system."""
    earlier = {} if before is None else before["profiles"]
    table = Table(title="CPU of the gateway by phase, µs per payment", title_justify="left")
    table.add_column("phase")
    for name in profiles:
        for column in (name, "±", "share", "before"):
            table.add_column(column, justify="right")
    for phase in Phase:
        table.add_row(
            phase, *[cell for name, each in profiles.items() for cell in _cells(each, phase, earlier.get(name))]
        )
    table.add_section()
    table.add_row(
        "[bold]all[/bold]", *[cell for name, each in profiles.items() for cell in _sum(each, earlier.get(name))]
    )
    table.add_row("of it in the kernel", *[cell for each in profiles.values() for cell in _kernel(each)])
    console.print(table)
    console.print("±: one standard deviation by the number of samples; of all, dearest turn less the cheapest.\n")
    if any(each.kinds for each in profiles.values()):
        console.print(_kinds_table(profiles))
    for name, each in profiles.items():
        console.print(
            f"{name}: {each.per_second:.0f} payments/s, {each.samples:,} samples, others {each.others_share:.0%}; "
            f"of no phase: {', '.join(each.unmapped) or 'nothing'}",
            style="dim",
            highlight=False,
        )


def show_functions(console: Console, name: str, found: Tally, rows: int) -> None:
    """Print the dearest functions."""
    for title, counts in ((f"{name}: itself", found.itself), (f"{name}: with what it calls", found.with_called)):
        table = Table(title=title, title_justify="left")
        table.add_column("share", justify="right")
        table.add_column("function")
        for function, number in counts.most_common(rows):
            table.add_row(f"{100 * number / max(found.itself.total(), 1):.1f} %", function)
        console.print(table)


def profile_document(profiles: Mapping[str, Profile], options: Mapping[str, object], at: datetime) -> dict[str, Any]:
    """Everything that was found, and on what."""
    return {
        **about(at),
        "options": dict(options),
        "profiles": {name: _to_json(each) for name, each in profiles.items()},
    }


def write_profiles(
    folder: Path, document: Mapping[str, Any], before: Mapping[str, Any] | None, at: datetime
) -> list[Path]:
    """Write JSON and picture under the moment's name; returns both files."""
    folder.mkdir(parents=True, exist_ok=True)
    json_file, picture = (folder / f"profile-{stamp(at)}.{ending}" for ending in ("json", "html"))
    json_file.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    picture.write_text(profile_page(document, before))
    return [json_file, picture]


def profile_page(document: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """A page by itself: one bar for each kind of payment, and below it the one of the earlier profile."""
    bars = []
    for name, each in document["profiles"].items():
        bars.append(Bar(name, each["phases_us"]))
        if before is not None and name in before["profiles"]:
            bars.append(Bar(f"{name}, before", before["profiles"][name]["phases_us"]))
    drawn = stacked_bars(bars, dict(zip((phase.value for phase in Phase), _COLOURS, strict=True)), "µs")
    when = document["time"] if before is None else f"{document['time']}; before: {before['time']}"
    return page("CPU of the gateway by phase, µs per payment", when, [drawn])


def _cells(profile: Profile, phase: Phase, before: Mapping[str, Any] | None) -> list[str]:
    us = profile.phases[phase]
    earlier = None if before is None else before["phases_us"].get(phase)
    return [
        f"{us:.0f}", f"{profile.noise[phase]:.0f}", f"{100 * us / profile.us:.1f} %",
        "" if earlier is None else f"{earlier:.0f}",
    ]  # fmt: skip


def _sum(profile: Profile, before: Mapping[str, Any] | None) -> list[str]:
    earlier = "" if before is None else f"{before['us']:.0f}"
    return [f"[bold]{profile.us:.0f}[/bold]", f"{profile.spread_us:.0f}", "", earlier]


def _kernel(profile: Profile) -> list[str]:
    return [f"{profile.system_us:.0f}", "", f"{100 * profile.system_us / profile.us:.1f} %", ""]


def _kinds_table(profiles: Mapping[str, Profile]) -> Table:
    table = Table(title="The same time by kind of code (perf), µs per payment", title_justify="left")
    table.add_column("kind")
    for name in profiles:
        table.add_column(name, justify="right")
    for kind in Kind:
        if any(kind in each.kinds for each in profiles.values()):
            table.add_row(kind, *[f"{each.kinds.get(kind, 0.0):.0f}" for each in profiles.values()])
    return table


def _to_json(profile: Profile) -> dict[str, Any]:
    return {
        "us": profile.us,
        "system_us": profile.system_us,
        "user_us": profile.us - profile.system_us,
        "spread_us": profile.spread_us,
        "per_second": profile.per_second,
        "completed": profile.completed,
        "others_share": profile.others_share,
        "samples": profile.samples,
        "phases_us": {phase.value: us for phase, us in profile.phases.items()},
        "noise_us": {phase.value: us for phase, us in profile.noise.items()},
        "kinds_us": {kind.value: us for kind, us in profile.kinds.items()},
        "unmapped": dict(profile.unmapped),
    }
