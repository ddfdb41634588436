"""Collects what each check compared and where it failed: counts without bound, examples with one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.audit.checks import Check
from gateway.audit.retired import NOTHING_RETIRED


class CannotAudit(Exception):
    """A book could not be read, so nothing can be said; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One disagreement: the ids that lead to it, and what each side says."""

    check: Check
    ids: Mapping[str, str]
    explanation: str


class Findings:
    """Keeps at most `shown_max` mismatches of each check, and counts them all."""

    def __init__(self, shown_max: int) -> None:
        self._shown_max = shown_max
        self.retired = NOTHING_RETIRED
        self.compared: Counter[Check] = Counter()
        self.counts: Counter[Check] = Counter()
        self.shown: list[Mismatch] = []

    def compare(self, check: Check, count: int = 1) -> None:
        """So many things more were held against this check."""
        self.compared[check] += count

    def add(self, check: Check, explanation: str, /, **ids: str | int) -> None:
        """A mismatch; none where one side of it was taken out of the database with its month."""
        if self.retired.holds(ids):
            return
        self.counts[check] += 1
        if self.counts[check] <= self._shown_max:
            self.shown.append(Mismatch(check, {name: str(value) for name, value in ids.items()}, explanation))

    @property
    def total(self) -> int:
        """How many mismatches there are."""
        return self.counts.total()
