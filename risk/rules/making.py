"""Makes a version of a document: read, checked, tried with its tests, and written in the pieces that are stored."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from gateway.kernel.documents import Problem
from risk.rules.compiled import CompiledSet
from risk.rules.document import RuleSetError, parse
from risk.rules.rule import Rule, RuleSet
from risk.rules.trying import failures
from risk.rules.written import head_json, rule_json

PIECE_RULES: Final = 500
"""Rules in one piece: some hundred kilobytes, which are read in a millisecond."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a rule set can name: lists by their names, models by their versions."""

    lists: Collection[str] | None
    models: Collection[int] | None


@dataclass(frozen=True, slots=True)
class Made:
    """A version that is to be saved.  `failures` is what its tests have shown; `pieces` are rules as JSON arrays."""

    head: dict[str, Any]
    rule_count: int
    test_count: int
    failures: tuple[Problem, ...]
    pieces: tuple[bytes, ...] = field(repr=False)
    artefact: tuple[bytes, ...] = field(default=(), repr=False)
    """The set as it was compiled, where it is a large one."""


def read(body: bytes) -> object:
    """The JSON value.  Raises RuleSetError."""
    try:
        found: object = orjson.loads(body)
    except ValueError as error:
        raise RuleSetError((Problem("body", f"is no JSON: {error}"),)) from None
    return found


def make(given: object, known: Known) -> tuple[Made, RuleSet, CompiledSet]:
    """The version that a document makes, and what was made of it on the way.  Raises RuleSetError with all problems."""
    rule_set = parse(given, lists=known.lists, models=known.models)
    compiled = CompiledSet.of(rule_set, 0)
    made = Made(
        head=head_json(rule_set),
        rule_count=len(rule_set.rules),
        test_count=sum(len(rule.examples) for rule in rule_set.rules),
        failures=failures(rule_set, compiled),
        pieces=pieces_of(rule_set.rules),
    )
    return made, rule_set, compiled


def pieces_of(rules: Sequence[Rule]) -> tuple[bytes, ...]:
    """The rules in order, so many in each piece."""
    starts = range(0, len(rules), PIECE_RULES)
    return tuple(orjson.dumps([*map(rule_json, rules[start : start + PIECE_RULES])]) for start in starts)
