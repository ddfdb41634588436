"""Both wallets' simulators driven with npm SDKs, alipay-sdk 4.14.0 and wechatpay-axios-plugin 0.9.6, where npm is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sdk.harness import Counter, Sdk, npm_driver, opened_sdk
from tests.support.channels import Simulators

pytestmark = pytest.mark.sdk


@pytest.fixture(scope="module")
def wechat(simulators: Simulators) -> Counter:
    return Counter("wechat", simulators)


@pytest.fixture(scope="module")
def alipay(simulators: Simulators) -> Counter:
    return Counter("alipay", simulators)


@pytest.fixture(scope="module")
def alipay_sdk(alipay: Counter) -> Iterator[Sdk]:
    with opened_sdk(npm_driver(), alipay.settings | {"sdk": "alipay"}) as opened:
        yield opened


@pytest.fixture(scope="module", params=["public_key", "certificate"])
def wechat_sdk(request: pytest.FixtureRequest, wechat: Counter) -> Iterator[Sdk]:
    """The SDK asks for the public key by a header of ours; without it, answers carry the certificate's serial."""
    settings = wechat.settings
    names = {name.startswith("PUB_KEY_ID_"): name for name in settings["platform_public_keys"]}
    is_public = request.param == "public_key"
    # Only the one key is known to the SDK, so that an answer signed with the other would be refused.
    settings["platform_public_keys"] = {names[is_public]: settings["platform_public_keys"][names[is_public]]}
    settings["asked_serial"] = names[True] if is_public else None
    with opened_sdk(npm_driver(), settings | {"sdk": "wechat"}) as opened:
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


def test_an_alipay_trade_is_paid_found_refunded_and_cancelled(alipay_sdk: Sdk, alipay: Counter) -> None:
    order_no = alipay.order_no()
    paid = alipay_sdk.ask("exec", method="alipay.trade.pay", content=alipay_sale(alipay, order_no))
    assert (paid["code"], paid["total_amount"]) == ("10000", "25.99")
    number = {"out_trade_no": order_no}
    found = alipay_sdk.ask("exec", method="alipay.trade.query", content=number)
    assert (found["trade_status"], found["trade_no"]) == ("TRADE_SUCCESS", paid["trade_no"])
    refund = number | {"out_request_no": alipay.order_no(), "refund_amount": "6.00"}
    refunded = alipay_sdk.ask("exec", method="alipay.trade.refund", content=refund)
    assert (refunded["fund_change"], refunded["refund_fee"]) == ("Y", "6.00")
    cancelled = alipay_sdk.ask("exec", method="alipay.trade.cancel", content=number)
    assert (cancelled["action"], cancelled["retry_flag"]) == ("refund", "N")
    assert sorted(entry["amount"] for entry in alipay.refunds(order_no)) == [600, 1999]


def test_an_alipay_failure_is_signed_too(alipay_sdk: Sdk, alipay: Counter) -> None:
    missing = alipay_sdk.ask("exec", method="alipay.trade.query", content={"out_trade_no": alipay.order_no()})
    assert (missing["code"], missing["sub_code"]) == ("40004", "ACQ.TRADE_NOT_EXIST")


@pytest.mark.parametrize("fault", ["badly_signed_answer", "unsigned_answer"])
def test_the_alipay_sdk_raises_on_an_answer_that_is_not_alipays(alipay_sdk: Sdk, alipay: Counter, fault: str) -> None:
    order_no = alipay.order_no()
    alipay.fault(fault, order_no)
    outcome = alipay_sdk.call("exec", method="alipay.trade.pay", content=alipay_sale(alipay, order_no))
    assert outcome.raised is not None
    assert alipay.trade(order_no)["status"] == "captured"
