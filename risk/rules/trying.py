"""Runs the tests that are attached to rules: each imagined payment against the whole set, as if it were in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from gateway.kernel.documents import PROBLEMS_MAX, Problem
from risk.decision import Decision
from risk.engine import decide
from risk.facts import CodeType, Facts
from risk.rules.compiled import CompiledSet
from risk.rules.rule import Example, Rule, RuleSet

_MERCHANT: Final = "payment.merchant_id"
_NOBODY: Final = Facts("", "", 0, "barcode", CodeType.BARCODE, datetime(2026, 1, 1, tzinfo=UTC), "Asia/Shanghai")
"""A decision asks the facts for the roll-out only, and here every rule is rolled out."""
_SHOWN_MAX: Final = 5


def failures(rule_set: RuleSet, compiled: CompiledSet) -> tuple[Problem, ...]:
    """What the tests show that their authors did not expect, the first hundred; empty where all is well.

    A rule counts as rolled out to everybody.  A rule of some merchants is tried with the first of them where the test
    names none.
    """
    found: list[Problem] = []
    everywhere = replace(compiled, version=1, effects=tuple(each._replace(rollout=100) for each in compiled.effects))
    for path, rule, example in _examples(rule_set):
        found.extend(_judged(path, rule, example, everywhere))
        if len(found) >= PROBLEMS_MAX:
            break
    return tuple(found[:PROBLEMS_MAX])


def _examples(rule_set: RuleSet) -> Iterator[tuple[str, Rule, Example]]:
    for number, rule in enumerate(rule_set.rules):
        for place, example in enumerate(rule.examples):
            yield f"rules.{number}.tests.{place}", rule, example


def _judged(path: str, rule: Rule, example: Example, compiled: CompiledSet) -> Iterator[Problem]:
    values = dict(example.given)
    if rule.merchants:
        values.setdefault(_MERCHANT, rule.merchants[0])
    decision = decide(compiled, values, _NOBODY)
    hit = rule.code in decision.reasons or rule.code in decision.shadow
    if example.hits is not None and hit is not example.hits:
        said = f"{rule.code} does not hit, and should" if example.hits else f"{rule.code} hits, and should not"
        yield Problem(f"{path}.hits", said, hint=_told(decision))
    if example.verdict is not None and decision.verdict is not example.verdict:
        said = f"the set says {decision.verdict}, not {example.verdict}"
        yield Problem(f"{path}.verdict", said, hint=_told(decision))


def _told(decision: Decision) -> str:
    """Which rules hit, and the score."""
    if not decision.reasons and not decision.shadow:
        return "no rule hits"
    codes = [*decision.reasons, *(f"{code} (only counted)" for code in decision.shadow)]
    more = f" and {len(codes) - _SHOWN_MAX} more" if len(codes) > _SHOWN_MAX else ""
    return f"what hits: {', '.join(codes[:_SHOWN_MAX])}{more}; score {decision.score}"
