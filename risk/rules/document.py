"""Reads a rule set from JSON and checks it: every problem at once, each with its path and what to do."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from gateway.kernel.documents import DocumentError, ObjectReader, Problem, Problems, shown
from risk.decision import Action
from risk.rules.checking import SetChecks, condition_of
from risk.rules.examples import EXAMPLES_MAX, read_example
from risk.rules.rule import NO_THRESHOLDS, PRIORITY_MAX, RULES_MAX, SCORE_MAX, Example, Mode, Rule, RuleSet, Thresholds

NOTE_LENGTH_MAX: Final = 500
DESCRIPTION_LENGTH_MAX: Final = 500
MERCHANTS_MAX: Final = 1_000
"""In one rule."""
TESTS_MAX: Final = 2_000
"""In one rule set: each is a decision of the whole set."""
MODEL_MAX: Final = 2**31 - 1
CODE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")
_MERCHANT: Final = re.compile(r"mer_[0-9A-Za-z_-]{1,60}")
SET_FIELDS: Final = frozenset({"note", "rules", "thresholds", "model"})
_THRESHOLDS: Final = frozenset({"review", "decline"})
RULE_FIELDS: Final = frozenset(
    {"code", "when", "action", "score", "mode", "rollout", "priority", "description", "merchants", "tests"}
)

_Choice = TypeVar("_Choice", bound=StrEnum)


class RuleSetError(DocumentError):
    """A rule set that cannot be used; `problems` has all that is wrong with it, in the document's order."""


def parse(given: object, *, lists: Collection[str] | None, models: Collection[int] | None) -> RuleSet:
    """The rule set in a JSON value.

    A list or a model that is none of those is a problem; with None they are not looked at, for what was checked when
    it was saved.  Raises RuleSetError with all problems (the first hundred).
    """
    problems = Problems()
    if not isinstance(given, dict):
        raise RuleSetError((Problem("body", "a rule set is a JSON object"),))
    rule_set = _Reading(problems, SetChecks(problems, lists), models).rule_set(given)
    if problems.found:
        raise RuleSetError(tuple(problems.found))
    return rule_set


