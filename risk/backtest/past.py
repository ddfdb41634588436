"""What a customer did before, from the history itself: the fields that the worker keeps up live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from risk.backtest.column import Column
from risk.backtest.history import DAY_MS, History
from risk.backtest.timeline import NOBODY, Grouped, Ints

_EVER_MS: Final = 2**61
_USUAL_ORDERS_MIN: Final = 3


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


def _usual_amount(history: History, customers: Grouped, before: Ints) -> tuple[Any, int]:
    count = np.maximum(before, 1)
    return (2 * _spent(history, customers) + count) // (2 * count), _USUAL_ORDERS_MIN


def _highest(history: History, customers: Grouped, before: Ints) -> tuple[Any, int]:  # noqa: ARG001
    highest = customers.extreme(_EVER_MS, history.amount_fen, np.maximum)
    return highest[np.maximum(customers.previous(), 0)], 1


def _since_first(history: History, customers: Grouped, before: Ints) -> tuple[Any, int]:  # noqa: ARG001
    at_ms = history.timeline.at_ms
    return (at_ms - customers.extreme(_EVER_MS, at_ms, np.minimum)) // DAY_MS, 1


def _since_last(history: History, customers: Grouped, before: Ints) -> tuple[Any, int]:  # noqa: ARG001
    at_ms, previous = history.timeline.at_ms, customers.previous()
    return (at_ms - at_ms[np.maximum(previous, 0)]) // DAY_MS * (previous != NOBODY), 1


_MADE: Final[dict[str, Callable[[History, Grouped, Ints], tuple[Any, int]]]] = {
    "customer.orders": lambda _history, _customers, before: (before, 0),
    "customer.spent": lambda history, customers, _before: (_spent(history, customers), 0),
    "customer.first_payment": lambda _history, _customers, before: (before == 0, 0),
    "customer.days_since_first": _since_first,
    "customer.days_since_last": _since_last,
    "customer.usual_amount": _usual_amount,
    "customer.highest_amount": _highest,
}
PAST_FIELDS: Final = frozenset(_MADE)
