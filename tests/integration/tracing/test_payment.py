"""The spans of one payment, as a collector gets them."""

from __future__ import annotations

import json
import secrets
import time

import httpx

from gateway.kernel.recording import Fact
from gateway.tracing.identity import place_of
from tests.support.collector import Collected, Collector
from tests.support.gateway import GatewayStack
from tests.support.receivers import Receiver
from tests.support.till import Till, new_code, new_order
from tests.support.waiting import until

_STEPS = ["claim", "risk", "price", "intent", "channel pay", "outcome", "answer"]
_CLOCK_NS = 50_000_000
"""The wall clock is read once in a trace, beside the monotonic one: a busy machine can come in between."""


def trace_of(payment_id: str) -> str:
    return f"{place_of(payment_id).trace_id:032x}"


def children_of(parent: Collected, spans: list[Collected]) -> list[Collected]:
    return [span for span in spans if span.parent_id == parent.span_id]


async def test_a_payment_has_exactly_its_spans_under_its_request(till: Till, collector: Collector) -> None:
    before_ns = time.time_ns()
    answer = await till.pay(new_order())
    after_ns = time.time_ns()
    payment = answer.json()
    spans = await collector.until_named(answer.headers["trace-id"], "answer")
    request = next(span for span in spans if span.name == "POST /v1/payments")
    steps = children_of(request, spans)

    assert answer.headers["trace-id"] == trace_of(payment["id"])
    assert [span.name for span in steps] == _STEPS
    assert request.kind == "server"
    assert request.parent_id == ""
    assert request.service == "mashang-gateway"
    assert request.span_id == f"{place_of(payment['id']).span_id:016x}"
    assert before_ns - _CLOCK_NS <= request.began_ns <= request.ended_ns <= after_ns + _CLOCK_NS
    ends = [request.began_ns]
    for span in steps:
        assert ends[-1] <= span.ended_ns
        assert request.began_ns <= span.began_ns <= span.ended_ns <= request.ended_ns
        ends.append(span.ended_ns)
    channel = next(span for span in steps if span.name == "channel pay")
    assert channel.kind == "client"
    assert channel.facts == {Fact.ACCOUNT: payment["channel"], Fact.CALL: "pay", Fact.RESULT: "captured"}
    assert channel.began_ns < channel.ended_ns
    assert request.facts == {
        Fact.REQUEST_ID: answer.headers["request-id"],
        Fact.PAYMENT_ID: payment["id"],
        Fact.STATUS: "succeeded",
        Fact.WALLET: "wechat",
        Fact.METHOD: "barcode",
        Fact.CAMPAIGNS: 0,
        Fact.REPLAYED: False,
        Fact.ACCOUNT: payment["channel"],
        Fact.HTTP_METHOD: "POST",
        Fact.HTTP_ROUTE: "/v1/payments",
        Fact.HTTP_STATUS: 201,
    }
    assert collector.paths == {"/v1/traces"}


async def test_the_webhook_of_a_payment_stands_in_its_trace(
    till: Till, collector: Collector, receiver: Receiver
) -> None:
    order = new_order(notify_url=receiver.url)
    payment = (await till.pay(order)).json()
    await receiver.until(1)
    spans = await collector.until_named(trace_of(payment["id"]), "webhook", "answer")
    request = next(span for span in spans if span.name == "POST /v1/payments")
    webhook = next(span for span in children_of(request, spans) if span.name == "webhook")

    assert webhook.service == "mashang-worker"
    assert webhook.kind == "client"
    assert webhook.facts[Fact.PAYMENT_ID] == payment["id"]
    assert webhook.facts[Fact.RESULT] == "succeeded"
    assert webhook.ended_ns > request.began_ns


async def test_what_goes_on_when_the_till_waits_no_longer_is_told_too(till: Till, collector: Collector) -> None:
    payment = await till.taken(magic="9003", wait_s=1)
    assert payment["status"] == "processing"
    await till.settled(payment["id"])
    spans = await collector.until_named(trace_of(payment["id"]), "task", "outcome")
    [request] = [span for span in spans if span.name == "POST /v1/payments"]
    tasks = [span for span in spans if span.name == "task"]
    outcome = next(span for span in spans if span.name == "outcome")

    assert {task.parent_id for task in tasks} == {request.span_id}
    assert {task.facts[Fact.PURPOSE] for task in tasks} == {"resolve"}
    assert {task.service for task in tasks} == {"mashang-worker"}
    assert outcome.began_ns > request.ended_ns
    assert outcome.parent_id in {task.span_id for task in tasks}


