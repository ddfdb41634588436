"""WeChat Pay's codes, page orders, closing and payers: what is sent, and what each answer means."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given

from gateway.kernel.failures import FailureCode
from gateway.kernel.money import Money
from routing.channels.base import (
    Channel,
    ChannelOrder,
    ChannelRejected,
    ChannelUnknown,
    ChannelUnsent,
    RefundRules,
    TransportResponse,
)
from routing.channels.reports import CloseReport, CloseState
from routing.channels.rsa import load_public_key
from tests.unit.channels.answering import LIMITS, ORDER, REFUND, wechat_answer
from tests.unit.channels.driving import driven
from tests.unit.channels.shown import CODE, NOTIFY_URL, SECRET, WECHAT_PAGE, Scripted, alipay_shop, wechat_shop
from tests.unit.channels.test_any_answer import BODIES, HEADERS, QUIETLY, STATUSES
from tests.unit.channels.test_wechat import REFUND_ANSWER
from tests.unit.channels.vectors import keys

KEYS = keys("wechat")
CODE_URL = "weixin://wxpay/bizpayurl/up?pr=NwY5Mz9&groupid=00"
SHOWN = wechat_answer(200, {"code_url": CODE_URL})
OPENED = wechat_answer(200, {"prepay_id": "wx22101530000000a1b2c3d4e5f60000"})
REFUSALS = [
    ("SIGN_ERROR", 401, FailureCode.CHANNEL_MISCONFIGURED),
    ("NO_AUTH", 403, FailureCode.CHANNEL_MISCONFIGURED),
    ("NOAUTH", 403, FailureCode.CHANNEL_MISCONFIGURED),
    ("APPID_MCHID_NOT_MATCH", 400, FailureCode.CHANNEL_MISCONFIGURED),
    ("OPENID_MISMATCH", 500, FailureCode.CHANNEL_MISCONFIGURED),
    ("PARAM_ERROR", 400, FailureCode.CHANNEL_REFUSED),
    ("TRADE_ERROR", 403, FailureCode.CHANNEL_REFUSED),
    ("ORDER_CLOSED", 400, FailureCode.CHANNEL_REFUSED),
    ("ORDER_REVERSED", 400, FailureCode.CHANNEL_REFUSED),
    ("ACCOUNT_ERROR", 403, FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
    ("REQUEST_BLOCKED", 403, FailureCode.CHANNEL_RISK_DECLINED),
    ("RULE_LIMIT", 403, FailureCode.LIMIT_EXCEEDED),
]
PROVES_NOTHING = [
    wechat_answer(500, {"code": "SYSTEM_ERROR"}),
    wechat_answer(500, {"code": "BANK_ERROR"}),
    wechat_answer(429, {"code": "FREQUENCY_LIMITED"}),
    wechat_answer(400, {"code": "ORDER_PAID"}),
    wechat_answer(403, {"code": "OUT_TRADE_NO_USED"}),
    wechat_answer(400, {"code": "INVALID_REQUEST"}),
    wechat_answer(403, {"code": "RULE_LIMIT"}, seal="forged"),
    wechat_answer(200, {"code_url": CODE_URL, "prepay_id": "x"}, seal="unsigned"),
    wechat_answer(200, {"code_url": CODE_URL, "prepay_id": "x"}, seal="forged"),
    wechat_answer(200, {}),
    wechat_answer(200, {"code_url": "", "prepay_id": ""}),
    wechat_answer(200, {"code_url": 1, "prepay_id": ["x"]}),
    wechat_answer(200, {"code_url": "weixin://\n", "prepay_id": "a\nb"}),
    wechat_answer(200, {"code_url": "w" * 1025, "prepay_id": "w" * 1025}),
    wechat_answer(202, {}),
    wechat_answer(204, None, body=b""),
    wechat_answer(200, None, body=b"<html>"),
    wechat_answer(404, None, body=b"", seal="unsigned"),
]


async def test_a_code_is_asked_for_as_the_document_says() -> None:
    channel, sent = wechat_shop(SHOWN)
    assert (await channel.create_code(CODE, LIMITS)).qr_code == CODE_URL
    assert sent.urls == ["POST https://wechat.invalid/v3/pay/transactions/native"]
    assert json.loads(sent.bodies[0]) == {
        "appid": KEYS["appid"],
        "mchid": KEYS["mchid"],
        "description": "豆浆油条套餐",
        "out_trade_no": ORDER.order_no,
        "time_expire": "2026-11-22T10:20:30+08:00",
        "notify_url": NOTIFY_URL,
        "amount": {"total": 1280, "currency": "CNY"},
    }


async def test_the_same_order_is_asked_for_with_the_same_values_at_any_time() -> None:
    channel, sent = wechat_shop(SHOWN)
    for code in (CODE, replace(CODE, terminal_id="T2", operator_id=None)):
        await channel.create_code(code, LIMITS)
    assert sent.bodies[0] == sent.bodies[1]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(hours=2, microseconds=999_999), "2026-11-22T12:15:30+08:00"),
        (timedelta(seconds=61), "2026-11-22T10:16:31+08:00"),
        (timedelta(seconds=20), "2026-11-22T10:16:31+08:00"),
        (timedelta(days=-1), "2026-11-22T10:16:31+08:00"),
    ],
)
async def test_a_code_lasts_until_its_end_but_at_least_a_minute(after: timedelta, expected: str) -> None:
    channel, sent = wechat_shop(SHOWN)
    await channel.create_code(replace(CODE, pay_until=ORDER.created_at + after), LIMITS)
    assert json.loads(sent.bodies[0])["time_expire"] == expected


async def test_a_page_order_brings_what_the_bridge_is_called_with_signed() -> None:
    channel, sent = wechat_shop(OPENED, bridge_url="https://sim.example/bridge.js")
    report = await channel.create_page_order(WECHAT_PAGE, LIMITS)
    assert sent.urls == ["POST https://wechat.invalid/v3/pay/transactions/jsapi"]
    body = json.loads(sent.bodies[0])
    assert body["payer"] == {"openid": WECHAT_PAGE.payer_id}
    assert body["out_trade_no"] == ORDER.order_no
    bridge = dict(report.bridge)
    signed = "".join(f"{bridge[name]}\n" for name in ("appId", "timeStamp", "nonceStr", "package"))
    load_public_key(KEYS["merchant_public_key_pem"]).verify(
        base64.b64decode(bridge.pop("paySign")), signed.encode(), PKCS1v15(), SHA256()
    )
    assert bridge.pop("timeStamp").isdigit()
    assert len(bridge.pop("nonceStr")) == 32
    assert bridge == {
        "appId": KEYS["appid"],
        "package": "prepay_id=wx22101530000000a1b2c3d4e5f60000",
        "signType": "RSA",
    }
    assert (report.pay_url, report.bridge_url) == (None, "https://sim.example/bridge.js")


async def test_two_calls_of_a_page_have_two_nonces() -> None:
    channel, _ = wechat_shop(OPENED)
    first, second = [(await channel.create_page_order(WECHAT_PAGE, LIMITS)).bridge for _ in range(2)]
    assert first["nonceStr"] != second["nonceStr"]


@pytest.mark.parametrize("seal", ["signed", "unsigned"])
@pytest.mark.parametrize(("code", "status", "failure"), REFUSALS)
async def test_a_code_of_the_table_is_a_refusal(code: str, status: int, failure: FailureCode, seal: str) -> None:
    channel, _ = wechat_shop(wechat_answer(status, {"code": code, "message": "x"}, seal=seal))
    for call in (channel.create_code(CODE, LIMITS), channel.create_page_order(WECHAT_PAGE, LIMITS)):
        with pytest.raises(ChannelRejected) as caught:
            await call
        assert (caught.value.code, caught.value.failure) == (code, failure)
        assert not caught.value.may_fail_over or seal == "signed"


@pytest.mark.parametrize("answer", PROVES_NOTHING)
async def test_any_other_answer_leaves_the_order_unknown(answer: TransportResponse) -> None:
    channel, _ = wechat_shop(answer)
    for call in (channel.create_code(CODE, LIMITS), channel.create_page_order(WECHAT_PAGE, LIMITS)):
        with pytest.raises(ChannelUnknown):
            await call


async def test_without_an_address_for_notifications_nothing_is_shown() -> None:
    channel, sent = wechat_shop(SHOWN, notify_url="")
    for call in (channel.create_code(CODE, LIMITS), channel.create_page_order(WECHAT_PAGE, LIMITS)):
        with pytest.raises(ChannelUnsent) as caught:
            await call
        assert caught.value.code == "no_notify_url"
    assert not sent.urls


async def test_a_refund_is_notified_where_the_account_has_an_address() -> None:
    for notify_url, expected in ((NOTIFY_URL, NOTIFY_URL), ("", None)):
        channel, sent = wechat_shop(wechat_answer(200, REFUND_ANSWER), notify_url=notify_url)
        await channel.refund(REFUND, LIMITS)
        assert json.loads(sent.bodies[0]).get("notify_url") == expected


@pytest.mark.parametrize(("status", "abnormal"), [("ABNORMAL", True), ("PROCESSING", False), ("SUCCESS", False)])
async def test_a_refund_that_needs_a_person_says_so(status: str, abnormal: bool) -> None:
    channel, _ = wechat_shop(wechat_answer(200, REFUND_ANSWER | {"status": status}))
    assert (await channel.query_refund(REFUND, LIMITS)).abnormal is abnormal


def test_refunds_of_a_payment_are_one_a_minute_and_fifty_in_a_year() -> None:
    assert wechat_shop(SHOWN)[0].refund_rules == RefundRules(60.0, 50, 365)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (wechat_answer(204, None, body=b""), CloseState.CLOSED),
        (wechat_answer(400, {"code": "ORDER_CLOSED"}), CloseState.CLOSED),
        (wechat_answer(400, {"code": "ORDERCLOSED"}), CloseState.CLOSED),
        (wechat_answer(400, {"code": "ORDER_REVERSED"}), CloseState.CLOSED),
        (wechat_answer(400, {"code": "ORDER_PAID"}), CloseState.PAID),
        (wechat_answer(400, {"code": "ORDERPAID"}, seal="unsigned"), CloseState.PAID),
        (wechat_answer(404, {"code": "ORDER_NOT_EXIST"}), CloseState.NOT_FOUND),
        (wechat_answer(404, {"code": "RESOURCE_NOT_EXISTS"}), CloseState.NOT_FOUND),
        (wechat_answer(400, {"code": "USERPAYING"}), CloseState.REPEAT),
    ],
)
async def test_closing_reports_how_far_it_is(answer: TransportResponse, state: CloseState) -> None:
    channel, sent = wechat_shop(answer)
    assert (await channel.close(ORDER, LIMITS)).state is state
    assert sent.urls == [f"POST https://wechat.invalid/v3/pay/transactions/out-trade-no/{ORDER.order_no}/close"]
    assert json.loads(sent.bodies[0]) == {"mchid": KEYS["mchid"]}


@pytest.mark.parametrize(
    "answer",
    [
        wechat_answer(204, None, body=b"", seal="unsigned"),
        wechat_answer(204, None, body=b"", seal="forged"),
        wechat_answer(200, {}),
        wechat_answer(202, {}),
        wechat_answer(200, {"code": "ORDER_CLOSED"}),
        wechat_answer(400, {"code": "ORDER_CLOSED"}, seal="unsigned"),
        wechat_answer(400, {"code": "ORDER_REVERSED"}, seal="unsigned"),
        wechat_answer(400, {"code": "INVALID_REQUEST"}),
        wechat_answer(500, {"code": "SYSTEM_ERROR"}),
        wechat_answer(401, {"code": "SIGN_ERROR"}, seal="unsigned"),
    ],
)
async def test_closing_without_a_proven_answer_is_unknown(answer: TransportResponse) -> None:
    with pytest.raises(ChannelUnknown):
        await wechat_shop(answer)[0].close(ORDER, LIMITS)


async def test_a_number_that_could_change_the_address_is_never_sent() -> None:
    channel, sent = wechat_shop(SHOWN)
    order = ChannelOrder("MS/1?a=b&c", datetime(2026, 11, 22, tzinfo=UTC), Money(1))
    for call in (channel.close(order, LIMITS), channel.create_code(replace(CODE, order=order), LIMITS)):
        with pytest.raises(ChannelUnsent):
            await call
    assert not sent.urls


def test_the_browser_is_sent_to_the_page_that_identifies_payers() -> None:
    channel, _ = wechat_shop(SHOWN)
    url = channel.authorize_url("https://pay.example/q/sAb?x=1&y=二", "st4te")
    assert url.startswith("https://open.weixin.qq.com/connect/oauth2/authorize?appid=")
    assert url.endswith("#wechat_redirect")
    assert parse_qsl(urlsplit(url).query, strict_parsing=True) == [
        ("appid", KEYS["appid"]),
        ("redirect_uri", "https://pay.example/q/sAb?x=1&y=二"),
        ("response_type", "code"),
        ("scope", "snsapi_base"),
        ("state", "st4te"),
    ]


def _plain(value: object, status: int = 200) -> TransportResponse:
    return TransportResponse(status, {}, json.dumps(value).encode())


async def test_a_payer_is_identified_by_the_code_that_the_browser_brought_back() -> None:
    channel, sent = wechat_shop(_plain({"access_token": "A", "openid": "oUpF8", "scope": "snsapi_base"}))
    assert await channel.identify_payer("081Kq4Ga1", "", LIMITS) == "oUpF8"
    address = urlsplit(sent.urls[0].removeprefix("GET "))
    assert f"{address.scheme}://{address.netloc}{address.path}" == "https://api.weixin.qq.com/sns/oauth2/access_token"
    assert dict(parse_qsl(address.query, strict_parsing=True)) == {
        "appid": KEYS["appid"],
        "secret": SECRET,
        "code": "081Kq4Ga1",
        "grant_type": "authorization_code",
    }
    assert "Authorization" not in sent.headers[0]


async def test_the_addresses_of_the_pages_can_be_others() -> None:
    channel, sent = wechat_shop(
        _plain({"openid": "o1"}), oauth_url="http://127.0.0.1:1/a", token_url="http://127.0.0.1:2/b"
    )
    assert channel.authorize_url("https://x", "s").startswith("http://127.0.0.1:1/a?")
    await channel.identify_payer("c", "", LIMITS)
    assert sent.urls[0].startswith("GET http://127.0.0.1:2/b?")


@pytest.mark.parametrize(
    ("errcode", "failure"),
    [
        (40029, FailureCode.CHANNEL_REFUSED),
        (40163, FailureCode.CHANNEL_REFUSED),
        (40013, FailureCode.CHANNEL_MISCONFIGURED),
        (40125, FailureCode.CHANNEL_MISCONFIGURED),
    ],
)
async def test_a_code_that_names_nobody_is_refused(errcode: int, failure: FailureCode) -> None:
    channel, _ = wechat_shop(_plain({"errcode": errcode, "errmsg": "secret", "openid": "o1"}))
    with pytest.raises(ChannelRejected) as caught:
        await channel.identify_payer("c", "", LIMITS)
    assert (caught.value.code, caught.value.failure) == (f"errcode_{errcode}", failure)


@pytest.mark.parametrize(
    "answer",
    [
        _plain({"errcode": -1, "errmsg": "system error"}),
        _plain({"errcode": 99999, "openid": "o1"}),
        _plain({"errcode": "x", "openid": "o1"}),
        _plain({"errcode": ["x"], "openid": "o1"}),
        _plain({}),
        _plain({"openid": ""}),
        _plain({"openid": 5}),
        _plain({"openid": "o\n1"}),
        _plain([]),
        _plain({"openid": "o1"}, 500),
        _plain({"openid": "o1"}, 302),
        TransportResponse(200, {}, b"\xff"),
    ],
)
async def test_an_answer_that_names_nobody_leaves_the_payer_unknown(answer: TransportResponse) -> None:
    with pytest.raises(ChannelUnknown):
        await wechat_shop(answer)[0].identify_payer("c", "", LIMITS)


@pytest.mark.parametrize("code", ["", "a\nb", "é", "x" * 257, "a\0"])
async def test_what_cannot_be_a_code_is_refused_unsent(code: str) -> None:
    channel, sent = wechat_shop(_plain({"openid": "o1"}))
    with pytest.raises(ChannelRejected):
        await channel.identify_payer(code, "", LIMITS)
    assert not sent.urls


async def test_a_code_from_a_browser_cannot_add_parameters() -> None:
    channel, sent = wechat_shop(_plain({"openid": "o1"}))
    await channel.identify_payer("c&appid=other#x?y z", "", LIMITS)
    assert dict(parse_qsl(urlsplit(sent.urls[0]).query))["code"] == "c&appid=other#x?y z"
    assert sent.urls[0].count("appid=") == 1


async def test_without_a_secret_of_the_application_nobody_is_identified() -> None:
    channel, sent = wechat_shop(_plain({"openid": "o1"}), app_secret="")
    with pytest.raises(ChannelUnsent) as caught:
        await channel.identify_payer("c", "", LIMITS)
    assert caught.value.code == "no_app_secret"
    assert not sent.urls


NEW_CALLS: dict[str, Callable[[Channel], Coroutine[None, None, object]]] = {
    "create_code": lambda channel: channel.create_code(CODE, LIMITS),
    "create_page_order": lambda channel: channel.create_page_order(WECHAT_PAGE, LIMITS),
    "close": lambda channel: channel.close(ORDER, LIMITS),
    "statement": lambda channel: channel.statement(ORDER.created_at.date(), LIMITS),
    "identify_payer": lambda channel: channel.identify_payer("c", "", LIMITS),
}


def ends_well(coroutine: Coroutine[None, None, object]) -> object:
    """What a call returns; None where it raised one of the three kinds of error, well formed."""
    try:
        return driven(coroutine)
    except (ChannelRejected, ChannelUnknown) as error:
        assert len(error.code) <= 64  # noqa: PT017 (other errors must pass)
        return None


@pytest.mark.parametrize("call", [name for name in NEW_CALLS if name != "identify_payer"])
@pytest.mark.parametrize("shop", [wechat_shop, alipay_shop])
@QUIETLY
@given(status=STATUSES, headers=HEADERS, body=BODIES)
def test_bytes_that_nobody_signed_show_no_code_and_close_nothing(
    shop: Callable[[TransportResponse], tuple[Channel, Scripted]],
    call: str,
    status: int,
    headers: dict[str, str],
    body: bytes,
) -> None:
    ended = ends_well(NEW_CALLS[call](shop(TransportResponse(status, headers, body))[0]))
    assert ended is None or (isinstance(ended, CloseReport) and ended.state is not CloseState.CLOSED)


@QUIETLY
@given(status=STATUSES, body=BODIES)
def test_any_bytes_identify_a_payer_in_words_or_nobody(status: int, body: bytes) -> None:
    ended = ends_well(NEW_CALLS["identify_payer"](wechat_shop(TransportResponse(status, {}, body))[0]))
    assert ended is None or (isinstance(ended, str) and ended.isprintable())
