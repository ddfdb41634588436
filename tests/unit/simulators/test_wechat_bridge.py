"""The stand-in of WeixinJSBridge: what the merchant did not sign is not shown, and paying takes the money once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from routing.simulators.channel import HttpAnswer, Visit
from routing.simulators.provision import Provision
from routing.simulators.wallet import payer_named
from tests.unit.simulators.in_process import Bench, bench_of, browse
from tests.unit.simulators.wechat_till import WechatTill

OPENID = "oSim" + payer_named("alice")


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> AsyncIterator[Bench]:
    with bench_of("wechat_direct", provisioned, tmp_path, merchant_name="测试<b>店") as found:
        yield found


def ask(bench: Bench, what: str, parameters: object) -> tuple[HttpAnswer, dict[str, Any]]:
    answer = bench.visit(browse("POST", f"/_simulator/bridge/{what}", json.dumps(parameters).encode()))
    document: dict[str, Any] = json.loads(answer.body)
    return answer, document


def opened(bench: Bench) -> tuple[WechatTill, str, dict[str, str]]:
    """A page order: its till, its number, and what the page hands to the bridge."""
    till = bench.till
    assert isinstance(till, WechatTill)
    number = till.order_no()
    return till, number, till.call_up(till.jsapi(number, 2_599, OPENID).fields["prepay_id"])


async def test_the_sheet_shows_the_order_and_paying_takes_the_money_once(bench: Bench) -> None:
    till, number, parameters = opened(bench)
    answer, order = ask(bench, "open", parameters)
    assert order == {"merchant": "测试<b>店", "description": "拿铁", "amount": "¥25.99", "status": "open"}
    assert (b"Access-Control-Allow-Origin", b"*") in answer.headers
    assert till.query(number).state == "open"
    assert ask(bench, "pay", parameters)[1]["status"] == "captured"
    assert ask(bench, "pay", parameters)[1]["error"] == "paid"
    paid = till.query(number)
    assert (paid.state, paid.fields["payer"]["openid"]) == ("captured", OPENID)


@pytest.mark.parametrize(
    "changes",
    [
        {"appId": "wx0"},
        {"timeStamp": "1"},
        {"timeStamp": "soon"},
        {"nonceStr": "x"},
        {"package": "prepay_id=wx0"},
        {"package": "wx0"},
        {"signType": "MD5"},
        {"paySign": "AAAA"},
        {"paySign": "?"},
        {"paySign": ""},
    ],
)
async def test_what_the_merchant_did_not_sign_is_neither_shown_nor_paid(bench: Bench, changes: dict[str, str]) -> None:
    till, number, parameters = opened(bench)
    for what in ("open", "pay"):
        assert "error" in ask(bench, what, parameters | changes)[1]
    assert till.query(number).state == "open"


@pytest.mark.parametrize("parameters", [[], "x", {}, {"appId": 1}, None])
async def test_what_cannot_be_read_is_refused(bench: Bench, parameters: object) -> None:
    assert "error" in ask(bench, "pay", parameters)[1]


async def test_a_closed_order_and_a_code_do_not_open_in_the_sheet(bench: Bench) -> None:
    till, number, parameters = opened(bench)
    till.close(number)
    assert ask(bench, "pay", parameters)[1]["error"] == "closed"
    code = till.native(till.order_no(), 100).fields["code_url"]
    assert "error" in ask(bench, "pay", till.call_up(code))[1]


async def test_a_call_up_signed_with_the_next_key_of_a_rotation_is_good(bench: Bench, provisioned: Provision) -> None:
    till, _, parameters = opened(bench)
    rotated = next(seed.settings for seed in provisioned.rotated if seed.id == "wechat_direct")
    after = WechatTill(rotated, till.wire, till.now_s).call_up(parameters["package"].removeprefix("prepay_id="))
    assert ask(bench, "open", after)[1]["amount"] == "¥25.99"


async def test_the_script_may_be_loaded_by_any_page_and_posts_from_there_are_allowed(bench: Bench) -> None:
    script = bench.visit(browse("GET", "/_simulator/bridge.js"))
    assert (script.status, b"WeixinJSBridgeReady" in script.body) == (200, True)
    assert (b"Content-Type", b"text/javascript; charset=utf-8") in script.headers
    preflight = bench.visit(browse("OPTIONS", "/_simulator/bridge/pay"))
    assert (preflight.status, (b"Access-Control-Allow-Origin", b"*") in preflight.headers) == (204, True)
    assert bench.channel.visit(browse("GET", "/_simulator/bridge/pay")) is None


async def test_only_paying_can_cause_a_notification(bench: Bench) -> None:
    _, number, parameters = opened(bench)
    body = json.dumps(parameters).encode()
    pay = bench.channel.visit(browse("POST", "/_simulator/bridge/pay", body))
    look = bench.channel.visit(browse("POST", "/_simulator/bridge/open", body))
    assert isinstance(pay, Visit)
    assert isinstance(look, Visit)
    assert (pay.order_no, look.order_no) == (number, "")
