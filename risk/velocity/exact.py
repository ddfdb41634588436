"""The same velocities computed exactly, from every payment there was: what the counters in Valkey are judged by."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from gateway.kernel.expressions import Value
from risk.facts import Facts
from risk.velocity import travel
from risk.velocity.entities import VALUES, milliseconds
from risk.velocity.spec import (
    DISTINCT_DIMENSIONS,
    DISTINCT_MAX,
    LABEL_DELAY_S,
    METRIC_SERIES,
    Metric,
    Series,
    Velocity,
)

_MS: Final = 1_000


class _Event(NamedTuple):
    at_ms: int
    number: int
    amount_fen: int
    values: tuple[str | None, ...]
    place: travel.Place | None


class ExactVelocities:
    """Told of everything in the order of time.  Nothing is forgotten: for tests and for history, not for serving."""

    def __init__(self, velocities: Sequence[tuple[str, Velocity]], *, needs_travel: bool = False) -> None:
        """`velocities` are call names and what they name, as a compiled rule set has them."""
        self._velocities = tuple(velocities)
        self._needs_travel = needs_travel
        self._keys = {velocity.key for _, velocity in velocities} | {("customer",)}
        self._events: defaultdict[tuple[object, ...], list[_Event]] = defaultdict(list)
        self._counted: dict[tuple[Series, str], int] = {}
        self._number = 0

    def ask(self, facts: Facts, *, look: bool = False) -> dict[str, Value | None]:
        """Count the payment, unless its order is counted already or `look`, and say what is known with it counted."""
        counted = self._counted.get((Series.PAYMENTS, facts.order_key))
        event = self._event(facts, facts.amount_fen, facts.at)
        if counted is not None:
            return self._values(facts, event._replace(number=counted))
        self._insert(Series.PAYMENTS, facts, event)
        values = self._values(facts, event)
        if look:
            self._remove(Series.PAYMENTS, facts, event)
        else:
            self._counted[Series.PAYMENTS, facts.order_key] = event.number
        return values

    def tell(self, series: Series, facts: Facts, identity: str, amount_fen: int, at: datetime) -> None:
        """Count what became known of a payment at that time, once for each id."""
        if (series, identity) not in self._counted:
            event = self._event(facts, amount_fen, at)
            self._counted[series, identity] = event.number
            self._insert(series, facts, event)

    def _event(self, facts: Facts, amount_fen: int, at: datetime) -> _Event:
        self._number += 1
        values = tuple(VALUES[dimension](facts) for dimension in DISTINCT_DIMENSIONS.values())
        return _Event(milliseconds(at), self._number, amount_fen, values, travel.place_of(facts))

    def _insert(self, series: Series, facts: Facts, event: _Event) -> None:
        for key in self._keys:
            entity = entity_of(key, facts)
            if entity is not None:
                insort(self._events[series, key, entity], event, key=lambda each: each[:2])

    def _remove(self, series: Series, facts: Facts, event: _Event) -> None:
        for key in self._keys:
            entity = entity_of(key, facts)
            if entity is not None:
                self._events[series, key, entity].remove(event)

    def _values(self, facts: Facts, current: _Event) -> dict[str, Value | None]:
        values = {name: self._value(velocity, facts, current) for name, velocity in self._velocities}
        return values | self._travel(facts, current) if self._needs_travel else values

    def _value(self, velocity: Velocity, facts: Facts, current: _Event) -> Value | None:
        entity = entity_of(velocity.key, facts)
        if entity is None:
            return None
        series = METRIC_SERIES[velocity.metric]
        events = self._between(series, velocity.key, entity, current.at_ms, velocity.window_s * _MS)
        if velocity.metric is Metric.FRAUD_SHARE:
            due_ms = current.at_ms - LABEL_DELAY_S * _MS
            due = self._between(Series.PAYMENTS, velocity.key, entity, due_ms, velocity.window_s * _MS)
            return min(1.0, len(events) / len(due)) if due else None
        if velocity.metric is Metric.SECONDS_SINCE_LAST:
            before = [each for each in events if each.number != current.number]
            return (current.at_ms - before[-1].at_ms) // _MS if before else None
        if velocity.metric in DISTINCT_DIMENSIONS:
            place = list(DISTINCT_DIMENSIONS).index(velocity.metric)
            return min(DISTINCT_MAX, len({each.values[place] for each in events} - {None}))
        return AMOUNTS[velocity.metric]([each.amount_fen for each in events])

    def _between(
        self, series: Series, key: tuple[str, ...], entity: object, at_ms: int, window_ms: int
    ) -> list[_Event]:
        """After the window's beginning, up to and with its end."""
        events = self._events[series, key, entity]
        first = bisect_right(events, at_ms - window_ms, key=lambda each: each.at_ms)
        return events[first : bisect_right(events, at_ms, key=lambda each: each.at_ms)]

    def _travel(self, facts: Facts, current: _Event) -> dict[str, Value | None]:
        before: list[_Event] = []
        if facts.customer is not None:
            events = self._between(
                Series.PAYMENTS, ("customer",), (facts.customer,), current.at_ms, travel.REACH_S * _MS
            )
            before = [each for each in events if each.number != current.number and each.place is not None]
        if not before or before[-1].place is None or current.place is None:
            return travel.values_of(None, None, 0)
        return travel.values_of(before[-1].place, current.place, current.at_ms - before[-1].at_ms)


AMOUNTS: Final[dict[Metric, Callable[[list[int]], int | None]]] = {
    Metric.COUNT: len,
    Metric.DECLINE_COUNT: len,
    Metric.REFUND_COUNT: len,
    Metric.COMPLAINT_COUNT: len,
    Metric.FRAUD_COUNT: len,
    Metric.SUM_AMOUNT: sum,
    Metric.REFUND_AMOUNT: sum,
    Metric.MIN_AMOUNT: lambda amounts: min(amounts, default=None),
    Metric.MAX_AMOUNT: lambda amounts: max(amounts, default=None),
    Metric.MEAN_AMOUNT: lambda amounts: (2 * sum(amounts) + len(amounts)) // (2 * len(amounts)) if amounts else None,
}
"""What these metrics make of the amounts within their window, in fen."""


def entity_of(key: tuple[str, ...], facts: Facts) -> tuple[str, ...] | None:
    """The values of a key's dimensions; None where the payment does not name one of them."""
    named = [VALUES[dimension](facts) for dimension in key]
    known = tuple(value for value in named if value is not None)
    return known if len(known) == len(key) else None
