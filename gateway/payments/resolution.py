"""What to do next for a payment without an outcome; pure, so that every case can be tested without a channel.

Query by the channel's rhythm; past the payment's expiry (or when the merchant cancelled) reverse, not sooner than the
channel allows.  Not found is no outcome: only `not_created_after_s` past `send_before`, with query and reversal both
answering not found, was the order never created.  (ARCHITECTURE.md, CHANNEL-PROTOCOLS 1.7, 2.6, 3.4)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from routing.channels.base import Rhythm
from routing.channels.reports import ReversalState

_SOONEST_S: Final = 0.2
"""No two steps of one payment follow faster than this."""


class Sighting(StrEnum):
    """What a query saw that decides nothing yet."""

    PENDING = "pending"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"
    CAPTURED = "captured"
    """Paid, and yet to be given back because the merchant cancelled."""


class Verdict(StrEnum):
    """What a reversal's answer means for the payment."""

    REVERSED = "reversed"
    NOT_CREATED = "not_created"
    AGAIN = "again"
    CANNOT = "cannot"
    """The channel will not reverse any more."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the attempt; all times are the database's."""

    now: datetime
    created_at: datetime
    send_before: datetime
    expires_at: datetime
    reversal_pending: bool
    tries: int
    rhythm: Rhythm
    not_created_after_s: float

    @property
    def must_end(self) -> bool:
        """Whether the payment may no longer be waited for."""
        return self.reversal_pending or self.now >= self.expires_at

    @property
    def reversible_at(self) -> datetime:
        """The first moment at which the channel takes a reversal."""
        return self.created_at + timedelta(seconds=self.rhythm.reverse_not_before_s)

    @property
    def surely_absent_at(self) -> datetime:
        """From here on, not found means never created."""
        return self.send_before + timedelta(seconds=self.not_created_after_s)


def reverse_now(facts: Facts) -> bool:
    """Whether the next step is a reversal."""
    return facts.must_end and facts.now >= facts.reversible_at


def wait_s(facts: Facts, seen: Sighting) -> float:
    """Seconds until the next query: the channel's rhythm, cut short where something falls due before."""
    rhythm = facts.rhythm.after_pending_s if seen is Sighting.PENDING else facts.rhythm.after_unknown_s
    wait = rhythm[min(facts.tries, len(rhythm) - 1)]
    due = [facts.reversible_at if facts.must_end else max(facts.expires_at, facts.reversible_at)]
    if seen is Sighting.NOT_FOUND:
        due.append(facts.surely_absent_at)
    ahead = [(moment - facts.now).total_seconds() for moment in due if moment > facts.now]
    return max(_SOONEST_S, min([wait, *ahead]))


def verdict_of_reversal(facts: Facts, seen: Sighting, answer: ReversalState) -> Verdict:
    """What a reversal's answer means, given what the query before it saw."""
    match answer:
        case ReversalState.REVERSED:
            return Verdict.REVERSED
        case ReversalState.NOT_FOUND if seen is Sighting.NOT_FOUND and facts.now >= facts.surely_absent_at:
            return Verdict.NOT_CREATED
        case ReversalState.REFUSED:
            return Verdict.CANNOT
        case _:
            return Verdict.AGAIN


def wait_after_reversal_s(facts: Facts, seen: Sighting) -> float:
    """Seconds until the reversal is tried again."""
    wait = facts.rhythm.repeat_reversal_s
    if seen is Sighting.NOT_FOUND and facts.surely_absent_at > facts.now:
        wait = min(wait, (facts.surely_absent_at - facts.now).total_seconds())
    return max(_SOONEST_S, wait)
