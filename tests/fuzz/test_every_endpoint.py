"""Every operation of the OpenAPI document under arbitrary requests: documented answers, refusals by name, no traces.

The document is the judge of every answer (contract.py): its status, its kind of content, its shape.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.merchants.store import Scope
from tests.fuzz.contract import Operation, operations, refusal_of
from tests.fuzz.shelf import Shelf, absent, fill_shelf
from tests.fuzz.values import (
    HEADER_VALUES,
    INJECTIONS,
    QUOTED,
    TEXTS,
    VALUES,
    Place,
    at,
    bounded,
    changed,
    fields_of,
)
from tests.fuzz.world import World
from tests.support.gateway import GatewayStack
from tests.support.receivers import start_receiver
from tests.support.till import error_of

_JSON: Final = {"Content-Type": "application/json"}
_BODY_BYTES_MAX: Final = 32 * 1024
_FORMS: Final = (
    b"out_trade_no=1&trade_status=TRADE_SUCCESS&total_amount=1.00&sign=AAAA&sign_type=RSA2&app_id=1&seller_id=1",
    b"orderId=1&respCode=00&txnAmt=1&signature=AAAA&signMethod=01&certId=1&version=5.1.0&encoding=UTF-8",
    b"&&==%&%zz=%ff%fe&a=1&a=2",
    b'{"id":"1","event_type":"TRANSACTION.SUCCESS","resource":{"ciphertext":"AAAA","nonce":"1","associated_data":""}}',
)
"""What notifications look like, without proof."""
_RULE_SETS: Final = "POST /admin/v1/risk/rule_sets"
_JUDGES: Final = frozenset(
    {"POST /admin/v1/routing/policy/check", "POST /admin/v1/campaigns/check", f"{_RULE_SETS}/check"}
)
"""Where telling what is wrong is the answer."""
_LISTS: Final = "POST /admin/v1/risk/lists"
_LARGE: Final = frozenset(
    {
        "POST /admin/v1/risk/labels/bulk",
        "POST /admin/v1/risk/models",
        _RULE_SETS,
        f"{_RULE_SETS}/check",
        "PUT /admin/v1/segments/{name}/customers",
        "POST /admin/v1/segments/{name}/customers/remove",
        f"{_LISTS}/{{name}}/entries",
        f"{_LISTS}/{{name}}/entries/remove",
        f"{_LISTS}/{{name}}/imports/{{import_id}}/batches",
    }
)
"""Where more fits into a body."""
_ONLY_READS: Final = frozenset({"POST /v1/quotes"})
"""POST only because it takes much."""
_LAST: Final = ("DELETE ", "/revoke", "/cancel")


class Clerk:
    """Sends requests to operations, and has the document judge every answer."""

    def __init__(self, world: World, shelf: Shelf) -> None:
        self.world = world
        self.shelf = shelf
        document = world.request("GET", "/openapi.json").json()
        self.all = tuple(one for one in operations(document) if not one.path.startswith("/callbacks/"))
        self.callback = next(one for one in operations(document) if one.path.startswith("/callbacks/"))
        self.with_body = tuple(operation for operation in self.all if operation.body is not None)
        self.document = document

    def send(self, operation: Operation, *, path: str | None = None, query: str = "", **request: Any) -> httpx.Response:
        """One request.  A path that leads to no operation is answered as any such path is."""
        address = (path or self.shelf.path(operation)) + query
        headers = {**self.shelf.headers(operation), **request.pop("headers", {})}
        answer = self.world.request(operation.method, address, headers=headers, **request)
        return answer if _is_of_no_operation(answer) else operation.judge(answer)

    def ask(
        self, operation: Operation, headers: Mapping[str, str | bytes] | None = None, *, path: str | None = None
    ) -> httpx.Response:
        """A valid request, but for what is named."""
        content = b"" if operation.body is None else json.dumps(self.shelf.body(operation)).encode()
        return self.send(operation, path=path, content=content, headers={**_JSON, **(headers or {})})

    def post(self, operation: Operation, body: Any, **headers: str) -> httpx.Response:
        """One request with a JSON body; what is refused leaves nothing behind, and says so in the one shape."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        before = self.world.written_by_requests()
        answer = self.send(operation, content=content, headers={**_JSON, **headers})
        if answer.is_client_error:
            refusal_of(answer)
            assert self.world.written_by_requests() == before, f"{operation} wrote something: {answer.text}"
        elif operation.path == "/v1/webhook_endpoints":  # a merchant has sixteen
            self.world.request("DELETE", f"{operation.path}/{answer.json()['id']}")
        elif str(operation) == _LISTS:  # there are a hundred
            path, headers = f"{operation.path}/{answer.json()['name']}", self.shelf.headers(operation)
            assert self.world.request("DELETE", path, headers=headers).status_code == 200
        return answer


