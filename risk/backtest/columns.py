"""The values of every name that a rule set or a model looks at, for all payments of a history at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from gateway.kernel.expressions import Value, check
from gateway.kernel.expressions.fields import Call
from risk.backtest.calendar import calendar_columns
from risk.backtest.column import Column
from risk.backtest.history import History
from risk.backtest.journeys import travel_columns
from risk.backtest.past import PAST_FIELDS, past_column
from risk.backtest.timeline import NOBODY, Bools, Grouped, Ints, Told
from risk.fields import FIELDS, TRAVEL_FIELDS
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


class Columns:
    """Columns by name, made when they are asked for and then kept.

    `given` are columns that came from elsewhere, such as a model's score.  A name that the history knows nothing about
    (a list, a profile's field without history) has no column: it is null, as it would be live without it.
    """

    def __init__(self, history: History, given: Mapping[str, Column] | None = None) -> None:
        self._history = history
        self._made: dict[str, Column | None] = dict(given or {})
        self._groups: dict[tuple[str, ...], Grouped] = {}
        self._told: dict[tuple[Series, tuple[str, ...]], Told] = {}

    def of(self, name: str) -> Column | None:
        """The column, or None where nothing is known.  Raises ExpressionError for a name that rules do not have."""
        if name not in self._made:
            self._made.update(self._make(name))
        return self._made[name]

    def unknown(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of the names that this history says nothing about."""
        return tuple(name for name in names if self.of(name) is None)

    def rows(self, names: Sequence[str], begin: int, end: int) -> Iterator[dict[str, Value | None]]:
        """The values of some payments by name, as the matcher takes them."""
        held = [(name, column) for name in names if (column := self.of(name)) is not None]
        keys = [name for name, _ in held]
        if not keys:
            return iter([{} for _ in range(begin, end)])
        lists = [column.listed(begin, end) for _, column in held]
        return (dict(zip(keys, row, strict=True)) for row in zip(*lists, strict=True))

    def _make(self, name: str) -> Mapping[str, Column | None]:
        history = self._history
        if "(" in name:
            call = call_of(name)
            return {name: self.velocity(Velocity.of(call)) if call.function == "velocity" else None}
        given = history.fields.get(name)
        if given is not None:
            return {name: given}
        if name in TRAVEL_FIELDS:
            return travel_columns(history)
        if name in PAST_FIELDS:
            return {name: past_column(name, history, self._group(("customer",)))}
        made = {each: Column(values) for each, values in calendar_columns(history.timeline, history.timezones).items()}
        return {name: made.get(name)} if name not in made else made

    def _group(self, key: tuple[str, ...]) -> Grouped:
        found = self._groups.get(key)
        if found is None:
            found = self._groups[key] = Grouped(self._history.timeline, self._history.codes(key))
        return found

    def _told_of(self, series: Series, key: tuple[str, ...]) -> Told:
        found = self._told.get((series, key))
        if found is None:
            codes, later = self._history.codes(key), self._history.told(series)
            told = Told(self._group(key), later.told_ms, codes[later.places], later.amounts_fen)
            found = self._told[series, key] = told
        return found

    def velocity(self, velocity: Velocity) -> Column:
        """A velocity as the live counters would give it, but for their windows' error: here windows are exact."""
        metric, key, window_ms = velocity.metric, velocity.key, velocity.window_s * _MS
        group = self._group(key)
        if metric is Metric.FRAUD_SHARE:
            return self._share(key, window_ms)
        if METRIC_SERIES[metric] is not Series.PAYMENTS:
            told = self._told_of(METRIC_SERIES[metric], key)
            values = told.total(window_ms) if metric is Metric.REFUND_AMOUNT else told.count(window_ms)
            return Column(values, _unless_all(group.known))
        if metric in DISTINCT_DIMENSIONS:
            values = group.distinct(window_ms, self._history.codes((DISTINCT_DIMENSIONS[metric],)))
            return Column(np.minimum(values, DISTINCT_MAX), _unless_all(group.known))
        if metric is Metric.SECONDS_SINCE_LAST:
            return self._since_last(group, window_ms)
        return Column(self._sums(metric, group, window_ms), _unless_all(group.known))

    def _sums(self, metric: Metric, group: Grouped, window_ms: int) -> Ints:
        amounts = self._history.amount_fen
        made: dict[Metric, Callable[[], Ints]] = {
            Metric.COUNT: lambda: group.count(window_ms),
            Metric.SUM_AMOUNT: lambda: group.total(window_ms, amounts),
            Metric.MIN_AMOUNT: lambda: group.extreme(window_ms, amounts, np.minimum),
            Metric.MAX_AMOUNT: lambda: group.extreme(window_ms, amounts, np.maximum),
            Metric.MEAN_AMOUNT: lambda: _half_up(group.total(window_ms, amounts), group.count(window_ms)),
        }
        return made[metric]()

    def _since_last(self, group: Grouped, window_ms: int) -> Column:
        at_ms, before = self._history.timeline.at_ms, group.previous()
        since_ms = at_ms - at_ms[np.maximum(before, 0)]
        return Column(since_ms // _MS, (before != NOBODY) & (since_ms < window_ms))

    def _share(self, key: tuple[str, ...], window_ms: int) -> Column:
        group, delay_ms = self._group(key), LABEL_DELAY_S * _MS
        due = group.count(window_ms + delay_ms) - group.count(delay_ms)
        frauds = self._told_of(Series.FRAUDS, key).count(window_ms)
        share = np.minimum(frauds / np.maximum(due, 1), 1.0)
        return Column(share, group.known & (due > 0))


def call_of(name: str) -> Call:
    """The call that a name such as `velocity('count', 'ip', '1h')` stands for.  Raises ExpressionError."""
    return check(f"{name} == {name}", FIELDS).calls[0]


def _unless_all(known: Bools) -> Bools | None:
    return None if known.all() else known


def _half_up(total: Ints, count: Ints) -> Ints:
    safe = np.maximum(count, 1)
    found: Ints = (2 * total + safe) // (2 * safe)
    return found
