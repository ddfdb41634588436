"""The WeChat Pay simulator's codes and pages driven with wechatpayv3 2.0.4: native, jsapi, call-up, close."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sdk.customers import Server, at_the_bridge, openid_of, wechat_call_up
from tests.sdk.harness import Counter, Sdk, opened_sdk, python_driver
from tests.sdk.merchants import WECHAT_MODES, wechat_merchant
from tests.support.channels import Simulators
from tests.support.receivers import Receiver

pytestmark = pytest.mark.sdk


@pytest.fixture(scope="module")
def counter(simulators: Simulators) -> Counter:
    return Counter("wechat", simulators)


@pytest.fixture(scope="module")
def server(counter: Counter, receiver: Receiver) -> Server:
    return Server(counter, receiver)


@pytest.fixture(scope="module", params=WECHAT_MODES)
def sdk(request: pytest.FixtureRequest, counter: Counter) -> Iterator[Sdk]:
    settings = wechat_merchant(counter.settings, request.param)
    with opened_sdk(python_driver("wechat", "wechat_sdk.py"), settings) as opened:
        yield opened


def native(sdk: Sdk, server: Server, order_no: str, amount: int = 2599) -> dict[str, Any]:
    address = server.address(order_no)
    answer: dict[str, Any] = sdk.ask("native", order_no=order_no, amount=amount, notify_url=address)
    return answer


def test_a_code_is_scanned_and_paid(sdk: Sdk, counter: Counter, server: Server) -> None:
    order_no = counter.order_no()
    shown = native(sdk, server, order_no)
    assert shown["status"] == 200
    assert list(shown["body"]) == ["code_url"]
    unpaid = sdk.ask("query", order_no=order_no)
    assert (unpaid["body"]["trade_state"], "transaction_id" in unpaid["body"]) == ("NOTPAY", False)

    assert counter.simulators.scan("wechat", shown["body"]["code_url"])["status"] == "captured"
    paid = sdk.ask("query", order_no=order_no)
    assert (paid["body"]["trade_state"], paid["body"]["trade_type"]) == ("SUCCESS", "NATIVE")
    assert paid["body"]["amount"]["payer_total"] == 2599
    trade = counter.trade(order_no)
    assert (trade["status"], trade["method"], trade["amount"]) == ("captured", "code", 2599)


def test_the_same_number_again_gives_a_fresh_code_and_other_parameters_are_refused(
    sdk: Sdk, counter: Counter, server: Server
) -> None:
    order_no = counter.order_no()
    first, second = (native(sdk, server, order_no)["body"]["code_url"] for _ in range(2))
    assert first != second
    other = native(sdk, server, order_no, 2600)
    assert (other["status"], other["body"]["code"]) == (403, "OUT_TRADE_NO_USED")


def test_closing_an_unpaid_code_is_204_signed_over_nothing_and_can_be_repeated(
    sdk: Sdk, counter: Counter, server: Server
) -> None:
    order_no = counter.order_no()
    native(sdk, server, order_no)
    for _ in range(2):
        assert sdk.ask("close", order_no=order_no) == {"status": 204, "body": None}
    assert sdk.ask("query", order_no=order_no)["body"]["trade_state"] == "CLOSED"
    assert counter.trade(order_no)["status"] == "closed"
    again = native(sdk, server, order_no)
    assert (again["status"], again["body"]["code"]) == (400, "ORDER_CLOSED")


@pytest.mark.parametrize("fault", ["badly_signed_answer", "unsigned_answer"])
def test_the_sdk_raises_on_a_204_that_is_not_wechats(sdk: Sdk, counter: Counter, server: Server, fault: str) -> None:
    order_no = counter.order_no()
    native(sdk, server, order_no)
    counter.fault(fault, order_no, calls=["close"])
    assert sdk.call("close", order_no=order_no).raised is not None
    assert counter.trade(order_no)["status"] == "closed"


def test_a_paid_code_cannot_be_closed(sdk: Sdk, counter: Counter, server: Server) -> None:
    order_no = counter.order_no()
    counter.simulators.scan("wechat", native(sdk, server, order_no)["body"]["code_url"])
    refused = sdk.ask("close", order_no=order_no)
    assert (refused["status"], refused["body"]["code"]) == (400, "ORDER_PAID")


def test_a_page_is_paid_with_the_call_up_that_the_sdk_signs(sdk: Sdk, counter: Counter, server: Server) -> None:
    order_no, openid = counter.order_no(), openid_of(counter, "alice")
    ordered = sdk.ask("jsapi", order_no=order_no, amount=2599, notify_url=server.address(order_no), openid=openid)
    assert ordered["status"] == 200
    prepay_id = ordered["body"]["prepay_id"]
    signed = [counter.settings["appid"], "1795322607", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS", f"prepay_id={prepay_id}"]
    signature = sdk.ask("call_up", signed=signed)

    called = wechat_call_up(counter, prepay_id, signature, signed[1], signed[2])
    assert "error" in at_the_bridge(counter, "open", called | {"nonceStr": "another"})
    assert at_the_bridge(counter, "open", called)["status"] == "open"
    assert at_the_bridge(counter, "pay", called)["status"] == "captured"
    paid = sdk.ask("query", order_no=order_no)["body"]
    assert (paid["trade_state"], paid["trade_type"]) == ("SUCCESS", "JSAPI")
    assert paid["payer"] == {"openid": openid}
    assert (counter.trade(order_no)["status"], counter.trade(order_no)["method"]) == ("captured", "page")


def test_a_page_for_a_payer_whom_wechat_does_not_know_is_refused(sdk: Sdk, counter: Counter, server: Server) -> None:
    order_no = counter.order_no()
    refused = sdk.ask("jsapi", order_no=order_no, amount=1, notify_url=server.address(order_no), openid="oNobody")
    assert (refused["status"], refused["body"]["code"]) == (400, "PARAM_ERROR")
    assert counter.simulators.trades("wechat", order_no) == []
