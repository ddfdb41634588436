"""One run of a play under one strategy, event by event, in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from gateway.kernel.money import share_half_up
from routing.sale import Sale
from routing.simulation.channels import Answer, ScriptedChannel
from routing.simulation.scenario import Scenario
from routing.simulation.traffic import Arrival

TICK_S: Final = 0.1
QUERY_TIMEOUT_S: Final = 1.0


class Strategy(Protocol):
    """Chooses a route for each payment and hears what became of it.  Times are virtual seconds."""

    name: str

    def choose(self, sale: Sale, at_s: float, tried: frozenset[str]) -> str | None:
        """The account, or None where it takes none; `tried` have refused this payment already."""

    def began(self, sale: Sale, account_id: str, at_s: float) -> object:
        """A call leaves; what is returned comes back with its end."""

    def ended(self, call: object, account_id: str, answer: Answer, at_s: float) -> None:
        """The call's end."""

    def ticked(self, at_s: float) -> Sequence[str]:
        """A tenth of a second has passed.  The accounts that it asks a query of now."""

    def heard(self, account_id: str, *, answered: bool, at_s: float) -> None:
        """What came of such a query."""


class Call(NamedTuple):
    """One try of one payment at one route."""

    payment: int
    account_id: str
    sent_s: float
    ended_s: float
    answer: Answer


class Paid(NamedTuple):
    """How a payment ended.  `answer` is None where no route was tried at all; money in fen."""

    at_s: float
    ended_s: float
    account_id: str | None
    answer: Answer | None
    amount_fen: int
    fee_fen: int
    tries: int

    @property
    def is_lost(self) -> bool:
        """Not paid, and not because of the customer."""
        return self.answer not in {Answer.OK, Answer.CUSTOMER}


@dataclass(slots=True)
class Run:
    """All that happened."""

    strategy: str
    calls: list[Call] = field(default_factory=list)
    payments: list[Paid] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A payment under way."""

    number: int
    arrival: Arrival
    tried: frozenset[str] = frozenset()


class World:
    """Plays the arrivals under one strategy."""

    def __init__(self, scenario: Scenario, strategy: Strategy) -> None:
        self._scenario = scenario
        self._strategy = strategy
        self._channels = {route.id: ScriptedChannel(route, scenario) for route in scenario.routes}
        self._tries_max = scenario.policy.tries_max
        self._run = Run(strategy.name)
        self._events: list[tuple[float, int, object]] = []
        self._order = 0

    def play(self, arrivals: Sequence[Arrival]) -> Run:
        """Every payment to its end."""
        until_s = arrivals[-1].at_s if arrivals else 0.0
        self._at(TICK_S, _Tick())
        for number, arrival in enumerate(arrivals):
            self._pass_until(arrival.at_s)
            self._send(_Open(number, arrival), arrival.at_s)
        self._pass_until(until_s + self._scenario.channel_timeout_s * self._tries_max)
        return self._run

    def _at(self, at_s: float, event: object) -> None:
        self._order += 1
        heapq.heappush(self._events, (at_s, self._order, event))

    def _pass_until(self, until_s: float) -> None:
        events = self._events
        while events and events[0][0] <= until_s:
            at_s, _, event = heapq.heappop(events)
            match event:
                case _End():
                    self._end(event, at_s)
                case _Tick():
                    self._tick(at_s)
                case _Heard(account_id, answered):
                    self._strategy.heard(account_id, answered=answered, at_s=at_s)

    def _tick(self, at_s: float) -> None:
        for account_id in self._strategy.ticked(at_s):
            channel = self._channels[account_id]
            answered = channel.answers_queries(at_s)
            after_s = channel.route.latency_p50_ms / 1_000 if answered else QUERY_TIMEOUT_S
            self._at(at_s + after_s, _Heard(account_id, answered))
        self._at(at_s + TICK_S, _Tick())

    def _send(self, payment: _Open, at_s: float) -> None:
        sale = payment.arrival.sale
        account_id = self._strategy.choose(sale, at_s, payment.tried)
        if account_id is None:
            self._close(payment, at_s, None, None)
            return
        call = self._strategy.began(sale, account_id, at_s)
        ended = self._channels[account_id].call(at_s, payment.arrival.luck)
        self._at(at_s + ended.after_s, _End(payment, account_id, call, ended.answer, at_s))

    def _end(self, end: _End, at_s: float) -> None:
        self._strategy.ended(end.call, end.account_id, end.answer, at_s)
        payment = end.payment
        self._run.calls.append(Call(payment.number, end.account_id, end.sent_s, at_s, end.answer))
        payment.tried |= {end.account_id}
        if end.answer is Answer.UNSENT and len(payment.tried) < self._tries_max:
            self._send(payment, at_s)
        else:
            self._close(payment, at_s, end.account_id, end.answer)

    def _close(self, payment: _Open, at_s: float, account_id: str | None, answer: Answer | None) -> None:
        amount_fen, fee_fen = payment.arrival.sale.amount_fen, 0
        if answer is Answer.OK and account_id is not None:
            fee_fen = share_half_up(amount_fen, self._channels[account_id].fee_rate_at(payment.arrival.at_s))
        tries = len(payment.tried)
        self._run.payments.append(Paid(payment.arrival.at_s, at_s, account_id, answer, amount_fen, fee_fen, tries))


class _Tick(NamedTuple):
    """Time passes."""


class _Heard(NamedTuple):
    """A query is answered, or given up."""

    account_id: str
    answered: bool


class _End(NamedTuple):
    """A call is answered, or given up."""

    payment: _Open
    account_id: str
    call: object
    answer: Answer
    sent_s: float
