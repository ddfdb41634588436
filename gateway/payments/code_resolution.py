"""What to do next for a code on display; pure, so that every case can be tested without a channel.

Nobody can pay a code any more once the channel has confirmed that its order is shut, or once the channel's own time
limit for it has passed and a query after that says unpaid (UnionPay has no call that closes an order, and Alipay knows
none before somebody has scanned its code).  (PRODUCT.md `closed`, CHANNEL-PROTOCOLS 1.7, 2.4, 3.2)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from routing.channels.base import ChannelError, Rhythm
from routing.channels.reports import CloseState, TradeReport, TradeState

_SOONEST_S: Final = 0.2
"""No two steps of one payment follow faster than this."""
_PAID_S: Final = 1.0
"""An order that could not be shut because it was paid is asked about so soon."""

Answer: TypeAlias = TradeReport | ChannelError


class Sight(StrEnum):
    """What a query saw of an order."""

    CAPTURED = "captured"
    RETURNED = "returned"
    """Paid, and some or all of it given back."""
    SHUT = "shut"
    """It holds no money and will never have any."""
    PENDING = "pending"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


class Step(StrEnum):
    """What comes next."""

    WAIT = "wait"
    CLOSE = "close"
    """Ask the channel to shut the order."""
    GIVE_BACK = "give_back"
    """The merchant cancelled, and the customer was faster: the money goes back."""
    END = "end"
    """Nobody paid and nobody can: the payment is closed."""
    END_ATTEMPT = "end_attempt"
    """The same of one wallet's order, while the code stays on display for any wallet."""
    GIVE_UP = "give_up"
    """Whether the order is shut is not known, but nobody has ever seen its code."""


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What is known of a code and of its open order; all times are the database's.

    `pay_until`: the channel takes no money after this.  `absent_from`: not found by query and by closing from here on
    means never created; None where an order need not exist before somebody pays.  `was_paid`: an earlier look saw it.
    """

    now: datetime
    expires_at: datetime
    pay_until: datetime
    absent_from: datetime | None
    reversal_pending: bool
    is_aggregated: bool
    was_shown: bool
    was_paid: bool
    tries: int
    rhythm: Rhythm
    margin_s: float

    @property
    def must_end(self) -> bool:
        """Whether the code may no longer be waited for."""
        return self.reversal_pending or self.now >= self.expires_at or not self.was_shown

    @property
    def unpayable_from(self) -> datetime:
        """From here on a query that says unpaid is final."""
        return self.pay_until + timedelta(seconds=self.margin_s)


def sight_of(answer: Answer) -> Sight:
    """What an answer to a query shows."""
    return _SIGHTS[answer.state] if isinstance(answer, TradeReport) else Sight.UNKNOWN


def next_step(facts: CodeFacts, seen: Sight) -> Step:
    """What follows from a query."""
    if seen in {Sight.CAPTURED, Sight.RETURNED}:
        return Step.GIVE_BACK if facts.reversal_pending else Step.WAIT
    if seen is Sight.SHUT:
        return Step.GIVE_BACK if facts.was_paid and facts.reversal_pending else _end(facts)
    if seen in _UNPAID and facts.now >= facts.unpayable_from:
        return _end(facts)
    return Step.CLOSE if facts.must_end else Step.WAIT


def step_after_close(facts: CodeFacts, seen: Sight, answer: CloseState) -> Step:
    """What follows from the channel's answer to closing, given what the query before it saw."""
    if answer is CloseState.CLOSED:
        return _end(facts)
    if answer is CloseState.PAID:
        return Step.WAIT
    if not facts.was_shown:
        return Step.GIVE_UP
    never_was = answer is CloseState.NOT_FOUND and seen is Sight.NOT_FOUND
    if never_was and facts.absent_from is not None and facts.now >= facts.absent_from:
        return _end(facts)
    return Step.WAIT


def wait_s(facts: CodeFacts, answer: CloseState | None = None) -> float:
    """Seconds until the next look: the channel's rhythm, cut short where something falls due before.

    `answer`: what closing was answered, where that was tried.
    """
    rhythm = facts.rhythm.after_shown_s
    wait = rhythm[min(facts.tries, len(rhythm) - 1)]
    if answer is CloseState.PAID:
        wait = min(wait, _PAID_S)
    elif answer is CloseState.REPEAT:
        wait = min(wait, facts.rhythm.repeat_reversal_s)
    due = [facts.expires_at, facts.unpayable_from, *([facts.absent_from] if facts.absent_from else [])]
    ahead = [(moment - facts.now).total_seconds() for moment in due if moment > facts.now]
    return max(_SOONEST_S, min([wait, *ahead]))


def wait_for_end_s(facts: CodeFacts, answer: CloseState) -> float:
    """Seconds until an order that the channel would not shut is over at the latest, if nobody pays."""
    may_be_absent = answer is CloseState.NOT_FOUND and facts.absent_from is not None
    end = min(facts.unpayable_from, facts.absent_from) if may_be_absent and facts.absent_from else facts.unpayable_from
    return max(_SOONEST_S, (end - facts.now).total_seconds())


def _end(facts: CodeFacts) -> Step:
    return Step.END if facts.must_end or not facts.is_aggregated else Step.END_ATTEMPT


_UNPAID: Final = frozenset({Sight.PENDING, Sight.NOT_FOUND})
_SIGHTS: Final = {
    TradeState.CAPTURED: Sight.CAPTURED,
    TradeState.REFUNDED: Sight.RETURNED,
    TradeState.CLOSED: Sight.SHUT,
    TradeState.REFUSED: Sight.SHUT,
    TradeState.PENDING: Sight.PENDING,
    TradeState.NOT_FOUND: Sight.NOT_FOUND,
}
