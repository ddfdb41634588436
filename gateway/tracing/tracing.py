"""Decides which work is traced, and hands what was noted of it over as spans; one per process.

Without MASHANG_TRACING_ENDPOINT nothing is traced, and OpenTelemetry is not imported.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from gateway.admission.bucket import TokenBucket
from gateway.kernel.ids import is_id
from gateway.kernel.recording import Fact, Facts, Recording, Step, Taken, record_into
from gateway.settings import Settings
from gateway.tracing.identity import Place, drawn_below, is_drawn, place_of, read_traceparent

CALLERS_PER_S_MAX: Final = 10.0
"""So many requests a second of one process are traced because their callers say so; beyond that the share decides."""
_UNTRACED: Final = frozenset({"/livez", "/readyz", "/metrics"})
_GOES_OUT: Final = frozenset({Step.CHANNEL})
_FAULTS: Final = frozenset({"unsent", "unknown", "error", "cancelled", "failed"})
"""Results that are no answer; a refusal by the wallet is one."""


class Kind(StrEnum):
    """Which side of a call a span is."""

    SERVER = "server"
    CLIENT = "client"
    INTERNAL = "internal"


class Work(StrEnum):
    """What is done for a payment beside its request, by the names of the spans."""

    TASK = "task"
    CALLBACK = "callback"
    WEBHOOK = "webhook"


class Span(NamedTuple):
    """One finished span; moments in nanoseconds since 1970."""

    name: str
    kind: Kind
    place: Place
    parent: Place | None
    links: tuple[Place, ...]
    began_ns: int
    ended_ns: int
    facts: Facts
    is_fault: bool


class Sink(Protocol):
    """Where spans go (gateway.tracing.export)."""

    def take(self, span: Span) -> None:
        """Take one, at once and whatever becomes of it."""


class Told(NamedTuple):
    """What a span of a whole piece of work tells; both moments are of the monotonic clock, in seconds."""

    name: str
    kind: Kind
    began_s: float
    ended_s: float
    facts: Facts
    is_fault: bool


class Exchange(NamedTuple):
    """A request that was answered; `began_s` is of the monotonic clock."""

    request_id: str
    method: str
    route: str
    status: int
    began_s: float


class Request(NamedTuple):
    """A traced request, where its span hangs and what it is linked with."""

    recording: Recording
    parent: Place | None
    links: tuple[Place, ...]


class Tracing:
    """Without a sink nothing is traced."""

    def __init__(self, sink: Sink | None = None, share: float = 0.0) -> None:
        self._sink = sink
        self._below = drawn_below(share)
        self._callers = TokenBucket(CALLERS_PER_S_MAX, CALLERS_PER_S_MAX, time.monotonic())

    @property
    def is_on(self) -> bool:
        """Whether anything may be traced."""
        return self._sink is not None

    def begin(self, request_id: str, path: str, headers: Mapping[bytes, bytes]) -> Request | None:
        """Trace a request, or not; from now on its task notes what it does, or nothing: a request that a client sent
        before it was answered the one before begins in that one's context.  Names of headers are in lower case.

        A caller's sampled `traceparent` is honoured within bounds: its trace goes on here.  Any other leaves the choice
        to us: a till belongs to somebody else, whose "not this one" must not blind our operators.
        """
        found = None if path in _UNTRACED else self._chosen(request_id, headers)
        record_into(None if found is None else found.recording)
        return found

    def _chosen(self, request_id: str, headers: Mapping[bytes, bytes]) -> Request | None:
        header = headers.get(b"traceparent")
        parent = None if header is None else read_traceparent(header)
        is_drawn_here = is_drawn(request_id, self._below)
        if parent is not None and parent.is_sampled and self._callers.take(time.monotonic()):
            return _honoured(parent.place, place_of(request_id), is_drawn_here=is_drawn_here)
        if is_drawn_here:
            return Request(Recording(*place_of(request_id)), None, () if parent is None else (parent.place,))
        return None

    def answered(self, request: Request, exchange: Exchange) -> None:
        """The request is over: its span and those of its steps."""
        ended_s, recording = time.monotonic(), request.recording
        if recording.answered_from_s is not None:
            recording.add(Taken(Step.ANSWER, recording.answered_from_s, ended_s))
        facts = {
            **recording.facts,
            Fact.REQUEST_ID: exchange.request_id,
            Fact.HTTP_METHOD: exchange.method,
            Fact.HTTP_ROUTE: exchange.route,
            Fact.HTTP_STATUS: exchange.status,
        }
        name, is_fault = f"{exchange.method} {exchange.route}", exchange.status >= 500
        self._tell(request, Told(name, Kind.SERVER, exchange.began_s, ended_s, facts, is_fault))

    @contextmanager
    def work(self, work: Work, payment_id: str | None, facts: Facts) -> Iterator[Recording | None]:
        """Work for a payment in a task of its own: a span under the request that made it, where that was drawn."""
        if payment_id is None or not (self.is_on and is_drawn(payment_id, self._below) and is_id(payment_id, "pay")):
            yield None
            return
        request = place_of(payment_id)
        recording = Recording(request.trace_id, _new_span_id())
        recording.facts.update(facts)
        recording.facts[Fact.PAYMENT_ID] = payment_id
        record_into(recording)
        began_s, is_fault = time.monotonic(), True
        try:
            yield recording
            is_fault = recording.facts.get(Fact.RESULT) in _FAULTS
        finally:
            record_into(None)
            kind = Kind.CLIENT if work is Work.WEBHOOK else Kind.INTERNAL
            told = Told(work.value, kind, began_s, time.monotonic(), recording.facts, is_fault)
            self._tell(Request(recording, request, ()), told)

    def _tell(self, request: Request, told: Told) -> None:
        """The span of the whole, and those of the steps that were taken."""
        assert self._sink is not None, "without a sink nothing is recorded"
        recording = request.recording
        self._sink.take(
            Span(
                told.name,
                told.kind,
                Place(recording.trace_id, recording.span_id),
                request.parent,
                request.links,
                *_epoch_ns(recording, told.began_s, told.ended_s),
                told.facts,
                told.is_fault,
            )
        )
        for taken in recording.close(self._tell_step):
            self._tell_step(recording, taken)

    def _tell_step(self, recording: Recording, taken: Taken) -> None:
        assert self._sink is not None, "without a sink nothing is recorded"
        goes_out = taken.step in _GOES_OUT
        name = f"{taken.step.value} {taken.facts[Fact.CALL]}" if goes_out else taken.step.value
        self._sink.take(
            Span(
                name,
                Kind.CLIENT if goes_out else Kind.INTERNAL,
                Place(recording.trace_id, _new_span_id()),
                Place(recording.trace_id, recording.span_id),
                (),
                *_epoch_ns(recording, taken.began_s, taken.ended_s),
                taken.facts,
                taken.facts.get(Fact.RESULT) in _FAULTS,
            )
        )


NOT_TRACED: Final = Tracing()


@asynccontextmanager
async def traced(settings: Settings, service: str) -> AsyncIterator[Tracing]:
    """Trace as the settings say while this is open; `service` is what the process is called in traces."""
    if settings.tracing_endpoint is None:
        yield NOT_TRACED
        return
    from gateway.tracing.export import Export  # noqa: PLC0415  (imports OpenTelemetry, an extra)

    export = Export(settings.tracing_endpoint, service)
    try:
        yield Tracing(export, settings.tracing_sample)
    finally:
        await export.aclose()


def _honoured(parent: Place, own: Place, *, is_drawn_here: bool) -> Request:
    """In the caller's trace; linked with the payment's own, in which the worker goes on where that is drawn."""
    return Request(Recording(parent.trace_id, own.span_id), parent, (own,) if is_drawn_here else ())


def _epoch_ns(recording: Recording, began_s: float, ended_s: float) -> tuple[int, int]:
    offset = recording.clock_offset_ns
    return int(began_s * 1e9) + offset, int(ended_s * 1e9) + offset


def _new_span_id() -> int:
    return random.getrandbits(64) or 1
