"""The Alipay simulator driven with alipay-sdk-python 3.7.1411, Alipay's own, by its model and response classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sdk.harness import (
    Counter,
    Sdk,
    bare_pkcs1,
    opened_sdk,
    pkcs8_pem,
    python_driver,
    stranger_key,
    until,
)
from tests.sdk.merchants import alipay_official_merchant
from tests.support.channels import Simulators

pytestmark = pytest.mark.sdk


@pytest.fixture(scope="module")
def counter(simulators: Simulators) -> Counter:
    return Counter("alipay", simulators)


@pytest.fixture(scope="module", params=[("absolute", "utf-8"), ("path", "utf-8"), ("absolute", "gbk")], ids="-".join)
def sdk(request: pytest.FixtureRequest, counter: Counter) -> Iterator[Sdk]:
    command = python_driver("alipay-official", "alipay_official_sdk.py")
    with opened_sdk(command, alipay_official_merchant(counter.settings, *request.param)) as opened:
        yield opened


def sale(counter: Counter, order_no: str, magic: str | None = None) -> dict[str, Any]:
    return {
        "out_trade_no": order_no,
        "scene": "bar_code",
        "auth_code": counter.code(magic),
        "subject": "热拿铁 latte",
        "total_amount": "25.99",
        "store_id": "s-1",
    }


def test_a_payment_succeeds_and_the_query_confirms_it(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    paid = sdk.ask("pay", **sale(counter, order_no))
    assert (paid["code"], paid["out_trade_no"], paid["total_amount"]) == ("10000", order_no, "25.99")
    assert paid["fund_bill_list"] == [{"amount": "25.99", "fund_channel": "ALIPAYACCOUNT"}]

    for number in ({"out_trade_no": order_no}, {"trade_no": paid["trade_no"]}):
        found = sdk.ask("query", **number)
        assert (found["code"], found["trade_status"], found["trade_no"]) == ("10000", "TRADE_SUCCESS", paid["trade_no"])
        assert (found["out_trade_no"], found["total_amount"], found["store_id"]) == (order_no, "25.99", "s-1")
    trade = counter.trade(order_no)
    assert (trade["status"], trade["amount"], trade["trade_no"]) == ("captured", 2599, paid["trade_no"])


def test_a_customer_who_types_a_pin_has_paid_in_the_end(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    counter.fault("ask_pin", order_no, answer_after_s=0.5)
    assert sdk.ask("pay", **sale(counter, order_no))["code"] == "10003"
    assert sdk.ask("query", out_trade_no=order_no)["trade_status"] == "WAIT_BUYER_PAY"
    settled = until(
        lambda: sdk.ask("query", out_trade_no=order_no), lambda found: found["trade_status"] != "WAIT_BUYER_PAY"
    )
    assert settled["trade_status"] == "TRADE_SUCCESS"
    assert counter.trade(order_no)["status"] == "captured"


def test_a_refusal_is_signed_and_comes_with_its_code(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    refused = sdk.ask("pay", **sale(counter, order_no, "9001"))
    assert (refused["code"], refused["sub_code"]) == ("40004", "ACQ.BUYER_BALANCE_NOT_ENOUGH")
    assert refused["sub_msg"] == "买家余额不足"
    assert counter.trade(order_no)["status"] == "refused"


def test_a_trade_that_never_was_is_not_found(sdk: Sdk, counter: Counter) -> None:
    missing = sdk.ask("query", out_trade_no=counter.order_no())
    assert (missing["code"], missing["sub_code"]) == ("40004", "ACQ.TRADE_NOT_EXIST")


def test_cancelling_gives_back_what_was_paid_and_nothing_else(sdk: Sdk, counter: Counter) -> None:
    paid_no, unpaid_no = counter.order_no(), counter.order_no()
    sdk.ask("pay", **sale(counter, paid_no))
    counter.fault("ask_pin", unpaid_no, never=True)
    sdk.ask("pay", **sale(counter, unpaid_no))
    for order_no, action, given_back in ((paid_no, "refund", [2599]), (unpaid_no, "close", [])):
        cancelled = sdk.ask("cancel", out_trade_no=order_no)
        assert (cancelled["code"], cancelled["action"], cancelled["retry_flag"]) == ("10000", action, "N")
        assert sdk.ask("query", out_trade_no=order_no)["trade_status"] == "TRADE_CLOSED"
        assert counter.trade(order_no)["status"] == "reversed"
        assert [entry["amount"] for entry in counter.refunds(order_no)] == given_back


def test_a_refund_moves_money_once_and_its_query_knows_it(sdk: Sdk, counter: Counter) -> None:
    order_no, refund_no = counter.order_no(), counter.order_no()
    sdk.ask("pay", **sale(counter, order_no))
    asked = {"out_trade_no": order_no, "out_request_no": refund_no}
    first = sdk.ask("refund", **asked, refund_amount="6.00", refund_reason="凉了")
    again = sdk.ask("refund", **asked, refund_amount="6.00", refund_reason="凉了")
    assert [(done["code"], done["fund_change"], done["refund_fee"]) for done in (first, again)] == [
        ("10000", "Y", "6.00"),
        ("10000", "N", "6.00"),
    ]
    found = sdk.ask("query_refund", **asked)
    assert (found["refund_status"], found["refund_amount"]) == ("REFUND_SUCCESS", "6.00")
    assert [(entry["refund_no"], entry["amount"]) for entry in counter.refunds(order_no)] == [(refund_no, 600)]


@pytest.mark.parametrize("call", ["pay", "query", "cancel", "refund"])
@pytest.mark.parametrize("fault", ["badly_signed_answer", "unsigned_answer"])
def test_the_sdk_raises_on_an_answer_that_is_not_alipays(sdk: Sdk, counter: Counter, fault: str, call: str) -> None:
    order_no = counter.order_no()
    kind = {"cancel": "reverse"}.get(call, call)
    counter.fault(fault, order_no, calls=[kind])
    outcome = sdk.call("pay", **sale(counter, order_no))
    if call != "pay":
        assert outcome.raised is None
        outcome = sdk.call(call, out_trade_no=order_no, **({"refund_amount": "25.99"} if call == "refund" else {}))
    assert outcome.raised == "ResponseException"
    assert ("sign verify failed" if fault == "badly_signed_answer" else "shape maybe illegal") in outcome.message
    assert counter.trade(order_no)["captured_at"] is not None


def test_a_request_that_a_stranger_signed_is_refused(counter: Counter) -> None:
    settings = alipay_official_merchant(counter.settings, "absolute")
    settings["app_private_key_pkcs1"] = bare_pkcs1(pkcs8_pem(stranger_key()))
    order_no = counter.order_no()
    with opened_sdk(python_driver("alipay-official", "alipay_official_sdk.py"), settings) as sdk:
        refused = sdk.call("pay", **sale(counter, order_no))
    assert refused.raised == "ResponseException"
    assert "isv.invalid-signature" in refused.message
    assert counter.simulators.trades("alipay", order_no) == []


def test_the_unpatched_sdk_still_cannot_reach_a_port(counter: Counter) -> None:
    """The one reason for the driver's own connections; when this fails, they can go."""
    with opened_sdk(
        python_driver("alipay-official", "alipay_official_sdk.py"),
        alipay_official_merchant(counter.settings, "unpatched"),
    ) as sdk:
        assert sdk.call("query", out_trade_no=counter.order_no()).raised == "TypeError"
