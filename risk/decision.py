"""What the risk check says of a payment.  Without a rule set in force every payment is approved."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple


class Verdict(StrEnum):
    """Approve, let through with a case to review, or decline."""

    APPROVE = "approve"
    REVIEW = "review"
    DECLINE = "decline"


class Action(StrEnum):
    """What a rule does that hits.  The first three give a verdict; the others add to whatever it is."""

    APPROVE = "approve"
    REVIEW = "review"
    DECLINE = "decline"
    NO_DISCOUNT = "no_discount"
    """The payment is allowed, its subsidy is not."""
    SCORE = "score"


class Missed(StrEnum):
    """Why a decision was made without some of its features; the merchant's tolerance decides then."""

    DEADLINE = "deadline"
    """They did not come in time."""
    AWAY = "away"
    """Valkey or PostgreSQL could not be asked."""


class Decision(NamedTuple):
    """The verdict, the score (0 to 100), and the rules that hit, by priority.

    `reasons` are the codes of live rules that hit, `shadow` of those that are only counted.  `version` is the rule
    set's, 0 where none is in force; `features` is what was seen beyond the request itself (JSON, in the order of the
    rule set's names).  `missed` says why features were away; `beyond_tolerance` that the merchant takes no such payment
    then.  `at` is the database's time (aware) by which it was made, None where no rule set is in force.
    """

    verdict: Verdict
    score: int
    reasons: tuple[str, ...]
    no_discount: bool = False
    shadow: tuple[str, ...] = ()
    version: int = 0
    features: str | None = None
    missed: Missed | None = None
    beyond_tolerance: bool = False
    at: datetime | None = None


APPROVED: Final = Decision(Verdict.APPROVE, 0, ())
"""The decision where no rule set is in force."""
