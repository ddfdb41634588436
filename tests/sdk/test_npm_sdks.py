"""Both wallets' simulators driven with npm SDKs, alipay-sdk 4.14.0 and wechatpay-axios-plugin 0.9.6, where npm is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sdk.customers import Server, at_the_bridge, document_of, openid_of, wechat_call_up
from tests.sdk.harness import Counter, Sdk, npm_driver, opened_sdk
from tests.sdk.merchants import WECHAT_MODES, wechat_npm_merchant
from tests.support.channels import Simulators
from tests.support.receivers import Receiver

pytestmark = pytest.mark.sdk


@pytest.fixture(scope="module")
def wechat(simulators: Simulators) -> Counter:
    return Counter("wechat", simulators)


@pytest.fixture(scope="module")
def server(wechat: Counter, receiver: Receiver) -> Server:
    return Server(wechat, receiver)


@pytest.fixture(scope="module")
def alipay_sdk(alipay: Counter) -> Iterator[Sdk]:
    with opened_sdk(npm_driver(), alipay.settings | {"sdk": "alipay"}) as opened:
        yield opened


@pytest.fixture(scope="module", params=WECHAT_MODES)
def wechat_sdk(request: pytest.FixtureRequest, wechat: Counter) -> Iterator[Sdk]:
    with opened_sdk(npm_driver(), wechat_npm_merchant(wechat.settings, request.param)) as opened:
        yield opened


def wechat_sale(counter: Counter, order_no: str, magic: str | None = None) -> dict[str, Any]:
    return {
        "appid": counter.settings["appid"],
        "mchid": counter.settings["mchid"],
        "description": "热拿铁 latte",
        "out_trade_no": order_no,
        "payer": {"auth_code": counter.code(magic)},
        "amount": {"total": 2599, "currency": "CNY"},
        "scene_info": {"store_info": {"id": "s-1"}},
    }


def wechat_order(counter: Counter, server: Server, order_no: str, **more: Any) -> dict[str, Any]:
    return {
        "appid": counter.settings["appid"],
        "mchid": counter.settings["mchid"],
        "description": "热拿铁 latte",
        "out_trade_no": order_no,
        "notify_url": server.address(order_no),
        "amount": {"total": 2599, "currency": "CNY"},
        **more,
    }


def alipay_sale(counter: Counter, order_no: str) -> dict[str, Any]:
    return {
        "out_trade_no": order_no,
        "scene": "bar_code",
        "auth_code": counter.code(),
        "subject": "热拿铁 latte",
        "total_amount": "25.99",
    }


def test_a_wechat_payment_succeeds_and_the_query_confirms_it(wechat_sdk: Sdk, wechat: Counter) -> None:
    order_no = wechat.order_no()
    paid = wechat_sdk.ask("pay", sale=wechat_sale(wechat, order_no))
    assert (paid["status"], paid["body"]["trade_state"]) == (200, "SUCCESS")
    assert wechat_sdk.ask("query", order_no=order_no) == paid
    assert wechat.trade(order_no)["status"] == "captured"


def test_a_wechat_customer_who_must_type_a_pin_is_waited_for(wechat_sdk: Sdk, wechat: Counter) -> None:
    order_no = wechat.order_no()
    wechat.fault("ask_pin", order_no, never=True)
    waiting = wechat_sdk.ask("pay", sale=wechat_sale(wechat, order_no))
    assert (waiting["status"], waiting["body"]["code"]) == (202, "USERPAYING")


def test_a_wechat_refusal_comes_with_its_code(wechat_sdk: Sdk, wechat: Counter) -> None:
    refused = wechat_sdk.ask("pay", sale=wechat_sale(wechat, wechat.order_no(), "9001"))
    assert (refused["status"], refused["body"]["code"]) == (403, "NOT_ENOUGH")


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("badly_signed_answer", "EV3_RES_HEADER_SIGNATURE_DIGEST"),
        ("unsigned_answer", "EV3_RES_HEADERS_INCOMPLATE"),
    ],
)
def test_the_wechat_sdk_raises_on_an_answer_that_is_not_wechats(
    wechat_sdk: Sdk, wechat: Counter, fault: str, raised: str
) -> None:
    order_no = wechat.order_no()
    wechat.fault(fault, order_no)
    assert wechat_sdk.call("pay", sale=wechat_sale(wechat, order_no)).raised == raised
    assert wechat.trade(order_no)["status"] == "captured"


def test_a_wechat_code_is_closed_with_204(wechat_sdk: Sdk, wechat: Counter, server: Server) -> None:
    order_no = wechat.order_no()
    shown = wechat_sdk.ask("native", sale=wechat_order(wechat, server, order_no))
    assert (shown["status"], shown["body"]["code_url"][:10]) == (200, "weixin://w")
    for _ in range(2):
        assert wechat_sdk.ask("close", order_no=order_no)["status"] == 204
    assert wechat_sdk.ask("query", order_no=order_no)["body"]["trade_state"] == "CLOSED"


def test_a_wechat_bar_code_order_is_reversed(wechat_sdk: Sdk, wechat: Counter) -> None:
    order_no = wechat.order_no()
    wechat_sdk.ask("pay", sale=wechat_sale(wechat, order_no))
    assert wechat_sdk.ask("reverse", order_no=order_no)["status"] == 200
    assert wechat_sdk.ask("query", order_no=order_no)["body"]["trade_state"] == "REVOKED"
    assert wechat.trade(order_no)["refunded"] == 2599


def test_a_wechat_page_is_paid_with_the_call_up_that_the_sdk_signs(
    wechat_sdk: Sdk, wechat: Counter, server: Server
) -> None:
    order_no, payer = wechat.order_no(), {"openid": openid_of(wechat, "alice")}
    ordered = wechat_sdk.ask("jsapi", sale=wechat_order(wechat, server, order_no, payer=payer))
    prepay_id, timestamp, nonce = ordered["body"]["prepay_id"], "1795322607", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"
    text = f"{wechat.settings['appid']}\n{timestamp}\n{nonce}\nprepay_id={prepay_id}\n"
    called = wechat_call_up(wechat, prepay_id, wechat_sdk.ask("call_up", text=text), timestamp, nonce)
    assert at_the_bridge(wechat, "pay", called)["status"] == "captured"
    assert wechat_sdk.ask("query", order_no=order_no)["body"]["payer"] == payer


def test_a_wechat_refund_is_accepted_done_and_told(wechat_sdk: Sdk, wechat: Counter, server: Server) -> None:
    order_no, refund_no = wechat.order_no(), wechat.order_no()
    wechat_sdk.ask("pay", sale=wechat_sale(wechat, order_no))
    refund = {
        "out_trade_no": order_no,
        "out_refund_no": refund_no,
        "notify_url": server.address(refund_no),
        "amount": {"refund": 600, "total": 2599, "currency": "CNY"},
    }
    accepted = wechat_sdk.ask("refund", refund=refund)
    assert (accepted["status"], accepted["body"]["status"]) == (200, "PROCESSING")
    server.told(refund_no)
    found = wechat_sdk.ask("query_refund", refund_no=refund_no)["body"]
    assert (found["status"], found["amount"]["refund"]) == ("SUCCESS", 600)


def test_the_link_to_a_wechat_bill_is_signed(wechat_sdk: Sdk, wechat: Counter) -> None:
    paid = wechat_sdk.ask("pay", sale=wechat_sale(wechat, wechat.order_no()))
    offered = wechat_sdk.ask("trade_bill", day=paid["body"]["success_time"][:10])
    assert offered["status"] == 200
    assert offered["body"]["download_url"].startswith(wechat.settings["base_url"])


@pytest.mark.parametrize("mode", WECHAT_MODES)
def test_what_wechat_tells_is_verified_and_opened(mode: str, wechat_sdk_of_mode: tuple[Sdk, Counter, Server]) -> None:
    sdk, counter, server = wechat_sdk_of_mode
    order_no = counter.order_no()
    shown = sdk.ask("native", sale=wechat_order(counter, server, order_no))
    counter.simulators.scan("wechat", shown["body"]["code_url"])
    opened = sdk.ask("callback", **document_of(server.told(order_no)))
    assert opened == sdk.ask("query", order_no=order_no)["body"]
    for forging in ({"tamper": "signature"}, {"signtest": True}):
        assert sdk.ask("callback", **document_of(server.sent_again(order_no, order_no, **forging))) is None
    sent = document_of(server.told(order_no))
    changed = sent["body"].replace("TRANSACTION.SUCCESS", "TRANSACTION.FAILED")
    assert sdk.ask("callback", headers=sent["headers"], body=changed) is None


@pytest.fixture
def wechat_sdk_of_mode(
    mode: str, request: pytest.FixtureRequest, receiver: Receiver
) -> Iterator[tuple[Sdk, Counter, Server]]:
    """The SDK at the simulator that tells such a merchant by the key of its mode."""
    name = "simulators" if mode == "public_key" else "certificate_simulators"
    counter = Counter("wechat", request.getfixturevalue(name))
    with opened_sdk(npm_driver(), wechat_npm_merchant(counter.settings, mode)) as opened:
        yield opened, counter, Server(counter, receiver)


def test_an_alipay_trade_is_paid_found_refunded_and_cancelled(alipay_sdk: Sdk, alipay: Counter) -> None:
    order_no = alipay.order_no()
    paid = alipay_sdk.ask("pay", **alipay_sale(alipay, order_no))
    assert (paid["code"], paid["total_amount"]) == ("10000", "25.99")
    number = {"out_trade_no": order_no}
    found = alipay_sdk.ask("query", **number)
    assert (found["trade_status"], found["trade_no"]) == ("TRADE_SUCCESS", paid["trade_no"])
    refund = number | {"out_request_no": alipay.order_no(), "refund_amount": "6.00"}
    refunded = alipay_sdk.ask("refund", **refund)
    assert (refunded["fund_change"], refunded["refund_fee"]) == ("Y", "6.00")
    cancelled = alipay_sdk.ask("cancel", **number)
    assert (cancelled["action"], cancelled["retry_flag"]) == ("refund", "N")
    assert sorted(entry["amount"] for entry in alipay.refunds(order_no)) == [600, 1999]


def test_an_alipay_failure_is_signed_too(alipay_sdk: Sdk, alipay: Counter) -> None:
    missing = alipay_sdk.ask("query", out_trade_no=alipay.order_no())
    assert (missing["code"], missing["sub_code"]) == ("40004", "ACQ.TRADE_NOT_EXIST")


@pytest.mark.parametrize("fault", ["badly_signed_answer", "unsigned_answer"])
def test_the_alipay_sdk_raises_on_an_answer_that_is_not_alipays(alipay_sdk: Sdk, alipay: Counter, fault: str) -> None:
    order_no = alipay.order_no()
    alipay.fault(fault, order_no)
    outcome = alipay_sdk.call("pay", **alipay_sale(alipay, order_no))
    assert outcome.raised is not None
    assert alipay.trade(order_no)["status"] == "captured"
