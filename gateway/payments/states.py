"""The state machine of a payment: one transition table."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where a payment stands (PRODUCT.md "status")."""

    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CLOSED = "closed"
    REVERSED = "reversed"

    @property
    def is_final(self) -> bool:
        """Whether a till need not ask again (a succeeded payment can still be reversed by its merchant)."""
        return self not in _OPEN

    @property
    def is_answer(self) -> bool:
        """Whether a till that waits for an answer has it: an end, or a code to show, which may be paid much later."""
        return self is not Status.PROCESSING


class Event(StrEnum):
    """What happened to a payment, in the past tense; the name under which it stands in the events."""

    CREATED = "payment.created"
    CODE_SHOWN = "payment.code_shown"
    REFUSED = "payment.refused"
    CAPTURED = "payment.captured"
    DECLINED = "payment.declined"
    UNSENT = "payment.unsent"
    NOT_CREATED = "payment.not_created"
    CLOSED = "payment.closed"
    REVERSED = "payment.reversed"
    ABANDONED = "payment.abandoned"
    """A person has decided that what the channel took goes back."""
    LATE_CAPTURE_FOUND = "payment.late_capture_found"
    """This and all below change no status."""
    LATE_CAPTURE_REFUNDED = "payment.late_capture_refunded"
    ATTEMPT_OPENED = "payment.attempt_opened"
    """Another account is asked: the one before surely charged nothing, or a customer chose his wallet for a code."""
    ATTEMPT_CLOSED = "payment.attempt_closed"
    """That wallet's order was shut unpaid; another one may be opened."""
    REVIEW_SETTLED = "payment.review_settled"
    """A person has decided about the payment, a refund of it, or money that came too late (gateway.reviews)."""
    REFUND_CREATED = "refund.created"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"


_OPEN: Final = frozenset({Status.PROCESSING, Status.REQUIRES_ACTION})

TRANSITIONS: Final[dict[tuple[Status | None, Event], Status]] = {
    #  from               event              to
    (None, Event.CREATED): Status.PROCESSING,
    (None, Event.CODE_SHOWN): Status.REQUIRES_ACTION,
    (None, Event.REFUSED): Status.FAILED,
    (Status.PROCESSING, Event.CODE_SHOWN): Status.REQUIRES_ACTION,
    (Status.PROCESSING, Event.CAPTURED): Status.SUCCEEDED,
    (Status.PROCESSING, Event.DECLINED): Status.FAILED,
    (Status.PROCESSING, Event.UNSENT): Status.FAILED,
    (Status.PROCESSING, Event.NOT_CREATED): Status.FAILED,
    (Status.PROCESSING, Event.CLOSED): Status.CLOSED,
    (Status.PROCESSING, Event.REVERSED): Status.REVERSED,
    (Status.PROCESSING, Event.ABANDONED): Status.FAILED,
    (Status.REQUIRES_ACTION, Event.CAPTURED): Status.SUCCEEDED,
    (Status.REQUIRES_ACTION, Event.CLOSED): Status.CLOSED,
    (Status.REQUIRES_ACTION, Event.REVERSED): Status.REVERSED,
    (Status.REQUIRES_ACTION, Event.ABANDONED): Status.FAILED,
    (Status.SUCCEEDED, Event.REVERSED): Status.REVERSED,
}


def target(event: Event) -> Status:
    """Where an event leads: the same status from wherever it is legal."""
    return _TARGETS[event]


def sources(event: Event) -> str:
    """The states in which an event is legal, comma-separated, as the guard of the outcome statement takes them."""
    return _SOURCES[event]


_TARGETS: Final = {event: to for (_, event), to in TRANSITIONS.items()}
_SOURCES: Final = {
    event: ",".join(start for (start, kind) in TRANSITIONS if kind is event and start is not None) for event in Event
}
