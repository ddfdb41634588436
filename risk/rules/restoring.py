"""Reads a rule set that is stored: it was taken when it was saved, whatever a rule set may have today."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.kernel.documents import ObjectReader, Problem, Problems
from risk.decision import Action
from risk.rules.checking import condition_of
from risk.rules.document import RULE_FIELDS, SET_FIELDS, RuleSetError
from risk.rules.rule import Mode, Rule, RuleSet, Thresholds


def restored(given: Mapping[str, Any]) -> RuleSet:
    """The rule set in a stored document, without its tests, which were run when it was saved.

    Only what compiling needs is looked at: no bound of counts, lengths or costs, none of the lists and models.  Raises
    RuleSetError with what this code cannot read: conditions, actions and fields that it does not know.
    """
    problems = Problems()
    ObjectReader(given, "", problems).refuse_unknown(SET_FIELDS)
    thresholds = given.get("thresholds") or {}
    ObjectReader(thresholds, "thresholds", problems).refuse_unknown(frozenset(Thresholds._fields))
    rule_set = RuleSet(
        rules=tuple(_rules(given, problems)),
        thresholds=Thresholds(thresholds.get("review"), thresholds.get("decline")),
        model=given.get("model"),
        note=given.get("note", ""),
        document=given,
    )
    if problems.found:
        raise RuleSetError(tuple(problems.found))
    return rule_set


def _rules(given: Mapping[str, Any], problems: Problems) -> Iterator[Rule]:
    for number, each in enumerate(given["rules"]):
        path = f"rules.{number}"
        ObjectReader(each, path, problems).refuse_unknown(RULE_FIELDS)
        try:
            rule = _rule(each, path, problems)
        except KeyError as error:
            problems.note(f"{path}.{error.args[0]}", "is required")
        except ValueError as error:
            problems.add(Problem(path, str(error)))
        else:
            if rule is not None:
                yield rule


def _rule(given: Mapping[str, Any], path: str, problems: Problems) -> Rule | None:
    """None where its condition is none.  Raises KeyError and ValueError."""
    when = condition_of(given["when"], f"{path}.when", problems, given=True, bounded=False)
    if when is None:
        return None
    return Rule(
        code=given["code"],
        when=when,
        action=Action(given["action"]),
        score=given.get("score", 0),
        mode=Mode(given.get("mode", Mode.LIVE)),
        rollout=given.get("rollout", 100),
        priority=given.get("priority", 0),
        description=given.get("description", ""),
        merchants=tuple(given.get("merchants", ())),
    )
