"""WeChat Pay's notifications: what is believed, what is refused and why, and what they say."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.channels.notifications import NotificationRefused
from routing.channels.reports import RefundReport, RefundState, TradeState
from tests.unit.channels.answering import ALIPAY_KEY, ORDER, REFUND, _key, wechat_answer
from tests.unit.channels.shown import wechat_event, wechat_shop, wechat_signed, wechat_told
from tests.unit.channels.test_any_answer import BODIES, HEADERS, JSON, QUIETLY
from tests.unit.channels.test_wechat import ORDER_ANSWER
from tests.unit.channels.vectors import keys

KEYS = keys("wechat")
CERTIFIED_KEY = _key("wechat", "platform_certificate_private_key_pem")
CHANNEL, _ = wechat_shop(wechat_answer(200, {}))
REFUNDED: dict[str, Any] = {
    "mchid": KEYS["mchid"],
    "transaction_id": "4200002026202611220000000001",
    "out_trade_no": ORDER.order_no,
    "refund_id": "50300002026202611220000000001",
    "out_refund_no": REFUND.refund_no,
    "refund_status": "SUCCESS",
    "success_time": "2026-11-22T10:20:00+08:00",
    "user_received_account": "支付用户零钱",
    "amount": {"total": 1280, "refund": 280, "payer_total": 1280, "payer_refund": 280},
}
PAID = "TRANSACTION.SUCCESS"


def _refused(headers: dict[str, str], body: bytes) -> str:
    with pytest.raises(NotificationRefused) as caught:
        CHANNEL.read_notification(headers, body)
    return caught.value.reason


def test_a_payment_says_what_a_query_says() -> None:
    told = CHANNEL.read_notification(*wechat_told(wechat_event(PAID, ORDER_ANSWER)))
    assert (told.order_no, told.refund, told.refund_no) == (ORDER.order_no, None, None)
    trade = told.trade
    assert trade is not None
    assert (trade.state, trade.amount_fen, trade.payer_paid_fen) == (TradeState.CAPTURED, 1280, 1080)
    assert trade.channel_trade_no == "4200002026202611220000000001"
    assert trade.payer_id == "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
    assert trade.paid_at == datetime(2026, 11, 22, 2, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "status", "state", "abnormal"),
    [
        ("REFUND.SUCCESS", "SUCCESS", RefundState.SUCCEEDED, False),
        ("REFUND.CLOSED", "CLOSED", RefundState.FAILED, False),
        ("REFUND.ABNORMAL", "ABNORMAL", RefundState.PENDING, True),
        ("REFUND.SUCCESS", "PROCESSING", RefundState.PENDING, False),
    ],
)
def test_a_refund_says_how_it_ended(event: str, status: str, state: RefundState, abnormal: bool) -> None:
    told = CHANNEL.read_notification(*wechat_told(wechat_event(event, REFUNDED | {"refund_status": status})))
    assert (told.order_no, told.refund_no, told.trade) == (ORDER.order_no, REFUND.refund_no, None)
    assert told.refund == RefundReport(state, REFUNDED["refund_id"], 280, status, abnormal)


def test_the_same_event_has_the_same_id_and_two_events_have_two() -> None:
    events = [
        wechat_event(PAID, ORDER_ANSWER),
        wechat_event(PAID, ORDER_ANSWER, event_id="EV-2"),
        wechat_event("REFUND.SUCCESS", REFUNDED),
        wechat_event("REFUND.SUCCESS", REFUNDED | {"out_refund_no": "RF20261122000002"}),
        wechat_event("REFUND.ABNORMAL", REFUNDED | {"refund_status": "ABNORMAL"}),
    ]
    first, second = [[CHANNEL.read_notification(*wechat_told(event)).id for event in events] for _ in range(2)]
    assert first == second
    assert len(set(first)) == len(events)


def test_a_key_is_chosen_by_its_serial() -> None:
    """While keys rotate, two are valid, and a signature of one under the name of the other is not."""
    _, body = wechat_told(wechat_event(PAID, ORDER_ANSWER))
    assert CHANNEL.read_notification(wechat_signed(body), body).order_no == ORDER.order_no
    assert _refused(wechat_signed(body, serial=KEYS["platform_certificate_serial_no"]), body) == "signature"
    assert _refused(wechat_signed(body, serial="PUB_KEY_ID_0"), body) == "unknown_key"


def test_a_certificate_of_the_platform_verifies_as_well_as_a_public_key() -> None:
    _, body = wechat_told(wechat_event(PAID, ORDER_ANSWER))
    headers = wechat_signed(body, key=CERTIFIED_KEY, serial=KEYS["platform_certificate_serial_no"])
    assert CHANNEL.read_notification(headers, body).order_no == ORDER.order_no


GOOD_HEADERS, GOOD_BODY = wechat_told(wechat_event(PAID, ORDER_ANSWER))


@pytest.mark.parametrize(
    ("reason", "headers", "body"),
    [
        ("unsigned", {}, GOOD_BODY),
        ("unsigned", {"content-type": "application/json"}, b""),
        ("signature", GOOD_HEADERS, GOOD_BODY + b" "),
        ("signature", GOOD_HEADERS, b""),
        ("signature", GOOD_HEADERS | {"wechatpay-nonce": "other"}, GOOD_BODY),
        ("signature", GOOD_HEADERS | {"wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"}, GOOD_BODY),
        ("signature", {name: text for name, text in GOOD_HEADERS.items() if name != "wechatpay-nonce"}, GOOD_BODY),
        ("signature", wechat_signed(GOOD_BODY, key=ALIPAY_KEY), GOOD_BODY),
        (
            "probe",
            GOOD_HEADERS | {"wechatpay-signature": f"WECHATPAY/SIGNTEST/{GOOD_HEADERS['wechatpay-signature']}"},
            GOOD_BODY,
        ),
        ("stale", wechat_signed(GOOD_BODY, age_s=301), GOOD_BODY),
        ("stale", wechat_signed(GOOD_BODY, age_s=-301), GOOD_BODY),
        ("stale", GOOD_HEADERS | {"wechatpay-timestamp": "tomorrow"}, GOOD_BODY),
    ],
)
def test_what_wechat_pay_did_not_sign_now_is_refused(reason: str, headers: dict[str, str], body: bytes) -> None:
    assert _refused(headers, body) == reason


SEALED = wechat_event(PAID, ORDER_ANSWER)


@pytest.mark.parametrize(
    ("reason", "event"),
    [
        ("malformed", b""),
        ("malformed", b"[]"),
        ("malformed", b"\xff"),
        ("malformed", b"[" * 50_000),
        ("malformed", {name: value for name, value in SEALED.items() if name != "id"}),
        ("malformed", {name: value for name, value in SEALED.items() if name != "event_type"}),
        ("malformed", {name: value for name, value in SEALED.items() if name != "resource"}),
        ("malformed", SEALED | {"id": 5}),
        ("malformed", SEALED | {"resource": "x"}),
        ("sealed", wechat_event(PAID, ORDER_ANSWER, algorithm="none")),
        ("sealed", wechat_event(PAID, ORDER_ANSWER, nonce="000000000000")),
        ("sealed", wechat_event(PAID, ORDER_ANSWER, nonce="")),
        ("sealed", wechat_event(PAID, ORDER_ANSWER, nonce=5)),
        ("sealed", wechat_event(PAID, ORDER_ANSWER, associated_data="refund")),
        ("sealed", wechat_event(PAID, ORDER_ANSWER, associated_data=None)),
        ("sealed", wechat_event(PAID, ORDER_ANSWER, ciphertext="!")),
        ("sealed", wechat_event(PAID, ORDER_ANSWER, ciphertext="")),
        ("sealed", wechat_event(PAID, ORDER_ANSWER, ciphertext="AAAA")),
        ("malformed", wechat_event(PAID, b"not json")),
        ("malformed", wechat_event(PAID, [ORDER_ANSWER])),
        ("unknown_kind", wechat_event("TRANSACTION.CLOSED", ORDER_ANSWER)),
        ("unknown_kind", wechat_event("COUPON.USE", ORDER_ANSWER)),
        ("wrong_account", wechat_event(PAID, ORDER_ANSWER | {"mchid": "1900009192"})),
        ("wrong_account", wechat_event(PAID, ORDER_ANSWER | {"appid": "wx0000000000000000"})),
        ("wrong_account", wechat_event(PAID, {k: v for k, v in ORDER_ANSWER.items() if k != "appid"})),
        ("wrong_account", wechat_event(PAID, {k: v for k, v in ORDER_ANSWER.items() if k != "mchid"})),
        ("wrong_account", wechat_event("REFUND.SUCCESS", REFUNDED | {"mchid": "1900009192"})),
        ("wrong_account", wechat_event("REFUND.SUCCESS", REFUNDED | {"appid": "wx0000000000000000"})),
        ("malformed", wechat_event(PAID, {k: v for k, v in ORDER_ANSWER.items() if k != "out_trade_no"})),
        ("malformed", wechat_event(PAID, ORDER_ANSWER | {"out_trade_no": 5})),
        ("malformed", wechat_event(PAID, ORDER_ANSWER | {"trade_state": "NEW"})),
        ("malformed", wechat_event("REFUND.SUCCESS", REFUNDED | {"refund_status": "NEW"})),
        ("malformed", wechat_event("REFUND.SUCCESS", REFUNDED | {"out_refund_no": ""})),
        ("malformed", wechat_event("REFUND.SUCCESS", ORDER_ANSWER)),
    ],
)
def test_what_is_signed_and_not_ours_or_not_readable_is_refused(reason: str, event: object) -> None:
    assert _refused(*wechat_told(event)) == reason


def test_the_sealed_text_of_another_merchants_key_does_not_open() -> None:
    other, _ = wechat_shop(wechat_answer(200, {}), api_v3_key="0" * 32)
    with pytest.raises(NotificationRefused, match="sealed"):
        other.read_notification(*wechat_told(SEALED))


def test_an_amount_that_is_none_is_left_out_and_not_guessed() -> None:
    for amount in (None, {}, {"total": "1280"}, {"total": 12.8}, {"total": True}):
        told = CHANNEL.read_notification(*wechat_told(wechat_event(PAID, ORDER_ANSWER | {"amount": amount})))
        assert told.trade is not None
        assert told.trade.amount_fen is None


def test_the_answers_are_in_wechat_pays_words() -> None:
    accepted, refused = CHANNEL.acknowledgements.accepted, CHANNEL.acknowledgements.refused
    assert (accepted.status, refused.status) == (200, 400)
    assert json.loads(accepted.body)["code"] == "SUCCESS"
    assert json.loads(refused.body)["code"] == "FAIL"


@QUIETLY
@given(headers=HEADERS, body=BODIES)
def test_anything_that_nobody_signed_is_refused(headers: dict[str, str], body: bytes) -> None:
    assert _refused(headers, body)


@QUIETLY
@given(
    kind=st.sampled_from([PAID, "REFUND.SUCCESS", "REFUND.", ""]) | st.text(max_size=8),
    changes=st.dictionaries(st.sampled_from(sorted(ORDER_ANSWER | REFUNDED)), JSON, max_size=3),
    envelope=st.dictionaries(
        st.sampled_from(["nonce", "associated_data", "ciphertext", "algorithm"]), JSON, max_size=1
    ),
)
def test_anything_that_is_signed_is_read_or_refused(
    kind: str, changes: dict[str, Any], envelope: dict[str, Any]
) -> None:
    event = wechat_event(kind, json.dumps(ORDER_ANSWER | REFUNDED | changes).encode(), **envelope)
    body = json.dumps(event).encode()
    with suppress(NotificationRefused):
        told = CHANNEL.read_notification(wechat_signed(body), body)
        assert (told.trade is None) is (told.refund is not None)


def test_reading_waits_for_nothing_and_asks_nobody() -> None:
    channel, sent = wechat_shop(wechat_answer(200, {}))
    channel.read_notification(*wechat_told(SEALED))
    assert not sent.urls
