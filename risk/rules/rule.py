"""A rule and a rule set as they were checked; plain values, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from gateway.kernel.expressions import Expression, Value
from risk.decision import Action, Verdict

RULES_MAX: Final = 100_000
SCORE_MAX: Final = 100
PRIORITY_MAX: Final = 1_000_000


class Mode(StrEnum):
    """Whether a rule that hits is applied, or only counted."""

    LIVE = "live"
    SHADOW = "shadow"


class Example(NamedTuple):
    """A payment as a rule's author imagines it: values by the names of fields and calls; what is left out is null.

    `hits` is whether the rule is to hit, `verdict` what the whole set is to say; None where it does not matter.
    """

    given: Mapping[str, Value]
    hits: bool | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.  `rollout` is the share of customers, in percent, to whom it is applied; it is counted of the others.

    `merchants` bounds it to those; empty is all.  The higher priority decides about the verdict; among equals the
    severer action does.
    """

    code: str
    when: Expression
    action: Action
    score: int = 0
    mode: Mode = Mode.LIVE
    rollout: int = 100
    priority: int = 0
    description: str = ""
    merchants: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()


class Thresholds(NamedTuple):
    """From which score on a payment that no rule has decided is reviewed, or declined; None: at none."""

    review: int | None = None
    decline: int | None = None


NO_THRESHOLDS: Final = Thresholds()


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What is published together.  `model` is the version of the model that gives `model.score`."""

    rules: tuple[Rule, ...]
    thresholds: Thresholds = NO_THRESHOLDS
    model: int | None = None
    note: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)
    """As it was given."""
