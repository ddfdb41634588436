"""What the risk check says of a payment.  Without a rule set in force every payment is approved."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """Approve, let through with a case to review, or decline."""

    APPROVE = "approve"
    REVIEW = "review"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, the score (0–100 in all) and the reason codes of the rules that hit."""

    verdict: Verdict
    score: int
    reasons: tuple[str, ...]


APPROVED: Final = Decision(Verdict.APPROVE, 0, ())
"""The decision where no rule set is in force."""
