"""What the client sends, when it sends again, and what it makes of the answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from gateway.client import ApiError, AsyncClient, Client, OutcomeUnknown, RetryPolicy, calls
from gateway.merchants.signatures import Signable, SignedHead, read_head, verify

URL = "http://127.0.0.1:1"
QUICK = RetryPolicy(tries=3, pause_s=0.001, pause_s_max=0.002)
PAYMENT = {"id": "pay_1", "status": "succeeded", "reversal": None}

Answerer = Callable[[httpx.Request], httpx.Response]


class Wire:
    """Answers in turn with what it was given, the last one for ever; remembers what was sent."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.sent: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def client(wire: Answerer, **identity: str) -> Client:
    """A client whose requests go to the wire."""
    chosen = identity or {"api_key": "sk_test_1"}
    return Client(URL, retries=QUICK, transport=httpx.MockTransport(wire), **chosen)  # type: ignore[arg-type]


def _error(status: int, code: str, **headers: str) -> httpx.Response:
    body = {"error": {"type": "x", "code": code, "message": "m", "param": "amount", "request_id": "req_1"}}
    return httpx.Response(status, json=body, headers=headers)


def _pay(mashang: Client) -> object:
    return mashang.pay(merchant_order_no="A-1", amount=2599, auth_code="134567890123456789", wait_s=3)


def test_a_payment_is_sent_as_the_contract_has_it() -> None:
    wire = Wire(httpx.Response(201, json=PAYMENT))
    assert _pay(client(wire)) == PAYMENT
    [request] = wire.sent
    assert (request.method, request.url.path) == ("POST", "/v1/payments")
    assert (request.headers["authorization"], request.headers["prefer"]) == ("Bearer sk_test_1", "wait=3")
    assert json.loads(request.content) == {
        "merchant_order_no": "A-1",
        "amount": 2599,
        "currency": "CNY",
        "method": "barcode",
        "auth_code": "134567890123456789",
    }


def test_without_a_scanned_code_a_code_to_show_is_asked_for() -> None:
    wire = Wire(httpx.Response(201, json=PAYMENT))
    client(wire).pay(merchant_order_no="A-1", amount=1, wallet="alipay")
    body = json.loads(wire.sent[0].content)
    assert (body["method"], body["wallet"], "auth_code" in body) == ("qrcode", "alipay", False)


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("silent"),
        httpx.RemoteProtocolError("reset"),
        _error(503, "busy", **{"retry-after": "0"}),
        _error(429, "too_many"),
        _error(500, "internal_error"),
        _error(409, "order_in_progress", **{"retry-after": "0"}),
    ],
)
def test_trouble_on_the_way_makes_the_same_request_go_again(trouble: httpx.Response | Exception) -> None:
    wire = Wire(trouble, httpx.Response(201, json=PAYMENT))
    assert _pay(client(wire)) == PAYMENT
    first, second = wire.sent
    assert first.content == second.content


def test_when_no_answer_ever_comes_the_outcome_is_unknown_and_not_an_error_of_the_api() -> None:
    wire = Wire(httpx.ReadTimeout("silent"))
    with pytest.raises(OutcomeUnknown):
        _pay(client(wire))
    assert len(wire.sent) == QUICK.tries


def test_a_fault_in_every_answer_leaves_the_outcome_unknown_too() -> None:
    with pytest.raises(OutcomeUnknown):
        _pay(client(Wire(_error(500, "internal_error"))))


def _answered(answer: httpx.Response | Exception, retries: RetryPolicy, wait_s: int) -> tuple[list[str | None], float]:
    """What was preferred in each try, and how long all of them took until the client gave up."""
    wire, began = Wire(answer), time.monotonic()
    mashang = Client(URL, api_key="sk_test_1", retries=retries, transport=httpx.MockTransport(wire))
    with pytest.raises((OutcomeUnknown, ApiError)):
        mashang.pay(merchant_order_no="A-1", amount=1, auth_code="134567890123456789", wait_s=wait_s)
    return [request.headers.get("prefer") for request in wire.sent], time.monotonic() - began


def test_however_often_it_is_sent_a_call_is_over_when_the_tills_wait_and_the_margin_are() -> None:
    retries = RetryPolicy(tries=10_000, pause_s=0.01, pause_s_max=0.02, margin_s=0.2)
    for trouble in (httpx.ConnectError("refused"), _error(503, "busy"), _error(500, "internal_error")):
        waits, took_s = _answered(trouble, retries, 0)
        assert 5 < len(waits) < 50
        assert 0.1 < took_s < 1


