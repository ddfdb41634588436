"""Reads a policy from JSON and checks it: every problem at once, each with its path."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from gateway.kernel.expressions import ExpressionError
from routing.policy.fields import condition
from routing.policy.reading import ObjectReader, PolicyError, Problem, Problems, shown
from routing.policy.rules import (
    EXPLORATION,
    SPLIT_SUM,
    SUCCESS_VALUE,
    TRIES_MAX,
    AnyRule,
    ExcludeRule,
    OrderRule,
    PolicyDocument,
    PreferRule,
    SplitRule,
)

RULES_MAX: Final = 200
ACCOUNTS_MAX: Final = 32
"""In one rule."""
NOTE_LENGTH_MAX: Final = 500
DESCRIPTION_LENGTH_MAX: Final = 500
WHEN_LENGTH_MAX: Final = 2_000
TRIES_MOST: Final = 5
SUCCESS_VALUE_LEAST: Final = Decimal("0.05")
"""Below what a fee can be, the account that fails most would be worth most."""
EXPLORATION_MOST: Final = Decimal("0.1")
NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")
ACTIONS: Final = ("exclude", "order", "prefer", "split")
_FIELDS: Final = frozenset({"note", "success_value", "exploration", "tries_max", "rules"})
_RULE_FIELDS: Final = frozenset({"name", "when", "enabled", "description", "within", *ACTIONS})
_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)


def parse(given: object, known_accounts: Collection[str] | None) -> PolicyDocument:
    """The policy in a JSON value.

    An account that is none of `known_accounts` is a problem; with None the accounts are not looked at, for what was
    checked when it was saved.  Raises PolicyError with all problems.
    """
    problems = Problems()
    if not isinstance(given, dict):
        raise PolicyError((Problem("body", "a policy is a JSON object"),))
    document = _Reading(problems, known_accounts).document(given)
    if problems.found:
        raise PolicyError(tuple(problems.found))
    return document


@dataclass(frozen=True, slots=True)
class _Reading:
    """One reading of one document."""

    problems: Problems
    known_accounts: Collection[str] | None

    def document(self, given: dict[str, Any]) -> PolicyDocument:
        reader = ObjectReader(given, "", self.problems)
        reader.refuse_unknown(_FIELDS)
        return PolicyDocument(
            note=reader.text("note", NOTE_LENGTH_MAX),
            success_value=reader.share("success_value", SUCCESS_VALUE_LEAST, _ONE, SUCCESS_VALUE),
            exploration=reader.share("exploration", _ZERO, EXPLORATION_MOST, EXPLORATION),
            tries_max=reader.whole("tries_max", 1, TRIES_MOST, TRIES_MAX),
            rules=tuple(self._rules(given)),
        )

    def _rules(self, given: dict[str, Any]) -> Iterator[AnyRule]:
        """They are required: an empty object sent by mistake must not end all rules."""
        rules = given.get("rules")
        if not isinstance(rules, list) or len(rules) > RULES_MAX:
            message = f"is a list of at most {RULES_MAX} rules"
            self.problems.note("rules", message if "rules" in given else "is required")
            return
        names: dict[str, int] = {}
        for number, each in enumerate(rules):
            path = f"rules.{number}"
            if not isinstance(each, dict):
                self.problems.note(path, "a rule is a JSON object")
                continue
            rule = self._rule(each, path)
            if rule is None:
                continue
            if names.setdefault(rule.name, number) != number:
                self.problems.note(f"{path}.name", f"rules.{names[rule.name]} has this name already")
            yield rule

    def _rule(self, given: dict[str, Any], path: str) -> AnyRule | None:
        """None where it does not say what it does; the document is refused then."""
        reader = ObjectReader(given, path, self.problems)
        reader.refuse_unknown(_RULE_FIELDS)
        name = self._name(reader)
        when = self._when(reader)
        enabled = reader.flag("enabled", default=True)
        description = reader.text("description", DESCRIPTION_LENGTH_MAX)
        actions = [action for action in ACTIONS if reader.has(action)]
        if reader.has("within") and actions != ["prefer"]:
            self.problems.note(reader.at("within"), "goes with prefer only")
        match actions:
            case ["exclude"]:
                return ExcludeRule(name, when, enabled, description, frozenset(self._accounts(reader, "exclude")))
            case ["order"]:
                return OrderRule(name, when, enabled, description, self._accounts(reader, "order"))
            case ["prefer"]:
                within = reader.share("within", _ZERO, _ONE, _ZERO)
                return PreferRule(name, when, enabled, description, frozenset(self._accounts(reader, "prefer")), within)
            case ["split"]:
                return SplitRule(name, when, enabled, description, self._weights(reader))
        self.problems.note(path, f"a rule has exactly one of {', '.join(ACTIONS)}")
        return None

    def _name(self, reader: ObjectReader) -> str:
        """The name; one that is missing or wrong is noted once."""
        value = reader.value("name")
        if isinstance(value, str) and NAME.fullmatch(value):
            return value
        message = "takes 1 to 64 letters, digits, “_”, “.” and “-”, beginning with a letter or digit"
        self.problems.note(reader.at("name"), message if reader.has("name") else "is required")
        return reader.at("name")

    def _when(self, reader: ObjectReader) -> str:
        text = reader.text("when", WHEN_LENGTH_MAX, required=True)
        if text:
            try:
                condition(text)
            except ExpressionError as error:
                path = reader.at("when")
                self.problems.add(Problem(path, error.message, error.line, error.column, error.hint))
        return text

    def _accounts(self, reader: ObjectReader, action: str) -> tuple[str, ...]:
        given = reader.value(action)
        path = reader.at(action)
        if not isinstance(given, list) or not 1 <= len(given) <= ACCOUNTS_MAX:
            self.problems.note(path, f"is a list of 1 to {ACCOUNTS_MAX} channel accounts")
            return ()
        seen: list[str] = []
        for number, account in enumerate(given):
            if self._is_account(account, f"{path}.{number}"):
                if account in seen:
                    self.problems.note(f"{path}.{number}", f"“{account}” is there already")
                seen.append(account)
        return tuple(seen)

    def _weights(self, reader: ObjectReader) -> tuple[tuple[str, int], ...]:
        given = reader.value("split")
        path = reader.at("split")
        if not isinstance(given, dict) or not 1 <= len(given) <= ACCOUNTS_MAX:
            self.problems.note(path, f"is an object of 1 to {ACCOUNTS_MAX} channel accounts with their shares")
            return ()
        weights: dict[str, int] = {}
        for account, weight in given.items():
            place = f"{path}.{shown(account)}"
            if type(weight) is not int or not 1 <= weight <= SPLIT_SUM:
                self.problems.note(place, f"is a whole number from 1 to {SPLIT_SUM}")
            elif self._is_account(account, place):
                weights[account] = weight
        if len(weights) == len(given) and sum(weights.values()) != SPLIT_SUM:
            self.problems.note(path, f"the shares add up to {sum(weights.values())} instead of {SPLIT_SUM}")
        return tuple(sorted(weights.items()))

    def _is_account(self, account: object, path: str) -> bool:
        if not isinstance(account, str):
            self.problems.note(path, "is the id of a channel account")
            return False
        if self.known_accounts is not None and account not in self.known_accounts:
            self.problems.note(path, f"there is no channel account “{shown(account)}”")
            return False
        return True
