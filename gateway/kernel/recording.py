"""What is noted of a piece of work that is traced: its steps and facts, until gateway.tracing makes spans of them.

Nothing here knows of OpenTelemetry.  Work that is not traced has no recording, and each hook costs it one look at a
context variable (40 ns).  Tasks that are begun meanwhile inherit the recording: a payment outlives its till's wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias


class Fact(StrEnum):
    """Every attribute that a span of ours can have.  Nothing of I8, no order number and no customer is among them."""

    REQUEST_ID = "mashang.request.id"
    PAYMENT_ID = "mashang.payment.id"
    STATUS = "mashang.payment.status"
    WALLET = "mashang.payment.wallet"
    METHOD = "mashang.payment.method"
    FAILURE = "mashang.payment.failure"
    REPLAYED = "mashang.payment.replayed"
    VERDICT = "mashang.risk.verdict"
    CAMPAIGNS = "mashang.promotions.campaigns"
    """How many campaigns gave something."""
    ACCOUNT = "mashang.channel.account"
    CALL = "mashang.channel.call"
    RESULT = "mashang.result"
    PURPOSE = "mashang.task.purpose"
    TRIES = "mashang.tries"
    EVENT_ID = "mashang.event.id"
    HTTP_METHOD = "http.request.method"
    HTTP_ROUTE = "http.route"
    HTTP_STATUS = "http.response.status_code"


class Step(StrEnum):
    """The steps of a payment that are spans of their own, by the names of those spans."""

    CLAIM = "claim"
    RISK = "risk"
    PRICE = "price"
    INTENT = "intent"
    CHANNEL = "channel"
    SHOWN = "shown"
    OUTCOME = "outcome"
    ANSWER = "answer"


Facts: TypeAlias = Mapping[Fact, str | int | bool]
NO_FACTS: Final[Facts] = {}


class Taken(NamedTuple):
    """A step that was taken; both moments are of the monotonic clock, in seconds."""

    step: Step
    began_s: float
    ended_s: float
    facts: Facts = NO_FACTS


class Recording:
    """Of one piece of work: one per traced request, task, callback or delivery.

    `trace_id` (128 bits) and `span_id` (64 bits) are those of the work's own span, to which its steps belong.
    """

    __slots__ = ("_late", "answered_from_s", "clock_offset_ns", "facts", "span_id", "steps", "trace_id")

    def __init__(self, trace_id: int, span_id: int) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.clock_offset_ns = time.time_ns() - time.monotonic_ns()
        self.steps: list[Taken] = []
        self.facts: dict[Fact, str | int | bool] = {}
        self.answered_from_s: float | None = None
        """From then on an answer was being written."""
        self._late: Callable[[Recording, Taken], None] | None = None

    @property
    def trace_id_hex(self) -> str:
        """As it stands in logs, headers and the tracing system."""
        return f"{self.trace_id:032x}"

    def add(self, taken: Taken) -> None:
        """Note a step; one that ends after its work was told (a till's wait was over) is told by itself."""
        if self._late is None:
            self.steps.append(taken)
        else:
            self._late(self, taken)

    def close(self, late: Callable[[Recording, Taken], None]) -> list[Taken]:
        """The steps so far; those still to come go to `late`."""
        self._late = late
        steps, self.steps = self.steps, []
        return steps


_CURRENT: Final[ContextVar[Recording | None]] = ContextVar("recording", default=None)


def current_recording() -> Recording | None:
    """That of the work that this task does; None where it is not traced."""
    return _CURRENT.get()


def record_into(recording: Recording | None) -> None:
    """Let this task, and those that it begins from now on, note into it."""
    _CURRENT.set(recording)


def step_ended(step: Step, began_s: float, facts: Facts = NO_FACTS) -> None:
    """Note a step that ends now, where the work is traced."""
    recording = _CURRENT.get()
    if recording is not None:
        recording.add(Taken(step, began_s, time.monotonic(), facts))