@dataclass(frozen=True, slots=True)
class _Reading:
    """One reading of one document."""

    problems: Problems
    checks: SetChecks
    models: Collection[int] | None

    def rule_set(self, given: dict[str, Any]) -> RuleSet:
        reader = _Reader(given, "", self.problems)
        reader.refuse_unknown(SET_FIELDS)
        note = reader.text("note", NOTE_LENGTH_MAX)
        thresholds = self._thresholds(reader)
        model = self._model(reader)
        rules = tuple(self._rules(reader, scored=model is not None))
        if sum(len(rule.examples) for rule in rules) > TESTS_MAX:
            self.problems.note("rules", f"have more than {TESTS_MAX} tests together")
        return RuleSet(rules, thresholds, model, note, given)

    def _thresholds(self, reader: _Reader) -> Thresholds:
        value = reader.value("thresholds")
        if value is None:
            return NO_THRESHOLDS
        path = reader.at("thresholds")
        if not isinstance(value, dict):
            self.problems.note(path, 'is an object such as {"review": 40, "decline": 80}')
            return NO_THRESHOLDS
        within = _Reader(value, path, self.problems)
        within.refuse_unknown(_THRESHOLDS)
        found = Thresholds(within.optional("review", 1, SCORE_MAX), within.optional("decline", 1, SCORE_MAX))
        if found.review is not None and found.decline is not None and found.review >= found.decline:
            self.problems.note(within.at("review"), f"is lower than the score that declines, {found.decline}")
        return found

    def _model(self, reader: _Reader) -> int | None:
        model = reader.optional("model", 1, MODEL_MAX)
        if model is not None and self.models is not None and model not in self.models:
            self.problems.add(Problem(reader.at("model"), f"there is no model {model}", hint="train one first"))
        return model

    def _rules(self, reader: _Reader, *, scored: bool) -> Iterator[Rule]:
        """They are required: an empty object sent by mistake must not end all rules."""
        rules = reader.value("rules")
        if not isinstance(rules, list) or len(rules) > RULES_MAX:
            message = f"is a list of at most {RULES_MAX} rules"
            self.problems.note("rules", message if reader.has("rules") else "is required")
            return
        codes: dict[str, int] = {}
        for number, each in enumerate(rules):
            path = f"rules.{number}"
            if not isinstance(each, dict):
                self.problems.note(path, "a rule is a JSON object")
                continue
            code = each.get("code")
            if isinstance(code, str) and codes.setdefault(code, number) != number:
                self.problems.note(f"{path}.code", f"rules.{codes[code]} has this code already")
            rule = self._rule(each, path, scored=scored)
            if rule is not None:
                yield rule

    def _rule(self, given: dict[str, Any], path: str, *, scored: bool) -> Rule | None:
        """None where it says no code, condition or action; the document is refused then."""
        reader = _Reader(given, path, self.problems)
        reader.refuse_unknown(RULE_FIELDS)
        code = self._code(reader)
        when = condition_of(reader.value("when"), reader.at("when"), self.problems, given=reader.has("when"))
        if when is not None:
            self.checks.look(when, reader.at("when"), scored=scored)
        action = reader.choice("action", Action)
        score = reader.whole("score", 0, SCORE_MAX, 0)
        if action is Action.SCORE and score == 0:
            self.problems.note(reader.at("score"), f"is a whole number from 1 to {SCORE_MAX}, or the rule does nothing")
        mode = reader.choice("mode", Mode, Mode.LIVE)
        rollout = reader.whole("rollout", 0, 100, 100)
        priority = reader.whole("priority", 0, PRIORITY_MAX, 0)
        description = reader.text("description", DESCRIPTION_LENGTH_MAX)
        merchants = self._merchants(reader)
        examples = tuple(self._examples(reader))
        if code is None or when is None or action is None or mode is None:
            return None
        return Rule(code, when, action, score, mode, rollout, priority, description, merchants, examples)

    def _code(self, reader: _Reader) -> str | None:
        value = reader.value("code")
        if isinstance(value, str) and CODE.fullmatch(value):
            return value
        message = "takes 1 to 64 letters, digits, “_”, “.” and “-”, beginning with a letter or digit"
        self.problems.note(reader.at("code"), message if reader.has("code") else "is required")
        return None

    def _merchants(self, reader: _Reader) -> tuple[str, ...]:
        """Empty is all of them: a list that is given has somebody in it."""
        value = reader.value("merchants")
        if value is None or value == []:
            return ()
        path = reader.at("merchants")
        if not isinstance(value, list) or len(value) > MERCHANTS_MAX:
            self.problems.note(path, f"is a list of at most {MERCHANTS_MAX} merchants")
            return ()
        for number, each in enumerate(value):
            if not isinstance(each, str) or not _MERCHANT.fullmatch(each):
                self.problems.note(f"{path}.{number}", f"is the id of a merchant, mer_…, not “{shown(each)}”")
                return ()
        return tuple(dict.fromkeys(value))

    def _examples(self, reader: _Reader) -> Iterator[Example]:
        value = reader.value("tests")
        if value is None:
            return
        path = reader.at("tests")
        if not isinstance(value, list) or len(value) > EXAMPLES_MAX:
            self.problems.note(path, f"is a list of at most {EXAMPLES_MAX} tests")
            return
        for number, each in enumerate(value):
            example = read_example(each, f"{path}.{number}", self.problems)
            if example is not None:
                yield example


class _Reader(ObjectReader):
    """With choices, and whole numbers that may be null."""

    def __init__(self, given: Mapping[str, Any], path: str, problems: Problems) -> None:
        super().__init__(given, path, problems)

    def optional(self, name: str, least: int, most: int) -> int | None:
        """An integer within its bounds, or None where it is null or missing; a wrong one is noted, and None."""
        found = None if self.value(name) is None else self.whole(name, least, most, least - 1)
        return None if found == least - 1 else found

    def choice(self, name: str, choices: type[_Choice], default: _Choice | None = None) -> _Choice | None:
        """One of a closed set; a wrong one is noted, and None."""
        if default is not None and not self.has(name):
            return default
        value = self.value(name)
        if isinstance(value, str) and value in choices.__members__.values():
            return choices(value)
        message = f"is one of {', '.join(choices)}"
        self._problems.note(self.at(name), message if self.has(name) else f"is required: {message}")
        return None
