"""UnionPay's codes on display and page payments: what is sent, what each answer means, and who the payer is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given

from gateway.kernel.failures import FailureCode
from routing.channels.base import (
    Channel,
    ChannelRejected,
    ChannelUnknown,
    ChannelUnsent,
    CodeOrder,
    PageOrder,
    RefundRules,
    TransportResponse,
)
from routing.channels.registry import build_channel
from routing.channels.reports import CloseReport, CloseState, TradeState
from tests.unit.channels.answering import CHARGE, LIMITS, ORDER, REFUND, Canned, unionpay_answer
from tests.unit.channels.driving import driven
from tests.unit.channels.test_any_answer import BODIES, QUIETLY, STATUSES
from tests.unit.channels.test_unionpay import CONFIGURATION, KEYS, REFUSALS, UNDECIDED, _answer, _consumed, _given_back
from tests.unit.channels.vectors import unionpay_settings

NOTIFY_URL = "https://pay.example/callbacks/unionpay/unionpay_direct"
ADDRESSES = {
    "front_trans_url": "https://unionpay.invalid/gateway/api/newAppTransReq.do",
    "oauth_url": "https://qr.unionpay.invalid/qrcGtwWeb-web/api/userAuth",
    "notify_url": NOTIFY_URL,
}
CODE = CodeOrder(ORDER, "豆浆油条套餐", ORDER.created_at + timedelta(minutes=5), "S1", "T0000001", "O1")
PAGE = PageOrder(CODE, "u-9f2c", "https://pay.example/q/sAb?paid=1&x=", "203.0.113.7", "UnionPay/1.0 CloudPay")
QR = "https://qr.95516.com/00010000/62212345678901234567890"


def opened(answer: Any, **more: Any) -> tuple[Channel, Canned]:
    transport = Canned(answer)
    return build_channel("unionpay", unionpay_settings() | ADDRESSES | more, transport), transport


def shown(code: str = "00", **more: str) -> dict[str, str]:
    return _answer("01", "07", code, **({"qrCode": QR} | more))


def page(code: str = "00", **more: str) -> dict[str, str]:
    return _answer("01", "01", code, **({"tn": "702611", "payUrl": "https://pay.unionpay.invalid/p/702611"} | more))


def identified(request_of: Canned, code: str = "00", **more: str) -> TransportResponse:
    about = {name: request_of.form[name] for name in ("orderId", "txnTime")}
    return unionpay_answer(_answer("00", "10", code, **(about | more)))


async def test_a_code_is_asked_for_as_the_document_says() -> None:
    channel, sent = opened(unionpay_answer(shown()))
    assert (await channel.create_code(CODE, LIMITS)).qr_code == QR
    assert sent.urls == ["POST https://unionpay.invalid/gateway/api/backTransReq.do"]
    form = sent.form
    assert form.pop("signature")
    assert form == {
        "version": "5.1.0",
        "encoding": "UTF-8",
        "signMethod": "01",
        "certId": KEYS["merchant_cert_id"],
        "txnType": "01",
        "txnSubType": "07",
        "bizType": "000000",
        "channelType": "08",
        "accessType": "0",
        "merId": KEYS["mer_id"],
        "orderId": ORDER.order_no,
        "txnTime": "20261122101530",
        "txnAmt": "1280",
        "currencyCode": "156",
        "payTimeout": "20261122102030",  # Beijing time of 02:20:30 UTC
        "backUrl": NOTIFY_URL,
        "termId": "T0000001",
    }


@pytest.mark.parametrize(("code", "failure"), REFUSALS)
async def test_a_code_can_be_refused(code: str, failure: FailureCode) -> None:
    with pytest.raises(ChannelRejected) as caught:
        await opened(unionpay_answer(shown(code)))[0].create_code(CODE, LIMITS)
    assert (caught.value.code, caught.value.failure) == (code, failure)
    assert caught.value.may_fail_over is (code in {"11", "31", "32"})


@pytest.mark.parametrize("code", CONFIGURATION)
async def test_a_refusal_of_our_form_is_believed_without_a_signature(code: str) -> None:
    with pytest.raises(ChannelRejected) as caught:
        await opened(unionpay_answer({"respCode": code}, seal="unsigned"))[0].create_code(CODE, LIMITS)
    assert not caught.value.may_fail_over


@pytest.mark.parametrize(
    "answer",
    [
        *[unionpay_answer(shown(code)) for code in (*UNDECIDED, "05", "12", "34", "37", "")],
        unionpay_answer(shown(), seal="unsigned"),
        unionpay_answer(shown(), seal="forged"),
        unionpay_answer(shown(orderId="MS20261122000002")),
        unionpay_answer(shown(txnSubType="06")),
        *[unionpay_answer(shown(qrCode=text)) for text in ("", "weixin://x", "javascript:alert(1)", "https://a b")],
        unionpay_answer(shown(qrCode="https://qr.95516.com/" + "9" * 3_000)),
        TransportResponse(502, {}, b""),
        ChannelUnknown("answer_timeout"),
    ],
)
async def test_without_a_proven_answer_no_code_is_shown(answer: Any) -> None:
    with pytest.raises(ChannelUnknown):
        await opened(answer)[0].create_code(CODE, LIMITS)


async def test_a_page_payment_is_opened_for_the_payer_and_goes_on_at_unionpay() -> None:
    channel, sent = opened(unionpay_answer(page()))
    report = await channel.create_page_order(PAGE, LIMITS)
    assert (report.pay_url, dict(report.bridge)) == ("https://pay.unionpay.invalid/p/702611", {})
    assert sent.urls == [f"POST {ADDRESSES['front_trans_url']}"]
    form = sent.form
    expected = {
        "txnType": "01",
        "txnSubType": "01",
        "tradeType": "mobileWeb",
        "appUserId": "u-9f2c",
        "appUpIdentifier": "UnionPay/1.0 CloudPay",
        "frontUrl": "https://pay.example/q/sAb?paid=1&x=",
        "customerIp": "203.0.113.7",
        "qrCodeType": "0",
        "payTimeout": "20261122102030",
        "backUrl": NOTIFY_URL,
        "orderId": ORDER.order_no,
        "txnTime": "20261122101530",
        "txnAmt": "1280",
        "currencyCode": "156",
    }
    assert {name: form.get(name) for name in expected} == expected


async def test_a_static_codes_page_can_say_so() -> None:
    channel, sent = opened(unionpay_answer(page()), qr_code_type="1")
    await channel.create_page_order(PAGE, LIMITS)
    assert sent.form["qrCodeType"] == "1"


@pytest.mark.parametrize(
    "answer",
    [
        unionpay_answer(page("05")),
        unionpay_answer(page(), seal="unsigned"),
        unionpay_answer(page(payUrl="")),
        unionpay_answer(page(payUrl="javascript:alert(1)")),
        unionpay_answer(page(payUrl="//evil.example/p")),
        unionpay_answer(shown()),
    ],
)
async def test_a_page_without_a_proven_answer_is_unknown(answer: Any) -> None:
    with pytest.raises(ChannelUnknown):
        await opened(answer)[0].create_page_order(PAGE, LIMITS)


async def test_a_page_payment_can_be_refused() -> None:
    with pytest.raises(ChannelRejected):
        await opened(unionpay_answer(page("33")))[0].create_page_order(PAGE, LIMITS)


@pytest.mark.parametrize("back", ["https://pay.example/q/sAb", "https://pay.example/q/sAb?wallet=union%26pay&empty="])
@pytest.mark.parametrize("state", ["n0nce", "a&b=c#d é"])
def test_the_state_travels_in_the_address_to_return_to(back: str, state: str) -> None:
    channel, sent = opened(TransportResponse(200, {}, b""))
    address = urlsplit(channel.authorize_url(back, state))
    assert f"{address.scheme}://{address.netloc}{address.path}" == ADDRESSES["oauth_url"]
    query = parse_qs(address.query, strict_parsing=True)
    assert set(query) == {"version", "redirectUrl"}
    assert query["version"] == ["1.0.0"]
    returned = urlsplit(query["redirectUrl"][0])
    assert returned.path == "/q/sAb"
    carried = parse_qs(returned.query, keep_blank_values=True)
    assert carried.pop("state") == [state]
    assert carried == parse_qs(urlsplit(back).query, keep_blank_values=True)
    assert not sent.urls


class _Identifying(Canned):
    """Answers 00/10 about the very request that came, under the number that it chose."""

    def __init__(self, code: str = "00", **more: str) -> None:
        super().__init__(TransportResponse(200, {}, b""))
        self._code, self._more = code, more

    async def send(self, *call: Any) -> TransportResponse:
        await super().send(*call)
        return identified(self, self._code, **self._more)


def _identifying(code: str = "00", **more: str) -> tuple[Channel, Canned]:
    transport = _Identifying(code, **more)
    return build_channel("unionpay", unionpay_settings() | ADDRESSES, transport), transport


async def test_a_payer_is_identified_by_the_code_of_the_browser() -> None:
    channel, sent = _identifying(appUserId="u-9f2c")
    assert await channel.identify_payer("auth-1", "UnionPay/1.0 CloudPay", LIMITS) == "u-9f2c"
    assert sent.urls == [f"POST {ADDRESSES['front_trans_url']}"]
    form = sent.form
    assert (form["txnType"], form["txnSubType"]) == ("00", "10")
    assert (form["userAuthCode"], form["appUpIdentifier"]) == ("auth-1", "UnionPay/1.0 CloudPay")
    assert (len(form["orderId"]), form["orderId"].isalnum()) == (28, True)


async def test_each_question_for_a_payer_has_a_number_of_its_own() -> None:
    channel, sent = _identifying(appUserId="u")
    numbers = set()
    for _ in range(3):
        await channel.identify_payer("auth-1", "", LIMITS)
        numbers.add(sent.form["orderId"])
    assert len(numbers) == 3


@pytest.mark.parametrize("more", [{}, {"appUserId": ""}, {"appUserId": "u" * 300}])
async def test_a_payer_without_an_id_is_unknown(more: dict[str, str]) -> None:
    with pytest.raises(ChannelUnknown):
        await _identifying(**more)[0].identify_payer("auth-1", "", LIMITS)


async def test_a_used_code_of_the_browser_is_refused() -> None:
    with pytest.raises(ChannelRejected) as caught:
        await _identifying("80")[0].identify_payer("auth-1", "", LIMITS)
    assert caught.value.failure is FailureCode.AUTH_CODE_EXPIRED


async def test_nothing_closes_an_order_and_nothing_is_asked() -> None:
    channel, sent = opened(TransportResponse(200, {}, b""))
    assert await channel.close(ORDER, LIMITS) == CloseReport(CloseState.UNSUPPORTED)
    assert not sent.urls


async def test_an_account_without_the_addresses_of_pages_asks_nobody_for_one() -> None:
    transport = Canned(unionpay_answer(page()))
    channel = build_channel("unionpay", unionpay_settings(), transport)
    with pytest.raises(ChannelUnsent):
        channel.authorize_url("https://pay.example/q/sAb", "state")
    with pytest.raises(ChannelUnsent):
        await channel.create_page_order(PAGE, LIMITS)
    with pytest.raises(ChannelUnsent):
        await channel.identify_payer("auth-1", "", LIMITS)
    assert not transport.urls


@pytest.mark.parametrize(
    ("more", "address"),
    [
        ({}, "http://www.specialUrl.com"),
        ({"notify_barcode": True}, NOTIFY_URL),
        ({"notify_barcode": True, "notify_url": ""}, "http://www.specialUrl.com"),
    ],
)
async def test_bar_codes_are_notified_only_where_the_account_wants_it(more: dict[str, Any], address: str) -> None:
    channel, sent = opened(unionpay_answer(_consumed("00")), **more)
    assert (await channel.charge_barcode(CHARGE, LIMITS)).state is TradeState.PENDING
    assert sent.form["backUrl"] == address


@pytest.mark.parametrize(("notify_url", "address"), [(NOTIFY_URL, NOTIFY_URL), ("", "http://www.specialUrl.com")])
@pytest.mark.parametrize("kind", ["31", "04"])
async def test_refunds_and_voids_are_notified(kind: str, notify_url: str, address: str) -> None:
    channel, sent = opened(unionpay_answer(_given_back(kind, "00")), notify_url=notify_url)
    await (channel.void if kind == "31" else channel.refund)(REFUND, LIMITS)
    assert sent.form["backUrl"] == address


async def test_a_code_without_a_fitting_terminal_or_address_is_still_shown() -> None:
    channel, sent = opened(unionpay_answer(shown()), notify_url="")
    await channel.create_code(replace(CODE, terminal_id="T1"), LIMITS)
    assert "termId" not in sent.form
    assert sent.form["backUrl"] == "http://www.specialUrl.com"


async def test_the_time_of_the_end_is_beijings_whatever_zone_it_came_in() -> None:
    channel, sent = opened(unionpay_answer(shown()))
    await channel.create_code(replace(CODE, pay_until=datetime(2026, 12, 31, 16, 0, tzinfo=UTC)), LIMITS)
    assert sent.form["payTimeout"] == "20270101000000"


@pytest.mark.parametrize(("more", "days"), [({}, 30), ({"refund_window_days": 330}, 330)])
def test_refunds_are_bounded_by_the_products_window(more: dict[str, int], days: int) -> None:
    assert opened(TransportResponse(200, {}, b""), **more)[0].refund_rules == RefundRules(0.0, 1_000, days)


CALLS: dict[str, Callable[[Channel], Coroutine[Any, Any, Any]]] = {
    "code": lambda channel: channel.create_code(CODE, LIMITS),
    "page": lambda channel: channel.create_page_order(PAGE, LIMITS),
    "payer": lambda channel: channel.identify_payer("auth-1", "", LIMITS),
    "statement": lambda channel: channel.statement(date(2026, 11, 21), LIMITS),
}


@pytest.mark.parametrize("call", CALLS)
@QUIETLY
@given(status=STATUSES, body=BODIES)
def test_bytes_that_nobody_signed_bring_nothing_to_show(call: str, status: int, body: bytes) -> None:
    channel, _ = opened(TransportResponse(status, {}, body), file_url="https://files.unionpay.invalid")
    with pytest.raises((ChannelUnknown, ChannelRejected)) as caught:
        driven(CALLS[call](channel))
    assert len(caught.value.code) <= 64
