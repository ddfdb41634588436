"""A picture of a dashboard with the figures of a run, laid out as Grafana lays it out."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.monitoring.answers import Filled
from loadtests.monitoring.grafana import document
from loadtests.monitoring.prometheus import Line
from loadtests.monitoring.sources import Dashboard, Panel

_COLOURS: Final = {"green": "#2f9e44", "orange": "#e8890c", "red": "#d6336c", "grey": "#8a8a8a"}
_INCHES: Final = (0.62, 0.34)
_LEGEND_MAX: Final = 8


def draw(dashboard: Dashboard, panels: Sequence[Filled], span_s: tuple[float, float], path: Path) -> None:
    """Write the picture as PNG; `span_s` is from when to when, in Unix time."""
    places = document(dashboard, [dashboard])["panels"]
    rows = max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in places) + 1
    with mpl.rc_context({"font.size": 7, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(24 * _INCHES[0], rows * _INCHES[1]), dpi=100, facecolor="#f4f5f5")
        figure.text(0.01, 1 - 0.6 / rows, dashboard.title, fontsize=13, weight="bold", va="center")
        filled = {each.panel.title: each for each in panels}
        for place in places:
            if place["type"] == "row":
                y = 1 - (place["gridPos"]["y"] + 1.6) / rows
                figure.text(0.01, y, place["title"], fontsize=9, weight="bold", color="#555555", va="center")
            else:
                _panel(_axes(figure, place["gridPos"], rows), filled[place["title"]], span_s)
        figure.savefig(path)


def _axes(figure: Figure, place: Mapping[str, int], rows: int) -> Axes:
    """The panel's own place, with room for its title above and its legend below."""
    left, width = place["x"] / 24, place["w"] / 24
    bottom, height = 1 - (place["y"] + place["h"] + 1) / rows, place["h"] / rows
    is_small = place["h"] <= 4
    low, high = (0.06, 0.18) if is_small else (0.22, 0.1)
    side = 0.008 if is_small else 0.036
    return figure.add_axes(
        (left + side, bottom + height * low, width - side - 0.006, height * (1 - low - high)), facecolor="white"
    )


def _panel(axes: Axes, filled: Filled, span_s: tuple[float, float]) -> None:
    axes.set_title(filled.panel.title, loc="left", fontsize=8, weight="bold")
    named = [
        (_name(filled.panel, answer.query.legend, line), line) for answer in filled.answers for line in answer.lines
    ]
    if filled.panel.kind == "stat":
        _stat(axes, filled.panel, named)
    elif not named:
        axes.set_axis_off()
        why = "\n".join(textwrap.wrap(filled.panel.may_be_empty or "no data", 44))
        axes.text(0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes, color="#777777")
    elif filled.panel.kind == "bars":
        _bars(axes, filled.panel, named)
    else:
        _over_time(axes, filled.panel, named, span_s)


def _stat(axes: Axes, panel: Panel, named: Sequence[tuple[str, Line]]) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    value = named[0][1].finite[-1][1] if named else None
    text = "none" if value is None else shown(panel, value)
    if "{{" in panel.queries[0].legend:
        text = ", ".join(name for name, _ in named)
    axes.set_facecolor(colour(panel, value))
    axes.text(
        0.5, 0.5, text, ha="center", va="center", fontsize=15, weight="bold", color="white", transform=axes.transAxes
    )


def _bars(axes: Axes, panel: Panel, named: Sequence[tuple[str, Line]]) -> None:
    ordered = sorted(named, key=lambda each: each[1].finite[-1][1])[-10:]
    values = [line.finite[-1][1] for _, line in ordered]
    axes.barh(range(len(ordered)), values, color=[colour(panel, value) for value in values], height=0.6)
    axes.set_yticks([])
    for place, (name, _) in enumerate(ordered):
        axes.text(
            0.01, place, f"{name}: {shown(panel, values[place])}", va="center", transform=axes.get_yaxis_transform()
        )
    axes.set_ylim(-0.6, max(4.4, len(ordered) - 0.4))
    axes.set_xticks([])


def _over_time(axes: Axes, panel: Panel, named: Sequence[tuple[str, Line]], span_s: tuple[float, float]) -> None:
    start = span_s[0]
    colours = {name: _COLOURS[colour] for name, colour in panel.colours.items()}
    if panel.kind == "stacked":
        moments = sorted({at for _, line in named for at, _ in line.points})
        levels = [[dict(line.finite).get(at, 0.0) for at in moments] for _, line in named]
        drawn = axes.stackplot([at - start for at in moments], *levels, labels=[name for name, _ in named], alpha=0.75)
        for (name, _), area in zip(named, drawn, strict=True):
            if name in colours:
                area.set_facecolor(colours[name])
    else:
        for name, line in named:
            points = line.finite
            axes.plot(
                [at - start for at, _ in points],
                [value for _, value in points],
                label=name,
                lw=1.3,
                color=colours.get(name),
            )
    axes.set_xlim(0, span_s[1] - start)
    if panel.floor is not None:
        highest = max(value for _, line in named for _, value in line.finite)
        axes.set_ylim(bottom=panel.floor, top=axes.get_ylim()[1] if highest > panel.floor else panel.floor + 1)
    for value, name in panel.steps:
        if axes.get_ylim()[0] < value < axes.get_ylim()[1]:
            axes.axhline(value, color=_COLOURS[name], lw=0.8, ls="--")
    axes.yaxis.set_major_formatter(lambda value, _: shown(panel, value))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f} s")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[:_LEGEND_MAX], labels[:_LEGEND_MAX], loc="upper left", bbox_to_anchor=(-0.02, -0.1), ncols=4,
                frameon=False, fontsize=5.5, columnspacing=1, handlelength=1)  # fmt: skip


def colour(panel: Panel, value: float | None) -> str:
    """The panel's colour at a value."""
    name = panel.below
    for step, above in panel.steps:
        if value is not None and value >= step:
            name = above
    return _COLOURS[name] if value is not None else _COLOURS["grey"]


def shown(panel: Panel, value: float) -> str:
    """A value in the panel's unit."""
    word = panel.words.get(f"{value:g}")
    if word is not None:
        return word
    if panel.unit == "percentunit":
        return f"{value * 100:.3g} %"
    if panel.unit == "s":
        return f"{value * 1000:.3g} ms" if 0 < abs(value) < 1 else f"{value:.3g} s"
    if panel.unit == "bytes":
        return f"{value / 2**20:,.0f} MiB"
    return f"{_BEFORE.get(panel.unit, '')}{_plain(value)}{_AFTER.get(panel.unit, '')}"


_BEFORE: Final = {"prefix:¥": "¥"}
_AFTER: Final = {"suffix: /s": " /s", "d": " days"}


def _plain(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):,.3g} {letter}"
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _name(panel: Panel, legend: str, line: Line) -> str:
    def label(match: re.Match[str]) -> Any:
        return line.labels.get(match[1], "")

    return re.sub(r"\{\{(\w+)\}\}", label, legend) or panel.title
