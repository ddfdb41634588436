"""Alipay's codes, page orders, closing and payers: what is sent, and what each answer means."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.kernel.failures import FailureCode
from gateway.kernel.money import Money
from routing.channels.base import (
    ChannelOrder,
    ChannelRejected,
    ChannelUnknown,
    ChannelUnsent,
    RefundRules,
    TransportResponse,
)
from routing.channels.reports import CloseState
from tests.unit.channels.answering import CHARGE, LIMITS, ORDER, REFUND, alipay_answer
from tests.unit.channels.shown import ALIPAY_PAGE, APP_ID, CODE, NOTIFY_URL, SELLER_ID, alipay_shop
from tests.unit.channels.test_alipay import GATEWAY, PAID, PAY, REFUND_METHOD, REFUSALS, UNKNOWN, _failed

PRECREATE, CREATE, CLOSE = "alipay.trade.precreate", "alipay.trade.create", "alipay.trade.close"
TOKEN = "alipay.system.oauth.token"
QR_CODE = "https://qr.alipay.com/bax03431ljhokirwl38f00a7"
SHOWN = {"code": "10000", "msg": "Success", "out_trade_no": ORDER.order_no, "qr_code": QR_CODE}
OPENED = {"code": "10000", "msg": "Success", "out_trade_no": ORDER.order_no, "trade_no": "2026112222001400000000019191"}


async def test_a_code_is_asked_for_as_the_document_says() -> None:
    channel, sent = alipay_shop(alipay_answer(PRECREATE, SHOWN))
    assert (await channel.create_code(CODE, LIMITS)).qr_code == QR_CODE
    params = sent.form
    assert (params["method"], params["notify_url"]) == (PRECREATE, NOTIFY_URL)
    assert json.loads(params["biz_content"]) == {
        "out_trade_no": ORDER.order_no,
        "total_amount": "12.80",
        "subject": "豆浆油条套餐",
        "product_code": "QR_CODE_OFFLINE",
        "seller_id": SELLER_ID,
        "time_expire": "2026-11-22 10:20:30",
        "store_id": "S1",
        "terminal_id": "T0000001",
        "operator_id": "O1",
    }


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(minutes=5, microseconds=1), "2026-11-22 10:20:30"),
        (timedelta(seconds=61), "2026-11-22 10:16:31"),
        (timedelta(0), "2026-11-22 10:16:31"),
    ],
)
async def test_a_code_lasts_until_its_end_but_at_least_a_minute(after: timedelta, expected: str) -> None:
    channel, sent = alipay_shop(alipay_answer(PRECREATE, SHOWN))
    await channel.create_code(replace(CODE, pay_until=ORDER.created_at + after), LIMITS)
    assert json.loads(sent.form["biz_content"])["time_expire"] == expected


async def test_an_awkward_subject_is_sent_as_alipay_wants_it() -> None:
    channel, sent = alipay_shop(alipay_answer(PRECREATE, SHOWN))
    await channel.create_code(replace(CODE, description="拿铁/2 a=b&c" + "长" * 300), LIMITS)
    subject = json.loads(sent.form["biz_content"])["subject"]
    assert subject.startswith("拿铁 2 a b c长")
    assert len(subject) == 256


@pytest.mark.parametrize(
    ("payer_id", "field"),
    [
        ("2088102169481075", "buyer_id"),
        ("074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5", "buyer_open_id"),
        ("20881021694810751", "buyer_open_id"),
        ("3088102169481075", "buyer_open_id"),
    ],
)
async def test_a_page_order_names_the_payer_and_brings_the_number_of_the_trade(payer_id: str, field: str) -> None:
    channel, sent = alipay_shop(alipay_answer(CREATE, OPENED), bridge_url="http://127.0.0.1:8102/bridge.js")
    report = await channel.create_page_order(replace(ALIPAY_PAGE, payer_id=payer_id), LIMITS)
    assert dict(report.bridge) == {"tradeNO": OPENED["trade_no"]}
    assert (report.channel_trade_no, report.pay_url) == (OPENED["trade_no"], None)
    assert report.bridge_url == "http://127.0.0.1:8102/bridge.js"
    params = sent.form
    content = json.loads(params["biz_content"])
    assert (params["method"], params["notify_url"]) == (CREATE, NOTIFY_URL)
    assert (content[field], content["product_code"]) == (payer_id, "JSAPI_PAY")
    assert {"buyer_id", "buyer_open_id"} & set(content) == {field}


@pytest.mark.parametrize(("sub_code", "failure"), REFUSALS)
async def test_a_sub_code_of_the_table_is_a_refusal(sub_code: str, failure: FailureCode) -> None:
    for method in (PRECREATE, CREATE):
        channel, _ = alipay_shop(alipay_answer(method, _failed("40004", sub_code)))
        with pytest.raises(ChannelRejected) as caught:
            await (
                channel.create_code(CODE, LIMITS)
                if method == PRECREATE
                else channel.create_page_order(ALIPAY_PAGE, LIMITS)
            )
        assert (caught.value.code, caught.value.failure) == (sub_code, failure)


@pytest.mark.parametrize("seal", ["signed", "unsigned"])
@pytest.mark.parametrize(("code", "sub_code"), GATEWAY)
async def test_an_error_of_the_gateway_is_a_refusal_also_without_a_signature(
    code: str, sub_code: str, seal: str
) -> None:
    channel, _ = alipay_shop(alipay_answer(PRECREATE, _failed(code, sub_code), seal=seal))
    with pytest.raises(ChannelRejected) as caught:
        await channel.create_code(CODE, LIMITS)
    assert caught.value.failure is FailureCode.CHANNEL_MISCONFIGURED


@pytest.mark.parametrize(
    "answer",
    [
        *[alipay_answer(PRECREATE, _failed(code, sub_code)) for code, sub_code in UNKNOWN],
        alipay_answer(PRECREATE, _failed("40004", "ACQ.APPLY_PC_MERCHANT_CODE_ERROR")),
        alipay_answer(PRECREATE, SHOWN, seal="unsigned"),
        alipay_answer(PRECREATE, SHOWN, seal="forged"),
        alipay_answer(CREATE, SHOWN),
        alipay_answer(PRECREATE, SHOWN | {"out_trade_no": "MS20261122000002"}),
        alipay_answer(PRECREATE, {name: text for name, text in SHOWN.items() if name != "out_trade_no"}),
        alipay_answer(PRECREATE, {name: text for name, text in SHOWN.items() if name != "qr_code"}),
        alipay_answer(PRECREATE, SHOWN | {"qr_code": ""}),
        alipay_answer(PRECREATE, SHOWN | {"qr_code": 5}),
        alipay_answer(PRECREATE, SHOWN | {"qr_code": "a\nb"}),
        alipay_answer(PRECREATE, SHOWN | {"qr_code": "x" * 1025}),
        TransportResponse(500, {}, b""),
        TransportResponse(200, {}, b"<html>"),
    ],
)
async def test_any_other_answer_leaves_the_code_unknown(answer: TransportResponse) -> None:
    with pytest.raises(ChannelUnknown):
        await alipay_shop(answer)[0].create_code(CODE, LIMITS)


@pytest.mark.parametrize("node", [OPENED | {"trade_no": ""}, OPENED | {"out_trade_no": "X"}, {"code": "10000"}])
async def test_a_page_order_without_its_trade_is_unknown(node: dict[str, str]) -> None:
    with pytest.raises(ChannelUnknown):
        await alipay_shop(alipay_answer(CREATE, node))[0].create_page_order(ALIPAY_PAGE, LIMITS)


async def test_without_an_address_for_notifications_nothing_is_shown() -> None:
    channel, sent = alipay_shop(alipay_answer(PRECREATE, SHOWN), notify_url="")
    for call in (channel.create_code(CODE, LIMITS), channel.create_page_order(ALIPAY_PAGE, LIMITS)):
        with pytest.raises(ChannelUnsent) as caught:
            await call
        assert caught.value.code == "no_notify_url"
    assert not sent.urls


async def test_bar_codes_are_not_notified_and_refunds_are() -> None:
    channel, sent = alipay_shop(alipay_answer(PAY, PAID))
    await channel.charge_barcode(CHARGE, LIMITS)
    assert "notify_url" not in sent.form
    refunded = alipay_answer(REFUND_METHOD, {"code": "10000", "out_trade_no": ORDER.order_no, "fund_change": "Y"})
    for notify_url in (NOTIFY_URL, ""):
        channel, sent = alipay_shop(refunded, notify_url=notify_url)
        await channel.refund(REFUND, LIMITS)
        assert sent.form.get("notify_url", "") == notify_url


def test_refunds_of_a_payment_are_three_seconds_apart_for_twelve_months() -> None:
    rules = alipay_shop(alipay_answer(PRECREATE, SHOWN))[0].refund_rules
    assert rules == RefundRules(3.0, 1_000, 365)


CLOSED = {"code": "10000", "msg": "Success", "out_trade_no": ORDER.order_no, "trade_no": "2026112222001400000000019191"}


@pytest.mark.parametrize(
    ("node", "state"),
    [
        (CLOSED, CloseState.CLOSED),
        (_failed("40004", "ACQ.TRADE_HAS_CLOSE"), CloseState.CLOSED),
        (_failed("40004", "ACQ.TRADE_NOT_EXIST"), CloseState.NOT_FOUND),
        (_failed("40004", "ACQ.TRADE_STATUS_ERROR"), CloseState.PAID),
        (_failed("40004", "ACQ.REASON_TRADE_STATUS_INVALID"), CloseState.PAID),
        (_failed("40004", "ACQ.REASON_ILLEGAL_STATUS"), CloseState.PAID),
        (_failed("40004", "TRADE_HAS_SUCCESS"), CloseState.PAID),
        (_failed("40004", "AQC.TRADE_HAS_FINISHED"), CloseState.PAID),
    ],
)
async def test_closing_reports_how_far_it_is(node: dict[str, str], state: CloseState) -> None:
    channel, sent = alipay_shop(alipay_answer(CLOSE, node))
    assert (await channel.close(ORDER, LIMITS)).state is state
    assert json.loads(sent.form["biz_content"]) == {"out_trade_no": ORDER.order_no}


@pytest.mark.parametrize(
    "answer",
    [
        alipay_answer(CLOSE, CLOSED, seal="unsigned"),
        alipay_answer(CLOSE, CLOSED, seal="forged"),
        alipay_answer(CLOSE, CLOSED | {"out_trade_no": "MS20261122000002"}),
        alipay_answer(CLOSE, {"code": "10000"}),
        alipay_answer(CLOSE, _failed("40004", "ACQ.TRADE_HAS_CLOSE"), seal="unsigned"),
        alipay_answer(CLOSE, _failed("40004", "ACQ.SYSTEM_ERROR")),
        alipay_answer(CLOSE, _failed("20000", "isp.unknow-error")),
        alipay_answer(CLOSE, _failed("40002", "isv.invalid-signature"), seal="unsigned"),
    ],
)
async def test_closing_without_a_proven_answer_is_unknown(answer: TransportResponse) -> None:
    with pytest.raises(ChannelUnknown):
        await alipay_shop(answer)[0].close(ORDER, LIMITS)


async def test_a_number_that_is_none_of_ours_is_never_sent() -> None:
    channel, sent = alipay_shop(alipay_answer(CLOSE, CLOSED))
    order = ChannelOrder("short", datetime(2026, 11, 22, tzinfo=UTC), Money(1))
    for call in (channel.close(order, LIMITS), channel.create_code(replace(CODE, order=order), LIMITS)):
        with pytest.raises(ChannelUnsent):
            await call
    assert not sent.urls


def test_the_browser_is_sent_to_the_page_that_identifies_payers() -> None:
    channel, _ = alipay_shop(alipay_answer(CLOSE, CLOSED))
    url = channel.authorize_url("https://pay.example/q/sAb?x=1&y=二", "st4te")
    assert url.startswith("https://openauth.alipay.com/oauth2/publicAppAuthorize.htm?")
    assert dict(parse_qsl(urlsplit(url).query, strict_parsing=True)) == {
        "app_id": APP_ID,
        "scope": "auth_base",
        "redirect_uri": "https://pay.example/q/sAb?x=1&y=二",
        "state": "st4te",
    }
    elsewhere, _ = alipay_shop(alipay_answer(CLOSE, CLOSED), oauth_url="http://127.0.0.1:1/a")
    assert elsewhere.authorize_url("https://x", "s").startswith("http://127.0.0.1:1/a?")


@pytest.mark.parametrize(
    ("node", "payer_id"),
    [
        ({"access_token": "a", "user_id": "2088102169481075", "expires_in": 300}, "2088102169481075"),
        ({"access_token": "a", "open_id": "074a1CcTG1"}, "074a1CcTG1"),
        ({"user_id": "2088102169481075", "open_id": "074a1CcTG1"}, "2088102169481075"),
        ({"code": "10000", "msg": "Success", "open_id": "074a1CcTG1"}, "074a1CcTG1"),
    ],
)
async def test_a_payer_is_identified_by_the_code_that_the_browser_brought_back(
    node: dict[str, Any], payer_id: str
) -> None:
    channel, sent = alipay_shop(alipay_answer(TOKEN, node))
    assert await channel.identify_payer("4b203fe6c11548bcabd8da5bb087a83b", "", LIMITS) == payer_id
    params = sent.form
    assert (params["method"], params["grant_type"]) == (TOKEN, "authorization_code")
    assert params["code"] == "4b203fe6c11548bcabd8da5bb087a83b"
    assert "biz_content" not in params
    assert "4b203fe6" not in sent.urls[0]  # addresses end up in logs


def _error_response(code: str, sub_code: str) -> TransportResponse:
    """As Alipay answers this method where it fails."""
    return alipay_answer("error", _failed(code, sub_code))


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (_error_response("40002", "isv.code-invalid"), FailureCode.CHANNEL_REFUSED),
        (alipay_answer(TOKEN, _failed("40002", "isv.code-invalid"), seal="unsigned"), FailureCode.CHANNEL_REFUSED),
        (_error_response("40002", "isv.invalid-app-id"), FailureCode.CHANNEL_MISCONFIGURED),
        (_error_response("40006", "isv.insufficient-isv-permissions"), FailureCode.CHANNEL_MISCONFIGURED),
    ],
)
async def test_a_code_that_names_nobody_is_refused(answer: TransportResponse, failure: FailureCode) -> None:
    with pytest.raises(ChannelRejected) as caught:
        await alipay_shop(answer)[0].identify_payer("c", "", LIMITS)
    assert caught.value.failure is failure


@pytest.mark.parametrize(
    "answer",
    [
        alipay_answer(TOKEN, {"user_id": "2088102169481075"}, seal="unsigned"),
        alipay_answer(TOKEN, {"user_id": "2088102169481075"}, seal="forged"),
        alipay_answer(TOKEN, {}),
        alipay_answer(TOKEN, {"user_id": 2088102169481075}),
        alipay_answer(TOKEN, {"user_id": ""}),
        alipay_answer(TOKEN, {"code": "40005", "user_id": "2088102169481075"}),
        alipay_answer(TOKEN, {"code": "20000", "sub_code": "isp.unknow-error"}),
        TransportResponse(502, {}, b""),
    ],
)
async def test_an_answer_that_names_nobody_leaves_the_payer_unknown(answer: TransportResponse) -> None:
    with pytest.raises(ChannelUnknown):
        await alipay_shop(answer)[0].identify_payer("c", "", LIMITS)


@pytest.mark.parametrize("code", ["", "a\nb", "é", "x" * 257])
async def test_what_cannot_be_a_code_is_refused_unsent(code: str) -> None:
    channel, sent = alipay_shop(alipay_answer(TOKEN, {"user_id": "2088102169481075"}))
    with pytest.raises(ChannelRejected):
        await channel.identify_payer(code, "", LIMITS)
    assert not sent.urls
