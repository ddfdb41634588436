"""Pictures of the benchmark as SVG in a page by itself: stacked bars, and lines over a growing quantity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 960
_BAR: Final = 34
_GAP: Final = 26
_LEFT: Final = 60
_HEIGHT: Final = 260
_LEGEND_COLUMNS: Final = 4
_LEGEND_ROW: Final = 20
_STYLE: Final = (
    "body{font:14px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.3rem}h2{font-size:1rem;margin:1.6rem 0 .3rem}p{color:#666}svg{width:100%;height:auto}"
    "text{font:12px system-ui,sans-serif;fill:#222}.grid{stroke:#ddd}.axis{stroke:#888}"
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: a name, and the length of each part."""

    name: str
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a name, and values at each place of the axis; None where there is none."""

    name: str
    values: Sequence[float | None]
    colour: str


def page(title: str, about: str, drawings: Sequence[str]) -> str:
    """A page that needs nothing else."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{escape(title)}</h1>\n<p>{escape(about)}</p>\n"
        + "\n".join(drawings)
        + "\n</body></html>\n"
    )


def stacked_bars(bars: Sequence[Bar], colours: Mapping[str, str], unit: str) -> str:
    """Bars to one scale, and what their colours mean; a part tells its size under the pointer."""
    longest = max((sum(bar.parts.values()) for bar in bars), default=0.0) or 1.0
    scale = (_WIDTH - 80) / longest
    drawn = [_bar(bar, number * (_BAR + _GAP) + 18, scale, colours, unit) for number, bar in enumerate(bars)]
    top = len(bars) * (_BAR + _GAP) + 18
    used = [name for name in colours if any(bar.parts.get(name, 0) > 0 for bar in bars)]
    height = top + math.ceil(len(used) / _LEGEND_COLUMNS) * _LEGEND_ROW + 10
    return _svg(height, [*drawn, *_legend(used, colours, top)])


def lines(title: str, places: Sequence[str], drawn: Sequence[Line], unit: str) -> str:
    """Values over places at equal distances, from zero on; every point tells its value under the pointer."""
    highest = max((value for line in drawn for value in line.values if value is not None), default=0.0) or 1.0
    top = _nice(highest)
    step = (_WIDTH - _LEFT - 40) / max(len(places) - 1, 1)
    x = [_LEFT + step * number for number in range(len(places))]
    marks = [_mark(top * quarter / 4, top) for quarter in range(5)]
    names = [
        f'<text x="{at:.1f}" y="{_HEIGHT + 26}" text-anchor="middle">{escape(place)}</text>'
        for at, place in zip(x, places, strict=True)
    ]
    curves = [_curve(line, x, top, unit) for line in drawn]
    colours = {line.name: line.colour for line in drawn}
    legend = _legend(list(colours), colours, _HEIGHT + 40)
    height = _HEIGHT + 50 + math.ceil(len(drawn) / _LEGEND_COLUMNS) * _LEGEND_ROW
    return f"<h2>{escape(title)}</h2>\n" + _svg(height, [*marks, *names, *curves, *legend])


def _bar(bar: Bar, y: float, scale: float, colours: Mapping[str, str], unit: str) -> str:
    total, at, drawn = sum(bar.parts.values()), 0.0, []
    for name, colour in colours.items():
        size = bar.parts.get(name, 0.0)
        if size > 0:
            drawn.append(
                f'<rect x="{at:.1f}" y="{y}" width="{size * scale:.1f}" height="{_BAR}" fill="{colour}">'
                f"<title>{escape(name)}: {size:.0f} {unit} ({100 * size / total:.1f} %)</title></rect>"
            )
            at += size * scale
    label = f'<text x="0" y="{y - 5}">{escape(bar.name)}</text>'
    return f'{label}{"".join(drawn)}<text x="{at + 6:.1f}" y="{y + _BAR / 2 + 4}">{total:.0f} {unit}</text>'


def _curve(line: Line, x: Sequence[float], top: float, unit: str) -> str:
    points = [(at, _y(value, top), value) for at, value in zip(x, line.values, strict=True) if value is not None]
    path = " ".join(f"{at:.1f},{y:.1f}" for at, y, _ in points)
    dots = "".join(
        f'<circle cx="{at:.1f}" cy="{y:.1f}" r="4" fill="{line.colour}">'
        f"<title>{escape(line.name)}: {value:.0f} {unit}</title></circle>"
        for at, y, value in points
    )
    return f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="2"/>{dots}'


def _mark(value: float, top: float) -> str:
    y = _y(value, top)
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,.0f}</text>'
    )


def _y(value: float, top: float) -> float:
    return _HEIGHT - (_HEIGHT - 20) * value / top


def _nice(value: float) -> float:
    """The next of 1, 2, 4, 5, 8 times a power of ten."""
    power = float(10 ** math.floor(math.log10(value)))
    return next(times * power for times in (1, 2, 4, 5, 8, 10) if times * power >= value)


def _legend(names: Sequence[str], colours: Mapping[str, str], top: float) -> list[str]:
    width, drawn = _WIDTH / _LEGEND_COLUMNS, []
    for number, name in enumerate(names):
        x, y = number % _LEGEND_COLUMNS * width, top + number // _LEGEND_COLUMNS * _LEGEND_ROW
        drawn.append(f'<rect x="{x:.0f}" y="{y}" width="12" height="12" fill="{colours[name]}"/>')
        drawn.append(f'<text x="{x + 18:.0f}" y="{y + 11}">{escape(name)}</text>')
    return drawn


def _svg(height: float, drawn: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" role="img">\n'
        + "\n".join(drawn)
        + "\n</svg>"
    )
