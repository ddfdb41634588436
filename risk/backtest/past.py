"""What a customer did before, from the history itself: the fields that the worker keeps up live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from risk.backtest.calendar import calendar_columns
from risk.backtest.column import Column
from risk.backtest.history import DAY_MS, History
from risk.backtest.timeline import NOBODY, Grouped, Ints, Timeline, Told

_EVER_MS: Final = 2**61
_USUAL_ORDERS_MIN: Final = 3
_HOURS_MIN: Final = 10
_HOURS_A_DAY: Final = 24


def past_column(name: str, history: History, customers: Grouped) -> Column | None:
    """The column of one of PAST_FIELDS; None where the history names no customers.

    Every payment of the history counts as captured, and is known to the next one.
    """
    if not customers.known.any():
        return None
    before = customers.count(_EVER_MS) - 1
    values, least = _MADE[name](history, customers, before)
    return Column(values, customers.known & (before >= least))


def _spent(history: History, customers: Grouped) -> Ints:
    found: Ints = customers.total(_EVER_MS, history.amount_fen) - history.amount_fen
    return found


def _usual_amount(history: History, customers: Grouped, before: Ints) -> tuple[Any, Any]:
    count = np.maximum(before, 1)
    return (2 * _spent(history, customers) + count) // (2 * count), _USUAL_ORDERS_MIN


def _highest(history: History, customers: Grouped, before: Ints) -> tuple[Any, Any]:  # noqa: ARG001
    highest = customers.extreme(_EVER_MS, history.amount_fen, np.maximum)
    return highest[np.maximum(customers.previous(), 0)], 1


def _since_first(history: History, customers: Grouped, before: Ints) -> tuple[Any, Any]:  # noqa: ARG001
    at_ms = history.timeline.at_ms
    return (at_ms - customers.extreme(_EVER_MS, at_ms, np.minimum)) // DAY_MS, 1


def _since_last(history: History, customers: Grouped, before: Ints) -> tuple[Any, Any]:  # noqa: ARG001
    at_ms, previous = history.timeline.at_ms, customers.previous()
    return (at_ms - at_ms[np.maximum(previous, 0)]) // DAY_MS * (previous != NOBODY), 1


def _usual_hour(history: History, customers: Grouped, before: Ints) -> tuple[Any, Any]:  # noqa: ARG001
    """Whether an earlier payment fell in this hour of the day, the one before or the one after."""
    hours = calendar_columns(history.timeline, history.timezones)["payment.hour"]
    codes, places = history.codes(("customer",)), np.arange(len(history))

    def coded(step: int) -> Ints:
        found: Ints = np.where(codes == NOBODY, NOBODY, codes * _HOURS_A_DAY + (hours + step) % _HOURS_A_DAY)
        return found

    seen = np.zeros(len(history), dtype=np.int64)
    for step in (-1, 0, 1):
        told = Told(Grouped(Timeline(places), coded(step)), places, coded(0), places)
        seen += told.count(_EVER_MS) - (step == 0)
    return seen > 0, _HOURS_MIN


def _usual_region(history: History, customers: Grouped, before: Ints) -> tuple[Any, Any]:  # noqa: ARG001
    """Whether an earlier payment was made in this region; null where there is none."""
    there = Grouped(history.timeline, history.codes(("customer", "region")))
    return there.count(_EVER_MS) > 1, np.where(there.known, _USUAL_ORDERS_MIN, _EVER_MS)


_MADE: Final[dict[str, Callable[[History, Grouped, Ints], tuple[Any, Any]]]] = {
    "customer.orders": lambda _history, _customers, before: (before, 0),
    "customer.spent": lambda history, customers, _before: (_spent(history, customers), 0),
    "customer.first_payment": lambda _history, _customers, before: (before == 0, 0),
    "customer.days_since_first": _since_first,
    "customer.days_since_last": _since_last,
    "customer.usual_amount": _usual_amount,
    "customer.highest_amount": _highest,
    "customer.usual_hour": _usual_hour,
    "customer.usual_region": _usual_region,
}
PAST_FIELDS: Final = frozenset(_MADE)