async def test_a_code_has_its_spans_and_so_has_the_callback_that_says_it_is_paid(
    till: Till, collector: Collector, stack: GatewayStack
) -> None:
    answer = await till.pay(new_code())
    payment = answer.json()
    stack.simulators.scan("wechat", payment["qr_code"])
    spans = await collector.until_named(answer.headers["trace-id"], "answer", "callback", "outcome")
    request = next(span for span in spans if span.kind == "server")
    callback = next(span for span in spans if span.name == "callback")
    steps = [span.name for span in children_of(request, spans) if span.name not in {"task", "callback", "webhook"}]

    assert steps == ["claim", "risk", "price", "intent", "channel create_code", "shown", "answer"]
    assert callback.parent_id == request.span_id
    assert callback.facts[Fact.ACCOUNT] == payment["channel"]
    assert next(span for span in spans if span.name == "outcome").parent_id == callback.span_id


async def test_a_caller_s_trace_goes_on_here(till: Till, collector: Collector) -> None:
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    answer = await till.pay(new_order(), headers={"traceparent": f"00-{trace_id}-{span_id}-01"})
    spans = await collector.until_named(trace_id, "answer")
    request = next(span for span in spans if span.kind == "server")

    assert answer.headers["trace-id"] == trace_id
    assert request.parent_id == span_id
    assert [span.name for span in children_of(request, spans)] == _STEPS
    assert request.links == (trace_of(answer.json()["id"]),)


async def test_an_answer_that_is_an_error_is_traced(till: Till, collector: Collector) -> None:
    answer = await till.pay(new_order(amount=-1))
    [request] = await collector.until_named(answer.headers["trace-id"], "POST /v1/payments")
    assert answer.status_code == 400
    assert request.facts[Fact.HTTP_STATUS] == 400
    assert not request.is_fault


async def test_another_request_is_traced_by_its_route(till: Till, collector: Collector) -> None:
    payment = await till.paid()
    answer = await till.get(payment["id"])
    [request] = await collector.until_named(answer.headers["trace-id"], "GET /v1/payments/{payment_id}")
    assert answer.headers["request-id"] == request.facts[Fact.REQUEST_ID]


async def test_the_log_line_of_a_payment_names_its_trace(till: Till, stack: GatewayStack) -> None:
    answer = await till.pay(new_order())
    payment_id = answer.json()["id"]
    await until(lambda: payment_id in stack.log_of(stack.gateways[0]))
    [line] = [line for line in stack.log_of(stack.gateways[0]).splitlines() if payment_id in line]
    assert json.loads(line)["trace_id"] == answer.headers["trace-id"]


async def test_probes_and_scrapes_are_not_traced(stack: GatewayStack) -> None:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as client:
        for path in ("/livez", "/readyz", "/metrics"):
            assert "trace-id" not in (await client.get(path)).headers


async def test_neither_a_trace_nor_a_log_names_the_order_or_the_customer(
    till: Till, collector: Collector, stack: GatewayStack
) -> None:
    """A till makes both, and may make them of a name or of a telephone number."""
    order = new_order(customer={"id": "customer-4711-in-person"}, description="for-4711-in-person")
    answer = await till.pay(order)
    await collector.until_named(answer.headers["trace-id"], "answer")
    await until(lambda: answer.json()["id"] in stack.log_of(stack.gateways[0]))
    seen = [body.decode(errors="replace") for body in collector.bodies]
    seen += [stack.log_of(child) for child in (*stack.gateways, *stack.workers)]
    for personal in (order["merchant_order_no"], order["auth_code"], "4711-in-person"):
        assert not any(personal in text for text in seen)


async def test_no_span_has_an_attribute_that_is_not_declared(till: Till, collector: Collector) -> None:
    await till.paid("alipay")
    await until(lambda: len(collector.spans) > 40)
    told = {name for span in collector.spans for name in span.facts}
    assert told <= {fact.value for fact in Fact}
    assert Fact.PAYMENT_ID in told
