"""Draws one play: who got the payments, second by second, and how many were lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from routing.simulation.measures import shares_by_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from routing.simulation.scenario import Scenario
    from routing.simulation.world import Run

_BIN_S: Final = 1.0
_COLOURS: Final = ("#2a6fbb", "#e08a1e", "#3a9a5b", "#9b59b6", "#c0392b", "#16a085")
_INK: Final = "#333333"
_SHADE: Final = "#f2d7d5"


class NoPicture(Exception):
    """matplotlib is not installed: the extra `charts` has it."""


def draw(scenario: Scenario, runs: Sequence[Run], file: Path) -> None:
    """One row per strategy, over the same time; SVG or PNG by the file's ending.  Raises NoPicture, OSError."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  an extra, and slow to import
    except ImportError:
        raise NoPicture from None
    figure = Figure(figsize=(11, 1.2 + 1.55 * len(runs)), layout="constrained")
    rows = figure.subplots(len(runs), 1, sharex=True, squeeze=False)[:, 0]
    for axes, run in zip(rows, runs, strict=True):
        _draw_run(axes, scenario, run)
    rows[-1].set_xlabel("seconds")
    handles, labels = rows[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(f"{scenario.name}: {scenario.about}", fontsize=11, color=_INK)
    figure.savefig(file)


def _draw_run(axes: Axes, scenario: Scenario, run: Run) -> None:
    """Calls a second by route, stacked; lost payments a second on top as a red line."""
    count = int(scenario.duration_s / _BIN_S) + 1
    sent = shares_by_time(run.calls, _BIN_S)
    seconds = range(count)
    routes = [route.id for route in scenario.routes]
    axes.stackplot(
        seconds,
        *[[sent.get(route, {}).get(second, 0) / _BIN_S for second in seconds] for route in routes],
        labels=routes,
        colors=_COLOURS[: len(routes)],
        alpha=0.75,
        linewidth=0,
    )
    lost = Counter(int(paid.at_s / _BIN_S) for paid in run.payments if paid.is_lost)
    axes.plot(seconds, [lost[second] / _BIN_S for second in seconds], color="#c0392b", linewidth=1.1, label="lost")
    for phase in scenario.phases:
        axes.axvspan(phase.from_s, min(phase.until_s, scenario.duration_s), color=_SHADE, alpha=0.5, zorder=0)
    total = sum(lost.values())
    axes.set_title(f"{run.strategy}: {total:,} of {len(run.payments):,} lost", loc="left", fontsize=9, color=_INK)
    axes.set_ylabel("per s", fontsize=8)
    axes.set_xlim(0, scenario.duration_s)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
