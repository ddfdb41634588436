"""Sends spans to an OpenTelemetry collector (OTLP over HTTP) from a thread of its own; imports the extra `tracing`.

Spans are built from what was recorded, with ids that are known before: hence `ReadableSpan` itself and not a tracer of
the SDK.  Its batch processor and its exporter do the rest.  A collector that is slow, dead or hanging costs spans,
which are counted, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from gateway.kernel.ids import new_ulid
from gateway.kernel.metrics import TRACE_SPANS
from gateway.tracing.identity import Place
from gateway.tracing.tracing import Kind, Span

WAITING_MAX: Final = 4096
"""Spans between their making and their sending; one more is dropped."""
CLOSE_S: Final = 2.0
"""A process that stops waits for its last spans no longer than this."""
_BATCH_MAX: Final = 128
"""Small, for encoding a batch holds the interpreter."""
_EVERY_MS: Final = 1000
_TIMEOUT_S: Final = 5.0
_LOGGED_EVERY_S: Final = 60.0
_TRACES: Final = "/v1/traces"
_DROPPED: Final = TRACE_SPANS.labels("dropped")
_KINDS: Final = {Kind.SERVER: SpanKind.SERVER, Kind.CLIENT: SpanKind.CLIENT, Kind.INTERNAL: SpanKind.INTERNAL}
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_UNSET: Final = Status(StatusCode.UNSET)
_FAULT: Final = Status(StatusCode.ERROR)
_SCOPE: Final = InstrumentationScope("mashang")
_log = logging.getLogger("mashang.tracing")


class Export:
    """One per process, begun where its event loop runs (a thread does not outlive a fork)."""

    def __init__(self, endpoint: str, service: str) -> None:
        # What the SDK says of each failed try is said here once a minute, and counted.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        attributes = {SERVICE_NAME: service, SERVICE_VERSION: version("mashang"), SERVICE_INSTANCE_ID: new_ulid()}
        self._resource = Resource(attributes)
        url = endpoint if endpoint.endswith(_TRACES) else endpoint + _TRACES
        self._counted = _Counted(OTLPSpanExporter(url, timeout=_TIMEOUT_S, compression=Compression.Gzip))
        self._processor = BatchSpanProcessor(
            self._counted,
            max_queue_size=WAITING_MAX,
            schedule_delay_millis=_EVERY_MS,
            max_export_batch_size=_BATCH_MAX,
        )
        self._taken = 0

    def take(self, span: Span) -> None:
        """Queue one; where too many wait already it is dropped, and counted."""
        if self._taken - self._counted.sent >= WAITING_MAX:
            _DROPPED.inc()
            return
        self._taken += 1
        self._processor.on_end(_readable(span, self._resource))

    async def aclose(self) -> None:
        """Send what waits, as far as that takes no more than two seconds.  The threads do not keep the process."""
        closing = threading.Thread(target=self._processor.shutdown, name="spans' end", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, CLOSE_S)
        _DROPPED.inc(self._taken - self._counted.sent)


class _Counted(SpanExporter):
    """Counts what an exporter has sent, and what it could not."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._log_at_s = 0.0
        self.sent = 0
        """Spans that are out of the queue, whatever became of them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._inner.export(spans)
        finally:
            self.sent += len(spans)
            is_sent = result is SpanExportResult.SUCCESS
            TRACE_SPANS.labels("exported" if is_sent else "failed").inc(len(spans))
            if not is_sent:
                self._tell(len(spans))
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def _tell(self, spans: int) -> None:
        now_s = time.monotonic()
        if now_s >= self._log_at_s:
            self._log_at_s = now_s + _LOGGED_EVERY_S
            _log.warning("spans could not be exported", extra={"spans": spans})


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    """The span in the SDK's form."""
    return ReadableSpan(
        name=span.name,
        context=_context(span.place),
        parent=None if span.parent is None else _context(span.parent),
        resource=resource,
        attributes={fact.value: str(told) if isinstance(told, str) else told for fact, told in span.facts.items()},
        links=[Link(_context(place)) for place in span.links],
        kind=_KINDS[span.kind],
        status=_FAULT if span.is_fault else _UNSET,
        start_time=span.began_ns,
        end_time=span.ended_ns,
        instrumentation_scope=_SCOPE,
    )


def _context(place: Place) -> SpanContext:
    return SpanContext(place.trace_id, place.span_id, is_remote=False, trace_flags=_SAMPLED)
