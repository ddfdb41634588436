"""A policy ready to be asked: what it says of one sale, in microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.kernel.expressions import Matcher
from routing.policy.fields import condition, values_of
from routing.policy.rules import AnyRule, ExcludeRule, PolicyDocument, Steer
from routing.sale import Sale

_KEPT_MAX: Final = 4_096
"""Sets of rules that matched together; there are few in practice, and far more in theory."""


@dataclass(frozen=True, slots=True)
class Guidance:
    """What the policy says of a sale: the accounts that are not to be used, and the rule that chooses between the rest.

    `rules` has the names of all rules that matched, in the policy's order.
    """

    excluded: frozenset[str] = frozenset()
    steer: Steer | None = None
    rules: tuple[str, ...] = ()


NO_GUIDANCE: Final = Guidance()


class CompiledPolicy:
    """A version of the policy.  Immutable but for what it remembers to answer faster."""

    __slots__ = ("_known", "_matcher", "_rules", "document", "exploration", "success_value", "tries_max", "version")

    def __init__(self, document: PolicyDocument, version: int) -> None:
        """Raises ExpressionError where the document was not checked (document.parse)."""
        self.document = document
        self.version = version
        self.success_value = float(document.success_value)
        self.exploration = float(document.exploration)
        self.tries_max = document.tries_max
        self._rules = tuple(rule for rule in document.rules if rule.enabled)
        self._matcher = Matcher([condition(rule.when) for rule in self._rules])
        self._known: dict[tuple[int, ...], Guidance] = {(): NO_GUIDANCE}

    def guide(self, sale: Sale) -> Guidance:
        """Every exclusion that matches, and the first that matches of the other rules."""
        if not self._rules:
            return NO_GUIDANCE
        matched = self._matcher.matches(values_of(sale))
        guidance = self._known.get(matched)
        if guidance is None:
            guidance = _guidance([self._rules[number] for number in matched])
            if len(self._known) < _KEPT_MAX:
                self._known[matched] = guidance
        return guidance


def _guidance(matched: list[AnyRule]) -> Guidance:
    excluded: frozenset[str] = frozenset()
    steer: Steer | None = None
    for rule in matched:
        if isinstance(rule, ExcludeRule):
            excluded |= rule.accounts
        elif steer is None:
            steer = rule
    return Guidance(excluded, steer, tuple(rule.name for rule in matched))


NO_POLICY: Final = CompiledPolicy(PolicyDocument(), version=0)
"""Steers nothing."""
