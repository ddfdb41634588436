"""Deals payments out to the accounts of a split rule: of any hundred in a row each gets exactly its share.

The turns are those of smooth weighted round robin (as nginx has it: each account gains its weight at every turn, and
the highest pays the sum of all): they repeat after as many turns as the weights add up to, so any window of that length
holds each account exactly as often as its weight says, spread as evenly as can be.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, TypeAlias

from routing.policy.rules import SplitRule

Weights: TypeAlias = tuple[tuple[str, int], ...]
_KEPT_MAX: Final = 1_024
"""Rules, and sets of usable accounts of a rule, whose turns are remembered; the longest unused ones are forgotten."""


class _Turns:
    """Whose turn it is."""

    __slots__ = ("accounts", "place")

    def __init__(self, weights: Weights) -> None:
        self.accounts = turns_of(weights)
        self.place = 0


class Splits:
    """The counters of one process.  A rule keeps its own as long as its name, condition and shares are the same."""

    def __init__(self) -> None:
        self._turns: dict[tuple[str, str, Weights, Weights], _Turns] = {}

    def choose(self, rule: SplitRule, usable_ids: Collection[str]) -> str | None:
        """The account whose turn it is; None where none of the rule's accounts is usable.

        Where some are not usable, the payment goes to the others by their weights, on counters of their own: those of
        the whole rule stand still.
        """
        turns = self._turns_of(rule, usable_ids)
        if turns is None:
            return None
        account = turns.accounts[turns.place]
        turns.place = (turns.place + 1) % len(turns.accounts)
        return account

    def foresee(self, rule: SplitRule, usable_ids: Collection[str]) -> str | None:
        """What `choose` would say now, without taking the turn."""
        turns = self._turns_of(rule, usable_ids)
        return None if turns is None else turns.accounts[turns.place]

    def _turns_of(self, rule: SplitRule, usable_ids: Collection[str]) -> _Turns | None:
        usable = tuple([member for member in rule.weights if member[0] in usable_ids])
        if not usable:
            return None
        key = (rule.name, rule.when, rule.weights, usable)
        turns = self._turns.pop(key, None)
        if turns is None:
            if len(self._turns) >= _KEPT_MAX:
                del self._turns[next(iter(self._turns))]
            turns = _Turns(usable)
        self._turns[key] = turns  # the longest unused stand first
        return turns


def turns_of(weights: Weights) -> tuple[str, ...]:
    """The accounts in the order of their turns; as many turns as the weights add up to."""
    total = sum(weight for _, weight in weights)
    credit = [0] * len(weights)
    turns: list[str] = []
    for _ in range(total):
        credit = [held + weight for held, (_, weight) in zip(credit, weights, strict=True)]
        best = credit.index(max(credit))
        credit[best] -= total
        turns.append(weights[best][0])
    return tuple(turns)
