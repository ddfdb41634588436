"""Counts decisions and the rules that hit."""

from __future__ import annotations

from typing import Final

from gateway.kernel.metrics import RISK_DECISIONS, RISK_HITS, RISK_MISSED, RISK_SECONDS, RISK_UNDISCOUNTED
from risk.decision import Decision
from risk.rules.rule import Mode

_UNAVAILABLE: Final = "unavailable"
_SECONDS: Final = RISK_SECONDS.labels()


def count(decision: Decision, seconds: float) -> None:
    """Count one decision."""
    RISK_DECISIONS.labels(_UNAVAILABLE if decision.beyond_tolerance else decision.verdict).inc()
    _SECONDS.observe(seconds)
    if decision.no_discount:
        RISK_UNDISCOUNTED.labels().inc()
    if decision.missed is not None:
        RISK_MISSED.labels(decision.missed).inc()
    for code in decision.reasons:
        RISK_HITS.count((code, Mode.LIVE))
    for code in decision.shadow:
        RISK_HITS.count((code, Mode.SHADOW))
