"""Alipay's notifications: what is believed, what is refused and why, and what they say."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.channels.notifications import Notification, NotificationRefused
from routing.channels.reports import RefundReport, RefundState, TradeState
from tests.unit.channels.answering import ORDER, REFUND, WECHAT_KEY, alipay_answer
from tests.unit.channels.shown import APP_ID, SELLER_ID, alipay_shop, alipay_told
from tests.unit.channels.test_any_answer import BODIES, HEADERS, QUIETLY

CHANNEL, _ = alipay_shop(alipay_answer("alipay.trade.query", {}))
PAID = {
    "notify_time": "2026-11-22 10:15:31",
    "notify_type": "trade_status_sync",
    "notify_id": "f7f39fbc4bf3d73838a3fdbc97bbf18dkx",
    "app_id": APP_ID,
    "auth_app_id": APP_ID,
    "charset": "utf-8",
    "version": "1.0",
    "sign_type": "RSA2",
    "trade_no": "2026112222001400000000019191",
    "out_trade_no": ORDER.order_no,
    "out_biz_no": "",
    "buyer_id": "2088102169481075",
    "seller_id": SELLER_ID,
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "12.80",
    "buyer_pay_amount": "10.80",
    "subject": "豆浆油条套餐（大份） 50%+2 & a=b",
    "gmt_payment": "2026-11-22 10:15:30",
}
REFUNDED = PAID | {
    "out_biz_no": REFUND.refund_no,
    "refund_fee": "2.80",
    "gmt_refund": "2026-11-22 10:20:00.123",
}


def _read(body: bytes) -> Notification:
    return CHANNEL.read_notification({}, body)


def _refused(body: bytes) -> str:
    with pytest.raises(NotificationRefused) as caught:
        _read(body)
    return caught.value.reason


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_a_payment_says_what_a_query_says(encoding: str) -> None:
    told = _read(alipay_told(PAID | {"charset": encoding}, encoding=encoding))
    assert (told.order_no, told.refund, told.refund_no) == (ORDER.order_no, None, None)
    trade = told.trade
    assert trade is not None
    assert (trade.state, trade.amount_fen, trade.payer_paid_fen) == (TradeState.CAPTURED, 1280, 1080)
    assert (trade.channel_trade_no, trade.payer_id) == (PAID["trade_no"], "2088102169481075")
    assert trade.paid_at == datetime(2026, 11, 22, 2, 15, 30, tzinfo=UTC)
    assert trade.channel_code == "TRADE_SUCCESS"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("TRADE_SUCCESS", TradeState.CAPTURED),
        ("TRADE_FINISHED", TradeState.CAPTURED),
        ("TRADE_CLOSED", TradeState.CLOSED),
        ("WAIT_BUYER_PAY", TradeState.PENDING),
    ],
)
def test_every_status_is_read(status: str, state: TradeState) -> None:
    trade = _read(alipay_told(PAID | {"trade_status": status})).trade
    assert trade is not None
    assert trade.state is state


@pytest.mark.parametrize("status", ["TRADE_SUCCESS", "TRADE_CLOSED"])
def test_a_refund_is_a_reason_to_ask_and_no_proof_for_the_sum_is_of_all_refunds(status: str) -> None:
    told = _read(alipay_told(REFUNDED | {"trade_status": status}))
    assert (told.order_no, told.refund_no, told.trade) == (ORDER.order_no, REFUND.refund_no, None)
    assert told.refund == RefundReport(RefundState.PENDING, channel_code=status)


def test_a_number_of_business_alone_makes_no_refund() -> None:
    assert _read(alipay_told(PAID | {"out_biz_no": "OTHER-1"})).trade is not None


def test_the_same_event_has_the_same_id_and_two_events_have_two() -> None:
    """Alipay's notify_id alone does not tell a payment from the refund after it."""
    events = [
        PAID,
        PAID | {"notify_id": "other"},
        PAID | {"trade_status": "TRADE_FINISHED"},
        REFUNDED,
        REFUNDED | {"out_biz_no": "RF20261122000002"},
        REFUNDED | {"refund_fee": "5.60"},
    ]
    first, second = [
        [_read(alipay_told(event | {"notify_time": at})).id for event in events]
        for at in ("2026-11-22 10:15:31", "2026-11-22 22:40:00")
    ]
    assert first == second
    assert len(set(first)) == len(events)


