"""Makes a decision again of what was stored: the request, what was seen beyond it, and the rule set of that version."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from risk.decision import Decision
from risk.decisions.store import Database, StoredDecision
from risk.engine import decide
from risk.facts import Facts
from risk.model.book import ModelBook
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse
from risk.rules.store import StoredRuleSet, document_of, find
from risk.values import replayed

COMPARED: Final = ("verdict", "score", "reasons", "no_discount", "shadow", "version", "features")
"""`missed` and `beyond_tolerance` are about that moment, not about the rules."""
_KEPT_MAX: Final = 8
"""Versions that stay compiled: decisions come in the order of their time."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field in which a replay differs."""

    field: str
    stored: object
    replayed: object


def differences(stored: StoredDecision, compiled: CompiledSet, facts: Facts) -> tuple[Difference, ...]:
    """In what the decision that is made now differs; nothing where it is the same, bit for bit.

    `compiled` is the rule set of that version.
    """
    was = stored.decision
    assert was.version == compiled.version, "a decision is replayed by its own rule set"
    now = again(was, compiled, facts)
    pairs = [(field, getattr(was, field), getattr(now, field)) for field in COMPARED]
    return tuple(Difference(*pair) for pair in pairs if pair[1] != pair[2])


def again(was: Decision, compiled: CompiledSet, facts: Facts) -> Decision:
    """The decision, made of the same values."""
    return decide(compiled, replayed(compiled, facts, was.features or "[]"), facts)


class PastSets:
    """Rule sets by version, compiled as they are asked for; only the latest few are kept."""

    def __init__(self, database: Database, models: ModelBook) -> None:
        self._database = database
        self._models = models
        self._kept: OrderedDict[int, CompiledSet] = OrderedDict()

    async def get(self, version: int) -> CompiledSet:
        """The set of that version.  Raises LookupError for one that never was."""
        if (known := self._kept.get(version)) is not None:
            self._kept.move_to_end(version)
            return known
        stored = await find(self._database, version)
        if stored is None:
            raise LookupError(f"there is no version {version} of the rules")
        compiled = self._kept[version] = await compiled_version(self._database, stored, self._models)
        if len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)
        return compiled


async def compiled_version(database: Database, stored: StoredRuleSet, models: ModelBook) -> CompiledSet:
    """A version compiled, with what its model looks at."""
    rule_set = parse(await document_of(database, stored), lists=None, models=None)
    compiled = await asyncio.to_thread(CompiledSet.of, rule_set, stored.version)
    scorer = await models.load(compiled.model)
    return compiled if scorer is None else compiled.with_model(scorer.names, scorer.calls)
