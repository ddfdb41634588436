"""The Alipay simulator driven with python-alipay-sdk 3.4.0, which sends everything in a GET."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sdk.harness import Counter, Sdk, opened_sdk, pkcs8_pem, python_driver, stranger_key, until
from tests.support.channels import Simulators

pytestmark = pytest.mark.sdk


@pytest.fixture(scope="module")
def counter(simulators: Simulators) -> Counter:
    return Counter("alipay", simulators)


@pytest.fixture(scope="module")
def sdk(counter: Counter) -> Iterator[Sdk]:
    with opened_sdk(python_driver("alipay", "alipay_community_sdk.py"), counter.settings) as opened:
        yield opened


def pay(sdk: Sdk, counter: Counter, order_no: str, magic: str | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = sdk.ask("pay", out_trade_no=order_no, total_amount="25.99", auth_code=counter.code(magic))
    return answer


def test_a_payment_succeeds_and_both_queries_confirm_it(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    paid = pay(sdk, counter, order_no)
    assert (paid["code"], paid["out_trade_no"], paid["total_amount"]) == ("10000", order_no, "25.99")

    found = sdk.ask("query", out_trade_no=order_no)
    assert (found["code"], found["trade_status"], found["trade_no"]) == ("10000", "TRADE_SUCCESS", paid["trade_no"])
    assert (found["total_amount"], found["send_pay_date"]) == ("25.99", paid["gmt_payment"])
    assert sdk.ask("query", trade_no=paid["trade_no"]) == found
    trade = counter.trade(order_no)
    assert (trade["status"], trade["amount"], trade["trade_no"]) == ("captured", 2599, paid["trade_no"])


def test_a_customer_who_types_a_pin_has_paid_in_the_end(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    counter.fault("ask_pin", order_no, answer_after_s=0.5)
    assert pay(sdk, counter, order_no)["code"] == "10003"
    waiting = sdk.ask("query", out_trade_no=order_no)
    assert (waiting["trade_status"], "send_pay_date" in waiting) == ("WAIT_BUYER_PAY", False)

    settled = until(
        lambda: sdk.ask("query", out_trade_no=order_no), lambda found: found["trade_status"] != "WAIT_BUYER_PAY"
    )
    assert settled["trade_status"] == "TRADE_SUCCESS"
    assert counter.trade(order_no)["status"] == "captured"


@pytest.mark.parametrize(
    ("magic", "sub_code"),
    [
        ("9001", "ACQ.BUYER_BALANCE_NOT_ENOUGH"),
        ("9002", "ACQ.PAYMENT_AUTH_CODE_INVALID"),
        ("9011", "ACQ.PAYMENT_REQUEST_HAS_RISK"),
    ],
)
def test_a_refusal_is_signed_and_comes_with_its_code(sdk: Sdk, counter: Counter, magic: str, sub_code: str) -> None:
    order_no = counter.order_no()
    refused = pay(sdk, counter, order_no, magic)
    assert (refused["code"], refused["sub_code"]) == ("40004", sub_code)
    assert sdk.ask("query", out_trade_no=order_no)["trade_status"] == "TRADE_CLOSED"
    assert counter.trade(order_no)["status"] == "refused"


def test_an_order_number_works_for_one_request_only(sdk: Sdk, counter: Counter) -> None:
    order_no, code = counter.order_no(), counter.code()
    first = sdk.ask("pay", out_trade_no=order_no, total_amount="5.00", auth_code=code)
    assert sdk.ask("pay", out_trade_no=order_no, total_amount="5.00", auth_code=code) == first
    other = sdk.ask("pay", out_trade_no=order_no, total_amount="5.01", auth_code=code)
    assert (other["code"], other["sub_code"]) == ("40004", "ACQ.CONTEXT_INCONSISTENT")
    assert counter.trade(order_no)["amount"] == 500


def test_a_trade_that_never_was_is_not_found(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    missing = sdk.ask("query", out_trade_no=order_no)
    assert (missing["code"], missing["sub_code"]) == ("40004", "ACQ.TRADE_NOT_EXIST")
    cancelled = sdk.ask("cancel", out_trade_no=order_no)
    assert (cancelled["code"], cancelled["retry_flag"], "action" in cancelled) == ("10000", "N", False)


def test_cancelling_a_paid_trade_gives_the_money_back(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    pay(sdk, counter, order_no)
    for _ in range(2):
        cancelled = sdk.ask("cancel", out_trade_no=order_no)
        assert (cancelled["code"], cancelled["action"], cancelled["retry_flag"]) == ("10000", "refund", "N")
    assert sdk.ask("query", out_trade_no=order_no)["trade_status"] == "TRADE_CLOSED"

    trade = counter.trade(order_no)
    assert (trade["status"], trade["refunded"]) == ("reversed", 2599)
    assert [(found["kind"], found["amount"]) for found in counter.refunds(order_no)] == [("reversal", 2599)]


@pytest.mark.parametrize("call", ["cancel", "close"])
def test_an_unpaid_trade_can_be_shut_and_moves_no_money(sdk: Sdk, counter: Counter, call: str) -> None:
    order_no = counter.order_no()
    counter.fault("ask_pin", order_no, never=True)
    pay(sdk, counter, order_no)
    shut = sdk.ask(call, out_trade_no=order_no)
    assert (shut["code"], shut.get("action", "close")) == ("10000", "close")
    assert sdk.ask("query", out_trade_no=order_no)["trade_status"] == "TRADE_CLOSED"
    assert counter.trade(order_no)["captured_at"] is None
    assert counter.refunds(order_no) == []


def test_a_refund_moves_money_once_and_its_query_knows_it(sdk: Sdk, counter: Counter) -> None:
    order_no, refund_no = counter.order_no(), counter.order_no()
    pay(sdk, counter, order_no)
    asked = {"out_trade_no": order_no, "out_request_no": refund_no}
    assert "refund_status" not in sdk.ask("query_refund", **asked)

    first = sdk.ask("refund", **asked, refund_amount="6.00")
    again = sdk.ask("refund", **asked, refund_amount="6.00")
    assert [(done["code"], done["fund_change"], done["refund_fee"]) for done in (first, again)] == [
        ("10000", "Y", "6.00"),
        ("10000", "N", "6.00"),
    ]
    found = sdk.ask("query_refund", **asked)
    assert (found["refund_status"], found["refund_amount"]) == ("REFUND_SUCCESS", "6.00")
    assert sdk.ask("query", out_trade_no=order_no)["trade_status"] == "TRADE_SUCCESS"
    assert [(entry["refund_no"], entry["amount"]) for entry in counter.refunds(order_no)] == [(refund_no, 600)]


def test_a_refund_of_more_than_was_paid_is_refused(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    pay(sdk, counter, order_no)
    refused = sdk.ask("refund", out_trade_no=order_no, out_request_no=counter.order_no(), refund_amount="26.00")
    assert (refused["code"], refused["sub_code"]) == ("40004", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
    assert counter.refunds(order_no) == []


def test_a_method_that_is_not_there_is_an_error(sdk: Sdk) -> None:
    outcome = sdk.call("other", method="alipay.trade.orderinfo.sync")
    assert outcome.raised == "AliPayException"
    assert "isv.invalid-method" in outcome.message


@pytest.mark.parametrize(
    ("fault", "raised"),
    [("badly_signed_answer", "AliPayValidationError"), ("unsigned_answer", "AliPayException")],
)
@pytest.mark.parametrize("call", ["pay", "query"])
def test_the_sdk_raises_on_an_answer_that_is_not_alipays(
    sdk: Sdk, counter: Counter, call: str, fault: str, raised: str
) -> None:
    order_no = counter.order_no()
    counter.fault(fault, order_no, calls=[call])
    outcome = sdk.call("pay", out_trade_no=order_no, total_amount="25.99", auth_code=counter.code())
    if call == "query":
        assert outcome.raised is None
        outcome = sdk.call("query", out_trade_no=order_no)
    assert outcome.raised == raised
    assert counter.trade(order_no)["status"] == "captured"


def test_a_request_that_a_stranger_signed_is_refused(counter: Counter) -> None:
    settings = counter.settings | {"app_private_key_pem": pkcs8_pem(stranger_key())}
    order_no = counter.order_no()
    with opened_sdk(python_driver("alipay", "alipay_community_sdk.py"), settings) as sdk:
        refused = sdk.call("pay", out_trade_no=order_no, total_amount="25.99", auth_code=counter.code())
    assert refused.raised == "AliPayException"
    assert "isv.invalid-signature" in refused.message
    assert counter.simulators.trades("alipay", order_no) == []