GOOD = alipay_told(PAID)


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        ("signature", b""),
        ("malformed", b"notify_id"),
        ("malformed", b"\xff=1"),
        ("malformed", b"subject=%FF&charset=utf-8"),
        ("malformed", GOOD + b"&total_amount=0.01"),
        ("malformed", b"&".join([b"a%d=1" % number for number in range(101)])),
        ("malformed", alipay_told(PAID | {"charset": "utf-7"})),
        ("malformed", alipay_told(PAID | {"charset": "idna"})),
        ("signature", b"a=1"),
        ("signature", b"a=1&sign="),
        ("signature", b"a=1&sign=%21"),
        ("signature", GOOD.replace(b"12.80", b"0.01")),
        ("signature", GOOD + b"&extra=1"),
        ("signature", GOOD.partition(b"&sign=")[0]),
        ("signature", alipay_told(PAID, key=WECHAT_KEY)),
        ("malformed", alipay_told(PAID | {"charset": "gbk"}, encoding="utf-8")),
        ("wrong_account", alipay_told(PAID | {"app_id": "2021004191919192"})),
        ("wrong_account", alipay_told(PAID | {"seller_id": "2088102175953035"})),
        ("wrong_account", alipay_told({name: text for name, text in PAID.items() if name != "seller_id"})),
        ("unknown_kind", alipay_told(PAID | {"notify_type": "open_app_auth_notify"})),
        ("unknown_kind", alipay_told(PAID | {"trade_status": "TRADE_PENDING"})),
        ("malformed", alipay_told(PAID | {"out_trade_no": ""})),
        ("malformed", alipay_told(PAID | {"notify_id": ""})),
        ("malformed", alipay_told(PAID | {"trade_status": ""})),
        ("malformed", alipay_told(PAID | {"out_trade_no": "a\nb"})),
    ],
)
def test_what_is_not_alipays_or_not_ours_or_not_readable_is_refused(reason: str, body: bytes) -> None:
    assert _refused(body) == reason


def test_days_do_not_age_it_for_alipay_repeats_the_same_one() -> None:
    assert _read(alipay_told(PAID | {"notify_time": "2025-01-01 00:00:00"})).trade is not None


def test_an_amount_that_is_none_is_left_out_and_not_guessed() -> None:
    for amount in ("", "12.801", "1e3", "１２"):
        trade = _read(alipay_told(PAID | {"total_amount": amount})).trade
        assert trade is not None
        assert trade.amount_fen is None


def test_the_answers_are_in_alipays_words() -> None:
    accepted, refused = CHANNEL.acknowledgements.accepted, CHANNEL.acknowledgements.refused
    assert (accepted.status, accepted.body) == (200, b"success")
    assert (refused.status, refused.body) == (400, b"fail")


@QUIETLY
@given(headers=HEADERS, body=BODIES)
def test_anything_that_nobody_signed_is_refused(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(NotificationRefused):
        CHANNEL.read_notification(headers, body)


@QUIETLY
@given(
    changes=st.dictionaries(st.sampled_from(sorted(REFUNDED)), st.text(max_size=8), max_size=4),
    base=st.sampled_from([PAID, REFUNDED]),
)
def test_anything_that_is_signed_is_read_or_refused(changes: dict[str, str], base: dict[str, str]) -> None:
    texts = {name: text.encode(errors="replace").decode() for name, text in changes.items()}
    with suppress(NotificationRefused):
        told = _read(alipay_told(base | texts))
        assert (told.trade is None) is (told.refund is not None)