def _is_of_no_operation(answer: httpx.Response) -> bool:
    """Whether the path led nowhere, or what came was no HTTP."""
    if not answer.is_client_error or answer.headers.get("content-type") != "application/json":
        return False
    error = answer.json().get("error") or {"code": "a channel's words", "message": ""}
    no_http = (error["code"], error["message"]) == ("invalid_request", "Invalid HTTP request received.")
    return no_http or error["code"] in {"no_such_path", "method_not_allowed"}


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Channels that tell, webhooks to this machine, and callers whose address a proxy names."""
    settings = {"MASHANG_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8", "MASHANG_TRUSTED_PROXIES": "1"}
    return {"callbacks": True, "settings": settings}


@pytest.fixture(scope="module")
def clerk(world: World, stack: GatewayStack) -> Iterator[Clerk]:
    """With one of everything on the shelf."""
    with start_receiver() as receiver:
        shelf = world.run(fill_shelf(stack, world.till, receiver.url))
        yield Clerk(world, shelf)
        world.run(shelf.customer.client.aclose())


def test_every_operation_answers_a_valid_request_as_its_document_says(clerk: Clerk) -> None:
    last = [operation for operation in clerk.all if any(mark in str(operation) for mark in _LAST)]
    for operation in [*(one for one in clerk.all if one not in last), *last]:
        answer = clerk.ask(operation)
        assert answer.status_code < 400, f"{operation}: {answer.status_code} {answer.text}"


def test_without_a_key_nothing_but_the_public_pages_answers(clerk: Clerk) -> None:
    before = clerk.world.written_by_requests()
    for operation in clerk.all:
        for authorization in ("", "Bearer", "Bearer sk_test_nobody", "Basic Og==", "Bearer \xff"):
            if not operation.is_public:
                error_of(clerk.ask(operation, {"Authorization": authorization.encode("latin-1")}), 401)
    assert clerk.world.written_by_requests() == before


def test_a_key_that_may_only_read_changes_nothing(clerk: Clerk, stack: GatewayStack) -> None:
    reader = f"Bearer {stack.new_key(stack.shop, frozenset({Scope.READ})).secret}"
    before = clerk.world.written_by_requests()
    for operation in clerk.all:
        if operation.method != "GET" and not operation.is_public and not operation.is_admin:
            answer = clerk.ask(operation, {"Authorization": reader})
            if str(operation) in _ONLY_READS:
                assert answer.status_code == 200, answer.text
            else:
                error_of(answer, 403, "scope_missing")
    assert clerk.world.written_by_requests() == before


def test_another_merchant_finds_nothing_by_any_id(clerk: Clerk, stack: GatewayStack) -> None:
    stranger = f"Bearer {stack.new_shop('stranger').key.secret}"
    before = clerk.world.written_by_requests()
    for operation in clerk.all:
        if operation.is_public or operation.is_admin:
            continue
        if operation.parameters("path") or operation.path == "/v1/refunds":
            answer = clerk.ask(operation, {"Authorization": stranger})
            found = answer.json().get("data") if operation.method == "GET" else None
            assert answer.status_code == 404 or found == [], f"{operation}: {answer.status_code} {answer.text}"
        elif operation.method == "GET" and operation.path != "/v1/shift_report":
            assert clerk.ask(operation, {"Authorization": stranger}).json()["data"] == [], operation
    assert clerk.world.written_by_requests() == before


def test_what_is_not_there_is_a_404_that_names_the_place(clerk: Clerk) -> None:
    for operation in clerk.all:
        for name in operation.parameters("path"):
            if name in {"kind", "wallet"} or str(operation) in {"POST /q/{token}", "GET /q/{token}/back/{wallet}"}:
                continue  # these choose among what is there, or look nothing up
            if name in {"store_id", "name"} and operation.method == "PUT":
                continue  # it is made
            answer = clerk.ask(operation, path=clerk.shelf.path(operation, **{name: absent(name)}))
            assert answer.status_code == 404, f"{operation} {name}: {answer.status_code} {answer.text}"
            refusal_of(answer)


HOSTILE: Final = {
    "nothing": b"",
    "half an object": b"{",
    "a list": b"[]",
    "null": b"null",
    "a text": b'"x"',
    "a number": b"1e309",
    "NaN": b"NaN",
    "no text": b"\xff\xfe{\x00}\x00",
    "UTF-16": "{}".encode("utf-16"),
    "a NUL": b'{"a": "\x00"}',
    "an unknown field": b'{"surprise": 1}',
    "an unnamed field": b'{"": 1}',
    "a field without end": json.dumps({"f" * 20_000: 1}).encode(),
    "half a surrogate as a name": b'{"\\ud800": 1}',
    "lists in lists": b"[" * 30_000,
    "objects in objects": b'{"a":' * 6_000,
    "closed lists in lists": b"[" * 15_000 + b"]" * 15_000,
    "a deep field": b'{"metadata":' + b'{"a":' * 3_000 + b"1" + b"}" * 3_000 + b"}",
    "a deep setting": b'{"settings":' + b'{"a":' * 600 + b"1" + b"}" * 600 + b"}",
    "a setting that is deep and there": b'{"settings": {"rhythm":' + b"[" * 600 + b"]" * 600 + b"}}",
    "2,600 keys": json.dumps({f"k{number}": 1 for number in range(2_600)}).encode(),
    "10,000 keys": json.dumps({f"k{number}": 1 for number in range(10_000)}).encode(),
    "too much": b'{"a": "' + b"x" * _BODY_BYTES_MAX + b'"}',
    "a number without end": b'{"amount": ' + b"9" * 20_000 + b"}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_is_refused_everywhere(clerk: Clerk, name: str) -> None:
    for operation in clerk.with_body:
        if name == "nothing" and not operation.spec["requestBody"].get("required"):
            continue
        answer = clerk.post(operation, HOSTILE[name])
        if str(operation) in _JUDGES and answer.is_success:
            assert not answer.json()["valid"], name
            continue
        assert answer.status_code in {400, 413}, f"{operation}: {answer.status_code} {answer.text}"
        if str(operation) not in _LARGE:
            assert (answer.status_code == 413) == (len(HOSTILE[name]) > _BODY_BYTES_MAX)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/jsonp"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "identity"}, 415),
    ],
    ids=str,
)
def test_another_kind_of_content_is_refused_everywhere(clerk: Clerk, headers: dict[str, str], status: int) -> None:
    for operation in clerk.with_body:
        answer = clerk.post(operation, clerk.shelf.body(operation), **headers)
        error_of(answer, status, param=next(iter(headers)))


@bounded(250, per_minute=400)
@given(data=st.data())
def test_any_value_in_any_field_is_taken_as_it_is_or_refused_by_name(clerk: Clerk, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(clerk.with_body))
    base = clerk.shelf.body(operation)
    assert operation.body is not None
    place = data.draw(st.sampled_from(sorted(set(fields_of(operation.body, clerk.document, base)))))
    value = data.draw(VALUES)
    answer = clerk.post(operation, changed(base, place, value))
    if answer.status_code == 400:
        error = answer.json()["error"]
        if error["code"] not in {"invalid_json", "missing_field", "unknown_sale", "not_own_page"}:
            assert error["param"].partition(".")[0] == place[0], f"{operation} {place}: {error}"
    elif answer.is_success and isinstance(value, str) and isinstance(shown := at(answer.json(), place), str):
        assert shown == value, f"{operation} keeps {place} as {shown!r} instead of {value!r}"


@bounded(120, per_minute=200)
@given(data=st.data())
def test_any_mixture_of_fields_is_taken_or_refused(clerk: Clerk, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(clerk.with_body))
    base = clerk.shelf.body(operation)
    fields = st.sampled_from(sorted(base)) | TEXTS
    clerk.post(operation, {**base, **data.draw(st.dictionaries(fields, VALUES, max_size=4))})


@bounded(120, per_minute=200)
@given(data=st.data(), body=VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200))
def test_any_body_is_taken_or_refused(clerk: Clerk, data: st.DataObject, body: bytes) -> None:
    operation = data.draw(st.sampled_from(clerk.all))
    if operation.body is not None:
        clerk.post(operation, body)
    elif operation.method != "GET":
        clerk.send(operation, content=body, headers=_JSON)


@bounded(150, per_minute=250)
@given(data=st.data(), value=QUOTED | st.datetimes().map(lambda moment: moment.isoformat() + "Z"))
def test_any_parameter_is_taken_or_refused_by_name(clerk: Clerk, data: st.DataObject, value: str) -> None:
    operation = data.draw(st.sampled_from([one for one in clerk.all if one.method == "GET"]))
    name = data.draw(st.sampled_from([*operation.parameters("query"), "surprise", "limit"]))
    answer = clerk.send(operation, query=f"?{name}={value}&{name}={value}")
    if answer.status_code == 400 and (error := refusal_of(answer)) is not None:
        assert error["param"] == name, f"{operation} {name}: {error}"


@bounded(150, per_minute=250)
@given(data=st.data(), piece=QUOTED)
def test_any_piece_of_a_path_is_refused(clerk: Clerk, data: st.DataObject, piece: str) -> None:
    assume(piece not in {"", ".", ".."})  # the client itself resolves these
    operation = data.draw(st.sampled_from([one for one in clerk.all if one.parameters("path")]))
    name = data.draw(st.sampled_from(operation.parameters("path")))
    path = clerk.shelf.path(operation, **{name: piece})
    answer = clerk.send(operation, path=path)
    if answer.is_client_error:
        refusal_of(answer)


@bounded(150, per_minute=250)
@given(data=st.data(), value=HEADER_VALUES)
def test_any_header_is_taken_or_refused(clerk: Clerk, data: st.DataObject, value: bytes) -> None:
    operation = data.draw(st.sampled_from(clerk.all))
    name = data.draw(
        st.sampled_from(
            ["Idempotency-Key", "Prefer", "Authorization", "Accept", "Accept-Language", "User-Agent", "Cookie",
             "Origin", "Sec-Fetch-Site", "X-Forwarded-For", "Mashang-Key", "Mashang-Timestamp", "Mashang-Nonce",
             "Mashang-Signature", "Range"]
        )
    )  # fmt: skip
    answer = clerk.ask(operation, {name: value})
    if answer.is_client_error and not _is_of_no_operation(answer):
        refusal_of(answer)


@pytest.mark.parametrize("text", INJECTIONS, ids=lambda text: ascii(text)[:30])
def test_free_text_is_stored_exactly_or_refused(clerk: Clerk, text: str) -> None:
    places: dict[str, list[Place]] = {
        "POST /v1/payments": [("metadata", "a"), ("description",), ("customer", "id")],
        "POST /v1/refunds": [("metadata", "a"), ("reason",)],
        "POST /v1/codes": [("metadata", "a"), ("name",), ("description",)],
        "POST /v1/webhook_endpoints": [("description",)],
        "POST /admin/v1/merchants": [("name",)],
        "PATCH /admin/v1/merchants/{merchant_id}": [("name",)],
    }
    for operation in clerk.with_body:
        for place in places.get(str(operation), []):
            answer = clerk.post(operation, changed(clerk.shelf.body(operation), place, text))
            if answer.status_code == 400:
                assert answer.json()["error"]["param"] in {".".join(place), place[0], "body"}, answer.text
            else:
                shown = at(answer.json(), place)
                assert shown == text or (shown is None and operation.path == "/v1/payments"), f"{operation} {place}"


@bounded(150, per_minute=250)
@given(
    channel=st.sampled_from(["wechat", "alipay", "unionpay"]) | QUOTED,
    body=st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()) | st.sampled_from(_FORMS),
    name=st.sampled_from(["Content-Type", "Wechatpay-Signature", "Wechatpay-Timestamp", "Wechatpay-Serial", "X-Other"]),
    value=HEADER_VALUES,
)
def test_anything_at_all_that_is_no_notification_is_refused_and_leaves_nothing(
    clerk: Clerk, channel: str, body: bytes, name: str, value: bytes
) -> None:
    assume(channel not in {"", ".", ".."})
    before = clerk.world.written_by_requests()
    path = f"/callbacks/{channel}/{channel}_direct"
    answer = clerk.send(clerk.callback, path=path, content=body, headers={name: value})
    assert answer.is_client_error, answer.text
    assert b"success" not in answer.content.lower()
    assert clerk.world.written_by_requests() == before
