"""The windows of a back-test are those of the exact computation, for every metric; and no label is seen too early."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gateway.kernel.expressions import Value
from gateway.kernel.expressions.fields import call_name
from risk.backtest.column import Column
from risk.backtest.columns import Columns
from risk.backtest.history import DAY_MS, NEVER_MS, History, Later, up_to
from risk.backtest.timeline import Timeline
from risk.facts import CodeType, Facts, Location
from risk.velocity.exact import ExactVelocities
from risk.velocity.spec import Metric, Series, Velocity, key_of, window_s_of
from risk.velocity.travel import place_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEYS = ("customer", "terminal", "merchant", "customer+terminal", "device", "ip+card")
_WINDOWS = ("1m", "5h", "3d", "14d")
_CALLS = [(str(metric), key, window) for metric in Metric for key in _KEYS for window in _WINDOWS]
_NAMES = [call_name("velocity", call) for call in _CALLS]


def _facts(seed: int, count: int = 400) -> list[Facts]:
    """Payments of few people over 40 days, some at the same time, some that name nobody."""
    chance = random.Random(seed)
    times = sorted(chance.randrange(0, 40 * DAY_MS, 1_000) for _ in range(count))
    times = [times[max(0, place - 1)] if chance.random() < 0.1 else at for place, at in enumerate(times)]

    def some(name: str, many: int) -> str | None:
        return None if chance.random() < 0.1 else f"{name}{chance.randrange(many)}"

    return [
        Facts(
            merchant_id=f"mer_{chance.randrange(2)}",
            order_key=str(place),
            amount_fen=chance.randrange(1, 50_000),
            method="barcode",
            code_type=CodeType.BARCODE,
            at=_EPOCH + timedelta(milliseconds=at),
            timezone="UTC",
            terminal_id=some("t", 4),
            customer=some("c", 9),
            device=some("d", 5),
            ip=some("10.0.0.", 3),
            card_bin=some("62220", 3),
            region=some("r", 6),
            location=None if chance.random() < 0.2 else Location(31 + 3 * chance.random(), 121.47),
        )
        for place, at in enumerate(sorted(times))
    ]


def _history(facts: Sequence[Facts], known_ms: Sequence[int], later: dict[Series, Later] | None = None) -> History:
    at_ms = np.array([_ms(each.at) for each in facts], dtype=np.int64)
    amounts = np.array([each.amount_fen for each in facts], dtype=np.int64)
    known = np.array(known_ms, dtype=np.int64)
    return History(
        ids=[each.order_key for each in facts],
        timeline=Timeline(at_ms),
        timezones=("UTC",),
        fields={"payment.amount": Column(amounts)},
        keys={
            "customer": [each.customer for each in facts],
            "terminal": [each.terminal_id for each in facts],
            "merchant": [each.merchant_id for each in facts],
            "device": [each.device for each in facts],
            "ip": [each.ip for each in facts],
            "card": [each.card_bin for each in facts],
            "region": [each.region for each in facts],
        },
        amount_fen=amounts,
        discount_fen=np.zeros(len(facts), dtype=np.int64),
        fraud=known < NEVER_MS,
        known_ms=known,
        day_zero_ms=0,
        later=later or {},
        places=[place_of(each) for each in facts],
    )


def _ms(at: datetime) -> int:
    return round((at - _EPOCH) / timedelta(milliseconds=1))


def _told(facts: Sequence[Facts], seed: int) -> tuple[list[int], dict[Series, list[tuple[int, int, int]]]]:
    """When a fifth of the payments became known as fraud, and what else was told of some: place, time, amount."""
    chance = random.Random(f"told {seed}")
    known = [
        _ms(each.at) + chance.randrange(1_000, 10 * DAY_MS, 1_000) if chance.random() < 0.2 else NEVER_MS
        for each in facts
    ]
    other = {
        series: [
            (place, _ms(each.at) + chance.randrange(1_000, DAY_MS, 1_000), chance.randrange(1, each.amount_fen + 1))
            for place, each in enumerate(facts)
            if chance.random() < 0.3
        ]
        for series in (Series.DECLINES, Series.REFUNDS, Series.COMPLAINTS)
    }
    return known, other


def _exactly(
    facts: Sequence[Facts], known: Sequence[int], other: dict[Series, list[tuple[int, int, int]]]
) -> list[dict[str, Value | None]]:
    """By the exact computation, told of everything in the order of time."""
    velocities = [
        (name, Velocity(Metric(metric), key_of(key), window_s_of(window)))
        for name, (metric, key, window) in zip(_NAMES, _CALLS, strict=True)
    ]
    exact = ExactVelocities(velocities, needs_travel=True)
    told = [(at, Series.FRAUDS, place, facts[place].amount_fen) for place, at in enumerate(known) if at < NEVER_MS]
    told += [(at, series, place, amount) for series, some in other.items() for place, at, amount in some]
    told.sort(key=lambda each: each[0])
    found = []
    for each in facts:
        while told and told[0][0] <= _ms(each.at):
            at, series, place, amount = told.pop(0)
            exact.tell(series, facts[place], str(place), amount, _EPOCH + timedelta(milliseconds=at))
        found.append(exact.ask(each))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_every_velocity_of_a_random_history_is_that_of_the_exact_computation(seed: int) -> None:
    facts = _facts(seed)
    known, other = _told(facts, seed)
    later = {series: Later(*np.array(some, dtype=np.int64).reshape(-1, 3).T) for series, some in other.items()}
    columns = Columns(_history(facts, known, later))
    expected = _exactly(facts, known, other)
    for name in (*_NAMES, "travel.distance_km", "travel.speed_kmh"):
        column = columns.of(name)
        assert column is not None
        assert column.listed(0, len(facts)) == [values[name] for values in expected], name


def test_a_label_changes_nothing_before_it_is_known_and_something_afterwards() -> None:
    facts = _facts(7)
    none = [NEVER_MS] * len(facts)
    before = Columns(_history(facts, none))
    changed = 0
    for place in range(0, 200, 9):
        known = none.copy()
        known[place] = _ms(facts[place].at) + 7 * DAY_MS
        first = next(number for number, each in enumerate(facts) if _ms(each.at) >= known[place])
        after = Columns(_history(facts, known))
        for name in _NAMES:
            old, new = before.of(name), after.of(name)
            assert old is not None
            assert new is not None
            assert old.listed(0, first) == new.listed(0, first), name
            changed += old.listed(first, len(facts)) != new.listed(first, len(facts))
    assert changed


def test_a_history_that_ends_with_a_day_has_the_same_windows_up_to_there() -> None:
    facts = _facts(5)
    known, other = _told(facts, 5)
    later = {series: Later(*np.array(some, dtype=np.int64).reshape(-1, 3).T) for series, some in other.items()}
    history = _history(facts, known, later)
    ended = up_to(history, 24)
    assert 0 < len(ended) < len(history)
    assert ended.days[-1] <= 24 < history.days[len(ended)]
    whole, part = Columns(history), Columns(ended)
    for name in (*_NAMES, "payment.amount", "payment.hour", "travel.distance_km", "customer.usual_hour"):
        one, other_one = whole.of(name), part.of(name)
        assert one is not None
        assert other_one is not None
        assert other_one.listed(0, len(ended)) == one.listed(0, len(ended)), name


def test_what_a_customer_did_before_is_counted_from_the_history_itself() -> None:
    facts = _facts(3)
    columns = Columns(_history(facts, [NEVER_MS] * len(facts)))
    names = ("orders", "spent", "first_payment", "days_since_first", "days_since_last", "usual_amount")
    past: dict[str, list[Facts]] = {}
    others = ("highest_amount", "usual_hour", "usual_region")
    rows = columns.rows([f"customer.{name}" for name in (*names, *others)], 0, len(facts))
    for each, values in zip(facts, rows, strict=True):
        if each.customer is None:
            assert set(values.values()) == {None}
            continue
        before = past.setdefault(each.customer, [])
        amounts = [payment.amount_fen for payment in before]
        assert values == {
            "customer.orders": len(before),
            "customer.spent": sum(amounts),
            "customer.first_payment": not before,
            "customer.days_since_first": (each.at - before[0].at).days if before else None,
            "customer.days_since_last": (each.at - before[-1].at).days if before else None,
            "customer.usual_amount": (
                (2 * sum(amounts) + len(amounts)) // (2 * len(amounts)) if len(amounts) >= 3 else None
            ),
            "customer.highest_amount": max(amounts, default=None),
            "customer.usual_hour": _is_usual_hour(each, before) if len(before) >= 10 else None,
            "customer.usual_region": (
                any(payment.region == each.region for payment in before)
                if each.region is not None and len(before) >= 3
                else None
            ),
        }
        before.append(each)


def _is_usual_hour(payment: Facts, before: Sequence[Facts]) -> bool:
    return any((each.at.hour - payment.at.hour + 1) % 24 <= 2 for each in before)


def test_hours_and_days_are_those_of_the_merchants_clock() -> None:
    facts = _facts(1, count=50)
    history = _history(facts, [NEVER_MS] * 50)
    zones = ["Asia/Shanghai" if place % 2 else "America/New_York" for place in range(50)]
    columns = Columns(History(**{**_parts(history), "timezones": zones}))
    local = [each.at.astimezone(ZoneInfo(zone)) for each, zone in zip(facts, zones, strict=True)]
    expected = {
        "payment.date": [f"{at:%Y-%m-%d}" for at in local],
        "payment.month": [at.month for at in local],
        "payment.day": [at.day for at in local],
        "payment.weekday": [at.isoweekday() for at in local],
        "payment.hour": [at.hour for at in local],
        "payment.minute": [at.minute for at in local],
    }
    for name, values in expected.items():
        column = columns.of(name)
        assert column is not None
        assert column.listed(0, 50) == values


def test_what_the_history_says_nothing_about_is_named() -> None:
    columns = Columns(_history(_facts(2, count=5), [NEVER_MS] * 5))
    names = ("payment.amount", "payment.category", "listed('block', 'customer')", "customer.segments")
    assert columns.unknown(names) == names[1:]


def _parts(history: History) -> dict[str, object]:
    names = ("ids", "timeline", "timezones", "fields", "keys", "amount_fen", "discount_fen", "fraud", "known_ms")
    return {name: getattr(history, name) for name in (*names, "day_zero_ms", "later")}
