"""An OpenTelemetry collector for tests: a real HTTP server that reads OTLP's protobuf and keeps the spans.

with start_collector() as collector:
    ...a gateway with MASHANG_TRACING_ENDPOINT=collector.url...
    spans = await collector.until_named(trace_id, "outcome")
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan

from tests.support.waiting import until

_UNTIL_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Collected:
    """A span as it came; ids in hexadecimal, `parent_id` empty at the root of a trace."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: str
    began_ns: int
    ended_ns: int
    is_fault: bool
    links: tuple[str, ...]
    """The traces that it is linked with."""
    facts: Mapping[str, Any] = field(hash=False)


class Collector:
    """The running server.  While `answers` is not set, every request hangs."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.spans: list[Collected] = []
        self.bodies: list[bytes] = []
        """The protobuf of every request, unpacked."""
        self.paths: set[str] = set()
        self.answers = threading.Event()
        self.answers.set()

    def of(self, trace_id: str) -> list[Collected]:
        """The spans of a trace, by when they began."""
        return sorted((span for span in list(self.spans) if span.trace_id == trace_id), key=lambda span: span.began_ns)

    async def until_named(self, trace_id: str, *names: str) -> list[Collected]:
        """The spans of a trace as soon as those are among them."""
        await until(lambda: set(names) <= {span.name for span in self.of(trace_id)}, timeout_s=_UNTIL_S)
        return self.of(trace_id)

    def take(self, body: bytes) -> None:
        """Keep what a request brings."""
        self.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            told = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [_collected(told["service.name"], span) for span in scope.spans]


@contextmanager
def start_collector() -> Iterator[Collector]:
    """Serve until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.answers.wait()
            collector.paths.add(self.path)
            collector.take(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Tests read what was collected instead."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector = Collector(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield collector
    finally:
        collector.answers.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _collected(service: str, span: SentSpan) -> Collected:
    return Collected(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        SentSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == 2,
        tuple(link.trace_id.hex() for link in span.links),
        {one.key: getattr(one.value, one.value.WhichOneof("value") or "") for one in span.attributes},
    )
