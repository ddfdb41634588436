"""Makes a version of a document: read, checked, tried with its tests, and written in the pieces that are stored."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from gateway.kernel.documents import Problem
from risk.rules import artefact
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse
from risk.rules.restoring import restored
from risk.rules.rule import Rule
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
    lists: tuple[str, ...]
    """Those that its rules ask for, by name."""
    pieces: tuple[bytes, ...] = field(repr=False)
    artefact: tuple[bytes, ...] = field(repr=False)
    """The set as it was compiled (artefact.py)."""


class NoDocument(ValueError):
    """What is no JSON object at all."""


def make(body: bytes, known: Known | None) -> Made:
    """The version that a document in JSON makes.  Raises NoDocument, and RuleSetError with all problems.

    Without `known` it is a stored one, which is only compiled again: neither checked nor tested.
    """
    given = _read(body)
    rule_set = restored(given) if known is None else parse(given, lists=known.lists, models=known.models)
    compiled = CompiledSet.of(rule_set, 0)
    return Made(
        head=head_json(rule_set),
        rule_count=len(rule_set.rules),
        test_count=sum(len(rule.examples) for rule in rule_set.rules),
        failures=failures(rule_set, compiled),
        lists=tuple(sorted({name for _, name, _ in compiled.listed})),
        pieces=_pieces_of(rule_set.rules),
        artefact=artefact.pieces_of(compiled),
    )


def _read(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except ValueError as error:
        raise NoDocument(str(error)) from None
    if not isinstance(found, dict):
        raise NoDocument("it is none")
    return found


def _pieces_of(rules: Sequence[Rule]) -> tuple[bytes, ...]:
    """The rules in order, so many in each piece."""
    starts = range(0, len(rules), PIECE_RULES)
    return tuple(orjson.dumps([*map(rule_json, rules[start : start + PIECE_RULES])]) for start in starts)
