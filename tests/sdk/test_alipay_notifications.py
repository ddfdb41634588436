"""What the Alipay simulator posts by itself, verified by every SDK of Alipay."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from gateway.kernel.clock import BEIJING
from tests.sdk.customers import Server, form_of
from tests.sdk.harness import Counter, Sdk
from tests.support.receivers import Receiver

pytestmark = pytest.mark.sdk


@pytest.fixture(scope="module")
def server(alipay: Counter, receiver: Receiver) -> Server:
    return Server(alipay, receiver)


def paid(sdk: Sdk, alipay: Counter, server: Server) -> str:
    """The number of an order that was paid, of which the server was told."""
    order_no = alipay.order_no()
    sale = {"out_trade_no": order_no, "subject": "热拿铁 latte", "total_amount": "25.99"}
    shown = sdk.ask("precreate", **sale, notify_url=server.address(order_no))
    alipay.simulators.scan("alipay", shown["qr_code"])
    server.told(order_no)
    return order_no


def test_a_payment_is_told_and_agrees_with_the_query(alipay_sdk: Sdk, alipay: Counter, server: Server) -> None:
    order_no = paid(alipay_sdk, alipay, server)
    told = alipay_sdk.ask("notification", body=form_of(server.told(order_no)))
    assert told is not None
    found = alipay_sdk.ask("query", out_trade_no=order_no)
    assert (told["trade_status"], told["out_trade_no"], told["subject"]) == ("TRADE_SUCCESS", order_no, "热拿铁 latte")
    for name in ("trade_no", "trade_status", "total_amount", "receipt_amount", "buyer_logon_id"):
        assert told[name] == found[name]
    assert told["gmt_payment"] == found["send_pay_date"]
    settings = alipay.settings
    assert (told["app_id"], told["seller_id"]) == (settings["app_id"], settings["seller_id"])
    assert (told["notify_type"], told["sign_type"], told["version"]) == ("trade_status_sync", "RSA2", "1.0")


def test_a_refund_is_told_at_the_payments_address(alipay_sdk: Sdk, alipay: Counter, server: Server) -> None:
    order_no, refund_no = paid(alipay_sdk, alipay, server), alipay.order_no()
    alipay_sdk.ask("refund", out_trade_no=order_no, out_request_no=refund_no, refund_amount="6.00")
    told = alipay_sdk.ask("notification", body=form_of(server.told(order_no, 1)))
    assert (told["trade_status"], told["out_biz_no"], told["refund_fee"]) == ("TRADE_SUCCESS", refund_no, "6.00")
    assert told["total_amount"] == "25.99"


def test_a_bar_code_payment_is_told_too_where_an_address_is_given(
    alipay_sdk: Sdk, alipay: Counter, server: Server
) -> None:
    order_no = alipay.order_no()
    sale = {"out_trade_no": order_no, "subject": "热拿铁 latte", "total_amount": "25.99"}
    asked = sale | {"scene": "bar_code", "auth_code": alipay.code(), "notify_url": server.address(order_no)}
    assert alipay_sdk.ask("pay", **asked)["code"] == "10000"
    told = alipay_sdk.ask("notification", body=form_of(server.told(order_no)))
    assert (told["trade_status"], told["out_trade_no"]) == ("TRADE_SUCCESS", order_no)


def test_every_try_has_the_same_id(alipay_sdk: Sdk, alipay: Counter, server: Server) -> None:
    order_no = paid(alipay_sdk, alipay, server)
    first = alipay_sdk.ask("notification", body=form_of(server.told(order_no)))
    again = alipay_sdk.ask("notification", body=form_of(server.sent_again(order_no, order_no)))
    differing = {name for name in first | again if first.get(name) != again.get(name)}
    assert differing <= {"notify_time", "sign"}


@pytest.mark.parametrize("forging", [{"tamper": "signature"}, {"signtest": True}, {"next_keys": True}], ids=str)
def test_the_sdk_refuses_what_alipays_key_did_not_sign(
    alipay_sdk: Sdk, alipay: Counter, server: Server, forging: dict[str, Any]
) -> None:
    order_no = paid(alipay_sdk, alipay, server)
    outcome = alipay_sdk.call("notification", body=form_of(server.sent_again(order_no, order_no, **forging)))
    assert outcome.answer is None


def test_the_sdk_refuses_a_form_that_was_changed_on_its_way(alipay_sdk: Sdk, alipay: Counter, server: Server) -> None:
    order_no = paid(alipay_sdk, alipay, server)
    form = form_of(server.told(order_no))
    assert alipay_sdk.ask("notification", body=form) is not None
    for changed in (form.replace("total_amount=25.99", "total_amount=0.01"), f"{form}&refund_fee=25.99"):
        assert changed != form
        assert alipay_sdk.call("notification", body=changed).answer is None


@pytest.mark.parametrize(
    ("tamper", "name"), [("amount", "total_amount"), ("merchant", "app_id"), ("order", "out_trade_no")]
)
def test_what_is_signed_well_and_wrong_verifies_so_that_whoever_reads_it_must_compare(
    alipay_sdk: Sdk, alipay: Counter, server: Server, tamper: str, name: str
) -> None:
    order_no = paid(alipay_sdk, alipay, server)
    true = alipay_sdk.ask("notification", body=form_of(server.told(order_no)))
    wrong = alipay_sdk.ask("notification", body=form_of(server.sent_again(order_no, order_no, tamper=tamper)))
    assert wrong[name] != true[name]


def test_an_old_notification_verifies_as_its_age_is_in_its_time_alone(
    alipay_sdk: Sdk, alipay: Counter, server: Server
) -> None:
    order_no = paid(alipay_sdk, alipay, server)
    told = alipay_sdk.ask("notification", body=form_of(server.sent_again(order_no, order_no, age_s=86_400)))
    written = datetime.strptime(told["notify_time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    assert 86_400 <= (datetime.now(BEIJING) - written).total_seconds() < 86_460
