"""The master key: does it open what this database holds sealed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.doctor.finding import Area, Finding, Scribe

_SCRIBE: Final = Scribe(Area.KEYS)


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """How many sealed things of a sample were tried, and how many the key opened."""

    tried: int
    opened: int


def judge_keys(facts: KeyFacts) -> list[Finding]:
    """One finding."""
    if not facts.tried:
        return [_SCRIBE.not_checked("master_key", "nothing is sealed in this database yet")]
    told = f"it opens {facts.opened} of {facts.tried} sealed secrets that were tried"
    if not facts.opened:
        advice = "This is another installation's key: find the right one, without it nothing sealed comes back."
        return [_SCRIBE.problem("master_key", told, advice)]
    if facts.opened < facts.tried:
        advice = "Some were sealed under another key: replace those (rotate accounts, make keys and endpoints anew)."
        return [_SCRIBE.problem("master_key", told, advice)]
    return [_SCRIBE.ok("master_key", told)]
