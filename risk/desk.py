"""The front of the risk check, for the payment flow and quotes: a payment is asked about and counted, then judged.

What counters and profiles have to say is asked at once, so that the question leaves with the claim of the order number.
What has not come when the deadline has passed is null to every rule; then the merchant's tolerance says whether the
payment is taken all the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.database.valkey import ValkeyAway
from gateway.kernel.errors import Unavailable
from gateway.kernel.expressions import Value
from risk.counting import count
from risk.decision import APPROVED, Decision, Missed
from risk.engine import decide
from risk.facts import Facts, Tolerance
from risk.fields import MODEL_SCORE
from risk.lists.book import Lists
from risk.model.book import ModelBook
from risk.profiles.reading import Profile, profile_values
from risk.rules.compiled import CompiledSet
from risk.values import add_values, kept
from risk.velocity.calling import Claim
from risk.velocity.reading import Asked, Velocities

_log: Final = logging.getLogger("mashang.risk")


class Rules(Protocol):
    """The rule set that this process goes by (`RuleBook`)."""

    @property
    def current(self) -> CompiledSet: ...


class ListsInForce(Protocol):
    """The lists as this process has them (`ListBook`)."""

    @property
    def current(self) -> Lists: ...


class Customers(Protocol):
    """What customers did before (`Profiles`)."""

    def begin(self, customer: str) -> asyncio.Future[Profile]: ...


@dataclass(slots=True)
class Begun:
    """A payment that is being screened: by which set, and what was asked; `until` is the deadline (monotonic)."""

    compiled: CompiledSet
    facts: Facts
    tolerance: Tolerance
    began: float
    until: float
    asked: Asked | None = None
    profile: asyncio.Future[Profile] | None = None
    missed: Missed | None = None


class Screening:
    """One per process."""

    def __init__(
        self,
        *,
        rules: Rules,
        velocities: Velocities,
        customers: Customers,
        lists: ListsInForce,
        models: ModelBook,
        deadline_s: float,
    ) -> None:
        self._rules = rules
        self._velocities = velocities
        self._customers = customers
        self._lists = lists
        self._models = models
        self._deadline_s = deadline_s

    @property
    def in_force(self) -> CompiledSet:
        """False where no rule set is: then nobody needs to be screened."""
        return self._rules.current

    def begin(self, facts: Facts, tolerance: Tolerance, *, look: bool = False, claim: Claim | None = None) -> Begun:
        """Ask what the set in force looks at; a look counts nothing, nor does who does not get the claim."""
        compiled, began = self._rules.current, time.monotonic()
        begun = Begun(compiled, facts, tolerance, began, began + self._deadline_s)
        needs = compiled.needs
        if needs.velocities or needs.needs_travel:
            try:
                begun.asked = self._velocities.begin(compiled, facts, look=look, claim=claim)
            except Exception:
                _log.exception("velocities could not be asked")
                begun.missed = Missed.AWAY
        if needs.needs_profile and facts.customer is not None:
            try:
                begun.profile = self._customers.begin(facts.customer)
            except Unavailable:
                begun.missed = Missed.AWAY
        return begun

    async def decide(self, begun: Begun) -> Decision:
        """The decision, as soon as everything has come, or at the deadline."""
        decision = await self.judge(begun)
        count(decision, time.monotonic() - begun.began)
        return decision

    async def judge(self, begun: Begun) -> Decision:
        """The same, of a look: it stands in no metric."""
        compiled, facts = begun.compiled, begun.facts
        if not compiled:
            return APPROVED
        acts = compiled.acts_on_features  # what only rules in shadow look at makes no difference to a payment
        try:
            decision = self._decided(compiled, facts, await self._features(begun))
        except Exception:  # a bug there is no reason to lose payments: nothing of it is known, as if all were away
            _log.exception("a payment could not be judged", extra={"version": compiled.version})
            begun.missed, acts = Missed.AWAY, True
            decision = APPROVED._replace(version=compiled.version, features=kept(compiled, {}), at=facts.at)
        if begun.missed is None:
            return decision
        beyond = acts and _is_beyond(facts, begun.tolerance)
        return decision._replace(missed=begun.missed, beyond_tolerance=beyond)

    def _decided(self, compiled: CompiledSet, facts: Facts, values: dict[str, Value | None]) -> Decision:
        add_values(compiled, facts, values)
        if compiled.model is not None:
            scorer = self._models.scorer(compiled.model)
            values[MODEL_SCORE] = None if scorer is None else scorer.score(values)
        return decide(compiled, values, facts)

    async def _features(self, begun: Begun) -> dict[str, Value | None]:
        compiled, facts = begun.compiled, begun.facts
        profile = None
        features = {} if begun.asked is None else await _velocities_of(begun, begun.asked) or {}
        if begun.profile is not None and (profile := await _profile_of(begun, begun.profile)) is not None:
            features.update(profile_values(profile, facts))
        if compiled.listed:
            payers = None if profile is None else profile.payers
            features.update(self._lists.current.values_of_listed(compiled.listed, facts, facts.at, payers))
        return features


async def _velocities_of(begun: Begun, asked: Asked) -> dict[str, Value | None] | None:
    try:
        return await asked.features(begun.until - time.monotonic())
    except TimeoutError:
        begun.missed = begun.missed or Missed.DEADLINE
    except ValkeyAway:
        begun.missed = Missed.AWAY
    except Exception:  # a bug there is no reason to refuse what the merchant would take without counters
        _log.exception("velocities could not be read")
        begun.missed = Missed.AWAY
    return None


async def _profile_of(begun: Begun, asked: asyncio.Future[Profile]) -> Profile | None:
    try:
        if asked.done():
            return asked.result()
        return await asyncio.wait_for(asked, begun.until - time.monotonic())
    except TimeoutError:
        begun.missed = begun.missed or Missed.DEADLINE
    except Exception as error:
        _log.warning("a profile could not be read", extra={"error": type(error).__name__})
        begun.missed = Missed.AWAY
    return None


def _is_beyond(facts: Facts, tolerance: Tolerance) -> bool:
    """Whether the merchant takes no such payment while features are away."""
    return tolerance.amount_fen_max is not None and facts.amount_fen > tolerance.amount_fen_max
