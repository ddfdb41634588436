"""The metrics of health, by account: labels stay few, so its wallets and methods are told of together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from gateway.kernel.metrics import (
    ACCOUNT_BREAKER_OPENINGS,
    ACCOUNT_BREAKER_STATE,
    ACCOUNT_CALLS,
    ACCOUNT_CALLS_MAX,
    ACCOUNT_SUCCESS,
)
from routing.health.cells import CellHealth
from routing.health.health import Health
from routing.health.standing import BreakerState

_STATES: Final = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}


class HealthGauges:
    """One per process."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._openings: defaultdict[str, int] = defaultdict(int)

    def publish(self) -> None:
        """Set every gauge; once a second is enough."""
        cells: defaultdict[str, list[CellHealth]] = defaultdict(list)
        for cell in self._health.cells:
            cells[cell.cell.account_id].append(cell)
        for account_id, lane in self._health.lanes.items():
            ACCOUNT_CALLS.labels(account_id).set(lane.in_flight)
            ACCOUNT_CALLS_MAX.labels(account_id).set(lane.in_flight_max)
            ACCOUNT_SUCCESS.labels(account_id).set(_success(cells[account_id]))
            ACCOUNT_BREAKER_STATE.labels(account_id).set(max(_STATES[cell.breaker.state] for cell in cells[account_id]))
            openings = sum(cell.breaker.openings for cell in cells[account_id])
            ACCOUNT_BREAKER_OPENINGS.labels(account_id).inc(openings - self._openings[account_id])
            self._openings[account_id] = openings


def _success(cells: Sequence[CellHealth]) -> float:
    """The mean over an account's cells, by how much is known of each."""
    weights = [cell.standing.weight + 1.0 for cell in cells]
    return sum(cell.standing.success * weight for cell, weight in zip(cells, weights, strict=True)) / sum(weights)
