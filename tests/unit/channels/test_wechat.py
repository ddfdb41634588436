"""The WeChat Pay adapter: what it sends, and what each answer means."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.kernel.failures import FailureCode
from gateway.kernel.money import Money
from routing.channels.base import (
    BarcodeCharge,
    ChannelError,
    ChannelOrder,
    ChannelRejected,
    ChannelUnknown,
    ChannelUnsent,
)
from routing.channels.reports import RefundState, ReversalState, TradeState
from tests.unit.channels.answering import CHARGE, LIMITS, ORDER, REFUND, wechat, wechat_answer
from tests.unit.channels.vectors import keys

KEYS = keys("wechat")
ORDER_ANSWER: dict[str, Any] = {
    "appid": KEYS["appid"],
    "mchid": KEYS["mchid"],
    "out_trade_no": ORDER.order_no,
    "transaction_id": "4200002026202611220000000001",
    "trade_type": "MICROPAY",
    "trade_state": "SUCCESS",
    "success_time": "2026-11-22T10:15:30+08:00",
    "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
    "amount": {"total": 1280, "payer_total": 1080, "currency": "CNY"},
}
REFUND_ANSWER: dict[str, Any] = {
    "refund_id": "50000000382019052709732678859",
    "out_refund_no": REFUND.refund_no,
    "out_trade_no": ORDER.order_no,
    "status": "SUCCESS",
    "amount": {"total": 1280, "refund": 280, "currency": "CNY"},
}

# Rows of CHANNEL-PROTOCOLS 1.6 as they bear on a bar code charge: code in both spellings, HTTP status, failure.
REFUSALS = [
    (["NOT_ENOUGH", "NOTENOUGH"], 403, FailureCode.INSUFFICIENT_FUNDS),
    (["AUTH_CODE_EXPIRE", "AUTHCODEEXPIRE"], 403, FailureCode.AUTH_CODE_EXPIRED),
    (["AUTH_CODE_ERROR"], 400, FailureCode.AUTH_CODE_USED),
    (["AUTH_CODE_INVALID"], 400, FailureCode.AUTH_CODE_INVALID),
    (["TRADE_ERROR"], 403, FailureCode.CHANNEL_REFUSED),
    (["ORDER_CLOSED", "ORDERCLOSED"], 400, FailureCode.CHANNEL_REFUSED),
    (["ORDER_REVERSED", "ORDERREVERSED"], 400, FailureCode.CHANNEL_REFUSED),
    (["NOTSUPORTCARD"], 403, FailureCode.CARD_DECLINED),
    (["BUYER_MISMATCH", "ACCOUNT_ERROR", "USER_NOT_EXIST"], 404, FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
    (["RULE_LIMIT", "RULELIMIT"], 403, FailureCode.LIMIT_EXCEEDED),
    (["USER_ACCOUNT_ABNORMAL"], 403, FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
    (["REQUEST_BLOCKED"], 403, FailureCode.CHANNEL_RISK_DECLINED),
    (["PARAM_ERROR", "INVALID_REQUEST"], 400, FailureCode.CHANNEL_REFUSED),
    (["SIGN_ERROR", "SIGNERROR"], 401, FailureCode.CHANNEL_MISCONFIGURED),
    (["NO_AUTH", "NOAUTH", "APPID_MCHID_NOT_MATCH"], 403, FailureCode.CHANNEL_MISCONFIGURED),
    (["MCH_NOT_EXISTS", "OPENID_MISMATCH"], 500, FailureCode.CHANNEL_MISCONFIGURED),
]
UNKNOWN = [
    ("SYSTEM_ERROR", 500),
    ("SYSTEMERROR", 500),
    ("BANK_ERROR", 500),
    ("BANKERROR", 500),
    ("SERVICE_UNAVAILABLE", 503),
    ("FREQUENCY_LIMITED", 429),
    ("RATELIMIT_EXCEEDED", 429),
    ("FREQUENCY_LIMIT_EXCEED", 429),
    ("ORDER_PAID", 400),
    ("ORDERPAID", 400),
    ("OUT_TRADE_NO_USED", 403),
    ("ORDER_NOT_EXIST", 404),
    ("RESOURCE_NOT_EXISTS", 404),
    ("BIZ_ERR_NEED_RETRY", 500),
    ("SOMETHING_NEW", 400),
]
CONFIGURATION = {
    "SIGN_ERROR",
    "SIGNERROR",
    "NO_AUTH",
    "NOAUTH",
    "APPID_MCHID_NOT_MATCH",
    "MCH_NOT_EXISTS",
    "OPENID_MISMATCH",
}


async def test_a_charge_is_sent_as_the_document_says() -> None:
    channel, sent = wechat(wechat_answer(200, ORDER_ANSWER))
    await channel.charge_barcode(CHARGE, LIMITS)
    assert sent.urls == ["POST https://wechat.invalid/v3/pay/transactions/codepay"]
    assert json.loads(sent.bodies[0]) == {
        "appid": KEYS["appid"],
        "mchid": KEYS["mchid"],
        "description": "豆浆油条套餐",
        "out_trade_no": ORDER.order_no,
        "payer": {"auth_code": "134567890123456789"},
        "amount": {"total": 1280, "currency": "CNY"},
        "scene_info": {"device_id": "T0000001", "store_info": {"id": "S1"}},
    }
    headers = sent.headers[0]
    assert headers["Accept"] == headers["Content-Type"] == "application/json"
    assert headers["User-Agent"]
    assert headers["Wechatpay-Serial"] == KEYS["platform_public_key_id"]
    assert headers["Authorization"].startswith(f'WECHATPAY2-SHA256-RSA2048 mchid="{KEYS["mchid"]}"')


async def test_a_paid_charge_is_captured_with_its_facts() -> None:
    report = await wechat(wechat_answer(200, ORDER_ANSWER))[0].charge_barcode(CHARGE, LIMITS)
    assert report.state is TradeState.CAPTURED
    assert (report.amount_fen, report.payer_paid_fen) == (1280, 1080)
    assert report.channel_trade_no == "4200002026202611220000000001"
    assert report.payer_id == "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
    assert report.paid_at == datetime(2026, 11, 22, 2, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "answer",
    [
        wechat_answer(200, ORDER_ANSWER | {"trade_state": "USERPAYING"}),
        wechat_answer(202, {"code": "USERPAYING", "message": "需要用户输入支付密码"}),
        wechat_answer(400, {"code": "USERPAYING", "message": "x"}),
        wechat_answer(400, {"code": "USERPAYING", "message": "x"}, seal="unsigned"),
        wechat_answer(200, ORDER_ANSWER | {"trade_state": "NOTPAY"}),
    ],
    ids=["200 and a state", "202 and a code", "400 and a code", "400 unsigned", "not paid yet"],
)
async def test_a_customer_who_still_types_is_pending(answer: Any) -> None:
    assert (await wechat(answer)[0].charge_barcode(CHARGE, LIMITS)).state is TradeState.PENDING


@pytest.mark.parametrize("seal", ["signed", "unsigned"])
@pytest.mark.parametrize(
    ("code", "status", "failure"),
    [(code, status, failure) for codes, status, failure in REFUSALS for code in codes],
)
async def test_a_code_of_the_table_is_a_refusal(code: str, status: int, failure: FailureCode, seal: str) -> None:
    answer = wechat_answer(status, {"code": code, "message": "134567890123456789"}, seal=seal)
    with pytest.raises(ChannelRejected) as caught:
        await wechat(answer)[0].charge_barcode(CHARGE, LIMITS)
    assert (caught.value.code, caught.value.failure) == (code, failure)
    assert caught.value.may_fail_over is (seal == "signed" and code in CONFIGURATION)


async def test_a_payment_error_is_a_refusal_and_no_reason_to_fail_over() -> None:
    with pytest.raises(ChannelRejected) as caught:
        await wechat(wechat_answer(200, ORDER_ANSWER | {"trade_state": "PAYERROR"}))[0].charge_barcode(CHARGE, LIMITS)
    assert (caught.value.code, caught.value.may_fail_over) == ("PAYERROR", False)


@pytest.mark.parametrize("seal", ["signed", "unsigned", "forged"])
@pytest.mark.parametrize(("code", "status"), UNKNOWN)
async def test_any_other_code_leaves_the_charge_unknown(code: str, status: int, seal: str) -> None:
    with pytest.raises(ChannelUnknown):
        await wechat(wechat_answer(status, {"code": code}, seal=seal))[0].charge_barcode(CHARGE, LIMITS)


@pytest.mark.parametrize(
    "answer",
    [
        wechat_answer(200, ORDER_ANSWER, seal="unsigned"),
        wechat_answer(200, ORDER_ANSWER, seal="forged"),
        wechat_answer(202, {"code": "USERPAYING"}, seal="unsigned"),
        wechat_answer(403, {"code": "NOT_ENOUGH"}, seal="forged"),
        wechat_answer(200, None, body=b""),
        wechat_answer(200, None, body=b"{"),
        wechat_answer(200, [1]),
        wechat_answer(200, {"trade_state": "SUCCESS"}),
        wechat_answer(200, {"code": "NOT_ENOUGH"}),
        wechat_answer(200, ORDER_ANSWER | {"out_trade_no": "MS20261122000002"}),
        wechat_answer(200, ORDER_ANSWER | {"mchid": "1900009192"}),
        wechat_answer(200, ORDER_ANSWER | {"appid": "wx0000000000000000"}),
        wechat_answer(200, {name: value for name, value in ORDER_ANSWER.items() if name != "appid"}),
        wechat_answer(200, ORDER_ANSWER | {"trade_state": "SOMETHING_NEW"}),
        wechat_answer(200, ORDER_ANSWER | {"trade_state": ["SUCCESS"]}),
        wechat_answer(200, ORDER_ANSWER | {"trade_state": "REVOKED"}),
        wechat_answer(204, None, body=b""),
        wechat_answer(302, None, body=b"", seal="unsigned"),
        wechat_answer(404, None, body=b"", seal="unsigned"),
        wechat_answer(502, None, body=b"<html>bad gateway</html>", seal="unsigned"),
        wechat_answer(400, {"code": {"a": 1}}),
    ],
)
async def test_an_answer_that_proves_nothing_leaves_the_charge_unknown(answer: Any) -> None:
    with pytest.raises(ChannelUnknown):
        await wechat(answer)[0].charge_barcode(CHARGE, LIMITS)


@pytest.mark.parametrize("error", [ChannelUnsent("connect_failed"), ChannelUnknown("answer_timeout")])
async def test_errors_of_the_transport_pass_unchanged(error: ChannelError) -> None:
    with pytest.raises(type(error)) as caught:
        await wechat(error)[0].charge_barcode(CHARGE, LIMITS)
    assert caught.value is error


@pytest.mark.parametrize(
    ("state", "expected"),
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
async def test_a_query_reports_the_state_of_the_order(state: str, expected: TradeState) -> None:
    channel, sent = wechat(wechat_answer(200, ORDER_ANSWER | {"trade_state": state}))
    report = await channel.query(ORDER, LIMITS)
    assert (report.state, report.channel_code) == (expected, state)
    assert (report.failure is not None) is (expected is TradeState.REFUSED)
    assert sent.urls == [
        f"GET https://wechat.invalid/v3/pay/transactions/out-trade-no/{ORDER.order_no}?mchid={KEYS['mchid']}"
    ]
    assert sent.bodies == [b""]


@pytest.mark.parametrize("seal", ["signed", "unsigned"])
@pytest.mark.parametrize("code", ["ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"])
async def test_an_order_that_is_not_there_is_reported(code: str, seal: str) -> None:
    report = await wechat(wechat_answer(404, {"code": code}, seal=seal))[0].query(ORDER, LIMITS)
    assert (report.state, report.channel_code) == (TradeState.NOT_FOUND, code)


@pytest.mark.parametrize(
    "answer",
    [
        wechat_answer(200, ORDER_ANSWER, seal="unsigned"),
        wechat_answer(200, ORDER_ANSWER, seal="forged"),
        wechat_answer(404, {"code": "ORDER_NOT_EXIST"}, seal="forged"),
        wechat_answer(404, None, body=b""),
        wechat_answer(401, {"code": "SIGN_ERROR"}, seal="unsigned"),
        wechat_answer(500, {"code": "SYSTEM_ERROR"}),
        wechat_answer(200, ORDER_ANSWER | {"out_trade_no": "MS20261122000002"}),
        wechat_answer(200, {"code": "ORDER_NOT_EXIST"}),
    ],
)
async def test_a_query_without_a_proven_answer_is_unknown_and_never_a_refusal(answer: Any) -> None:
    with pytest.raises(ChannelUnknown):
        await wechat(answer)[0].query(ORDER, LIMITS)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (wechat_answer(200, {"mchid": KEYS["mchid"], "out_trade_no": ORDER.order_no}), ReversalState.REVERSED),
        (wechat_answer(200, ORDER_ANSWER | {"recall": "Y"}), ReversalState.REPEAT),
        (wechat_answer(202, {}), ReversalState.REPEAT),
        (wechat_answer(400, {"code": "USERPAYING"}), ReversalState.REPEAT),
        (wechat_answer(404, {"code": "ORDER_NOT_EXIST"}), ReversalState.NOT_FOUND),
        (wechat_answer(403, {"code": "TRADE_OVERDUE"}), ReversalState.REFUSED),
        (wechat_answer(400, {"code": "ORDER_REVERSED"}), ReversalState.REVERSED),
        (wechat_answer(400, {"code": "ORDER_CLOSED"}), ReversalState.REVERSED),
    ],
)
async def test_a_reversal_reports_how_far_it_is(answer: Any, state: ReversalState) -> None:
    channel, sent = wechat(answer)
    assert (await channel.reverse(ORDER, LIMITS)).state is state
    assert sent.urls[0].endswith(f"/v3/pay/transactions/out-trade-no/{ORDER.order_no}/reverse")
    assert json.loads(sent.bodies[0]) == {"appid": KEYS["appid"], "mchid": KEYS["mchid"]}


@pytest.mark.parametrize(
    "answer",
    [
        wechat_answer(200, {"mchid": KEYS["mchid"], "out_trade_no": ORDER.order_no}, seal="unsigned"),
        wechat_answer(200, {"mchid": KEYS["mchid"], "out_trade_no": "MS20261122000009"}),
        wechat_answer(400, {"code": "ORDER_REVERSED"}, seal="unsigned"),
        wechat_answer(500, {"code": "SYSTEM_ERROR"}),
        wechat_answer(429, {"code": "FREQUENCY_LIMITED"}),
        wechat_answer(401, {"code": "SIGN_ERROR"}, seal="unsigned"),
    ],
)
async def test_a_reversal_without_a_proven_answer_is_unknown(answer: Any) -> None:
    with pytest.raises(ChannelUnknown):
        await wechat(answer)[0].reverse(ORDER, LIMITS)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("SUCCESS", RefundState.SUCCEEDED),
        ("PROCESSING", RefundState.PENDING),
        ("CLOSED", RefundState.FAILED),
        ("ABNORMAL", RefundState.PENDING),
    ],
)
async def test_a_refund_and_its_query_report_the_status(status: str, state: RefundState) -> None:
    channel, sent = wechat(wechat_answer(200, REFUND_ANSWER | {"status": status}))
    for report in (
        await channel.refund(REFUND, LIMITS),
        await channel.void(REFUND, LIMITS),
        await channel.query_refund(REFUND, LIMITS),
    ):
        assert (report.state, report.amount_fen, report.channel_code) == (state, 280, status)
        assert report.channel_refund_no == REFUND_ANSWER["refund_id"]
    assert json.loads(sent.bodies[0]) == {
        "out_trade_no": ORDER.order_no,
        "out_refund_no": REFUND.refund_no,
        "reason": "少了一份",
        "amount": {"refund": 280, "total": 1280, "currency": "CNY"},
    }
    assert sent.urls[2].endswith(f"/v3/refund/domestic/refunds/{REFUND.refund_no}")


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("NOT_ENOUGH", FailureCode.MERCHANT_BALANCE_INSUFFICIENT),
        ("NOTENOUGH", FailureCode.MERCHANT_BALANCE_INSUFFICIENT),
        ("TRADE_OVERDUE", FailureCode.REFUND_TOO_LATE),
        ("REFUND_FEE_MISMATCH", FailureCode.REFUND_REFUSED),
        ("USER_ACCOUNT_ABNORMAL", FailureCode.PAYER_CANNOT_RECEIVE),
        ("REQUEST_BLOCKED", FailureCode.REFUND_REFUSED),
        ("PARAM_ERROR", FailureCode.REFUND_REFUSED),
        ("SIGN_ERROR", FailureCode.CHANNEL_MISCONFIGURED),
    ],
)
async def test_a_refund_can_be_refused(code: str, failure: FailureCode) -> None:
    with pytest.raises(ChannelRejected) as caught:
        await wechat(wechat_answer(403, {"code": code}))[0].refund(REFUND, LIMITS)
    assert caught.value.failure is failure


@pytest.mark.parametrize(
    "answer",
    [
        wechat_answer(500, {"code": "BIZ_ERR_NEED_RETRY"}),
        wechat_answer(500, {"code": "SYSTEM_ERROR"}),
        wechat_answer(429, {"code": "FREQUENCY_LIMITED"}),
        wechat_answer(404, {"code": "RESOURCE_NOT_EXISTS"}),
        wechat_answer(200, REFUND_ANSWER, seal="unsigned"),
        wechat_answer(200, REFUND_ANSWER | {"out_refund_no": "RF20261122000002"}),
        wechat_answer(200, REFUND_ANSWER | {"out_trade_no": "MS20261122000002"}),
        wechat_answer(200, REFUND_ANSWER | {"status": "NEW"}),
        wechat_answer(200, REFUND_ANSWER | {"status": {}}),
    ],
)
async def test_a_refund_without_a_proven_answer_is_unknown(answer: Any) -> None:
    with pytest.raises(ChannelUnknown):
        await wechat(answer)[0].refund(REFUND, LIMITS)


@pytest.mark.parametrize("code", ["RESOURCE_NOT_EXISTS", "REFUND_NOT_EXISTS", "REFUNDNOTEXIST"])
async def test_a_refund_that_is_not_there_is_reported(code: str) -> None:
    report = await wechat(wechat_answer(404, {"code": code}))[0].query_refund(REFUND, LIMITS)
    assert report.state is RefundState.NOT_FOUND


@pytest.mark.parametrize("number", ["", "short", "MS2026/1122", "MS 20261122", "MS20261122?x=1", "é" * 10, "A" * 33])
async def test_a_number_that_could_change_the_address_is_never_sent(number: str) -> None:
    channel, sent = wechat(wechat_answer(200, ORDER_ANSWER))
    order = ChannelOrder(number, ORDER.created_at, Money(1))
    for call in (channel.query, channel.reverse):
        with pytest.raises(ChannelUnsent):
            await call(order, LIMITS)
    assert not sent.urls


async def test_text_that_is_no_unicode_is_never_sent_and_long_text_is_cut() -> None:
    channel, sent = wechat(wechat_answer(200, ORDER_ANSWER))
    with pytest.raises(ChannelUnsent):
        await channel.charge_barcode(BarcodeCharge(ORDER, CHARGE.auth_code, "\ud800"), LIMITS)
    await channel.charge_barcode(BarcodeCharge(ORDER, " 134567890123456789\n", "长" * 500), LIMITS)
    body = json.loads(sent.bodies[0])
    assert len(body["description"]) == 127
    assert body["payer"]["auth_code"] == "134567890123456789"


async def test_errors_carry_codes_and_never_what_the_customer_or_the_body_said() -> None:
    for code in ("134567890123456789", "NOT_ENOUGH 134567890123456789", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"):
        answer = wechat_answer(400, {"code": code, "message": "134567890123456789"})
        with pytest.raises(ChannelUnknown) as caught:
            await wechat(answer)[0].charge_barcode(CHARGE, LIMITS)
        assert (caught.value.code, str(caught.value)) == ("http_400", "http_400")
