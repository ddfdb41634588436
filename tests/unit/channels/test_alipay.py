"""The Alipay adapter: what it sends, and what each answer means."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.kernel.failures import FailureCode
from gateway.kernel.money import Money
from routing.channels.alipay_signing import request_string
from routing.channels.base import BarcodeCharge, ChannelRejected, ChannelUnknown, ChannelUnsent, TransportResponse
from routing.channels.reports import RefundState, ReversalState, TradeState
from tests.unit.channels.answering import CHARGE, LIMITS, ORDER, REFUND, alipay, alipay_answer
from tests.unit.channels.vectors import keys

PAY, QUERY, CANCEL = "alipay.trade.pay", "alipay.trade.query", "alipay.trade.cancel"
REFUND_METHOD, REFUND_QUERY = "alipay.trade.refund", "alipay.trade.fastpay.refund.query"
PAID: dict[str, Any] = {
    "code": "10000",
    "msg": "Success",
    "out_trade_no": ORDER.order_no,
    "trade_no": "2026112222001400000000019191",
    "buyer_user_id": "2088102169481075",
    "total_amount": "12.80",
    "buyer_pay_amount": "10.80",
    "gmt_payment": "2026-11-22 10:15:30",
}

# Rows of CHANNEL-PROTOCOLS 2.3 as they bear on alipay.trade.pay.
REFUSALS = [
    ("ACQ.PAYMENT_AUTH_CODE_INVALID", FailureCode.AUTH_CODE_INVALID),
    ("ACQ.BUYER_BALANCE_NOT_ENOUGH", FailureCode.INSUFFICIENT_FUNDS),
    ("ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH", FailureCode.INSUFFICIENT_FUNDS),
    ("ACQ.ERROR_BALANCE_PAYMENT_DISABLE", FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
    ("ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE", FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
    ("ACQ.PAYMENT_FAIL", FailureCode.CHANNEL_REFUSED),
    ("ACQ.PAYMENT_REQUEST_HAS_RISK", FailureCode.CHANNEL_RISK_DECLINED),
    ("ACQ.BEYOND_PAY_RESTRICTION", FailureCode.LIMIT_EXCEEDED),
    ("ACQ.BEYOND_PER_RECEIPT_SINGLE_RESTRICTION", FailureCode.LIMIT_EXCEEDED),
    ("ACQ.BEYOND_PER_RECEIPT_DAY_RESTRICTION", FailureCode.LIMIT_EXCEEDED),
    ("ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR", FailureCode.LIMIT_EXCEEDED),
    ("ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR", FailureCode.LIMIT_EXCEEDED),
    ("ACQ.TOTAL_FEE_EXCEED", FailureCode.LIMIT_EXCEEDED),
    ("ACQ.TRADE_HAS_CLOSE", FailureCode.CHANNEL_REFUSED),
    ("ACQ.BUYER_SELLER_EQUAL", FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
    ("ACQ.TRADE_BUYER_NOT_MATCH", FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
    ("ACQ.BUYER_ENABLE_STATUS_FORBID", FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
    ("ACQ.SELLER_BEEN_BLOCKED", FailureCode.CHANNEL_MISCONFIGURED),
    ("ACQ.PULL_MOBILE_CASHIER_FAIL", FailureCode.CHANNEL_REFUSED),
    ("ACQ.MOBILE_PAYMENT_SWITCH_OFF", FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
    ("ACQ.USER_FACE_PAYMENT_SWITCH_OFF", FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
    ("ACQ.INVALID_STORE_ID", FailureCode.CHANNEL_MISCONFIGURED),
    ("ACQ.SUB_MERCHANT_CREATE_FAIL", FailureCode.CHANNEL_MISCONFIGURED),
    ("ACQ.EXIST_FORBIDDEN_WORD", FailureCode.CHANNEL_REFUSED),
    ("ACQ.MERCHANT_STATUS_NOT_NORMAL", FailureCode.CHANNEL_MISCONFIGURED),
    ("ACQ.CURRENCY_NOT_SUPPORT", FailureCode.CHANNEL_REFUSED),
    ("ACQ.ACCESS_FORBIDDEN", FailureCode.CHANNEL_MISCONFIGURED),
    ("ACQ.PARTNER_ERROR", FailureCode.CHANNEL_MISCONFIGURED),
    ("ACQ.INVALID_PARAMETER", FailureCode.CHANNEL_REFUSED),
    ("AQC.BUYER_BALANCE_NOT_ENOUGH", FailureCode.INSUFFICIENT_FUNDS),
    ("BUYER_BALANCE_NOT_ENOUGH", FailureCode.INSUFFICIENT_FUNDS),
]
UNKNOWN = [
    ("20000", "isp.unknow-error"),
    ("20000", "aop.unknow-error"),
    ("40004", "ACQ.SYSTEM_ERROR"),
    ("40004", "AQC.SYSTEM_ERROR"),
    ("40004", "SYSTEM_ERROR"),
    ("40004", "ACQ.TRADE_HAS_SUCCESS"),
    ("40004", "ACQ.CONTEXT_INCONSISTENT"),
    ("40004", "ACQ.TRADE_NOT_EXIST"),
    ("40004", "ACQ.SOMETHING_NEW"),
    ("40004", ""),
    ("40005", "isv.app-call-limited"),
    ("40005", "isv.method-call-limited"),
    ("99999", ""),
    ("", ""),
]
GATEWAY = [
    ("20001", "aop.invalid-auth-token"),
    ("40001", "isv.missing-signature"),
    ("40002", "isv.invalid-signature"),
    ("40002", "isv.invalid-app-id"),
    ("40003", "isv.missing-signature-config"),
    ("40006", "isv.insufficient-isv-permissions"),
]


def _failed(code: str, sub_code: str) -> dict[str, Any]:
    return {"code": code, "msg": "x", "sub_code": sub_code, "sub_msg": "284567890123456789", "buyer_pay_amount": "0.00"}


async def test_a_charge_is_sent_as_the_document_says_and_signed_over_query_and_form() -> None:
    channel, sent = alipay(alipay_answer(PAY, PAID))
    await channel.charge_barcode(CHARGE, LIMITS)
    assert sent.urls[0].startswith("POST https://alipay.invalid/gateway.do?")
    assert sent.bodies[0].startswith(b"biz_content=")
    assert b"auth_code" not in sent.urls[0].encode()  # addresses end up in logs
    params = sent.form
    assert {name: params[name] for name in ("app_id", "method", "format", "charset", "sign_type", "version")} == {
        "app_id": keys("alipay")["app_id"],
        "method": PAY,
        "format": "JSON",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "version": "1.0",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", params["timestamp"])
    assert json.loads(params["biz_content"]) == {
        "out_trade_no": ORDER.order_no,
        "total_amount": "12.80",
        "subject": "豆浆油条套餐",
        "auth_code": CHARGE.auth_code,
        "scene": "bar_code",
        "product_code": "FACE_TO_FACE_PAYMENT",
        "seller_id": "2088102175953034",
        "timeout_express": "2m",
        "store_id": "S1",
        "terminal_id": "T0000001",
        "operator_id": "O1",
    }
    assert "sign_type=RSA2" in request_string(params)
    assert params["sign"]


async def test_a_face_token_and_an_awkward_subject_are_sent_as_alipay_wants_them() -> None:
    channel, sent = alipay(alipay_answer(PAY, PAID))
    await channel.charge_barcode(BarcodeCharge(ORDER, "fp" + "a" * 33, "拿铁/2 a=b&c" + "长" * 300), LIMITS)
    content = json.loads(sent.form["biz_content"])
    assert content["scene"] == "security_code"
    assert content["subject"].startswith("拿铁 2 a b c长")
    assert len(content["subject"]) == 256
    assert "store_id" not in content
    with pytest.raises(ChannelUnsent):
        await channel.charge_barcode(BarcodeCharge(ORDER, CHARGE.auth_code, "\udfff"), LIMITS)


async def test_a_paid_charge_is_captured_with_its_facts() -> None:
    report = await alipay(alipay_answer(PAY, PAID))[0].charge_barcode(CHARGE, LIMITS)
    assert report.state is TradeState.CAPTURED
    assert (report.amount_fen, report.payer_paid_fen) == (1280, 1080)
    assert (report.channel_trade_no, report.payer_id) == (PAID["trade_no"], PAID["buyer_user_id"])
    assert report.paid_at == datetime(2026, 11, 22, 2, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize("node", [PAID | {"code": "10003"}, {"code": "10003", "msg": "order success pay inprocess"}])
async def test_a_buyer_who_still_types_is_pending(node: dict[str, Any]) -> None:
    assert (await alipay(alipay_answer(PAY, node))[0].charge_barcode(CHARGE, LIMITS)).state is TradeState.PENDING


@pytest.mark.parametrize(("sub_code", "failure"), REFUSALS)
async def test_a_sub_code_of_the_table_is_a_refusal(sub_code: str, failure: FailureCode) -> None:
    answer = alipay_answer(PAY, _failed("40004", sub_code))
    with pytest.raises(ChannelRejected) as caught:
        await alipay(answer)[0].charge_barcode(CHARGE, LIMITS)
    assert (caught.value.code, caught.value.failure) == (sub_code, failure)
    assert caught.value.may_fail_over is any(word in sub_code for word in ("ACCESS_FORBIDDEN", "PARTNER_ERROR"))


@pytest.mark.parametrize(("sub_code", "failure"), REFUSALS)
async def test_a_business_refusal_is_believed_only_with_a_signature(sub_code: str, failure: FailureCode) -> None:
    for seal in ("unsigned", "forged"):
        answer = alipay_answer(PAY, _failed("40004", sub_code), seal=seal)
        with pytest.raises(ChannelUnknown) as caught:
            await alipay(answer)[0].charge_barcode(CHARGE, LIMITS)
        assert caught.value.code == "answer_signature"


@pytest.mark.parametrize("seal", ["signed", "unsigned"])
@pytest.mark.parametrize(("code", "sub_code"), GATEWAY)
async def test_an_error_of_the_gateway_is_a_refusal_also_without_a_signature(
    code: str, sub_code: str, seal: str
) -> None:
    with pytest.raises(ChannelRejected) as caught:
        await alipay(alipay_answer(PAY, _failed(code, sub_code), seal=seal))[0].charge_barcode(CHARGE, LIMITS)
    assert caught.value.failure is FailureCode.CHANNEL_MISCONFIGURED
    assert caught.value.code == sub_code
    assert caught.value.may_fail_over is (seal == "signed")


@pytest.mark.parametrize("seal", ["signed", "unsigned", "forged"])
@pytest.mark.parametrize(("code", "sub_code"), UNKNOWN)
async def test_any_other_code_leaves_the_charge_unknown(code: str, sub_code: str, seal: str) -> None:
    with pytest.raises(ChannelUnknown):
        await alipay(alipay_answer(PAY, _failed(code, sub_code), seal=seal))[0].charge_barcode(CHARGE, LIMITS)


@pytest.mark.parametrize(
    "answer",
    [
        alipay_answer(PAY, PAID, seal="unsigned"),
        alipay_answer(PAY, PAID, seal="forged"),
        alipay_answer(PAY, _failed("40002", "isv.invalid-signature"), seal="forged"),
        alipay_answer(QUERY, PAID),
        alipay_answer(PAY, PAID | {"out_trade_no": "MS20261122000002"}),
        alipay_answer(PAY, {name: value for name, value in PAID.items() if name != "out_trade_no"}),
        alipay_answer(PAY, PAID | {"code": 10000}),
        alipay_answer(PAY, PAID | {"code": ["10000"]}),
        TransportResponse(500, {}, b"{}"),
        TransportResponse(302, {}, b""),
        TransportResponse(200, {}, b""),
        TransportResponse(200, {}, b"<html>"),
        TransportResponse(200, {}, b"\xff\xfe"),
    ],
)
async def test_an_answer_that_proves_nothing_leaves_the_charge_unknown(answer: Any) -> None:
    with pytest.raises(ChannelUnknown):
        await alipay(answer)[0].charge_barcode(CHARGE, LIMITS)


async def test_an_amount_that_is_none_is_left_out_and_not_guessed() -> None:
    for amount in ("12.801", "1e3", "", 12.8, None, "１２"):
        report = await alipay(alipay_answer(PAY, PAID | {"total_amount": amount}))[0].charge_barcode(CHARGE, LIMITS)
        assert report.amount_fen is None


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("WAIT_BUYER_PAY", TradeState.PENDING),
        ("TRADE_SUCCESS", TradeState.CAPTURED),
        ("TRADE_FINISHED", TradeState.CAPTURED),
        ("TRADE_CLOSED", TradeState.CLOSED),
    ],
)
async def test_a_query_reports_the_state_of_the_trade(status: str, state: TradeState) -> None:
    channel, sent = alipay(alipay_answer(QUERY, PAID | {"trade_status": status}))
    report = await channel.query(ORDER, LIMITS)
    assert (report.state, report.channel_code, report.amount_fen) == (state, status, 1280)
    assert json.loads(sent.form["biz_content"]) == {"out_trade_no": ORDER.order_no}


@pytest.mark.parametrize("sub_code", ["ACQ.TRADE_NOT_EXIST", "AQC.TRADE_NOT_EXIST", "TRADE_NOT_EXIST"])
async def test_a_trade_that_is_not_there_is_reported(sub_code: str) -> None:
    report = await alipay(alipay_answer(QUERY, _failed("40004", sub_code)))[0].query(ORDER, LIMITS)
    assert report.state is TradeState.NOT_FOUND


@pytest.mark.parametrize(
    "answer",
    [
        alipay_answer(QUERY, PAID | {"trade_status": "NEW"}),
        alipay_answer(QUERY, PAID),
        alipay_answer(QUERY, PAID | {"trade_status": "TRADE_SUCCESS", "out_trade_no": "X"}),
        alipay_answer(QUERY, PAID | {"trade_status": "TRADE_SUCCESS"}, seal="unsigned"),
        alipay_answer(QUERY, _failed("40004", "ACQ.TRADE_NOT_EXIST"), seal="unsigned"),
        alipay_answer(QUERY, _failed("40004", "ACQ.SYSTEM_ERROR")),
        alipay_answer(QUERY, _failed("40002", "isv.invalid-signature"), seal="unsigned"),
    ],
)
async def test_a_query_without_a_proven_answer_is_unknown_and_never_a_refusal(answer: Any) -> None:
    with pytest.raises(ChannelUnknown):
        await alipay(answer)[0].query(ORDER, LIMITS)


_CANCELLED = {"code": "10000", "out_trade_no": ORDER.order_no, "retry_flag": "N"}


@pytest.mark.parametrize(
    ("node", "state"),
    [
        (_CANCELLED | {"action": "close"}, ReversalState.REVERSED),
        (_CANCELLED | {"action": "refund"}, ReversalState.REVERSED),
        (_CANCELLED, ReversalState.NOT_FOUND),
        ({"code": "10000", "retry_flag": "N"}, ReversalState.NOT_FOUND),
        (_CANCELLED | {"retry_flag": "Y"}, ReversalState.REPEAT),
        (_failed("40004", "ACQ.SYSTEM_ERROR") | {"retry_flag": "Y"}, ReversalState.REPEAT),
        (_failed("40004", "ACQ.TRADE_NOT_EXIST"), ReversalState.NOT_FOUND),
        (_failed("40004", "ACQ.TRADE_CANCEL_TIME_OUT"), ReversalState.REFUSED),
        (_failed("40004", "ACQ.CANCEL_NOT_ALLOWED"), ReversalState.REFUSED),
        (_failed("40004", "ACQ.TRADE_HAS_FINISHED"), ReversalState.REFUSED),
        (_failed("40004", "ACQ.REASON_TRADE_STATUS_INVALID"), ReversalState.REFUSED),
    ],
)
async def test_a_cancellation_reports_how_far_it_is(node: dict[str, Any], state: ReversalState) -> None:
    assert (await alipay(alipay_answer(CANCEL, node))[0].reverse(ORDER, LIMITS)).state is state


@pytest.mark.parametrize(
    "answer",
    [
        alipay_answer(CANCEL, _CANCELLED | {"action": "close"}, seal="unsigned"),
        alipay_answer(CANCEL, _CANCELLED | {"action": "close", "out_trade_no": "X"}),
        alipay_answer(CANCEL, {"code": "10000", "action": "close"}),
        alipay_answer(CANCEL, _CANCELLED | {"action": "other"}),
        alipay_answer(CANCEL, _CANCELLED | {"action": {}}),
        alipay_answer(CANCEL, _failed("40004", "ACQ.SYSTEM_ERROR")),
        alipay_answer(CANCEL, _failed("40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH")),
        alipay_answer(CANCEL, _failed("20000", "isp.unknow-error")),
        alipay_answer(CANCEL, _failed("40002", "isv.invalid-signature"), seal="unsigned"),
    ],
)
async def test_a_cancellation_without_a_proven_answer_is_unknown(answer: Any) -> None:
    with pytest.raises(ChannelUnknown):
        await alipay(answer)[0].reverse(ORDER, LIMITS)


@pytest.mark.parametrize(("fund_change", "state"), [("Y", RefundState.SUCCEEDED), ("N", RefundState.PENDING)])
async def test_a_refund_has_succeeded_where_money_moved(fund_change: str, state: RefundState) -> None:
    node = {"code": "10000", "out_trade_no": ORDER.order_no, "fund_change": fund_change, "refund_fee": "9.99"}
    channel, sent = alipay(alipay_answer(REFUND_METHOD, node))
    for call in (channel.refund, channel.void):
        report = await call(REFUND, LIMITS)
        assert (report.state, report.amount_fen) == (state, None)  # refund_fee is the sum of all refunds
        assert json.loads(sent.form["biz_content"]) == {
            "out_trade_no": ORDER.order_no,
            "out_request_no": REFUND.refund_no,
            "refund_amount": "2.80",
            "refund_reason": "少了一份",
        }


@pytest.mark.parametrize(
    ("sub_code", "failure"),
    [
        ("ACQ.SELLER_BALANCE_NOT_ENOUGH", FailureCode.MERCHANT_BALANCE_INSUFFICIENT),
        ("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", FailureCode.REFUND_REFUSED),
        ("ACQ.REASON_TRADE_REFUND_FEE_ERR", FailureCode.REFUND_REFUSED),
        ("ACQ.REFUND_FEE_ERROR", FailureCode.REFUND_REFUSED),
        ("ACQ.TRADE_HAS_FINISHED", FailureCode.REFUND_TOO_LATE),
        ("ACQ.TRADE_HAS_CLOSE", FailureCode.REFUND_REFUSED),
        ("ACQ.TRADE_STATUS_ERROR", FailureCode.REFUND_REFUSED),
        ("ACQ.TRADE_NOT_ALLOW_REFUND", FailureCode.REFUND_REFUSED),
        ("ACQ.NOT_ALLOW_PARTIAL_REFUND", FailureCode.REFUND_REFUSED),
        ("ACQ.REASON_TRADE_BEEN_FREEZEN", FailureCode.REFUND_REFUSED),
        ("ACQ.BUYER_NOT_EXIST", FailureCode.PAYER_CANNOT_RECEIVE),
        ("ACQ.BUYER_ERROR", FailureCode.PAYER_CANNOT_RECEIVE),
        ("ACQ.REFUND_CHARGE_ERROR", FailureCode.REFUND_REFUSED),
        ("ACQ.INVALID_PARAMETER", FailureCode.REFUND_REFUSED),
    ],
)
async def test_a_refund_can_be_refused(sub_code: str, failure: FailureCode) -> None:
    with pytest.raises(ChannelRejected) as caught:
        await alipay(alipay_answer(REFUND_METHOD, _failed("40004", sub_code)))[0].refund(REFUND, LIMITS)
    assert (caught.value.code, caught.value.failure) == (sub_code, failure)


@pytest.mark.parametrize("sub_code", ["ACQ.SYSTEM_ERROR", "ACQ.DISCORDANT_REPEAT_REQUEST", "ACQ.TRADE_NOT_EXIST"])
async def test_a_refund_that_may_have_happened_is_unknown(sub_code: str) -> None:
    with pytest.raises(ChannelUnknown):
        await alipay(alipay_answer(REFUND_METHOD, _failed("40004", sub_code)))[0].refund(REFUND, LIMITS)


_REFUNDED = {
    "code": "10000",
    "out_trade_no": ORDER.order_no,
    "out_request_no": REFUND.refund_no,
    "refund_amount": "2.80",
    "total_amount": "12.80",
    "refund_status": "REFUND_SUCCESS",
}


@pytest.mark.parametrize(
    ("node", "state"),
    [
        (_REFUNDED, RefundState.SUCCEEDED),
        (_REFUNDED | {"refund_status": "REFUND_PROCESSING"}, RefundState.PENDING),
        ({"code": "10000", "msg": "Success"}, RefundState.NOT_FOUND),
        (_failed("40004", "ACQ.TRADE_NOT_EXIST"), RefundState.NOT_FOUND),
    ],
)
async def test_a_refund_query_reports_where_the_refund_stands(node: dict[str, Any], state: RefundState) -> None:
    report = await alipay(alipay_answer(REFUND_QUERY, node))[0].query_refund(REFUND, LIMITS)
    assert report.state is state
    assert (report.amount_fen == 280) is ("refund_amount" in node)


@pytest.mark.parametrize("wrong", [{"out_request_no": "RF20261122000002"}, {"out_trade_no": "MS20261122000002"}])
async def test_a_query_about_another_refund_is_unknown(wrong: dict[str, str]) -> None:
    with pytest.raises(ChannelUnknown):
        await alipay(alipay_answer(REFUND_QUERY, _REFUNDED | wrong))[0].query_refund(REFUND, LIMITS)


async def test_amounts_go_out_in_yuan_exactly() -> None:
    for fen, yuan in ((1, "0.01"), (10_000_000_000, "100000000.00"), (9_007_199_254_740_993, "90071992547409.93")):
        channel, sent = alipay(alipay_answer(PAY, PAID))
        order = type(ORDER)(ORDER.order_no, ORDER.created_at, Money(fen))
        await channel.charge_barcode(BarcodeCharge(order, CHARGE.auth_code, "x"), LIMITS)
        assert json.loads(sent.form["biz_content"])["total_amount"] == yuan
