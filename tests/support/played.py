"""Payments played one after another against ready packs of rules: counted exactly, decided as the gateway does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.kernel.expressions import Value
from risk.decision import Decision
from risk.engine import decide
from risk.facts import CodeType, Facts, Location
from risk.packs import combined
from risk.profiles.reading import Profile, profile_values
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse
from risk.values import values_of
from risk.velocity.exact import ExactVelocities
from risk.velocity.spec import Series

NOON: Final = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""Monday noon in Shanghai."""
SHANGHAI: Final = Location(31.23, 121.47)
BEIJING: Final = Location(39.90, 116.40)


@dataclass(slots=True)
class Play:
    """A rule set of some packs in force, and a clock.  Times move only with `wait`."""

    packs: tuple[str, ...]
    at: datetime = NOON
    profiles: dict[str, Profile] = field(default_factory=dict)
    listed: dict[str, bool] = field(default_factory=dict)
    """By the name of the call."""
    _compiled: CompiledSet = field(init=False)
    _velocities: ExactVelocities = field(init=False)
    _orders: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        rules = parse(combined(self.packs), lists=None, models=None)
        self._compiled = CompiledSet.of(rules, 1)
        self._velocities = ExactVelocities(self._compiled.velocities, needs_travel=self._compiled.needs_travel)

    def wait(self, **span: float) -> None:
        """Let time pass: `minutes=5`, `days=1`."""
        self.at += timedelta(**span)

    def pay(self, amount_fen: int, **named: Any) -> tuple[Decision, Facts]:
        """What is decided of the payment, and its facts, for what becomes known of it later."""
        self._orders += 1
        merchant = named.pop("merchant_id", "mer_1")
        facts = Facts(
            merchant_id=merchant,
            order_key=f"{merchant}\n{self._orders}",
            amount_fen=amount_fen,
            method=named.pop("method", "barcode"),
            code_type=named.pop("code_type", CodeType.BARCODE),
            at=self.at,
            timezone="Asia/Shanghai",
            **named,
        )
        features: dict[str, Value | None] = {**self._velocities.ask(facts), **self._known(facts)}
        return decide(self._compiled, values_of(self._compiled, facts, features), facts), facts

    def reasons(self, amount_fen: int, **named: Any) -> tuple[str, ...]:
        """Only the rules that hit; those that are only counted too."""
        decision, _ = self.pay(amount_fen, **named)
        return decision.reasons + decision.shadow

    def tell(self, series: Series, facts: Facts, amount_fen: int | None = None) -> None:
        """Something became known of a payment, now."""
        self._velocities.tell(series, facts, facts.order_key, amount_fen or facts.amount_fen, self.at)

    def _known(self, facts: Facts) -> dict[str, Value | None]:
        profile = None if facts.customer is None else self.profiles.get(facts.customer, Profile())
        return {**profile_values(profile, facts), **{name: self.listed.get(name) for name, *_ in self._compiled.listed}}
