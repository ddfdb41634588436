"""What only UnionPay does: raw k=v answers under its own chain, two merchants, transactions by number and time."""

from __future__ import annotations

import pytest

from routing.simulators.provision import Provision
from tests.unit.simulators.conftest import Simulator, stage_of
from tests.unit.simulators.unionpay_till import UnionpayTill

BACK, QUERY = "backTransReq.do", "queryTrans.do"


@pytest.fixture(params=["unionpay_direct", "unionpay_keyed"])
def till(request: pytest.FixtureRequest, simulators: dict[str, Simulator], provisioned: Provision) -> UnionpayTill:
    found = stage_of(request.param, simulators, provisioned).till
    assert isinstance(found, UnionpayTill)
    return found


def consume_fields(till: UnionpayTill, number: str, **changes: str) -> dict[str, str]:
    business = {
        "orderId": number, "txnTime": till.time_of(number), "txnAmt": "100", "currencyCode": "156",
        "qrNo": till.code(), "termId": "49000002",
    }  # fmt: skip
    return till.fields("0106", business | changes)


def test_the_answer_is_raw_and_signed_by_the_merchants_method(till: UnionpayTill) -> None:
    answer = till.consume(till.order_no(), 100, till.code(), reqReserved="门店=海淀1号+收银台/3")
    assert answer.fields["reqReserved"] == "门店=海淀1号+收银台/3"
    assert answer.seal == "good"
    assert len(answer.fields["queryId"]) == 21
    assert ("signPubKeyCert" in answer.fields) == (till.settings["sign_method"] == "01")


def test_gbk_is_read_signed_and_answered_as_gbk(till: UnionpayTill) -> None:
    number = till.order_no()
    answer = till.send(consume_fields(till, number, encoding="GBK", reqReserved="豆浆油条"), BACK)
    assert (answer.code, answer.seal, answer.fields["reqReserved"]) == ("00", "good", "豆浆油条")
    assert "豆浆油条".encode("gbk") in answer.raw.body


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": "AAAA"}, "11"),
        ({"signature": "?"}, "11"),
        ({"txnAmt": "101"}, "11"),
        ({"signMethod": "12"}, "11"),
        ({"merId": "777290000000000"}, "31"),
        ({"signature": ""}, "13"),
        ({"version": "5.0.0"}, "10"),
    ],
)
def test_a_request_that_proves_nothing_is_refused_and_leaves_no_trace(
    till: UnionpayTill, changes: dict[str, str], code: str
) -> None:
    number = till.order_no()
    answer = till.send(consume_fields(till, number) | changes, BACK)
    assert answer.fields["respCode"] == code
    assert till.query(number).state == "not_found"


def test_one_merchants_signature_is_no_proof_for_the_other(
    simulators: dict[str, Simulator], provisioned: Provision
) -> None:
    tills = [stage_of(account, simulators, provisioned).till for account in ("unionpay_direct", "unionpay_keyed")]
    for till, other in (tills, reversed(tills)):
        assert isinstance(till, UnionpayTill)
        number = till.order_no()
        answer = till.send(consume_fields(till, number, merId=other.settings["mer_id"]), BACK)
        assert answer.fields["respCode"] == "11"
        assert other.query(number).state == "not_found"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"orderId": "SHORT"}, "10"),
        ({"orderId": "HAS-A-DASH1"}, "10"),
        ({"txnTime": "20240101000000"}, "10"),
        ({"txnTime": "yesterday"}, "10"),
        ({"txnAmt": "0"}, "10"),
        ({"txnAmt": "1.00"}, "10"),
        ({"currencyCode": "840"}, "10"),
        ({"reqReserved": "a&b"}, "10"),
        ({"qrNo": ""}, "13"),
        ({"txnAmt": ""}, "13"),
        ({"qrNo": "134567890123456789"}, "61"),
        ({"txnType": "02", "txnSubType": "05"}, "32"),
    ],
)
def test_a_field_that_breaks_the_rules_is_refused_signed(
    till: UnionpayTill, changes: dict[str, str], code: str
) -> None:
    number = till.order_no()
    answer = till.send(consume_fields(till, number, **changes), BACK)
    assert (answer.fields["respCode"], answer.seal) == (code, "good")
    assert till.query(number).state == "not_found"


def test_a_braced_reserve_with_ampersands_is_echoed(till: UnionpayTill) -> None:
    fields = consume_fields(till, till.order_no(), reqReserved="{a=1&b=2}")
    body = till.send(fields, BACK).raw.body
    assert b"&reqReserved={a=1&b=2}&" in body


def test_each_transaction_has_its_address_and_reversals_have_two(till: UnionpayTill) -> None:
    number = till.order_no()
    assert till.send(consume_fields(till, number), QUERY).fields["respCode"] == "32"
    till.pay(number, 100, till.code())
    till.settled(number)
    named = {"orderId": number, "txnTime": till.time_of(number)}
    assert till.call("0000", BACK, **named).fields["respCode"] == "32"
    assert till.call("9901", BACK, **named).fields["respCode"] == "00"
    assert till.call("9901", QUERY, **named).fields["respCode"] == "00"


def test_number_and_time_together_name_a_transaction(till: UnionpayTill) -> None:
    number = till.order_no()
    till.pay(number, 100, till.code())
    till.settled(number)
    other_time = str(int(till.time_of(number)) + 1)
    assert till.call("0000", QUERY, orderId=number, txnTime=other_time).fields["respCode"] == "34"
    by_id = till.call("0000", QUERY, queryId=till.query(number).fields["queryId"])
    assert (by_id.fields["orderId"], by_id.fields["origRespCode"]) == (number, "00")
    assert till.call("0000", QUERY, orderId=number).fields["respCode"] == "13"


def test_a_paid_order_shows_its_traces_and_a_masked_account(till: UnionpayTill) -> None:
    number = till.order_no()
    till.pay(number, 100, till.code())
    found = till.settled(number).fields
    assert (found["settleAmt"], found["settleCurrencyCode"], found["payCardType"]) == ("100", "156", "01")
    assert found["accNo"].startswith("6225***********")
    assert (len(found["traceNo"]), len(found["traceTime"]), len(found["settleDate"])) == (6, 10, 4)


def test_refunds_of_what_was_never_paid_find_no_original(till: UnionpayTill) -> None:
    number = till.order_no()
    till.pay(number, 100, till.code("9004"))
    assert till.refund(number, till.order_no(), 10, 100).fields["respCode"] == "35"
    assert till.refund(till.order_no(), till.order_no(), 10, 100).fields["respCode"] == "35"


def test_paths_and_methods_that_do_not_exist(till: UnionpayTill) -> None:
    assert till.wire("POST", "/gateway/api/cardTransReq.do", {}, b"", 5).status == 404
    assert till.wire("GET", f"/gateway/api/{BACK}", {}, b"", 5).status == 405
    assert b"respCode=10" in till.wire("POST", f"/gateway/api/{BACK}", {}, "中".encode(), 5).body
