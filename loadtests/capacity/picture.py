"""The pictures of docs/capacity.md: the simulated curve on the measured one, and what each scale is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from loadtests.capacity.calibrating import CALIBRATED_AT
from loadtests.capacity.costs import Role
from loadtests.capacity.plan import Scale
from loadtests.capacity.validating import Compared

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANELS: Final = (
    ("payments/s", ("payments/s",)),
    ("latency, ms", ("p50 ms", "p99 ms")),
    ("CPU per payment, µs", (f"{Role.GATEWAY} µs", f"{Role.POSTGRESQL} µs", f"{Role.SIMULATORS} µs")),
    ("rows in a batch", ("rows/intent", "rows/outcome")),
)
_COLOURS: Final = ("#2a6fbb", "#e08a1e", "#3a9a5b")
_INK: Final = "#333333"


class NoPicture(Exception):
    """matplotlib is not installed: the extra `charts` has it."""


def draw_curve(compared: Sequence[Compared], file: Path) -> None:
    """Four panels over the number of open requests.  Raises NoPicture, OSError."""
    try:
        from matplotlib import rcParams  # noqa: PLC0415  an extra, and slow to import
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise NoPicture from None
    # the same figures give the same file
    rcParams["svg.hashsalt"] = "capacity"
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(2, 2).flat, _PANELS, strict=True):
        for name, colour in zip(names, _COLOURS, strict=False):
            _draw_figure(axes, [one for one in compared if one.figure == name], name, colour)
        _dress(axes, title)
    figure.suptitle("One node: measured (circles; hollow: calibrated from them) and simulated (lines)", color=_INK)
    figure.savefig(file, metadata={"Date": None})


def draw_plan(scales: Sequence[Scale], file: Path) -> None:
    """Busy cores by part at each scale.  Raises NoPicture, OSError."""
    try:
        from matplotlib import rcParams  # noqa: PLC0415  an extra, and slow to import
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise NoPicture from None
    rcParams["svg.hashsalt"] = "capacity"
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axes = figure.subplots()
    labels = [f"{scale.per_second:,}/s" for scale in scales]
    left = [0.0] * len(scales)
    for (name, cores), colour in zip(_cores_by_part(scales).items(), (*_COLOURS, "#9b59b6"), strict=True):
        shares = [busy / scale.per_second * 1000 for busy, scale in zip(cores, scales, strict=True)]
        axes.barh(labels, shares, left=left, label=name, color=colour)
        left = [before + share for before, share in zip(left, shares, strict=True)]
    axes.set_xlabel("busy cores per 1,000 payments/s", fontsize=9)
    axes.legend(fontsize=8, frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})


def _cores_by_part(scales: Sequence[Scale]) -> dict[str, list[float]]:
    return {
        "gateways": [scale.gateway_cores_busy for scale in scales],
        "PostgreSQL": [scale.cells * scale.database_cores_busy for scale in scales],
        "Valkey": [scale.valkey_shards * scale.valkey_use for scale in scales],
        "workers": [scale.worker_cores_busy for scale in scales],
    }


def _draw_figure(axes: Axes, found: Sequence[Compared], name: str, colour: str) -> None:
    opens = [one.open_requests for one in found]
    axes.plot(opens, [one.simulated for one in found], color=colour, linewidth=1.3, label=name)
    for one in found:
        fill = "none" if one.open_requests in CALIBRATED_AT else colour
        axes.plot([one.open_requests], [one.measured], "o", markersize=5, color=colour, markerfacecolor=fill)


def _dress(axes: Axes, title: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_title(title, loc="left", fontsize=10, color=_INK)
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
