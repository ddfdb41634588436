"""The simulation's costs, taken from some points of the measured curve; the others judge what it makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Final

from loadtests.capacity.costs import INTENT, OUTCOME, PIPELINE, Costs, Linear, Role
from loadtests.capacity.fitting import fit
from loadtests.capacity.measured import Measured, Point

CALIBRATED_AT: Final = (2, 16, 64, 256)
"""Requests open at once at the points that the costs are taken from; none of them is judged."""
_FAILED_SHARE_MAX: Final = 0.01
_READINGS: Final = ("history", "profile")
_US: Final = 1e-6
_VISITS: Final = {Role.GATEWAY: 8.0, Role.SIMULATORS: 2.0, Role.WORKER: 1.0}
"""How often a lone payment comes to a process in the simulation, and wakes it each time.

The kernel counts more wake-ups (timers, helper threads); the simulation's are taken to fall with the load as they do.
"""


def calibrating_points(measured: Measured) -> list[Point]:
    """The points that the costs are taken from."""
    return [point for point in usable_points(measured) if point.open_requests in CALIBRATED_AT]


def judging_points(measured: Measured) -> list[Point]:
    """The points that the simulation must reproduce without having seen them."""
    return [point for point in usable_points(measured) if point.open_requests not in CALIBRATED_AT]


def usable_points(measured: Measured) -> list[Point]:
    """Those at which the gateway took what was offered: refused and failed payments cost less than others."""
    return [point for point in measured.curve if point.failed_share <= _FAILED_SHARE_MAX]


def left_out(measured: Measured) -> list[int]:
    """Requests open at once at the points that are neither looked at nor judged."""
    usable = usable_points(measured)
    return [point.open_requests for point in measured.curve if point not in usable]


def calibrate(measured: Measured) -> Costs:
    """The costs.  µs per payment = whole + per batch × batches + per wake-up × wake-ups, less what idles anyway."""
    points = calibrating_points(measured)
    whole_us, exchange_us, wake_us = fit(
        [
            [1.0, _statements(point) + _pipelines(point), wakes]
            for point, wakes in zip(points, _wakes(points, Role.GATEWAY), strict=True)
        ],
        _busy_us(measured, points, Role.GATEWAY),
    )
    by_role = {
        Role.GATEWAY: Linear(whole_us * _US, exchange_us * _US, wake_us * _US),
        Role.POSTGRESQL: _batched(measured, points, Role.POSTGRESQL, [_statements(point) for point in points]),
        Role.VALKEY: _batched(measured, points, Role.VALKEY, [_pipelines(point) for point in points]),
        **{role: _woken(measured, points, role) for role in (Role.SIMULATORS, Role.WORKER)},
        Role.GENERATOR: Linear(fmean(point.cpu_us[Role.GENERATOR] for point in points) * _US),
    }
    return Costs(
        by_role=by_role,
        gateway_pipeline_s=exchange_us * _US,
        statements=_rows(points),
        commands=_commands(points),
        commit_s=measured.commit_ms / 1000,
        idle_share={role: used * _US for role, used in measured.idle_us_per_s.items()},
    )


def _batched(measured: Measured, points: Sequence[Point], role: Role, batches: Sequence[float]) -> Linear:
    whole_us, batch_us = fit([[1.0, count] for count in batches], _busy_us(measured, points, role))
    return Linear(whole_us * _US, batch_us * _US)


def _woken(measured: Measured, points: Sequence[Point], role: Role) -> Linear:
    whole_us, wake_us = fit([[1.0, wakes] for wakes in _wakes(points, role)], _busy_us(measured, points, role))
    return Linear(whole_us * _US, 0.0, wake_us * _US)


def _wakes(points: Sequence[Point], role: Role) -> list[float]:
    """Wake-ups per payment at each point, in the simulation's own."""
    lone = max(point.wakes[role] for point in points)
    return [_VISITS[role] * point.wakes[role] / lone for point in points]


def _busy_us(measured: Measured, points: Sequence[Point], role: Role) -> list[float]:
    """µs per payment less what the role uses while nobody pays; a clock tick at the least."""
    idle_us = measured.idle_us_per_s[role]
    return [max(point.cpu_us[role] - idle_us / point.per_second, 1.0) for point in points]


def _statements(point: Point) -> float:
    return sum(seen.per_payment for name, seen in point.batches.items() if name != PIPELINE)


def _pipelines(point: Point) -> float:
    return point.batches[PIPELINE].per_payment


def _rows(points: Sequence[Point]) -> dict[str, float]:
    """Rows per payment by statement, in the order in which a payment meets them."""
    reading = {
        name: min(1.0, fmean(seen.rows_per_payment for seen in found))
        for name in _READINGS
        if len(found := [point.batches[name] for point in points if name in point.batches]) == len(points)
    }
    return {**reading, INTENT: 1.0, OUTCOME: 1.0}


def _commands(points: Sequence[Point]) -> float:
    """Valkey's commands per payment, without those that come by the second (heartbeats)."""
    rows = [[1.0, 1.0 / point.per_second] for point in points]
    commands, _ = fit(rows, [point.batches[PIPELINE].rows_per_payment for point in points])
    return max(1.0, commands)
