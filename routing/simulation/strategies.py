"""What our router is compared with: what others do, and an oracle that knows how every route stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import cycle
from typing import Final

from routing.sale import Sale
from routing.simulation.channels import Answer, ScriptedChannel
from routing.simulation.scenario import Scenario

_WINDOW_CALLS: Final = 200
_HEDGE: Final = 0.05
"""The share that a success-rate window sends elsewhere, to keep its figures of the others fresh."""
_NO_QUERIES: Final[Sequence[str]] = ()


class _Rival:
    """What the rivals have in common: routes that are there, and no queries."""

    name = ""

    def __init__(self, scenario: Scenario) -> None:
        self._channels = {route.id: ScriptedChannel(route, scenario) for route in scenario.routes}
        self._ids = tuple(self._channels)

    def _there(self, at_s: float, tried: frozenset[str]) -> list[str]:
        """The enabled accounts that were not tried yet."""
        return [each for each in self._ids if each not in tried and not self._channels[each].is_absent(at_s)]

    def began(self, sale: Sale, account_id: str, at_s: float) -> object:  # noqa: ARG002
        """See Strategy."""
        return None

    def ended(self, call: object, account_id: str, answer: Answer, at_s: float) -> None:
        """See Strategy."""

    def ticked(self, at_s: float) -> Sequence[str]:  # noqa: ARG002
        """See Strategy."""
        return _NO_QUERIES

    def heard(self, account_id: str, *, answered: bool, at_s: float) -> None:
        """See Strategy."""


class RoundRobin(_Rival):
    """Each route in turn."""

    name = "round robin"

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._turn = cycle(self._ids)

    def choose(self, sale: Sale, at_s: float, tried: frozenset[str]) -> str | None:  # noqa: ARG002
        """The next one that is there."""
        there = self._there(at_s, tried)
        return next((each for each, _ in zip(self._turn, self._ids, strict=False) if each in there), None)


class StaticPriority(_Rival):
    """Always the first by priority; the others only where nothing could be sent."""

    name = "static priority"

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._ids = tuple(route.id for route in sorted(scenario.routes, key=lambda route: (route.priority, route.id)))

    def choose(self, sale: Sale, at_s: float, tried: frozenset[str]) -> str | None:  # noqa: ARG002
        """The first that is there."""
        return next(iter(self._there(at_s, tried)), None)


class SuccessWindow(_Rival):
    """The best rate over each route's last calls; a share of the payments goes elsewhere (as public routers do)."""

    name = "success window"

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._windows = {each: deque([1], maxlen=_WINDOW_CALLS) for each in self._ids}
        self._rates = dict.fromkeys(self._ids, 1.0)
        self._hedged = 0.0
        self._others = 0

    def choose(self, sale: Sale, at_s: float, tried: frozenset[str]) -> str | None:  # noqa: ARG002
        """The best; each twentieth payment, one of the others in turn."""
        there = sorted(self._there(at_s, tried), key=lambda each: (-self._rates[each], self._ids.index(each)))
        self._hedged += _HEDGE
        if self._hedged >= 1 and len(there) > 1 and not tried:
            self._hedged -= 1
            self._others += 1
            return there[1 + self._others % (len(there) - 1)]
        return there[0] if there else None

    def ended(self, call: object, account_id: str, answer: Answer, at_s: float) -> None:  # noqa: ARG002
        """Customers' failures count for nothing."""
        if answer is not Answer.CUSTOMER:
            window = self._windows[account_id]
            window.append(answer is Answer.OK)
            self._rates[account_id] = sum(window) / len(window)


class Oracle(_Rival):
    """Knows how every route stands at each moment, though not the luck of a single payment."""

    name = "oracle"

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._worth = scenario.success_value

    def choose(self, sale: Sale, at_s: float, tried: frozenset[str]) -> str | None:  # noqa: ARG002
        """The highest expected value, per fen of the amount; the same worth of a sale as for everybody."""
        best, best_value = None, 0.0
        for each in self._there(at_s, tried):
            channel = self._channels[each]
            value = channel.success_at(at_s) * (self._worth - channel.fee_rate_at(at_s) / 1_000_000)
            if value > best_value:
                best, best_value = each, value
        return best
