"""The risk rules of the benchmark: a thousand live ones over twenty velocities, that let the load through."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

import pytest

from loadtests.bench.rule_sets import ordinary_payments, rules_for
from loadtests.traffic.risk_rules import TYPICAL_VELOCITIES
from risk.decision import Verdict
from risk.engine import decide
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse
from risk.values import values_of

MERCHANT = "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
PAYMENTS = 2_000


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return rules_for(MERCHANT)


@pytest.fixture(scope="module")
def compiled(document: dict[str, Any]) -> CompiledSet:
    return CompiledSet.of(parse(document, lists=None, models=None), 1)


def test_there_are_a_thousand_live_rules_that_ask_for_twenty_velocities(
    document: dict[str, Any], compiled: CompiledSet
) -> None:
    assert len(document["rules"]) == 1_000
    assert all(rule.get("mode", "live") == "live" for rule in document["rules"])
    assert len(compiled.velocities) == TYPICAL_VELOCITIES
    assert any(MERCHANT in rule["when"] or MERCHANT in rule.get("merchants", ()) for rule in document["rules"])


@pytest.mark.parametrize("counted", [None, 100_000])
def test_most_of_the_load_is_approved_however_much_of_it_was_counted(
    compiled: CompiledSet, counted: int | None
) -> None:
    features = {name: counted for name, velocity in compiled.velocities if velocity.metric != "fraud_share"}
    verdicts: Counter[Verdict] = Counter()
    hits = 0
    for facts in islice(ordinary_payments(MERCHANT), PAYMENTS):
        decision = decide(compiled, values_of(compiled, facts, features), facts)
        verdicts[decision.verdict] += 1
        hits += len(decision.reasons)
    assert verdicts[Verdict.APPROVE] >= 0.98 * PAYMENTS
    assert verdicts[Verdict.REVIEW], "the audit is to have cases to look at"
    assert hits >= 0.4 * PAYMENTS
