"""Decides about a payment: which rules hit, what they say together.  Pure: the same values give the same decision."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

from gateway.kernel.expressions import Value
from risk.decision import APPROVED, Decision, Verdict
from risk.facts import Facts
from risk.rules.compiled import NO_VERDICT, SEVERITY, CompiledSet
from risk.rules.rule import SCORE_MAX, Thresholds
from risk.values import kept

_SHARES: Final = 100


def decide(compiled: CompiledSet, values: Mapping[str, Value | None], facts: Facts) -> Decision:
    """The decision of the set in force.

    Of the live rules that hit and say something about the verdict, the one with the highest priority decides, among
    equals the severer; where there is none, the score does.  `values` are those of `risk.values.values_of`.
    """
    if not compiled.version:
        return APPROVED
    codes, effects = compiled.codes, compiled.effects
    reasons: list[str] = []
    shadow: list[str] = []
    score, no_discount = 0, False
    severest, decisive = NO_VERDICT, 0
    for position in compiled.matcher.matches(values):  # the higher priority comes first
        live, rollout, points, severity, withholds = effects[position]
        code = codes[position]
        if not live or (rollout < _SHARES and share_of(code, facts) >= rollout):
            shadow.append(code)
            continue
        reasons.append(code)
        score += points
        no_discount = no_discount or withholds
        if severity > severest and (severest == NO_VERDICT or compiled.priorities[position] == decisive):
            severest, decisive = severity, compiled.priorities[position]
    score = min(score, SCORE_MAX)
    verdict = _by_score(score, compiled.thresholds) if severest == NO_VERDICT else SEVERITY[severest]
    seen = kept(compiled, values)
    return Decision(verdict, score, tuple(reasons), no_discount, tuple(shadow), compiled.version, seen, at=facts.at)


def share_of(code: str, facts: Facts) -> int:
    """Where a rule's roll-out sees the customer, 0 to 99: applied to whom it sees below its percentage.

    Another rule sees another share; who is not known goes by the payment.
    """
    return zlib.crc32(f"{code}\n{facts.customer or facts.order_key}".encode()) % _SHARES


def _by_score(score: int, thresholds: Thresholds) -> Verdict:
    review, decline = thresholds
    if decline is not None and score >= decline:
        return Verdict.DECLINE
    return Verdict.REVIEW if review is not None and score >= review else Verdict.APPROVE
