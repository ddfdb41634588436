"""What a rule set asks of the counters: for each kind of entity its rings and calls, and the one script that has them.

The script is scripts/velocities.lua with these tables before it, so that nothing of them travels with a payment.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files
from typing import Final, NamedTuple, Self

from gateway.database.valkey import Script
from risk.velocity import travel
from risk.velocity.spec import (
    BUCKETS,
    DISTINCT_DIMENSIONS,
    LABEL_DELAY_S,
    METRIC_SERIES,
    Metric,
    Series,
    Velocity,
)

DUE_BUCKET_S_MIN: Final = 5_400
"""How finely payments are told apart until their labels are due: a sixteenth of the window, but not below this."""
STRANGERS_MAX: Final = 64
"""Of the parts that only other rule sets ask for, so many are kept at an entity."""
LETTERS: Final = {
    Series.PAYMENTS: "p",
    Series.DECLINES: "d",
    Series.REFUNDS: "r",
    Series.COMPLAINTS: "c",
    Series.FRAUDS: "f",
}
"""Of the series' rings."""
_BODY: Final = (files("risk.velocity") / "scripts" / "velocities.lua").read_text(encoding="utf-8")


class Operation(IntEnum):
    """The calls that the script knows; SHARE answers with two numbers, TRAVEL with three."""

    COUNT = 1
    SUM = 2
    LOWEST = 3
    HIGHEST = 4
    MEAN = 5
    SINCE = 6
    DISTINCT = 7
    SHARE = 8
    TRAVEL = 9


_OPERATIONS: Final = {
    Metric.SUM_AMOUNT: Operation.SUM,
    Metric.REFUND_AMOUNT: Operation.SUM,
    Metric.MIN_AMOUNT: Operation.LOWEST,
    Metric.MAX_AMOUNT: Operation.HIGHEST,
    Metric.MEAN_AMOUNT: Operation.MEAN,
    Metric.SECONDS_SINCE_LAST: Operation.SINCE,
    Metric.FRAUD_SHARE: Operation.SHARE,
    **dict.fromkeys(DISTINCT_DIMENSIONS, Operation.DISTINCT),
}


class _Call(NamedTuple):
    """One of the script's calls, and the parts of an entity that it needs."""

    operation: Operation
    first: str
    second: str
    parts: tuple[str, ...]
    reach_s: int


@dataclass(frozen=True, slots=True)
class Kind:
    """The entities of one key.  `number` is the script's; the answers are `plain`, then `shares`, then the travel.

    `series` are those that have a ring here.
    """

    number: int
    key: tuple[str, ...]
    plain: tuple[str, ...]
    shares: tuple[str, ...]
    has_travel: bool
    width: int
    series: frozenset[Series]


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one rule set.  `nothing` is what is known of a payment that names nobody: every name, with None."""

    kinds: tuple[Kind, ...]
    needs_travel: bool
    dimensions: frozenset[str]
    """Whose values are counted."""
    nothing: dict[str, None]
    script: Script

    @classmethod
    def of(cls, velocities: Sequence[tuple[str, Velocity]], *, needs_travel: bool = False) -> Self:
        """`velocities` are call names and what they name, as a compiled rule set has them."""
        by_key: defaultdict[tuple[str, ...], list[tuple[str, Velocity]]] = defaultdict(list)
        for name, velocity in velocities:
            by_key[velocity.key].append((name, velocity))
        if needs_travel:
            by_key.setdefault(("customer",), [])
        kinds, tables = [], []
        for number, (key, asked) in enumerate(sorted(by_key.items()), start=1):
            has_travel = needs_travel and key == ("customer",)
            shares = [each for each in asked if each[1].metric is Metric.FRAUD_SHARE]
            plain = [each for each in asked if each[1].metric is not Metric.FRAUD_SHARE]
            calls = [_call_of(velocity) for _, velocity in plain + shares] + [_TRAVEL] * has_travel
            tables.append(_table(number, calls))
            kinds.append(
                Kind(
                    number,
                    key,
                    tuple(name for name, _ in plain),
                    tuple(name for name, _ in shares),
                    has_travel,
                    len(plain) + 2 * len(shares) + 3 * has_travel,
                    frozenset({METRIC_SERIES[velocity.metric] for _, velocity in asked}),
                )
            )
        names = [name for name, _ in velocities] + list(travel.NOWHERE) * needs_travel
        dimensions = {DISTINCT_DIMENSIONS[each.metric] for _, each in velocities if each.metric in DISTINCT_DIMENSIONS}
        return cls(tuple(kinds), needs_travel, frozenset(dimensions), dict.fromkeys(names), _script(tables))


def _call_of(velocity: Velocity) -> _Call:
    metric, window_s = velocity.metric, velocity.window_s
    operation = _OPERATIONS.get(metric, Operation.COUNT)
    if metric is Metric.SECONDS_SINCE_LAST:
        return _Call(operation, "0", str(window_s), (), window_s)
    if metric in DISTINCT_DIMENSIONS:
        values = _tag("v", list(DISTINCT_DIMENSIONS).index(metric))
        return _Call(operation, values, str(window_s), (values,), window_s)
    ring = _tag(LETTERS[METRIC_SERIES[metric]], window_s)
    if metric is Metric.FRAUD_SHARE:
        dues = _tag("u", window_s)
        bucket_s = max(window_s // BUCKETS, DUE_BUCKET_S_MIN)
        return _Call(operation, ring, dues, (ring, dues), window_s + LABEL_DELAY_S + 2 * bucket_s)
    return _Call(operation, ring, "0", (ring,), window_s + window_s // BUCKETS + 1)


def _tag(letter: str, number: int) -> str:
    """As a literal of Lua."""
    digits = "".join(f"\\{byte:03d}" for byte in number.to_bytes(4, "big"))
    return f"'{letter}{digits}'"


_PLACES: Final = _tag("l", 0)
_TRAVEL: Final = _Call(Operation.TRAVEL, _PLACES, "0", (_PLACES,), travel.REACH_S)


def _table(number: int, calls: Sequence[_Call]) -> str:
    reach_s = max(call.reach_s for call in calls)
    tags = dict.fromkeys(tag for call in calls for tag in call.parts)
    entries = (f"{call.operation},{call.first},{call.second}" for call in calls)
    return f"if kind == {number} then return {reach_s}, {{{','.join(tags)}}}, {{{','.join(entries)}}} end"


def _script(tables: Iterable[str]) -> Script:
    constants = {
        "BUCKETS": BUCKETS,
        "LABEL_DELAY_MS": LABEL_DELAY_S * 1_000,
        "DUE_BUCKET_MS": DUE_BUCKET_S_MIN * 1_000,
        "PLACE_MS": travel.REACH_S * 1_000,
        "STRANGERS_MAX": STRANGERS_MAX,
    }
    lines = [
        f"local {', '.join(constants)} = {', '.join(map(str, constants.values()))}",
        "local function plan_of(kind)",
        *tables,
        "end",
        _BODY,
    ]
    text = "\n".join(lines)
    return Script(text, hashlib.sha1(text.encode()).hexdigest())  # noqa: S324
