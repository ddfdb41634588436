"""Every verdict on a condition is that of cel-expr-python."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from gateway.kernel.expressions import Value, check
from tests.support.conditions import FIELDS, Oracle, conditions, values

ORACLE = Oracle()


@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow])
@given(conditions(3, arithmetic=2), values())
def test_a_condition_is_judged_as_cel_judges_it(text: str, known: dict[str, Value | None]) -> None:
    assert check(text, FIELDS).evaluate(known) is ORACLE.verdict(text, known)
