"""What only Alipay does: GET and POST, charsets, unsigned gateway errors, its field rules, what cancelling says."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from routing.simulators.provision import Provision
from tests.unit.simulators.alipay_till import AlipayTill
from tests.unit.simulators.conftest import Simulator, stage_of

FORM = {"content-type": "application/x-www-form-urlencoded;charset=utf-8"}


@pytest.fixture
def till(simulators: dict[str, Simulator], provisioned: Provision) -> AlipayTill:
    found = stage_of("alipay_direct", simulators, provisioned).till
    assert isinstance(found, AlipayTill)
    return found


def test_get_and_post_and_any_split_of_the_parameters_are_the_same(till: AlipayTill) -> None:
    number = till.order_no()
    till.pay(number, 100, till.code())
    parameters = till.parameters("alipay.trade.query", {"out_trade_no": number})
    encoded = urlencode(parameters)
    sends = (
        ("GET", f"/gateway.do?{encoded}", b""),
        ("POST", "/gateway.do", encoded.encode()),
    )
    for method, target, body in sends:
        answer = till.read("alipay.trade.query", till.wire(method, target, FORM, body, 5))
        assert (answer.state, answer.seal) == ("captured", "good")


def test_the_answer_is_html_by_name_and_has_its_sign_right_after_the_node(till: AlipayTill) -> None:
    answer = till.pay(till.order_no(), 100, till.code())
    assert answer.raw.status == 200
    assert answer.raw.headers["content-type"] == "text/html;charset=utf-8"
    text = answer.raw.body.decode()
    assert text.startswith('{"alipay_trade_pay_response":{"code":"10000"')
    assert text.count('},"sign":"') == 1
    assert text.endswith('"}')


def test_gbk_is_read_signed_and_answered_as_gbk(till: AlipayTill) -> None:
    number = till.order_no()
    sale = till.sale(number, 100, till.code("9001"), "豆浆油条")
    answer = till.call("alipay.trade.pay", sale, charset="gbk")
    assert (answer.code, answer.seal) == ("ACQ.BUYER_BALANCE_NOT_ENOUGH", "good")
    assert answer.raw.headers["content-type"] == "text/html;charset=gbk"
    assert "余额不足".encode("gbk") in answer.raw.body


@pytest.mark.parametrize(
    ("changes", "code", "sub_code"),
    [
        ({"app_id": "2021000000000000"}, "40002", "isv.invalid-app-id"),
        ({"app_id": ""}, "40001", "isv.missing-app-id"),
        ({"sign": ""}, "40001", "isv.missing-signature"),
        ({"sign": "AAAA"}, "40002", "isv.invalid-signature"),
        ({"sign": "?"}, "40002", "isv.invalid-signature"),
        ({"notify_url": "https://forged.example"}, "40002", "isv.invalid-signature"),
        ({"sign_type": "RSA"}, "40002", "isv.invalid-signature-type"),
        ({"timestamp": "2024-01-01 00:00:00"}, "40002", "isv.invalid-timestamp"),
        ({"timestamp": ""}, "40001", "isv.missing-timestamp"),
        ({"version": ""}, "40001", "isv.missing-version"),
    ],
)
def test_a_request_that_proves_nothing_is_refused_unsigned_and_leaves_no_trace(
    till: AlipayTill, changes: dict[str, str], code: str, sub_code: str
) -> None:
    number = till.order_no()
    forged = till.parameters("alipay.trade.pay", till.sale(number, 100, till.code())) | changes
    answer = till.read("alipay.trade.pay", till.wire("POST", "/gateway.do", FORM, urlencode(forged).encode(), 5))
    assert (answer.fields["code"], answer.code, answer.seal) == (code, sub_code, "missing")
    assert till.query(number).state == "not_found"


def test_an_unknown_method_and_bad_json_are_refused_signed(till: AlipayTill) -> None:
    answer = till.call("alipay.trade.dance", {})
    assert (answer.code, answer.seal) == ("isv.invalid-method", "good")
    assert answer.raw.body.startswith(b'{"error_response":')
    answer = till.call("alipay.trade.pay", {}, biz_content="{")
    assert (answer.code, answer.seal) == ("isv.illegal-json", "good")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("out_trade_no", "has-a-dash"),
        ("out_trade_no", None),
        ("total_amount", "0.00"),
        ("total_amount", "1.001"),
        ("total_amount", "-1"),
        ("total_amount", "1e2"),
        ("total_amount", True),
        ("total_amount", "100000000.01"),
        ("subject", "a=b"),
        ("subject", None),
        ("scene", "wave"),
        ("product_code", "QUICK"),
        ("seller_id", "2088000000000000"),
        ("timeout_express", "soon"),
    ],
)
def test_a_field_that_breaks_the_rules_is_refused(till: AlipayTill, field: str, value: object) -> None:
    number = till.order_no()
    sale = till.sale(number, 100, till.code()) | {field: value}
    if value is None:
        del sale[field]
    answer = till.call("alipay.trade.pay", sale)
    assert (answer.fields["code"], answer.code, answer.seal) == ("40004", "ACQ.INVALID_PARAMETER", "good")
    assert till.query(number).state == "not_found"


def test_codes_of_other_wallets_are_no_alipay_codes(till: AlipayTill) -> None:
    for code in ("134567890123456789", "6225479014917558493", "2845678901234567x9", "fp" + "A" * 32):
        assert till.pay(till.order_no(), 100, code).code == "ACQ.PAYMENT_AUTH_CODE_INVALID"
    assert till.pay(till.order_no(), 100, "fp" + till.order_no() + "A" * 12).state == "captured"


def test_cancelling_says_what_it_did(till: AlipayTill) -> None:
    unpaid, paid = till.order_no(), till.order_no()
    till.pay(unpaid, 100, till.code("9004"))
    till.pay(paid, 100, till.code())
    assert [till.reverse(number).fields["action"] for number in (unpaid, unpaid, paid, paid)] == [
        "close", "close", "refund", "refund",
    ]  # fmt: skip
    nothing = till.reverse(till.order_no())
    assert (nothing.fields["code"], nothing.fields["retry_flag"], "action" in nothing.fields) == ("10000", "N", False)
    assert "send_pay_date" not in till.query(unpaid).fields
    assert "send_pay_date" in till.query(paid).fields


def test_closing_is_for_trades_that_wait(till: AlipayTill) -> None:
    unpaid, paid = till.order_no(), till.order_no()
    till.pay(unpaid, 100, till.code("9004"))
    till.pay(paid, 100, till.code())
    assert till.call("alipay.trade.close", {"out_trade_no": unpaid}).fields["code"] == "10000"
    assert till.query(unpaid).state == "closed"
    assert till.call("alipay.trade.close", {"out_trade_no": paid}).code == "ACQ.REASON_TRADE_STATUS_INVALID"
    assert till.call("alipay.trade.close", {"out_trade_no": unpaid}).code == "ACQ.TRADE_STATUS_ERROR"
    assert till.call("alipay.trade.close", {"out_trade_no": till.order_no()}).state == "not_found"


def test_a_partial_refund_needs_a_request_number_and_a_full_one_does_not(till: AlipayTill) -> None:
    number = till.order_no()
    till.pay(number, 100, till.code())
    refused = till.call("alipay.trade.refund", {"out_trade_no": number, "refund_amount": "0.40"})
    assert refused.code == "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
    full = till.call("alipay.trade.refund", {"out_trade_no": number, "refund_amount": "1.00"})
    assert (full.fields["fund_change"], full.fields["refund_fee"]) == ("Y", "1.00")
    assert till.query_refund(number, number).state == "succeeded"
    assert till.query(number).fields["trade_status"] == "TRADE_CLOSED"


def test_request_numbers_belong_to_their_trade(till: AlipayTill) -> None:
    for _ in range(2):
        number = till.order_no()
        till.pay(number, 100, till.code())
        assert till.refund(number, "R1", 40, 100).fields["fund_change"] == "Y"


def test_a_refund_that_never_happened_is_an_empty_success(till: AlipayTill) -> None:
    number = till.order_no()
    till.pay(number, 100, till.code())
    answer = till.call("alipay.trade.fastpay.refund.query", {"out_trade_no": number, "out_request_no": "R1"})
    assert json.loads(answer.raw.body)["alipay_trade_fastpay_refund_query_response"] == {
        "code": "10000", "msg": "Success",
    }  # fmt: skip


def test_trade_no_wins_over_out_trade_no(till: AlipayTill) -> None:
    one, other = till.order_no(), till.order_no()
    trade_no = till.pay(one, 100, till.code()).fields["trade_no"]
    till.pay(other, 200, till.code())
    found = till.call("alipay.trade.query", {"out_trade_no": other, "trade_no": trade_no})
    assert (found.fields["out_trade_no"], len(trade_no)) == (one, 28)
