"""What a collector costs that takes spans, hangs or is dead: spans, and nothing else."""

from __future__ import annotations

import logging
import time

import pytest

from gateway.kernel.metrics import TRACE_SPANS
from gateway.kernel.recording import Fact
from gateway.tracing import export as module
from gateway.tracing.export import CLOSE_S, Export
from gateway.tracing.identity import Place
from gateway.tracing.tracing import Kind, Span
from tests.support.collector import start_collector
from tests.support.waiting import until

_NOBODY = "http://127.0.0.1:1"


def span(number: int = 1) -> Span:
    return Span("claim", Kind.INTERNAL, Place(7, number), Place(7, 99), (), 10, 20, {Fact.TRIES: number}, False)


def counted(result: str) -> float:
    return TRACE_SPANS.labels(result)._value.get()  # type: ignore[no-any-return]


async def test_what_waits_at_the_end_is_sent() -> None:
    with start_collector() as collector:
        export, before = Export(collector.url, "test"), counted("exported")
        for number in range(1, 300):
            export.take(span(number))
        await export.aclose()
    assert {one.facts[Fact.TRIES] for one in collector.spans} == set(range(1, 300))
    assert counted("exported") - before == 299


async def test_an_address_may_name_the_path() -> None:
    with start_collector() as collector:
        export = Export(f"{collector.url}/v1/traces", "test")
        export.take(span())
        await export.aclose()
    assert collector.paths == {"/v1/traces"}


async def test_a_collector_that_hangs_costs_spans_that_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 200)
    with start_collector() as collector:
        collector.answers.clear()
        export, before = Export(collector.url, "test"), counted("dropped")
        began = time.monotonic()
        for number in range(1, 1_001):
            export.take(span(number))
        assert counted("dropped") - before == 800
        assert time.monotonic() - began < 1.0
        began = time.monotonic()
        await export.aclose()
        assert time.monotonic() - began < CLOSE_S + 1.0
        assert counted("dropped") - before == 1_000


async def test_a_dead_collector_is_told_once_and_keeps_nobody(caplog: pytest.LogCaptureFixture) -> None:
    export, before = Export(_NOBODY, "test"), counted("failed")
    with caplog.at_level(logging.DEBUG):
        export.take(span())
        began = time.monotonic()
        await export.aclose()
    assert time.monotonic() - began < CLOSE_S + 1.0
    await until(lambda: counted("failed") > before)
    told = [record for record in caplog.records if record.name.startswith(("mashang", "opentelemetry"))]
    assert [record.getMessage() for record in told] == ["spans could not be exported"]
