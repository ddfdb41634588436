"""A choice tells what it was made of: the one chosen first, then by value, then who was ruled out and why."""

from __future__ import annotations

import json

from routing.choice import Candidate, Reason, Why
from routing.health.standing import BreakerState
from routing.sale import Prices
from tests.support.routing import Bench, account, policy, sale

FULL = Prices.full(10_000)


def test_the_record_has_everything_that_the_choice_went_by() -> None:
    rules = [
        {"name": "night", "when": "payment.hour < 6", "prefer": ["a"]},
        {"name": "first", "when": "true", "order": ["dear"]},
    ]
    bench = Bench(account("cheap", rate=2_000), account("dear"), account("down"), compiled=policy(*rules, version=7))
    bench.health.of("down").state = BreakerState.OPEN
    choice = bench.router.choose(sale(), FULL)
    assert json.loads(choice.record()) == {
        "account": "dear",
        "why": "order",
        "policy_version": 7,
        "rules": ["first"],
        "candidates": [
            {"account": "dear", "reason": None, "success": 0.99, "fee": 38, "subsidy": 0, "value": 2932.38},
            {"account": "cheap", "reason": None, "success": 0.99, "fee": 20, "subsidy": 0, "value": 2950.2},
            {"account": "down", "reason": "outage", "success": None, "fee": None, "subsidy": None, "value": None},
        ],
    }


def test_candidates_are_those_of_the_record() -> None:
    bench = Bench(account("b"), account("a", rate=6_000), account("off", {"methods": ["page"], "merchants": []}))
    choice = bench.router.choose(sale(), FULL)
    assert [each.account.id for each in choice.candidates] == ["b", "a", "off"]
    assert choice.candidates[0] == Candidate(choice.candidates[0].account, None, 0.99, 38, 0, 0.99 * (3_000 - 38))
    assert choice.candidates[2].reason is Reason.OTHER_MERCHANT
    assert len(choice.candidates) == 3
    assert [each["account"] for each in choice.to_json()["candidates"]] == ["b", "a", "off"]  # type: ignore[attr-defined]


def test_a_half_open_account_that_was_not_chosen_is_in_an_outage() -> None:
    bench = Bench(account("a"), account("b"))
    bench.health.half_open("b", probes=1)
    probe, other = [bench.router.choose(sale(), FULL) for _ in range(2)]
    assert (probe.why, other.why) == (Why.PROBE, Why.BEST_VALUE)
    assert [(each.account.id, each.reason) for each in probe.candidates] == [("b", None), ("a", None)]
    assert [(each.account.id, each.reason) for each in other.candidates] == [("a", None), ("b", Reason.OUTAGE)]


def test_nothing_to_choose_is_momentary_only_where_health_is_the_reason() -> None:
    bench = Bench(account("a"), account("b", {"merchants": ["mer_other"]}))
    bench.health.of("a").state = BreakerState.OPEN
    choice = bench.router.choose(sale(), FULL)
    assert (choice.account, choice.why, choice.is_momentary) == (None, Why.NONE, True)
    bench.book.now(account("b", {"merchants": ["mer_other"]}))
    choice = bench.router.choose(sale(), FULL)
    assert (choice.account, choice.is_momentary) == (None, False)
    bench.book.now()
    assert not bench.router.choose(sale(), FULL).is_momentary
