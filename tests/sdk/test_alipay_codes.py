"""The Alipay simulator's codes, pages and payers driven with every SDK of Alipay: precreate, create, oauth, close."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.customers import alipay_code_of, at_the_bridge
from tests.sdk.harness import Counter, Sdk

pytestmark = pytest.mark.sdk

SALE = {"subject": "热拿铁 latte", "total_amount": "25.99"}


def test_a_code_is_no_trade_until_it_is_scanned_and_then_it_is_paid(alipay_sdk: Sdk, alipay: Counter) -> None:
    order_no = alipay.order_no()
    shown = alipay_sdk.ask("precreate", out_trade_no=order_no, **SALE)
    assert (shown["code"], shown["out_trade_no"]) == ("10000", order_no)
    assert shown["qr_code"].startswith("https://qr.alipay.com/")
    for call in ("query", "close"):
        nothing = alipay_sdk.ask(call, out_trade_no=order_no)
        assert (nothing["code"], nothing["sub_code"]) == ("40004", "ACQ.TRADE_NOT_EXIST")
    cancelled = alipay_sdk.ask("cancel", out_trade_no=order_no)
    assert (cancelled["code"], cancelled["retry_flag"], "action" in cancelled) == ("10000", "N", False)

    assert alipay.simulators.scan("alipay", shown["qr_code"])["status"] == "captured"
    found = alipay_sdk.ask("query", out_trade_no=order_no)
    assert (found["trade_status"], found["total_amount"]) == ("TRADE_SUCCESS", "25.99")
    trade = alipay.trade(order_no)
    assert (trade["status"], trade["method"], trade["trade_no"]) == ("captured", "code", found["trade_no"])


def test_a_scanned_code_waits_for_its_customer_and_can_be_closed(alipay_sdk: Sdk, alipay: Counter) -> None:
    order_no = alipay.order_no()
    shown = alipay_sdk.ask("precreate", out_trade_no=order_no, **SALE)
    alipay.simulators.scan("alipay", shown["qr_code"], action="scan")
    assert alipay_sdk.ask("query", out_trade_no=order_no)["trade_status"] == "WAIT_BUYER_PAY"
    closed = alipay_sdk.ask("close", out_trade_no=order_no)
    assert (closed["code"], closed["out_trade_no"]) == ("10000", order_no)
    assert alipay_sdk.ask("query", out_trade_no=order_no)["trade_status"] == "TRADE_CLOSED"
    again = alipay_sdk.ask("close", out_trade_no=order_no)
    assert (again["code"], again["sub_code"]) == ("40004", "ACQ.TRADE_STATUS_ERROR")
    assert alipay.trade(order_no)["captured_at"] is None


def test_the_same_number_for_another_sale_is_refused(alipay_sdk: Sdk, alipay: Counter) -> None:
    order_no = alipay.order_no()
    alipay_sdk.ask("precreate", out_trade_no=order_no, **SALE)
    other = alipay_sdk.ask("precreate", out_trade_no=order_no, **(SALE | {"total_amount": "26.00"}))
    assert (other["code"], other["sub_code"]) == ("40004", "ACQ.CONTEXT_INCONSISTENT")


def test_a_page_is_paid_by_the_buyer_whom_alipay_named(alipay_sdk: Sdk, alipay: Counter) -> None:
    order_no, code = alipay.order_no(), alipay_code_of(alipay, "alice")
    payer = alipay_sdk.ask("token", code=code)
    assert "code" not in payer, "a success of this call has none"
    assert payer["user_id"].startswith("2088")

    ordered = alipay_sdk.ask(
        "create", out_trade_no=order_no, **SALE, buyer_id=payer["user_id"], product_code="JSAPI_PAY"
    )
    assert (ordered["code"], ordered["out_trade_no"]) == ("10000", order_no)
    assert alipay_sdk.ask("query", out_trade_no=order_no)["trade_status"] == "WAIT_BUYER_PAY"
    handed: dict[str, Any] = {"trade_no": ordered["trade_no"]}
    assert at_the_bridge(alipay, "trade", handed | {"action": "scan"}) == {
        "amount": "25.99",
        "subject": SALE["subject"],
    }
    assert at_the_bridge(alipay, "trade", handed | {"action": "pay"}) == {"result_code": "9000"}
    found = alipay_sdk.ask("query", trade_no=ordered["trade_no"])
    assert (found["trade_status"], found["buyer_user_id"]) == ("TRADE_SUCCESS", payer["user_id"])


def test_a_code_of_a_payer_works_once(alipay_sdk: Sdk, alipay: Counter) -> None:
    code = alipay_code_of(alipay, "bob")
    alipay_sdk.ask("token", code=code)
    again = alipay_sdk.call("token", code=code)
    assert "isv.code-invalid" in f"{again.answer} {again.message}"


@pytest.mark.parametrize("call", ["precreate", "create", "close"])
@pytest.mark.parametrize("fault", ["badly_signed_answer", "unsigned_answer"])
def test_the_sdk_raises_on_an_answer_that_is_not_alipays(
    alipay_sdk: Sdk, alipay: Counter, fault: str, call: str
) -> None:
    order_no = alipay.order_no()
    kind = {"precreate": "create_code", "create": "create_page"}.get(call, call)
    alipay.fault(fault, order_no, calls=[kind])
    more = {} if call == "close" else {**SALE, "buyer_id": "2088102169481075"} if call == "create" else SALE
    assert alipay_sdk.call(call, out_trade_no=order_no, **more).raised is not None
