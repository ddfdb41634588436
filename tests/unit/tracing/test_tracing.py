"""Which requests are traced, and the spans that are made of what was noted."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Mapping

import pytest

from gateway.kernel.ids import new_id, same_ulid
from gateway.kernel.recording import Fact, Step, current_recording, record_into, step_ended
from gateway.tracing.identity import Place, place_of
from gateway.tracing.tracing import CALLERS_PER_S_MAX, NOT_TRACED, Exchange, Kind, Request, Span, Tracing, Work

_PARENT = Place(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7)


class Sink(list[Span]):
    """Keeps what it is given."""

    def take(self, span: Span) -> None:
        self.append(span)


@pytest.fixture(autouse=True)
def nothing_recorded() -> None:
    record_into(None)


def traceparent(*, sampled: bool) -> Mapping[bytes, bytes]:
    header = f"00-{_PARENT.trace_id:032x}-{_PARENT.span_id:016x}-{int(sampled):02x}"
    return {b"traceparent": header.encode()}


def begun(tracing: Tracing, request_id: str | None = None, headers: Mapping[bytes, bytes] | None = None) -> Request:
    request = tracing.begin(request_id or new_id("req"), "/v1/payments", headers or {})
    assert request is not None
    return request


def answered(tracing: Tracing, request: Request, status: int = 201, began_s: float | None = None) -> None:
    began = time.monotonic() if began_s is None else began_s
    tracing.answered(request, Exchange("req_1", "POST", "/v1/payments", status, began))


def test_nothing_is_traced_of_a_share_of_nothing() -> None:
    tracing = Tracing(Sink(), 0.0)
    assert all(tracing.begin(new_id("req"), "/v1/payments", {}) is None for _ in range(1_000))
    assert current_recording() is None


def test_a_trace_is_named_after_the_request() -> None:
    request_id, tracing = new_id("req"), Tracing(sink := Sink(), 1.0)
    answered(tracing, begun(tracing, request_id))
    assert (sink[0].place, sink[0].parent, sink[0].links) == (place_of(request_id), None, ())


def test_a_sampled_caller_s_trace_goes_on_here_whatever_the_share() -> None:
    tracing = Tracing(sink := Sink(), 0.0)
    answered(tracing, begun(tracing, headers=traceparent(sampled=True)))
    assert (sink[0].place.trace_id, sink[0].parent, sink[0].links) == (_PARENT.trace_id, _PARENT, ())


def test_the_caller_s_trace_is_linked_with_the_one_in_which_the_worker_goes_on() -> None:
    request_id, tracing = new_id("req"), Tracing(sink := Sink(), 1.0)
    answered(tracing, begun(tracing, request_id, traceparent(sampled=True)))
    assert sink[0].links == (place_of(request_id),)
    with tracing.work(Work.TASK, same_ulid("pay", request_id), {}):
        pass
    assert sink[1].place.trace_id == sink[0].links[0].trace_id


async def test_a_request_that_was_sent_before_the_one_before_was_answered_notes_nothing_into_it() -> None:
    tracing = Tracing(sink := Sink(), 0.0)

    async def next_request(path: str) -> None:
        assert tracing.begin(new_id("req"), path, {}) is None
        assert current_recording() is None
        step_ended(Step.RISK, time.monotonic())

    first = begun(tracing, headers=traceparent(sampled=True))
    answered(tracing, first)
    await asyncio.create_task(next_request("/v1/payments"))  # as the server does: in the context of the one before
    await asyncio.create_task(next_request("/readyz"))
    assert len(sink) == 1


def test_a_caller_that_does_not_sample_leaves_the_choice_to_us() -> None:
    assert Tracing(Sink(), 0.0).begin(new_id("req"), "/", traceparent(sampled=False)) is None
    tracing = Tracing(sink := Sink(), 1.0)
    answered(tracing, begun(tracing, headers=traceparent(sampled=False)))
    assert (sink[0].parent, sink[0].links) == (None, (_PARENT,))


def test_callers_cannot_have_everything_traced() -> None:
    tracing = Tracing(Sink(), 0.0)
    began_s = time.monotonic()
    traced = sum(tracing.begin(new_id("req"), "/", traceparent(sampled=True)) is not None for _ in range(5_000))
    assert CALLERS_PER_S_MAX <= traced <= CALLERS_PER_S_MAX * (1 + time.monotonic() - began_s) + 1


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_probes_and_scrapes_are_not_traced(path: str) -> None:
    assert Tracing(Sink(), 1.0).begin(new_id("req"), path, traceparent(sampled=True)) is None


def test_steps_hang_under_their_request_with_their_times() -> None:
    tracing = Tracing(sink := Sink(), 1.0)
    began_s, before_ns = time.monotonic(), time.time_ns()
    request = begun(tracing)
    step_ended(Step.RISK, began_s, {Fact.VERDICT: "approve"})
    facts = {Fact.ACCOUNT: "wechat_direct", Fact.CALL: "pay", Fact.RESULT: "unknown"}
    step_ended(Step.CHANNEL, began_s, facts)
    answered(tracing, request, 503, began_s)
    whole, risk, channel = sink

    assert [span.name for span in sink] == ["POST /v1/payments", "risk", "channel pay"]
    assert [span.kind for span in sink] == [Kind.SERVER, Kind.INTERNAL, Kind.CLIENT]
    assert risk.parent == channel.parent == whole.place
    assert len({span.place.span_id for span in sink}) == 3
    assert [span.is_fault for span in sink] == [True, False, True]
    assert risk.facts == {Fact.VERDICT: "approve"}
    assert whole.facts[Fact.HTTP_STATUS] == 503
    assert whole.began_ns <= risk.ended_ns <= channel.ended_ns <= whole.ended_ns
    assert abs(whole.began_ns - before_ns) < 50_000_000


async def test_a_step_that_ends_after_the_answer_is_told_by_itself() -> None:
    tracing = Tracing(sink := Sink(), 1.0)
    request, goes_on = begun(tracing), asyncio.Event()

    async def carry_on() -> None:
        await goes_on.wait()
        step_ended(Step.OUTCOME, time.monotonic())

    task = asyncio.create_task(carry_on())
    answered(tracing, request)
    assert [span.name for span in sink] == ["POST /v1/payments"]
    goes_on.set()
    await task
    assert [span.name for span in sink] == ["POST /v1/payments", "outcome"]
    assert sink[1].parent == sink[0].place


def test_work_for_a_payment_hangs_under_the_request_that_made_it() -> None:
    payment_id, tracing = new_id("pay"), Tracing(sink := Sink(), 1.0)
    with tracing.work(Work.TASK, payment_id, {Fact.PURPOSE: "resolve"}):
        step_ended(Step.OUTCOME, time.monotonic())
    task, outcome = sink
    assert task.parent == place_of(payment_id)
    assert outcome.parent == task.place
    assert task.facts == {Fact.PURPOSE: "resolve", Fact.PAYMENT_ID: payment_id}
    assert current_recording() is None


def test_work_that_fails_is_told_as_a_fault_and_fails_all_the_same() -> None:
    tracing = Tracing(sink := Sink(), 1.0)
    with pytest.raises(ValueError, match="secret"), tracing.work(Work.TASK, new_id("pay"), {}):
        raise ValueError("secret")
    assert sink[0].is_fault
    assert "secret" not in str(sink[0])


@pytest.mark.parametrize("payment_id", [None, "pay_1", "pay_IIIIIIIIIIIIIIIIIIIIIIIIII", ""])
def test_work_for_no_payment_of_ours_is_not_traced(payment_id: str | None) -> None:
    tracing = Tracing(sink := Sink(), 1.0)
    with tracing.work(Work.CALLBACK, payment_id, {}) as recording:
        assert recording is None
    assert sink == []


def test_without_a_sink_nothing_is_traced() -> None:
    assert not NOT_TRACED.is_on
    with NOT_TRACED.work(Work.TASK, new_id("pay"), {}) as recording:
        assert recording is None


def test_a_service_without_an_endpoint_imports_no_exporter() -> None:
    """The client of Valkey imports some of OpenTelemetry's metrics where they are installed; spans nobody does."""
    script = "import sys, gateway.app, gateway.workers.main; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = found.stdout.split()
    assert "gateway.tracing.tracing" in modules
    assert not {"gateway.tracing.export", "opentelemetry.exporter.otlp", "requests"} & set(modules)
