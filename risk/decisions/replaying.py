"""Makes a decision again of what was stored: the request, what was seen beyond it, and the rule set of that version."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import asyncpg

from gateway.kernel.secrets import Vault
from risk.decision import Decision
from risk.decisions.store import StoredDecision
from risk.engine import decide
from risk.facts import Facts
from risk.model.book import ModelBook
from risk.rules.compiled import CompiledSet
from risk.rules.document import RuleSetError
from risk.rules.fetching import fetched
from risk.values import replayed

COMPARED: Final = ("verdict", "score", "reasons", "no_discount", "shadow", "version", "features")
"""`missed` and `beyond_tolerance` are about that moment, not about the rules."""
_KEPT_MAX: Final = 8
"""Versions that stay compiled: decisions come in the order of their time."""

_log: Final = logging.getLogger("mashang.risk")


class CannotReplay(Exception):
    """This code cannot read the rules of `version`: what they decided cannot be decided again."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} of the risk rules cannot be replayed")
        self.version = version


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
    try:
        now = again(was, compiled, facts)
    except ValueError:  # other names than were seen: a model that could not be loaded then, or cannot be now
        return (Difference("features", was.features, f"values of {len(compiled.seen)} names are wanted"),)
    pairs = [(field, getattr(was, field), getattr(now, field)) for field in COMPARED]
    return tuple(Difference(*pair) for pair in pairs if pair[1] != pair[2])


def again(was: Decision, compiled: CompiledSet, facts: Facts) -> Decision:
    """The decision, made of the same values."""
    return decide(compiled, replayed(compiled, facts, was.features or "[]"), facts)


class PastSets:
    """Rule sets by version, got ready as they are asked for; only the latest few are kept."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, models: ModelBook) -> None:
        self._pool = pool
        self._vault = vault
        self._models = models
        self._kept: OrderedDict[int, CompiledSet] = OrderedDict()
        self._unreadable: set[int] = set()

    async def get(self, version: int) -> CompiledSet:
        """The set of that version, with what its model looks at.  Raises CannotReplay."""
        if version in self._unreadable:  # neither it nor this code changes: to find out took a minute, perhaps
            raise CannotReplay(version)
        if (known := self._kept.get(version)) is not None:
            self._kept.move_to_end(version)
            return known
        try:
            compiled = await fetched(self._pool, self._vault, version)
        except RuleSetError as error:
            _log.warning("a past rule set cannot be read", extra={"version": version, "reason": str(error)})
            self._unreadable.add(version)
            raise CannotReplay(version) from error
        scorer = await self._models.load(compiled.model)
        known = compiled if scorer is None else compiled.with_model(scorer.names, scorer.calls)
        self._kept[version] = known
        if len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)
        return known
