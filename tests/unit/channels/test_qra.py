"""The adapter of the bar-code front: what it sends for bar codes, and what each answer means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.kernel.failures import FailureCode
from routing.channels.base import (
    BarcodeCharge,
    ChannelRejected,
    ChannelUnknown,
    ChannelUnsent,
    TransportResponse,
)
from routing.channels.reports import ReversalState, TradeState
from tests.unit.channels.answering import CHARGE, LIMITS, ORDER, qra, qra_answer, qra_body, qra_sign
from tests.unit.channels.qra_words import DONE, MCH_ID, PAID, failed, turned_away

# Rows of CHANNEL-PROTOCOLS 1.6, whose words these are.
CONFIGURATION = [
    "NOAUTH",
    "NO_AUTH",
    "Auth valid fail",
    "SIGNERROR",
    "MCHID_NOT_EXIST",
    "APPID_NOT_EXIST",
    "APPID_MCHID_NOT_MATCH",
]
REFUSALS = [
    *[(code, FailureCode.CHANNEL_MISCONFIGURED) for code in CONFIGURATION],
    ("NOTENOUGH", FailureCode.INSUFFICIENT_FUNDS),
    ("AUTH_CODE_EXPIRE", FailureCode.AUTH_CODE_EXPIRED),
    ("AUTHCODEEXPIRE", FailureCode.AUTH_CODE_EXPIRED),
    ("AUTH_CODE_ERROR", FailureCode.AUTH_CODE_USED),
    ("AUTH_CODE_INVALID", FailureCode.AUTH_CODE_INVALID),
    ("NOTSUPORTCARD", FailureCode.CARD_DECLINED),
    ("BUYER_MISMATCH", FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
    ("ACCOUNT_ERROR", FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
    ("USER_NOT_EXIST", FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
    ("REQUEST_BLOCKED", FailureCode.CHANNEL_RISK_DECLINED),
    ("RULELIMIT", FailureCode.LIMIT_EXCEEDED),
    ("TRADE_ERROR", FailureCode.CHANNEL_REFUSED),
    ("ORDERCLOSED", FailureCode.CHANNEL_REFUSED),
    ("Some other thing", FailureCode.CHANNEL_REFUSED),
    ("", FailureCode.CHANNEL_REFUSED),
]
NEVER_A_FAILURE = ["SYSTEMERROR", "SYSTEM_ERROR", "BANKERROR", "ORDERPAID", "Order paid", "OUT_TRADE_NO_USED"]


async def test_a_charge_is_sent_as_the_document_says() -> None:
    channel, sent = qra(qra_answer(PAID))
    await channel.charge_barcode(CHARGE, LIMITS)
    assert sent.urls == ["POST https://qra.invalid/pay/gateway"]
    fields = sent.xml
    assert fields["sign"] == qra_sign(fields)
    assert len(fields.pop("nonce_str")) == 32
    del fields["sign"]
    assert fields == {
        "service": "unified.trade.micropay",
        "version": "2.0",
        "charset": "UTF-8",
        "sign_type": "MD5",
        "mch_id": MCH_ID,
        "out_trade_no": ORDER.order_no,
        "body": "豆浆油条套餐",
        "total_fee": "1280",
        "mch_create_ip": "127.0.0.1",
        "auth_code": CHARGE.auth_code,
        "device_info": "T0000001",
        "op_shop_id": "S1",
        "op_device_id": "T0000001",
        "op_user_id": "O1",
    }


async def test_an_account_says_more_of_itself_where_its_contract_wants_it() -> None:
    more = {"sign_agentno": "105000000", "groupno": "G1", "mch_create_ip": "203.0.113.7", "device_type": "11"}
    channel, sent = qra(qra_answer(PAID), **more)
    await channel.charge_barcode(CHARGE, LIMITS)
    fields = sent.xml
    assert (fields["sign_agentno"], fields["groupno"], fields["mch_create_ip"]) == ("105000000", "G1", "203.0.113.7")
    assert json.loads(fields["terminal_info"]) == {"device_type": "11", "terminal_id": "T0000001"}
    assert fields["sign"] == qra_sign(fields)


@pytest.mark.parametrize("terminal_id", [None, "T1", "终端终端终端终端", "T0000001X"])
async def test_of_a_terminal_that_does_not_fit_nothing_is_told_but_its_number(terminal_id: str | None) -> None:
    channel, sent = qra(qra_answer(PAID), device_type="11")
    await channel.charge_barcode(BarcodeCharge(ORDER, CHARGE.auth_code, "x", terminal_id=terminal_id), LIMITS)
    assert "terminal_info" not in sent.xml
    assert sent.xml.get("op_device_id") == terminal_id


async def test_every_call_has_a_nonce_of_its_own() -> None:
    channel, sent = qra(qra_answer(PAID))
    await channel.charge_barcode(CHARGE, LIMITS)
    first = sent.xml["nonce_str"]
    await channel.charge_barcode(CHARGE, LIMITS)
    assert sent.xml["nonce_str"] != first


@pytest.mark.parametrize(
    ("description", "body"),
    [
        ("x&total_fee=1", "x＆total_fee=1"),
        ("</body><total_fee>1</total_fee><body>", "</body><total_fee>1</total_fee><body>"),
        ("]]>&lt;", "]]>＆lt;"),
        ("a\x00b\x0bc\r\nd\ud800e", "a b c  d e"),
        ("长" * 500, "长" * 127),
    ],
)
async def test_no_text_of_a_merchant_becomes_a_field(description: str, body: str) -> None:
    channel, sent = qra(qra_answer(PAID))
    await channel.charge_barcode(replace(CHARGE, description=description, store_id=description), LIMITS)
    fields = sent.xml
    assert (fields["body"], fields["total_fee"], fields["op_shop_id"]) == (body, "1280", body[:32])
    assert fields["sign"] == qra_sign(fields)


@pytest.mark.parametrize("auth_code", ["", "62\ud800", "１３４５", "134 567", "134&total_fee=1", "<xml>", "134\x00"])
async def test_what_is_no_payment_code_is_never_sent(auth_code: str) -> None:
    channel, sent = qra(qra_answer(PAID))
    with pytest.raises(ChannelUnsent):
        await channel.charge_barcode(replace(CHARGE, auth_code=auth_code), LIMITS)
    assert not sent.urls


async def test_blanks_around_a_payment_code_do_not_count() -> None:
    channel, sent = qra(qra_answer(PAID))
    await channel.charge_barcode(replace(CHARGE, auth_code=f" {CHARGE.auth_code}\n"), LIMITS)
    assert sent.xml["auth_code"] == CHARGE.auth_code


@pytest.mark.parametrize("number", ["MS-1", "short", "x" * 33, "MS20261122&a=b", "ＭＳ2026112200"])
async def test_a_number_that_is_none_of_ours_is_never_sent(number: str) -> None:
    channel, sent = qra(qra_answer(PAID))
    order = replace(ORDER, order_no=number)
    for call in (channel.query(order, LIMITS), channel.reverse(order, LIMITS), channel.close(order, LIMITS)):
        with pytest.raises(ChannelUnsent):
            await call
    assert not sent.urls


@pytest.mark.parametrize("need_query", ["", "N"])
async def test_a_paid_charge_is_captured_with_its_facts(need_query: str) -> None:
    report = await qra(qra_answer(PAID | {"need_query": need_query}))[0].charge_barcode(CHARGE, LIMITS)
    assert (report.state, report.amount_fen, report.failure) == (TradeState.CAPTURED, 1280, None)
    assert report.channel_trade_no == "702611221015301234568"
    assert report.paid_at == datetime(2026, 11, 22, 2, 15, 32, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"pay_result": "1"},
        {"pay_result": ""},
        {"pay_result": "00"},
        {"need_query": "Y"},
        {"need_query": "n"},
        {"result_code": "2"},
        {"result_code": ""},
        {"status": "00"},
        {"status": ""},
        {"mch_id": "QRA581000000192"},
        {"mch_id": ""},
        {"out_trade_no": "MS20261122000002"},
        {"out_trade_no": ""},
    ],
)
async def test_a_success_that_is_not_clearly_ours_and_paid_is_asked_for(change: dict[str, str]) -> None:
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(PAID | change))[0].charge_barcode(CHARGE, LIMITS)


@pytest.mark.parametrize("stamp", ["", "2026", "20261322101532", "x" * 14])
async def test_a_stamp_that_cannot_be_read_is_no_reason_to_lose_an_outcome(stamp: str) -> None:
    report = await qra(qra_answer(PAID | {"time_end": stamp, "total_fee": "12.80"}))[0].charge_barcode(CHARGE, LIMITS)
    assert (report.state, report.paid_at, report.amount_fen) == (TradeState.CAPTURED, None, None)


@pytest.mark.parametrize("need_query", ["Y", "N", None])
async def test_while_the_customer_types_a_charge_is_pending(need_query: str | None) -> None:
    answer = failed("USERPAYING", need_query, transaction_id="702611221015301234568")
    report = await qra(qra_answer(answer))[0].charge_barcode(CHARGE, LIMITS)
    assert (report.state, report.channel_code) == (TradeState.PENDING, "USERPAYING")
    assert report.channel_trade_no == "702611221015301234568"


@pytest.mark.parametrize(("code", "failure"), REFUSALS)
async def test_what_surely_failed_is_a_refusal_and_only_the_accounts_own_fault_fails_over(
    code: str, failure: FailureCode
) -> None:
    with pytest.raises(ChannelRejected) as caught:
        await qra(qra_answer(failed(code, "N")))[0].charge_barcode(CHARGE, LIMITS)
    assert caught.value.failure is failure
    assert caught.value.may_fail_over is (code in CONFIGURATION)
    assert caught.value.code == (code.replace(" ", "_") or "result_code")


@pytest.mark.parametrize("need_query", ["Y", "", "n", "0", None])
@pytest.mark.parametrize("code", ["NOTENOUGH", "NOAUTH", "INVALID_REQUEST", "Signature error", "x"])
async def test_a_failure_that_is_not_sure_is_asked_for(code: str, need_query: str | None) -> None:
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(failed(code, need_query)))[0].charge_barcode(CHARGE, LIMITS)


@pytest.mark.parametrize("result_code", ["", "2", "00", "FAIL"])
async def test_a_result_that_is_neither_success_nor_failure_decides_nothing(result_code: str) -> None:
    answer = failed("NOTENOUGH", "N") | {"result_code": result_code}
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(answer))[0].charge_barcode(CHARGE, LIMITS)


@pytest.mark.parametrize("code", NEVER_A_FAILURE)
async def test_some_words_never_mean_that_nothing_was_charged(code: str) -> None:
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(failed(code, "N")))[0].charge_barcode(CHARGE, LIMITS)


async def test_a_failure_of_another_order_says_nothing_about_ours() -> None:
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(failed("NOTENOUGH", "N", out_trade_no="MS20261122000002")))[0].charge_barcode(
            CHARGE, LIMITS
        )


@pytest.mark.parametrize(
    ("message", "code"),
    [("Signature error", "Signature_error"), ("Require POST method", "Require_POST_method")],
)
async def test_a_request_that_was_turned_away_is_refused_but_never_fails_over(message: str, code: str) -> None:
    with pytest.raises(ChannelRejected) as caught:
        await qra(qra_answer(turned_away(message), seal="unsigned"))[0].charge_barcode(CHARGE, LIMITS)
    assert (caught.value.failure, caught.value.may_fail_over) == (FailureCode.CHANNEL_MISCONFIGURED, False)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "answer",
    [
        turned_away("Signature error", "500"),
        turned_away("Signature error", ""),
        turned_away("System busy"),
        turned_away("Signature error", err_code="SYSTEMERROR"),
        turned_away("Signature error", sign="0" * 32),
        turned_away(""),
    ],
)
async def test_any_other_trouble_at_the_door_leaves_the_charge_unknown(answer: dict[str, str]) -> None:
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(answer, seal="unsigned"))[0].charge_barcode(CHARGE, LIMITS)


@pytest.mark.parametrize("answer", [PAID, failed("NOTENOUGH", "N"), failed("NOAUTH", "N"), failed("USERPAYING", "Y")])
@pytest.mark.parametrize("seal", ["unsigned", "forged"])
async def test_nothing_that_the_front_has_not_signed_is_believed(answer: Mapping[str, str], seal: str) -> None:
    with pytest.raises(ChannelUnknown) as caught:
        await qra(qra_answer(answer, seal=seal))[0].charge_barcode(CHARGE, LIMITS)
    assert caught.value.code == "answer_signature"


async def test_a_signature_in_lower_case_is_not_the_fronts() -> None:
    answer = PAID | {"sign": qra_sign(PAID).lower()}
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(answer, seal="unsigned"))[0].charge_barcode(CHARGE, LIMITS)


async def test_a_value_that_could_be_read_as_further_fields_is_not_believed() -> None:
    """`attach=x&pay_result=0` signed as one field has the same text as two fields."""
    plain = DONE | {"attach": "x", "out_trade_no": ORDER.order_no, "pay_result": "0", "total_fee": "1280"}
    merged = {name: value for name, value in plain.items() if name not in {"charset", "attach"}}
    merged["attach"] = "x&charset=UTF-8"
    assert qra_sign(plain) == qra_sign(merged)
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(merged))[0].charge_barcode(CHARGE, LIMITS)


@pytest.mark.parametrize(
    "answer",
    [
        TransportResponse(500, {}, qra_body(PAID)),
        TransportResponse(302, {}, qra_body(PAID)),
        TransportResponse(200, {}, b""),
        TransportResponse(200, {}, b"<html></html>"),
        TransportResponse(200, {}, b"<xml>"),
        TransportResponse(200, {}, b"\xff\xfe"),
        TransportResponse(200, {}, qra_body(PAID).decode().encode("utf-16")),
        TransportResponse(200, {}, b"status=0&result_code=0"),
        TransportResponse(200, {}, qra_body(PAID) + b"x"),
        TransportResponse(200, {}, qra_body(PAID).replace(b"<status>", b"<status><b/>")),
        TransportResponse(200, {}, b'<!DOCTYPE xml [<!ENTITY a "0">]>' + qra_body(PAID)),
    ],
)
async def test_what_is_no_answer_leaves_the_charge_unknown(answer: TransportResponse) -> None:
    with pytest.raises(ChannelUnknown):
        await qra(answer)[0].charge_barcode(CHARGE, LIMITS)


@pytest.mark.parametrize("error", [ChannelUnsent("connect_failed"), ChannelUnknown("read_timeout")])
async def test_the_transports_own_errors_pass_as_they_are(error: Any) -> None:
    with pytest.raises(type(error)) as caught:
        await qra(error)[0].charge_barcode(CHARGE, LIMITS)
    assert caught.value is error


# Queries


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("SUCCESS", TradeState.CAPTURED),
        ("REFUND", TradeState.REFUNDED),
        ("NOTPAY", TradeState.PENDING),
        ("USERPAYING", TradeState.PENDING),
        ("CLOSED", TradeState.CLOSED),
        ("REVOKED", TradeState.CLOSED),
        ("PAYERROR", TradeState.REFUSED),
    ],
)
async def test_an_order_stands_as_its_state_says(word: str, state: TradeState) -> None:
    answer = {name: value for name, value in PAID.items() if name != "pay_result"} | {"trade_state": word}
    channel, sent = qra(qra_answer(answer))
    report = await channel.query(ORDER, LIMITS)
    assert (report.state, report.channel_code, report.amount_fen) == (state, word, 1280)
    assert report.failure is (FailureCode.CHANNEL_REFUSED if state is TradeState.REFUSED else None)
    assert (report.paid_at is not None) is (state is TradeState.CAPTURED)
    assert sent.xml["service"] == "unified.trade.query"
    assert sent.xml["out_trade_no"] == ORDER.order_no


@pytest.mark.parametrize("word", ["", "success", "PAID", "0", "ACCEPT", "x" * 100])
async def test_a_state_of_no_table_decides_nothing(word: str) -> None:
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(PAID | {"trade_state": word}))[0].query(ORDER, LIMITS)


@pytest.mark.parametrize("number", ["", "MS20261122000002"])
async def test_a_query_answered_for_another_order_decides_nothing(number: str) -> None:
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(PAID | {"trade_state": "SUCCESS", "out_trade_no": number}))[0].query(ORDER, LIMITS)


@pytest.mark.parametrize("code", ["ORDERNOTEXIST", "ORDER_NOT_EXIST", "Order not exists"])
async def test_an_order_that_is_not_there_is_reported_and_not_raised(code: str) -> None:
    report = await qra(qra_answer(failed(code)))[0].query(ORDER, LIMITS)
    assert (report.state, report.amount_fen) == (TradeState.NOT_FOUND, None)


@pytest.mark.parametrize(
    ("answer", "seal"),
    [
        (failed("SYSTEMERROR"), "signed"),
        (failed("NOAUTH", "N"), "signed"),
        (failed("ORDERNOTEXIST"), "unsigned"),
        (failed("ORDERNOTEXIST"), "forged"),
        (failed("ORDERNOTEXIST", out_trade_no="MS20261122000002"), "signed"),
        (turned_away("Signature error"), "unsigned"),
        (PAID | {"trade_state": "SUCCESS"}, "unsigned"),
    ],
)
async def test_a_query_that_did_not_work_decides_nothing(answer: Mapping[str, str], seal: str) -> None:
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(answer, seal=seal))[0].query(ORDER, LIMITS)


# Reversals


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (DONE | {"out_trade_no": ORDER.order_no}, ReversalState.REVERSED),
        (DONE, ReversalState.ACCEPTED),
        (failed("USERPAYING"), ReversalState.REPEAT),
        (failed("ORDERNOTEXIST"), ReversalState.NOT_FOUND),
        (failed("TRADE_OVERDUE"), ReversalState.REFUSED),
        (failed("TRADE_ERROR"), ReversalState.REFUSED),
        (failed("ORDER_REVERSED"), ReversalState.REVERSED),
        (failed("ORDERCLOSED"), ReversalState.REVERSED),
    ],
)
async def test_a_reversal_is_confirmed_or_asked_for_again(answer: Mapping[str, str], state: ReversalState) -> None:
    channel, sent = qra(qra_answer(answer))
    assert (await channel.reverse(ORDER, LIMITS)).state is state
    assert (sent.xml["service"], sent.xml["out_trade_no"]) == ("unified.micropay.reverse", ORDER.order_no)


@pytest.mark.parametrize(
    ("answer", "seal"),
    [
        (failed("SYSTEMERROR"), "signed"),
        (failed("INVALID_REQUEST", "N"), "signed"),
        (failed("ORDER_REVERSED"), "unsigned"),
        (DONE | {"out_trade_no": ORDER.order_no}, "forged"),
        (DONE | {"out_trade_no": "MS20261122000002"}, "signed"),
        (turned_away("Signature error"), "unsigned"),
    ],
)
async def test_any_other_answer_to_a_reversal_leaves_it_unknown(answer: Mapping[str, str], seal: str) -> None:
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(answer, seal=seal))[0].reverse(ORDER, LIMITS)
