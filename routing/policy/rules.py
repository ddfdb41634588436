"""A policy as it stands: its rules, and what bounds the router.  How it is read from JSON is document.py's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

SUCCESS_VALUE: Final = Decimal("0.30")
"""A failed sale costs far more than its fee: the customer may walk away."""
EXPLORATION: Final = Decimal("0.001")
TRIES_MAX: Final = 3
SPLIT_SUM: Final = 100


@dataclass(frozen=True, slots=True)
class Rule:
    """What all rules have.  `when` is an expression over the fields of a sale (fields.py)."""

    name: str
    when: str
    enabled: bool
    description: str


@dataclass(frozen=True, slots=True)
class ExcludeRule(Rule):
    """These accounts take no such sale."""

    accounts: frozenset[str]


@dataclass(frozen=True, slots=True)
class OrderRule(Rule):
    """The first usable of these accounts takes the sale; those that are not named come after them, by value."""

    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PreferRule(Rule):
    """One of these accounts takes the sale, unless another's value is higher by more than `within` of the amount."""

    accounts: frozenset[str]
    within: Decimal

    def margin_fen(self, amount_fen: int) -> float:
        """By so much may the value of a preferred account be below the best."""
        return float(self.within) * amount_fen


@dataclass(frozen=True, slots=True)
class SplitRule(Rule):
    """These accounts share the sales: (account, share of a hundred), by account, with the sum 100."""

    weights: tuple[tuple[str, int], ...]


Steer: TypeAlias = OrderRule | PreferRule | SplitRule
"""A rule that chooses between the accounts that can take a sale."""
AnyRule: TypeAlias = ExcludeRule | Steer


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy: the rules in the order in which they count, and three bounds; without any it steers nothing.

    `success_value` is what a payment that succeeds is worth, as a share of its amount; at most `exploration` of
    that is given up, over all payments, for knowing more of the other accounts; a payment is tried on at most
    `tries_max` accounts.
    """

    rules: tuple[AnyRule, ...] = ()
    success_value: Decimal = SUCCESS_VALUE
    exploration: Decimal = EXPLORATION
    tries_max: int = TRIES_MAX
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it is stored and shown; what `parse` reads again."""
        return {
            "note": self.note,
            "success_value": str(self.success_value),
            "exploration": str(self.exploration),
            "tries_max": self.tries_max,
            "rules": [_rule_json(rule) for rule in self.rules],
        }


def _rule_json(rule: AnyRule) -> dict[str, Any]:
    """What is as usual (enabled, no description) is left out."""
    shown: dict[str, Any] = {"name": rule.name, "when": rule.when, **_action_json(rule)}
    if rule.description:
        shown["description"] = rule.description
    if not rule.enabled:
        shown["enabled"] = False
    return shown


def _action_json(rule: AnyRule) -> Mapping[str, Any]:
    match rule:
        case ExcludeRule():
            return {"exclude": sorted(rule.accounts)}
        case OrderRule():
            return {"order": list(rule.accounts)}
        case PreferRule():
            return {"prefer": sorted(rule.accounts), "within": str(rule.within)}
        case SplitRule():
            return {"split": dict(rule.weights)}
