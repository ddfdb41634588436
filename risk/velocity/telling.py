"""Tells the counters what became of payments: declines, refunds, complaints, frauds, each counted once for its id."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from risk.facts import Facts
from risk.velocity.calling import Calling, Question, event_of
from risk.velocity.entities import Hasher, Names, entities_of, milliseconds
from risk.velocity.plan import Kind
from risk.velocity.reading import Compiled, Plans
from risk.velocity.spec import Series


class Telling:
    """One per process."""

    def __init__(self, calling: Calling, hasher: Hasher, in_force: Callable[[], Compiled]) -> None:
        """`in_force` gives the compiled rule set that says what is counted."""
        self._calling = calling
        self._hasher = hasher
        self._in_force = in_force
        self._plans = Plans()

    def tell(self, series: Series, facts: Facts, identity: str, amount_fen: int, at: datetime) -> asyncio.Future[bool]:
        """Count it at every entity of the payment whose velocities look at the series; nobody needs to wait.

        `identity` is what it counts by: the payment's id, the refund's…; `at` when it became known.  The future is
        whether Valkey has it, True too where no rule asks for it; it never fails.
        """
        told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        plan = self._plans.of(self._in_force())
        names = Names(self._hasher, facts)
        concerned = [kind for kind in plan.kinds if series in kind.series]
        kinds, keys = entities_of(concerned, names)
        if not kinds:
            told.set_result(True)
            return told
        event = event_of(series, identity, amount_fen, milliseconds(at))
        self._calling.ask(plan, Question(kinds, keys, event, _Hearing(told)))
        return told


class _Hearing:
    """Whether each server has it."""

    __slots__ = ("_is_had", "_left", "_told")

    def __init__(self, told: asyncio.Future[bool]) -> None:
        self._told = told
        self._left = 0
        self._is_had = True

    def expect(self, calls: int) -> None:
        """So many answers are to come."""
        self._left = calls

    def hear(self, kinds: Sequence[Kind], answer: list[int] | None) -> None:  # noqa: ARG002 - every call is heard alike
        self._left -= 1
        self._is_had = self._is_had and answer is not None
        if not self._left and not self._told.done():
            self._told.set_result(self._is_had)
