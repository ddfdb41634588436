"""Charts over the time of a run as inline SVG: lines that need nothing but the page they stand in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 960, 220, 64, 24, 8
_TIME_LABELS: Final = 8
_NICE: Final = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its class in the style sheet, its name, and points of seconds since the start and values."""

    style: str
    name: str
    points: Sequence[tuple[float, float]]


def chart(title: str, unit: str, lines: Sequence[Line], seconds: float) -> str:
    """Lines over the seconds of a run, with a legend that says each one's highest value."""
    top = _round_up(max((value for line in lines for _, value in line.points), default=0.0))
    drawn = [_scale(top), _times(seconds), *(_path(line, top, seconds) for line in lines)]
    image = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(drawn)}</svg>'
    heading = f"<h2>{escape(title)} <small>{escape(unit)}</small></h2>"
    return f'{heading}{_legend(lines)}<div class="wide chart" tabindex="0">{image}</div>'


def _legend(lines: Sequence[Line]) -> str:
    dots = [
        f'<span><svg viewBox="0 0 10 10"><rect class="{line.style}" width="10" height="10"/></svg>{escape(line.name)}'
        f" <small>at most {_short(max((value for _, value in line.points), default=0.0))}</small></span>"
        for line in lines
    ]
    return f'<div class="legend">{"".join(dots)}</div>'


def _path(line: Line, top: float, seconds: float) -> str:
    room, width = _HEIGHT - _BOTTOM - _TOP, _WIDTH - _LEFT
    points = " ".join(
        f"{_LEFT + at_s / max(1, seconds) * width:.1f},{_HEIGHT - _BOTTOM - value / top * room:.1f}"
        for at_s, value in line.points
    )
    return f'<polyline class="line {line.style}" points="{points}"><title>{escape(line.name)}</title></polyline>'


def _scale(top: float) -> str:
    lines = []
    for part in (0, 0.5, 1):
        y = _HEIGHT - _BOTTOM - part * (_HEIGHT - _BOTTOM - _TOP)
        lines.append(f'<line class="rule" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(top * part)}</text>')
    return "".join(lines)


def _times(seconds: float) -> str:
    step = _round_up(max(1.0, seconds / _TIME_LABELS))
    labels = []
    for number in range(int(seconds / step) + 1):
        x = _LEFT + number * step / max(1, seconds) * (_WIDTH - _LEFT)
        if x <= _WIDTH - 24:
            labels.append(f'<text x="{x:.1f}" y="{_HEIGHT - 8}">{_short(number * step)} s</text>')
    return "".join(labels)


def _short(value: float) -> str:
    """Three digits, and all of a large number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _round_up(value: float) -> float:
    """To the next of 1, 2, 2.5 and 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * nice for nice in _NICE if power * nice >= value * (1 - 1e-9))
