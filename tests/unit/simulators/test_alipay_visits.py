"""A customer's browser at the Alipay simulator: who they are, and paying at the app's bridge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from routing.simulators.channel import HttpAnswer
from routing.simulators.provision import Provision
from tests.unit.simulators.alipay_till import AlipayTill
from tests.unit.simulators.in_process import Bench, bench_of, browse

AUTHORIZE = "/oauth2/publicAppAuthorize.htm?"
BACK = "https://pay.example.com/q/abc?x=1"
BRIDGE = "/_simulator/bridge/trade"


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> Iterator[Bench]:
    with bench_of("alipay_direct", provisioned, tmp_path) as made:
        yield made


@pytest.fixture
def till(bench: Bench) -> AlipayTill:
    assert isinstance(bench.till, AlipayTill)
    return bench.till


def authorize(bench: Bench, cookie: str = "", **changes: str) -> HttpAnswer:
    query = {
        "app_id": bench.till.settings["app_id"], "scope": "auth_base", "redirect_uri": BACK, "state": "s t&1",
    } | changes  # fmt: skip
    return bench.visit(browse("GET", AUTHORIZE + urlencode(query), cookie=cookie))


def header(answer: HttpAnswer, name: bytes) -> str:
    return next((value.decode() for found, value in answer.headers if found == name), "")


def code_in(answer: HttpAnswer) -> str:
    assert answer.status == 302
    return dict(parse_qsl(urlsplit(header(answer, b"Location")).query))["auth_code"]


async def test_the_browser_comes_back_with_a_code_and_its_state(bench: Bench) -> None:
    answer = authorize(bench)
    place = urlsplit(header(answer, b"Location"))
    query = dict(parse_qsl(place.query))
    assert (answer.status, place.netloc, place.path) == (302, "pay.example.com", "/q/abc")
    assert (query["x"], query["state"], query["scope"]) == ("1", "s t&1", "auth_base")
    assert query["app_id"] == bench.till.settings["app_id"]
    assert len(query["auth_code"]) == 32


async def test_without_a_state_none_comes_back(bench: Bench, till: AlipayTill) -> None:
    query = {"app_id": till.settings["app_id"], "scope": "auth_user", "redirect_uri": BACK}
    place = header(bench.visit(browse("GET", AUTHORIZE + urlencode(query))), b"Location")
    assert "state" not in place
    assert "scope=auth_user" in place


@pytest.mark.parametrize(
    "changes",
    [
        {"app_id": "2021000000000000"},
        {"scope": "auth_everything"},
        {"scope": ""},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "/q/abc"},
        {"redirect_uri": "https://pay.example.com/\r\nSet-Cookie: a=b"},
    ],
)
async def test_a_request_that_is_wrong_gets_no_code(bench: Bench, changes: dict[str, str]) -> None:
    answer = authorize(bench, **changes)
    assert (answer.status, header(answer, b"Location")) == (400, "")


async def test_a_code_tells_once_who_the_customer_is(bench: Bench, till: AlipayTill) -> None:
    code = code_in(authorize(bench, payer="alice"))
    answer = till.token(code)
    assert answer.seal == "good"
    assert answer.raw.body.startswith(b'{"alipay_system_oauth_token_response":{"user_id":"2088')
    assert "code" not in answer.fields
    again = till.token(code)
    assert (again.code, again.fields["code"], again.seal) == ("isv.code-invalid", "40002", "good")
    assert again.raw.body.startswith(b'{"error_response":')
    for name in ("user_id", "open_id"):
        assert till.token(code_in(authorize(bench, payer="alice"))).fields[name] == answer.fields[name]
        assert till.token(code_in(authorize(bench, payer="bob"))).fields[name] != answer.fields[name]


async def test_a_browser_is_the_same_customer_by_its_cookie(bench: Bench, till: AlipayTill) -> None:
    first = authorize(bench)
    cookie = header(first, b"Set-Cookie").partition(";")[0]
    second = authorize(bench, cookie=cookie)
    users = [till.token(code_in(answer)).fields["user_id"] for answer in (first, second, authorize(bench))]
    assert users[0] == users[1] != users[2]


async def test_codes_are_good_for_five_minutes_and_for_nothing_else(bench: Bench, till: AlipayTill) -> None:
    late = code_in(authorize(bench))
    bench.pass_time(301)
    assert till.token(late).code == "isv.code-invalid"
    assert till.token("").code == "isv.code-invalid"
    assert till.token(code_in(authorize(bench)), grant_type="refresh_token").code == "isv.grant-type-invalid"


async def test_who_was_identified_pays_in_the_page(bench: Bench, till: AlipayTill) -> None:
    named = till.token(code_in(authorize(bench, payer="alice"))).fields
    by_user, by_open_id = till.order_no(), till.order_no()
    till.create(by_user, 1280, named["user_id"])
    till.call("alipay.trade.create", till.order(by_open_id, 1280, buyer_open_id=named["open_id"]))
    for number in (by_user, by_open_id):
        fields = till.query(number).fields
        assert (fields["buyer_user_id"], fields["buyer_open_id"]) == (named["user_id"], named["open_id"])


def at_the_bridge(bench: Bench, trade_no: object, action: str) -> dict[str, str]:
    answer = bench.visit(browse("POST", BRIDGE, json.dumps({"trade_no": trade_no, "action": action}).encode()))
    assert header(answer, b"Access-Control-Allow-Origin") == "*"
    found: dict[str, str] = json.loads(answer.body)
    return found


async def test_the_bridge_shows_the_order_and_pays_it(bench: Bench, till: AlipayTill) -> None:
    number = till.order_no()
    trade_no = till.create(number, 1280, "2088102169481075").fields["trade_no"]
    assert at_the_bridge(bench, trade_no, "scan") == {"amount": "12.80", "subject": "豆浆油条"}
    assert till.query(number).state == "pending"
    assert at_the_bridge(bench, trade_no, "pay") == {"result_code": "9000"}
    assert till.query(number).state == "captured"
    assert at_the_bridge(bench, trade_no, "pay") == {"result_code": "4000"}


async def test_the_bridge_says_what_does_not_work(bench: Bench, till: AlipayTill) -> None:
    waiting = till.create(till.order_no(), 100, "2088102169481075").fields["trade_no"]
    bench.holder.set({"kind": "ask_pin", "calls": ["scan"]})
    assert at_the_bridge(bench, waiting, "pay") == {"result_code": "8000"}
    bench.holder.set({"kind": "decline", "calls": ["scan"], "code": "risk"})
    declined = till.create(till.order_no(), 100, "2088102169481075").fields["trade_no"]
    assert at_the_bridge(bench, declined, "pay") == {"result_code": "4000"}
    shown = till.precreate(till.order_no(), 100).fields["qr_code"]
    for trade_no, action in ((shown, "pay"), ("1" * 28, "scan"), (7, "pay"), (waiting, "dance"), (waiting, "decline")):
        assert at_the_bridge(bench, trade_no, action) == {"result_code": "4000"}
    assert [trade.status for trade in bench.books.trades(0, 10)] == ["open"] * 3


async def test_the_bridge_is_a_script_for_pages_of_any_origin(bench: Bench) -> None:
    answer = bench.visit(browse("GET", "/_simulator/bridge.js"))
    assert (answer.status, header(answer, b"Content-Type")) == (200, "text/javascript; charset=utf-8")
    assert b"AlipayJSBridgeReady" in answer.body
    assert bench.visit(browse("OPTIONS", BRIDGE)).status == 204
    assert bench.channel.visit(browse("GET", "/_simulator/other.js")) is None
