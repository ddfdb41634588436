"""Counts a payment and reads its velocities: sent at once with whatever else waits for Valkey, awaited when needed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from gateway.database.valkey import ValkeyAway
from gateway.kernel.expressions import Value
from risk.facts import Facts
from risk.velocity import travel
from risk.velocity.calling import NOBODIES, NOBODY, Calling, Claim, Question, event_of, value_of
from risk.velocity.entities import Hasher, Names, entities_of, milliseconds
from risk.velocity.plan import Kind, Plan
from risk.velocity.spec import DISTINCT_DIMENSIONS, Series, Velocity

_COUNTED: Final = tuple(DISTINCT_DIMENSIONS.values())


class Compiled(Protocol):
    """What a compiled rule set says of velocities."""

    @property
    def velocities(self) -> Sequence[tuple[str, Velocity]]:
        """Call names and what they name."""

    @property
    def needs_travel(self) -> bool:
        """Whether a rule looks at travel.*."""


class Velocities:
    """One per process."""

    def __init__(self, calling: Calling, hasher: Hasher) -> None:
        self._calling = calling
        self._hasher = hasher
        self._plans = Plans()

    def begin(self, compiled: Compiled, facts: Facts, *, look: bool = False, claim: Claim | None = None) -> Asked:
        """Count the payment and ask for its velocities; with `look` they are told as if it counted, which it does not.

        Returns at once.  Whatever is retried with the same order key counts once; with a `claim` that was sent before,
        however many others have come in between.
        """
        plan = self._plans.of(compiled)
        names = Names(self._hasher, facts)
        kinds, keys = entities_of(plan.kinds, names)
        place = travel.place_of(facts) if plan.needs_travel else None
        asked = Asked(plan, place)
        if not kinds:
            return asked
        at_ms = milliseconds(facts.at)
        values = NOBODIES
        if counted := plan.dimensions:
            values = tuple([value_of(names.of(each)) if each in counted else NOBODY for each in _COUNTED])
        event = event_of(
            Series.PAYMENTS, facts.order_key, facts.amount_fen, at_ms, place=place, values=values, look=look
        )
        self._calling.ask(plan, Question(kinds, keys, event, asked, claim))
        return asked


class Plans:
    """The plan of the rule set in force, made when it changes."""

    def __init__(self) -> None:
        self._compiled: Compiled | None = None
        self._velocities: Sequence[tuple[str, Velocity]] = ()
        self._plan = Plan.of(())

    def of(self, compiled: Compiled) -> Plan:
        """Of that rule set."""
        if compiled is not self._compiled:
            if compiled.velocities is not self._velocities or compiled.needs_travel is not self._plan.needs_travel:
                self._plan = Plan.of(compiled.velocities, needs_travel=compiled.needs_travel)
                self._velocities = compiled.velocities
            self._compiled = compiled
        return self._plan


class Asked:
    """What has been asked for one payment.  One task at a time may wait for it."""

    __slots__ = ("_answers", "_is_away", "_left", "_place", "_plan", "_waiter")

    def __init__(self, plan: Plan, place: travel.Place | None) -> None:
        self._plan = plan
        self._place = place
        self._left = 0
        self._answers: list[tuple[Sequence[Kind], list[int]]] = []
        self._is_away = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def done(self) -> bool:
        """Whether it is known, or known not to be had."""
        return self._left == 0

    async def features(self, timeout_s: float) -> dict[str, Value | None]:
        """Values by the names of calls, and travel.* where a rule looks at it; None for what the payment does not name.

        The caller may add to it.  Raises TimeoutError, and ValkeyAway where Valkey cannot be asked.
        """
        if self._left:
            await self._wait(timeout_s)
        if self._is_away:
            raise ValkeyAway
        values: dict[str, Value | None] = dict(self._plan.nothing)
        for kinds, answer in self._answers:
            _read(kinds, answer, self._place, values)
        return values

    def expect(self, calls: int) -> None:
        """So many answers are still to come."""
        self._left = calls

    def hear(self, kinds: Sequence[Kind], answer: list[int] | None) -> None:
        """One of them has come."""
        self._left -= 1
        if answer is None:
            self._is_away = True
        else:
            self._answers.append((kinds, answer))
        if not self._left and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = loop.call_later(max(0.0, timeout_s), _time_out, waiter)
        try:
            await waiter
        finally:
            timer.cancel()


def _time_out(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


def _read(
    kinds: Sequence[Kind], answer: Sequence[int], here: travel.Place | None, values: dict[str, Value | None]
) -> None:
    first = 0
    for kind in kinds:
        for name, place in kind.plain:
            number = answer[first + place]
            values[name] = None if number < 0 else number
        for name, frauds, due in kind.shares:
            values[name] = min(1.0, answer[first + frauds] / answer[first + due]) if answer[first + due] else None
        if kind.travel is not None:
            values.update(_travelled(answer[first + kind.travel :], here))
        first += kind.width


def _travelled(numbers: Sequence[int], here: travel.Place | None) -> Mapping[str, Value | None]:
    elapsed_ms, north, east = numbers[:3]
    return travel.values_of(None if elapsed_ms < 0 else travel.Place(north, east), here, elapsed_ms)
