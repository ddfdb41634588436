"""A plan asks for each part of an entity once, and its answers are read by their places."""

from __future__ import annotations

import re

from risk.velocity.plan import Plan
from risk.velocity.spec import VELOCITIES_MAX, Metric, Series
from tests.support.velocities import compiled, name_of


def test_calls_of_one_key_share_their_rings() -> None:
    asked = compiled(*((metric, "customer", "1h") for metric in ("count", "sum_amount", "min_amount", "mean_amount")))
    plan = Plan.of(asked.velocities)
    assert plan.script.text.count("ring('p") == 1
    (kind,) = plan.kinds
    assert kind.width == 4
    assert sorted(place for _, place in kind.plain) == [0, 1, 2, 3]


def test_every_number_that_the_script_answers_is_read_by_one_name() -> None:
    asked = compiled(*((m, k, w) for m in Metric for k in ("customer", "ip") for w in ("1h", "1d")), needs_travel=True)
    plan = Plan.of(asked.velocities, needs_travel=True)
    for kind in plan.kinds:
        places = [place for _, place in kind.plain] + [place for each in kind.shares for place in each[1:]]
        places += [] if kind.travel is None else range(kind.travel, kind.travel + 3)
        assert sorted(places) == list(range(kind.width))
        assert kind.series == set(Series)
        assert (kind.travel is not None) == (kind.key == ("customer",))
    assert set(plan.nothing) == {name_of(*each) for each in _asked_of(asked.velocities)} | {
        "travel.distance_km",
        "travel.speed_kmh",
    }


def _asked_of(velocities: tuple[tuple[str, object], ...]) -> list[tuple[str, str, str]]:
    found = []
    for name, _ in velocities:
        metric, key, window = re.findall(r"'([^']*)'", name)
        found.append((metric, key, window))
    return found


def test_travel_is_asked_of_the_customer_even_without_velocities() -> None:
    plan = Plan.of((), needs_travel=True)
    assert [kind.key for kind in plan.kinds] == [("customer",)]
    assert plan.dimensions == frozenset()


def test_the_script_has_no_constant_left_to_capture_and_stays_small() -> None:
    asked = compiled(*(("fraud_share", "customer", f"{hours}h") for hours in range(1, VELOCITIES_MAX + 1)))
    text = Plan.of(asked.velocities, needs_travel=True).script.text
    assert set(re.findall(r"\b[A-Z][A-Z_]{2,}\b", text)) == {"KEYS", "ARGV", "MGET", "SET", "WRONGTYPE"}
    assert "--" not in text
    assert len(text) < 32_000


def test_the_same_rule_set_has_the_same_script_in_every_process() -> None:
    asked = compiled(("count", "ip", "1h"), ("fraud_share", "customer", "1d"))
    assert Plan.of(asked.velocities).script == Plan.of(tuple(asked.velocities)).script
    assert Plan.of(asked.velocities).script != Plan.of(asked.velocities[:1]).script
