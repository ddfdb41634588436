"""What the WeChat Pay simulator posts by itself, verified and decrypted by wechatpayv3 2.0.4 in both of its modes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sdk.customers import Server, document_of
from tests.sdk.harness import Counter, Sdk, opened_sdk, python_driver
from tests.sdk.merchants import WECHAT_MODES, wechat_merchant
from tests.support.channels import Simulators
from tests.support.receivers import Receiver

pytestmark = pytest.mark.sdk


@pytest.fixture(scope="module", params=WECHAT_MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def counter(mode: str, request: pytest.FixtureRequest) -> Counter:
    """Of the simulator that tells such a merchant by the key of its mode."""
    simulators: Simulators = request.getfixturevalue("simulators" if mode == "public_key" else "certificate_simulators")
    return Counter("wechat", simulators)


@pytest.fixture(scope="module")
def server(counter: Counter, receiver: Receiver) -> Server:
    return Server(counter, receiver)


@pytest.fixture(scope="module")
def sdk(counter: Counter, mode: str) -> Iterator[Sdk]:
    with opened_sdk(python_driver("wechat", "wechat_sdk.py"), wechat_merchant(counter.settings, mode)) as opened:
        yield opened


def paid(sdk: Sdk, counter: Counter, server: Server) -> str:
    """The number of an order that was paid, of which the server was told."""
    order_no = counter.order_no()
    shown = sdk.ask("native", order_no=order_no, amount=2599, notify_url=server.address(order_no))
    counter.simulators.scan("wechat", shown["body"]["code_url"])
    server.told(order_no)
    return order_no


def refunded(sdk: Sdk, counter: Counter, server: Server, order_no: str, ends: str | None = None) -> str:
    """The number of a refund of it that ended so, of which the server was told."""
    refund_no = counter.order_no()
    if ends is not None:
        counter.fault("refund_ends", order_no, calls=["refund"], **{"as": ends})
    asked = {"order_no": order_no, "refund_no": refund_no, "amount": 600, "total": 2599}
    accepted = sdk.ask("refund", **asked, notify_url=server.address(refund_no))
    assert (accepted["status"], accepted["body"]["status"]) == (200, "PROCESSING")
    server.told(refund_no)
    return refund_no


def test_a_payment_is_told_with_the_order_as_the_query_answers_it(sdk: Sdk, counter: Counter, server: Server) -> None:
    order_no = paid(sdk, counter, server)
    told = sdk.ask("callback", **document_of(server.told(order_no)))
    assert (told["event_type"], told["resource_type"]) == ("TRANSACTION.SUCCESS", "encrypt-resource")
    assert told["resource"] == sdk.ask("query", order_no=order_no)["body"]
    assert (told["resource"]["trade_state"], told["resource"]["amount"]["total"]) == ("SUCCESS", 2599)


@pytest.mark.parametrize(
    ("ends", "status"), [(None, "SUCCESS"), ("abnormal", "ABNORMAL"), ("closed", "CLOSED")], ids=str
)
def test_a_refund_is_told_with_how_it_ended(
    sdk: Sdk, counter: Counter, server: Server, ends: str | None, status: str
) -> None:
    order_no = paid(sdk, counter, server)
    refund_no = refunded(sdk, counter, server, order_no, ends)
    told = sdk.ask("callback", **document_of(server.told(refund_no)))
    found = sdk.ask("query_refund", refund_no=refund_no)["body"]
    assert told["event_type"] == f"REFUND.{status}"
    resource = told["resource"]
    assert (resource["refund_status"], found["status"]) == (status, status)
    assert "status" not in resource, "a query's name for it"
    assert (resource["out_refund_no"], resource["out_trade_no"]) == (refund_no, order_no)
    assert resource["amount"] == {"total": 2599, "refund": 600, "payer_total": 2599, "payer_refund": 600}
    assert ("success_time" in resource) is (status == "SUCCESS")
    for name in ("mchid", "transaction_id", "refund_id", "user_received_account"):
        assert resource[name] == (counter.settings["mchid"] if name == "mchid" else found[name])


def test_every_try_tells_the_same_under_the_same_id_sealed_afresh(sdk: Sdk, counter: Counter, server: Server) -> None:
    order_no = paid(sdk, counter, server)
    first, again = server.told(order_no), server.sent_again(order_no, order_no)
    assert first.body != again.body
    assert sdk.ask("callback", **document_of(first)) | {"resource": {}} == (
        sdk.ask("callback", **document_of(again)) | {"resource": {}}
    )


@pytest.mark.parametrize("forging", [{"tamper": "signature"}, {"signtest": True}], ids=str)
def test_the_sdk_refuses_what_wechat_did_not_sign(
    sdk: Sdk, counter: Counter, server: Server, forging: dict[str, Any]
) -> None:
    order_no = paid(sdk, counter, server)
    forged = server.sent_again(order_no, order_no, **forging)
    assert sdk.ask("callback", **document_of(forged)) is None


def test_the_sdk_refuses_a_body_that_was_changed_on_its_way(sdk: Sdk, counter: Counter, server: Server) -> None:
    order_no = paid(sdk, counter, server)
    sent = document_of(server.told(order_no))
    changed = sent["body"].replace("TRANSACTION.SUCCESS", "TRANSACTION.FAILED")
    assert sdk.ask("callback", headers=sent["headers"], body=changed) is None


@pytest.mark.parametrize(
    ("tamper", "change"),
    [
        ("amount", lambda resource: resource["amount"] | {"total": 2600, "payer_total": 2600}),
        ("merchant", lambda resource: resource["mchid"]),
        ("order", lambda resource: resource["out_trade_no"]),
    ],
)
def test_what_is_signed_well_and_wrong_opens_so_that_whoever_reads_it_must_compare(
    sdk: Sdk, counter: Counter, server: Server, tamper: str, change: Any
) -> None:
    order_no = paid(sdk, counter, server)
    true = sdk.ask("callback", **document_of(server.told(order_no)))["resource"]
    wrong = sdk.ask("callback", **document_of(server.sent_again(order_no, order_no, tamper=tamper)))["resource"]
    name = {"amount": "amount", "merchant": "mchid", "order": "out_trade_no"}[tamper]
    assert wrong[name] == change(wrong)
    assert wrong[name] != true[name]
    assert wrong | {name: None} == true | {name: None}


@pytest.mark.parametrize(
    ("to", "received"),
    [
        (
            {
                "type": "USER_BANK_CARD",
                "bank_type": "ICBC_DEBIT",
                "bank_account": "6222020000000001234",
                "real_name": "张三",
            },
            "ICBC_DEBIT尾号1234",
        ),
        ({"type": "MERCHANT_BANK_CARD"}, "商户结算银行账户"),
    ],
    ids=["payer", "merchant"],
)
def test_an_abnormal_refund_is_sent_again_and_told_again(
    sdk: Sdk, counter: Counter, server: Server, to: dict[str, str], received: str
) -> None:
    order_no = paid(sdk, counter, server)
    refund_no = refunded(sdk, counter, server, order_no, "abnormal")
    refund_id = sdk.ask("query_refund", refund_no=refund_no)["body"]["refund_id"]
    sent = sdk.ask("send_abnormal_refund", refund_id=refund_id, out_refund_no=refund_no, **to)
    assert (sent["status"], sent["body"]["status"]) == (200, "PROCESSING")
    told = sdk.ask("callback", **document_of(server.told(refund_no, 1)))
    assert (told["event_type"], told["resource"]["user_received_account"]) == ("REFUND.SUCCESS", received)
    found = sdk.ask("query_refund", refund_no=refund_no)["body"]
    assert (found["status"], found["user_received_account"]) == ("SUCCESS", received)


def test_after_a_rotation_the_new_keys_open_what_is_told_and_the_old_ones_do_not(
    simulators: Simulators, receiver: Receiver
) -> None:
    counter, driver = Counter("wechat", simulators), python_driver("wechat", "wechat_sdk.py")
    server = Server(counter, receiver)
    [rotated] = [seed.settings for seed in simulators.rotated if seed.id == "wechat_direct"]
    with (
        opened_sdk(driver, wechat_merchant(counter.settings, "public_key")) as before,
        opened_sdk(driver, wechat_merchant(rotated, "public_key")) as after,
    ):
        order_no = paid(before, counter, server)
        assert after.ask("query", order_no=order_no)["body"]["trade_state"] == "SUCCESS"
        sealed_with_new_keys = document_of(server.sent_again(order_no, order_no, next_keys=True))
        assert after.ask("callback", **sealed_with_new_keys)["resource"]["out_trade_no"] == order_no
        assert before.call("callback", **sealed_with_new_keys).answer is None