def test_later_tries_ask_for_an_answer_within_what_is_left_of_the_wait() -> None:
    waits, _ = _answered(httpx.ReadTimeout("silent"), QUICK, 7)
    assert waits == ["wait=7", "wait=6", "wait=6"]


async def test_an_answer_that_drips_in_is_not_waited_for_either() -> None:
    async def drip(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(30)
        raise AssertionError

    retries, began = RetryPolicy(margin_s=0.2), time.monotonic()
    transport = httpx.MockTransport(drip)
    async with AsyncClient(URL, api_key="sk_test_1", retries=retries, transport=transport) as mashang:
        with pytest.raises(OutcomeUnknown, match="in time"):
            await mashang.pay(merchant_order_no="A-1", amount=1, auth_code="134567890123456789", wait_s=0)
    assert time.monotonic() - began < 2


def test_a_pause_that_is_longer_than_the_till_waits_is_not_made() -> None:
    waits, took_s = _answered(_error(409, "replaced_payment_unresolved", **{"retry-after": "60"}), RetryPolicy(), 1)
    assert (waits, took_s < 1) == (["wait=1"], True)


def test_a_refusal_is_told_with_its_code_and_field_and_is_not_sent_again() -> None:
    wire = Wire(_error(400, "invalid_field"))
    with pytest.raises(ApiError) as refused:
        _pay(client(wire))
    error = refused.value
    assert (error.status, error.code, error.param, error.request_id) == (400, "invalid_field", "amount", "req_1")
    assert len(wire.sent) == 1


def test_a_busy_gateway_is_an_error_of_the_api_after_the_last_try() -> None:
    with pytest.raises(ApiError) as refused:
        _pay(client(Wire(_error(503, "busy", **{"retry-after": "0"}))))
    assert (refused.value.code, refused.value.retry_after_s) == ("busy", 0)


def test_an_answer_that_is_no_json_is_still_an_error_with_its_status() -> None:
    with pytest.raises(ApiError) as refused:
        _pay(client(Wire(httpx.Response(404, text="<html>"))))
    assert (refused.value.status, refused.value.code) == (404, "http_404")


def test_what_makes_something_new_each_time_is_not_sent_again_where_it_may_have_arrived() -> None:
    wire = Wire(httpx.ReadTimeout("silent"), httpx.Response(201, json={}))
    with pytest.raises(OutcomeUnknown):
        client(wire).create_webhook_endpoint("https://shop.example/hook")
    assert len(wire.sent) == 1
    wire = Wire(httpx.ConnectError("refused"), httpx.Response(201, json={}))
    client(wire).create_webhook_endpoint("https://shop.example/hook")
    assert len(wire.sent) == 2


def test_a_static_code_is_made_once_however_often_it_is_sent() -> None:
    for wanted in ("wall-7", None):
        wire = Wire(httpx.ReadTimeout("silent"), httpx.Response(201, json={}))
        client(wire).create_code(name="Corner Café", idempotency_key=wanted)
        first, second = [request.headers["idempotency-key"] for request in wire.sent]
        assert first == second
        assert wanted in {None, first}


def test_every_sending_is_signed_anew_over_what_is_really_sent() -> None:
    wire = Wire(httpx.ReadTimeout("silent"), httpx.Response(200, json={"object": "list", "data": []}))
    key_id = "key_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
    client(wire, key_id=key_id, signing_secret="s3cret").payments(merchant_order_no="A 1/é", limit=5)
    heads: list[SignedHead] = []
    for request in wire.sent:
        assert "authorization" not in request.headers
        head = read_head({name.lower(): value for name, value in request.headers.raw})
        verify(head, "s3cret", Signable("GET", request.url.raw_path.decode(), request.content), head.timestamp)
        heads.append(head)
    assert heads[0].nonce != heads[1].nonce


@pytest.mark.parametrize("identity", [{}, {"api_key": "a", "key_id": "b"}, {"key_id": "b"}, {"signing_secret": "c"}])
def test_a_client_without_one_clear_identity_is_refused(identity: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="api_key"):
        Client(URL, **identity)  # type: ignore[arg-type]


def test_an_id_cannot_lead_to_another_path() -> None:
    wire = Wire(httpx.Response(200, json=PAYMENT))
    client(wire).payment("../../admin/v1/merchants?x=1")
    assert wire.sent[0].url.raw_path == b"/v1/payments/..%2F..%2Fadmin%2Fv1%2Fmerchants%3Fx%3D1"


def _page(*ids: str, has_more: bool = False) -> httpx.Response:
    return httpx.Response(200, json={"object": "list", "data": [{"id": one} for one in ids], "has_more": has_more})


PAGES = (_page("pay_3", "pay_2", has_more=True), _page("pay_1"))
LIST = calls.payments(status="succeeded", created_from=datetime(2026, 11, 22, tzinfo=UTC), review=False, limit=2)


def test_a_list_is_read_to_its_end_page_by_page() -> None:
    wire = Wire(*PAGES)
    assert [one["id"] for one in client(wire).each(LIST)] == ["pay_3", "pay_2", "pay_1"]
    first, second = [dict(request.url.params) for request in wire.sent]
    assert first == {
        "status": "succeeded",
        "created_from": "2026-11-22T00:00:00+00:00",
        "review": "false",
        "limit": "2",
    }
    assert second == first | {"starting_after": "pay_2"}


async def test_the_asynchronous_client_reads_lists_too() -> None:
    async with AsyncClient(URL, api_key="sk_test_1", transport=httpx.MockTransport(Wire(*PAGES))) as mashang:
        assert [one["id"] async for one in mashang.each(LIST)] == ["pay_3", "pay_2", "pay_1"]


def test_a_time_without_its_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        calls.shift_report(start=datetime(2026, 11, 22))  # noqa: DTZ001  what is tried


def test_a_shift_is_asked_for_with_the_words_of_the_api() -> None:
    wire = Wire(httpx.Response(200, json={}))
    client(wire).shift_report(start="2026-11-21T16:00:00Z", end=datetime(2026, 11, 22, tzinfo=UTC), terminal_id="t-1")
    assert dict(wire.sent[0].url.params) == {
        "from": "2026-11-21T16:00:00Z",
        "to": "2026-11-22T00:00:00+00:00",
        "terminal_id": "t-1",
    }


def test_a_cancelled_payment_is_waited_for_until_it_is_given_back_and_a_refund_until_it_has_its_end() -> None:
    pending = httpx.Response(200, json=PAYMENT | {"reversal": "pending"})
    reversed_ = httpx.Response(200, json=PAYMENT | {"status": "reversed", "reversal": "succeeded"})
    assert client(Wire(pending, reversed_)).await_payment("pay_1")["status"] == "reversed"
    refunds = [httpx.Response(200, json={"id": "ref_1", "status": status}) for status in ("pending", "failed")]
    assert client(Wire(*refunds)).await_refund("ref_1")["status"] == "failed"


def test_waiting_ends_with_its_time_whatever_stands_then() -> None:
    wire = Wire(httpx.Response(200, json=PAYMENT | {"status": "processing"}))
    assert client(wire).await_payment("pay_1", 0.01)["status"] == "processing"
    assert len(wire.sent) == 2


def test_deleting_answers_nothing() -> None:
    wire = Wire(httpx.Response(204))
    client(wire).delete_webhook_endpoint("we_1")
    assert (wire.sent[0].method, wire.sent[0].url.path) == ("DELETE", "/v1/webhook_endpoints/we_1")


def test_a_change_sends_what_is_named_also_null() -> None:
    wire = Wire(httpx.Response(200, json={}))
    client(wire).change_webhook_endpoint("we_1", types=None, status="enabled")
    assert (wire.sent[0].method, json.loads(wire.sent[0].content)) == ("PATCH", {"types": None, "status": "enabled"})


async def test_the_asynchronous_client_sends_and_repeats_the_same() -> None:
    wire = Wire(_error(503, "busy", **{"retry-after": "0"}), httpx.Response(200, json=PAYMENT))
    transport = httpx.MockTransport(wire)
    async with AsyncClient(URL, api_key="sk_test_1", retries=QUICK, transport=transport) as mashang:
        assert await mashang.cancel("pay_1", wait_s=2) == PAYMENT
        assert (await mashang.await_payment("pay_1"))["status"] == "succeeded"
    assert [request.url.path for request in wire.sent] == ["/v1/payments/pay_1/cancel"] * 2 + ["/v1/payments/pay_1"]


def test_the_key_stands_in_no_representation() -> None:
    assert "s3cret" not in repr(vars(client(Wire(httpx.Response(200)), api_key="s3cret")))
