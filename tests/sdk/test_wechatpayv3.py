"""The WeChat Pay simulator driven with wechatpayv3 2.0.4, in public-key and in certificate mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sdk.harness import (
    Counter,
    Sdk,
    open_sdk,
    opened_sdk,
    pkcs8_pem,
    python_driver,
    stranger_key,
    until,
)
from tests.sdk.merchants import WECHAT_MODES, wechat_merchant
from tests.support.channels import Simulators

pytestmark = pytest.mark.sdk


@pytest.fixture(scope="module")
def counter(simulators: Simulators) -> Counter:
    return Counter("wechat", simulators)


@pytest.fixture(scope="module", params=WECHAT_MODES)
def sdk(request: pytest.FixtureRequest, counter: Counter) -> Iterator[Sdk]:
    with opened_sdk(
        python_driver("wechat", "wechat_sdk.py"), wechat_merchant(counter.settings, request.param)
    ) as opened:
        yield opened


def pay(sdk: Sdk, counter: Counter, order_no: str, magic: str | None = None, amount: int = 2599) -> dict[str, Any]:
    answer: dict[str, Any] = sdk.ask("pay", order_no=order_no, amount=amount, auth_code=counter.code(magic))
    return answer


def test_a_payment_succeeds_and_both_queries_confirm_it(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    paid = pay(sdk, counter, order_no)
    assert (paid["status"], paid["body"]["trade_state"]) == (200, "SUCCESS")
    assert (paid["body"]["out_trade_no"], paid["body"]["amount"]["total"]) == (order_no, 2599)

    assert sdk.ask("query", order_no=order_no) == paid
    assert sdk.ask("query_by_id", transaction_id=paid["body"]["transaction_id"]) == paid
    trade = counter.trade(order_no)
    assert (trade["status"], trade["amount"], trade["trade_no"]) == ("captured", 2599, paid["body"]["transaction_id"])


def test_a_customer_who_types_a_pin_has_paid_in_the_end(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    counter.fault("ask_pin", order_no, answer_after_s=0.5)
    waiting = pay(sdk, counter, order_no)
    assert (waiting["status"], waiting["body"]["code"]) == (202, "USERPAYING")
    asked = sdk.ask("query", order_no=order_no)
    assert (asked["status"], asked["body"]["trade_state"]) == (200, "USERPAYING")
    assert "transaction_id" not in asked["body"]

    settled = until(
        lambda: sdk.ask("query", order_no=order_no), lambda found: found["body"]["trade_state"] != "USERPAYING"
    )
    assert settled["body"]["trade_state"] == "SUCCESS"
    assert counter.trade(order_no)["status"] == "captured"


@pytest.mark.parametrize(
    ("magic", "status", "code"),
    [
        ("9001", 403, "NOT_ENOUGH"),
        ("9002", 403, "AUTH_CODE_EXPIRE"),
        ("9011", 403, "TRADE_ERROR"),
        ("9013", 403, "AUTH_CODE_ERROR"),
    ],
)
def test_a_refusal_comes_with_its_code(sdk: Sdk, counter: Counter, magic: str, status: int, code: str) -> None:
    order_no = counter.order_no()
    refused = pay(sdk, counter, order_no, magic)
    assert (refused["status"], refused["body"]["code"]) == (status, code)
    assert sdk.ask("query", order_no=order_no)["body"]["trade_state"] == "PAYERROR"
    assert counter.trade(order_no)["status"] == "refused"


def test_an_order_number_works_for_one_request_only(sdk: Sdk, counter: Counter) -> None:
    order_no, code = counter.order_no(), counter.code()
    first = sdk.ask("pay", order_no=order_no, amount=500, auth_code=code)
    assert sdk.ask("pay", order_no=order_no, amount=500, auth_code=code) == first
    other = sdk.ask("pay", order_no=order_no, amount=501, auth_code=code)
    assert (other["status"], other["body"]["code"]) == (403, "OUT_TRADE_NO_USED")
    assert counter.trade(order_no)["amount"] == 500


def test_an_order_that_never_was_is_not_found(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    for call in ("query", "reverse"):
        missing = sdk.ask(call, order_no=order_no)
        assert (missing["status"], missing["body"]["code"]) == (404, "ORDER_NOT_EXIST")
    assert sdk.ask("query_refund", refund_no=order_no)["body"]["code"] == "RESOURCE_NOT_EXISTS"


def test_reversing_a_paid_order_gives_the_money_back(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    pay(sdk, counter, order_no)
    for _ in range(2):
        reversed_order = sdk.ask("reverse", order_no=order_no)
        assert (reversed_order["status"], reversed_order["body"]["out_trade_no"]) == (200, order_no)
    assert sdk.ask("query", order_no=order_no)["body"]["trade_state"] == "REVOKED"

    trade = counter.trade(order_no)
    assert (trade["status"], trade["refunded"]) == ("reversed", 2599)
    assert [(found["kind"], found["amount"]) for found in counter.refunds(order_no)] == [("reversal", 2599)]


def test_reversing_an_unpaid_order_moves_no_money(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    counter.fault("ask_pin", order_no, never=True)
    pay(sdk, counter, order_no)
    assert sdk.ask("reverse", order_no=order_no)["status"] == 200
    assert sdk.ask("query", order_no=order_no)["body"]["trade_state"] == "REVOKED"

    trade = counter.trade(order_no)
    assert (trade["status"], trade["captured_at"], trade["refunded"]) == ("reversed", None, 0)
    assert counter.refunds(order_no) == []


def test_a_bar_code_order_cannot_be_closed(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    pay(sdk, counter, order_no)
    refused = sdk.ask("close", order_no=order_no)
    assert (refused["status"], refused["body"]["code"]) == (400, "INVALID_REQUEST")


def test_a_refund_is_accepted_and_then_done(sdk: Sdk, counter: Counter) -> None:
    order_no, refund_no = counter.order_no(), counter.order_no()
    pay(sdk, counter, order_no)
    accepted = sdk.ask("refund", order_no=order_no, refund_no=refund_no, amount=600, total=2599)
    assert (accepted["status"], accepted["body"]["status"]) == (200, "PROCESSING")
    assert accepted["body"]["amount"]["refund"] == 600

    done = until(
        lambda: sdk.ask("query_refund", refund_no=refund_no), lambda found: found["body"]["status"] != "PROCESSING"
    )
    assert (done["body"]["status"], done["body"]["refund_id"]) == ("SUCCESS", accepted["body"]["refund_id"])
    assert sdk.ask("query", order_no=order_no)["body"]["trade_state"] == "REFUND"
    assert counter.trade(order_no)["refunded"] == 600
    assert [(found["refund_no"], found["amount"]) for found in counter.refunds(order_no)] == [(refund_no, 600)]


def test_a_refund_of_more_than_was_paid_is_refused(sdk: Sdk, counter: Counter) -> None:
    order_no = counter.order_no()
    pay(sdk, counter, order_no)
    refused = sdk.ask("refund", order_no=order_no, refund_no=counter.order_no(), amount=2600, total=2599)
    assert (refused["status"], refused["body"]["code"]) == (400, "INVALID_REQUEST")
    assert counter.refunds(order_no) == []


@pytest.mark.parametrize("call", ["pay", "query"])
@pytest.mark.parametrize("fault", ["badly_signed_answer", "unsigned_answer"])
def test_the_sdk_raises_on_an_answer_that_is_not_wechats(sdk: Sdk, counter: Counter, fault: str, call: str) -> None:
    order_no = counter.order_no()
    counter.fault(fault, order_no, calls=[call])
    outcome = sdk.call("pay", order_no=order_no, amount=2599, auth_code=counter.code())
    if call == "query":
        assert outcome.raised is None
        outcome = sdk.call("query", order_no=order_no)
    assert outcome.raised is not None
    assert ("signature" if fault == "badly_signed_answer" else "algorithm") in outcome.message
    assert counter.trade(order_no)["status"] == "captured"


@pytest.mark.parametrize("mode", WECHAT_MODES)
def test_answers_carry_the_key_that_the_merchants_mode_asks_for(mode: str, counter: Counter) -> None:
    settings = wechat_merchant(counter.settings, mode)
    with opened_sdk(python_driver("wechat", "wechat_sdk.py"), settings) as sdk:
        pay(sdk, counter, counter.order_no())
        downloaded = sdk.ask("certificates")
    serials = {name for name in counter.settings["platform_public_keys"] if not name.startswith("PUB_KEY_ID_")}
    assert set(downloaded) == (serials if mode == "certificate" else set())


def test_certificates_are_signed_and_dated_in_beijing(sdk: Sdk) -> None:
    [entry] = sdk.ask("download")["body"]["data"]
    assert entry["effective_time"].endswith("+08:00")
    assert entry["expire_time"].endswith("+08:00")


def test_certificates_open_only_with_the_merchants_own_key(counter: Counter) -> None:
    settings = wechat_merchant(counter.settings, "certificate") | {"api_v3_key": "x" * 32}
    with open_sdk(python_driver("wechat", "wechat_sdk.py"), settings) as (_, opened):
        assert opened.raised is not None


def test_a_request_that_a_stranger_signed_is_refused(counter: Counter) -> None:
    settings = wechat_merchant(counter.settings, "public_key") | {"merchant_private_key_pem": pkcs8_pem(stranger_key())}
    order_no = counter.order_no()
    with opened_sdk(python_driver("wechat", "wechat_sdk.py"), settings) as sdk:
        refused = pay(sdk, counter, order_no)
    assert (refused["status"], refused["body"]["code"]) == (401, "SIGN_ERROR")
    assert counter.simulators.trades("wechat", order_no) == []
