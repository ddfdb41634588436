"""Our own routing in the play: the router, the circuit breakers and the splits of production, on a virtual clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, cast

from routing.accounts.book import Account, AccountStatus
from routing.accounts.fees import Fee, FeePromotion
from routing.accounts.terms import Terms
from routing.channels.base import Channel, Wallet
from routing.eligibility import Taken
from routing.health.health import Call, Health
from routing.health.verdicts import Verdict
from routing.policy.compiled import CompiledPolicy
from routing.router import Router
from routing.sale import Cell, Prices, Sale
from routing.simulation.channels import Answer
from routing.simulation.scenario import Does, Phase, Route, Scenario
from routing.simulation.traffic import BEGINNING

ASK_EVERY_S: Final = 1.0
"""The prober asks an account with an open breaker about once a second (routing.health.probing)."""
_VERDICTS: Final = {
    Answer.OK: Verdict.OK,
    Answer.CUSTOMER: Verdict.CUSTOMER,
    Answer.FAULT: Verdict.FAULT,
    Answer.UNSENT: Verdict.UNSENT,
}


class Ours:
    """See `world.Strategy`."""

    name = "mashang"

    def __init__(self, scenario: Scenario) -> None:
        self._now_s = 0.0
        self._asked_s: dict[str, float] = {}
        self._book = _Book(scenario)
        self.health = Health(clock=lambda: self._now_s)
        self.router = Router(self._book, _Policies(scenario), self.health, _NoTakings())

    def choose(self, sale: Sale, at_s: float, tried: frozenset[str]) -> str | None:
        """As for a real payment; on failing over at the same price."""
        self._now_s = at_s
        self._book.pass_until(at_s)
        payable_fen = sale.amount_fen if tried else None
        account = self.router.choose(sale, Prices.full(sale.amount_fen), without=tried, payable_fen=payable_fen).account
        return None if account is None else account.id

    def began(self, sale: Sale, account_id: str, at_s: float) -> object:
        """See Strategy."""
        self._now_s = at_s
        return self.health.begin(Cell(account_id, sale.wallet, sale.method))

    def ended(self, call: object, account_id: str, answer: Answer, at_s: float) -> None:  # noqa: ARG002
        """See Strategy."""
        self._now_s = at_s
        cast("Call", call).end(_VERDICTS[answer])

    def ticked(self, at_s: float) -> Sequence[str]:
        """Let health's time pass, and ask open accounts each second."""
        self._now_s = at_s
        self.health.tick()
        due = [each for each in self.health.open_accounts() if at_s >= self._asked_s.get(each, 0.0) + ASK_EVERY_S]
        for account_id in due:
            self._asked_s[account_id] = at_s
        return due

    def heard(self, account_id: str, *, answered: bool, at_s: float) -> None:
        """See Strategy."""
        self._now_s = at_s
        if answered:
            self.health.alive(account_id)
        else:
            self.health.dead(account_id)


class _Book:
    """The scenario's routes as accounts; those that are absent are disabled."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._changes_s = sorted(
            moment for phase in scenario.phases if phase.does is Does.ABSENT for moment in (phase.from_s, phase.until_s)
        )
        self.version = 0
        self._accounts: list[Account] = []
        self._read(0.0)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts)

    def pass_until(self, at_s: float) -> None:
        """Enable and disable what is to be by then."""
        while self._changes_s and self._changes_s[0] <= at_s:
            self._read(self._changes_s.pop(0))

    def _read(self, at_s: float) -> None:
        self._accounts = [_account(self._scenario, route, at_s) for route in self._scenario.routes]
        self.version += 1


class _Policies:
    """The scenario's policy."""

    def __init__(self, scenario: Scenario) -> None:
        self.current = CompiledPolicy(scenario.policy, version=1)


class _NoTakings:
    """Nothing has a limit by day or month here."""

    version = 0

    def taken(self, account_id: str) -> Taken:  # noqa: ARG002
        """Nothing."""
        return Taken()


def _account(scenario: Scenario, route: Route, at_s: float) -> Account:
    phases = scenario.phases_of(route.id)
    absent = any(phase.does is Does.ABSENT and phase.covers(at_s) for phase in phases)
    promotions = tuple(_promotion(phase) for phase in phases if phase.does is Does.FEE)
    values: dict[str, Any] = {
        "id": route.id,
        "wallets": frozenset({Wallet.WECHAT}),
        "status": AccountStatus.DISABLED if absent else AccountStatus.ENABLED,
        "priority": route.priority,
        "channel": cast("Channel", None),
        "kind": "wechat",
        "terms": Terms(Fee(route.fee_rate_millionths, promotions=promotions)),
    }
    return Account(**values)


def _promotion(phase: Phase) -> FeePromotion:
    since, until = (BEGINNING + timedelta(seconds=moment) for moment in (phase.from_s, phase.until_s))
    return FeePromotion(since, until, phase.fee_rate_millionths)
