"""Counts decisions and the rules that hit; rules by name only as long as there is room among the metrics."""

from __future__ import annotations

from collections import Counter
from typing import Final

from gateway.kernel.hot_metrics import carry_over
from gateway.kernel.metrics import RISK_DECISIONS, RISK_HITS, RISK_MISSED, RISK_SECONDS, RISK_UNDISCOUNTED
from risk.decision import Decision
from risk.rules.rule import Mode

NAMED_MAX: Final = 100
OTHER: Final = "other"
_UNAVAILABLE: Final = "unavailable"


class Hits:
    """Hits of rules by name and mode, carried over together; a process names the busiest first, and keeps to them."""

    def __init__(self) -> None:
        self._pending: Counter[tuple[str, str]] = Counter()
        self._named: set[tuple[str, str]] = set()

    def count(self, decision: Decision) -> None:
        """Count every rule that hit."""
        for code in decision.reasons:
            self._pending[code, Mode.LIVE] += 1
        for code in decision.shadow:
            self._pending[code, Mode.SHADOW] += 1

    def flush(self) -> None:
        """Carry over."""
        if not self._pending:
            return
        pending, self._pending = self._pending, Counter()
        for hit, number in pending.most_common():
            code, mode = hit
            if hit not in self._named and len(self._named) < NAMED_MAX:
                self._named.add(hit)
            RISK_HITS.labels(code if hit in self._named else OTHER, mode).inc(number)


HITS: Final = Hits()
carry_over(HITS)


def count(decision: Decision, seconds: float) -> None:
    """Count one decision."""
    RISK_DECISIONS.labels(_UNAVAILABLE if decision.beyond_tolerance else decision.verdict).inc()
    RISK_SECONDS.labels().observe(seconds)
    if decision.no_discount:
        RISK_UNDISCOUNTED.labels().inc()
    if decision.missed is not None:
        RISK_MISSED.labels(decision.missed).inc()
    if decision.reasons or decision.shadow:
        HITS.count(decision)
