"""What is played: the routes there are, what becomes of them and when, and the payments that come."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Self

from routing.policy.document import parse
from routing.policy.reading import PolicyError
from routing.policy.rules import PolicyDocument

_FOLDER: Final = files("routing.simulation") / "scenarios"


class Does(StrEnum):
    """What a route does for a while, otherwise than it usually does."""

    REFUSE = "refuse"
    """Connections are refused: nothing is sent."""
    ERRORS = "errors"
    """Every payment is answered by an error of the channel; whether it was carried out is unknown."""
    BLACK_HOLE = "black_hole"
    """Requests arrive and nothing is answered."""
    BROWN_OUT = "brown_out"
    """`success` replaces the route's own."""
    SLOW = "slow"
    """Answers take `factor` times as long."""
    FLAP = "flap"
    """`errors` and health take turns, each for half of `period_s`."""
    ABSENT = "absent"
    """The account is disabled: a route that is new begins with it."""
    FEE = "fee"
    """`fee_rate_millionths` replaces the route's own; the router's terms know it."""


class ScenarioError(ValueError):
    """A scenario that cannot be played; says where."""


@dataclass(frozen=True, slots=True)
class Route:
    """A channel account.  `success` is the probability that it does its work; latency is log-normal."""

    id: str
    success: float = 0.99
    fee_rate_millionths: int = 3_800
    latency_p50_ms: float = 75.0
    latency_p99_ms: float = 300.0
    priority: int = 100


@dataclass(frozen=True, slots=True)
class Phase:
    """What one route does between two moments (seconds from the beginning)."""

    route: str
    does: Does
    from_s: float
    until_s: float
    success: float = 1.0
    factor: float = 1.0
    period_s: float = 10.0
    fee_rate_millionths: int = 0
    queries_answered: bool = False
    """Whether queries work although payments do not: a probe by query is fooled then."""

    def covers(self, at_s: float) -> bool:
        """Whether it is in force; a route that flaps is well in the second half of each period."""
        if not self.from_s <= at_s < self.until_s:
            return False
        return self.does is not Does.FLAP or (at_s - self.from_s) % self.period_s < self.period_s / 2


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole play.  Rates in payments a second, times in seconds; amounts are log-normal in fen.

    What is measured begins at `measured_from_s`: before that the strategies learn the routes.
    """

    name: str
    about: str
    routes: tuple[Route, ...]
    phases: tuple[Phase, ...] = ()
    per_s: float = 100.0
    duration_s: float = 780.0
    measured_from_s: float = 120.0
    amount_median_fen: int = 2_600
    customer_failures: float = 0.03
    channel_timeout_s: float = 10.0
    policy: PolicyDocument = field(default_factory=PolicyDocument)

    @classmethod
    def of(cls, name: str, document: Mapping[str, Any]) -> Self:
        """Read one.  Raises ScenarioError."""
        given = dict(document)
        try:
            routes = tuple(Route(**route) for route in given.pop("route"))
            known = {route.id for route in routes}
            phases = tuple(Phase(**{**phase, "does": Does(phase["does"])}) for phase in given.pop("phase", ()))
            policy = parse({"rules": []} | given.pop("policy", {}), known)
            scenario = cls(name=name, routes=routes, phases=phases, policy=policy, **given)
        except (KeyError, TypeError, ValueError, PolicyError) as error:
            raise ScenarioError(f"{name}: {error}") from error
        strangers = {phase.route for phase in phases} - known
        if strangers:
            raise ScenarioError(f"{name}: there is no route {min(strangers)}")
        return scenario

    @property
    def success_value(self) -> float:
        """What a payment that succeeds is worth, as a share of its amount; the same for every strategy."""
        return float(self.policy.success_value)

    def phases_of(self, route: str) -> tuple[Phase, ...]:
        """What becomes of one route."""
        return tuple(phase for phase in self.phases if phase.route == route)


def ready_names() -> tuple[str, ...]:
    """The scenarios that come along."""
    return tuple(
        sorted(entry.name.removesuffix(".toml") for entry in _FOLDER.iterdir() if entry.name.endswith(".toml"))
    )


def load(name: str) -> Scenario:
    """A ready scenario by its name, or one from a TOML file.  Raises ScenarioError."""
    try:
        if name in ready_names():
            text = (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")
        else:
            text = Path(name).read_text(encoding="utf-8")
        return Scenario.of(Path(name).stem, tomllib.loads(text))
    except FileNotFoundError:
        raise ScenarioError(f"there is no scenario {name}: name a file, or one of {', '.join(ready_names())}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{name}: {error}") from error
