"""UnionPay's notifications: only what UnionPay signed for this merchant is read, and it is read as what it is."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kernel.failures import FailureCode
from gateway.payments.numbers import attempt_of, attempt_order_no, give_back_no, refund_of, refund_order_no
from routing.channels.base import Channel
from routing.channels.notifications import Acknowledgement, Notification, NotificationRefused
from routing.channels.registry import build_channel
from routing.channels.reports import RefundState, TradeState
from routing.channels.unionpay_signing import KeyedHashSigning
from tests.unit.channels.answering import UNIONPAY_KEY, Canned, rsa, unionpay
from tests.unit.channels.vectors import keys, unionpay_settings, vectors
from tests.unit.channels.vectors import vector as vector_of

KEYS = keys("unionpay")
PAYMENT_ID = "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
ORDER_NO = attempt_order_no(PAYMENT_ID, 1)
PAID = {
    "version": "5.1.0",
    "encoding": "UTF-8",
    "signMethod": "01",
    "txnType": "01",
    "txnSubType": "07",
    "merId": KEYS["mer_id"],
    "orderId": ORDER_NO,
    "txnTime": "20261122101530",
    "txnAmt": "1280",
    "currencyCode": "156",
    "settleAmt": "1080",
    "queryId": "702611221015301234568",
    "traceTime": "1122101545",
    "respCode": "00",
    "respMsg": "成功[0000000]",
}
GIVEN_BACK = PAID | {"txnType": "04", "txnSubType": "00", "orderId": refund_order_no(PAYMENT_ID, 1, 2), "txnAmt": "280"}


def channel(sign_method: str = "01") -> Channel:
    return unionpay(Exception("never asked"), sign_method)[0]


def notification(fields: Mapping[str, str], *, seal: str = "signed", encoding: str = "utf-8") -> bytes:
    """A notification signed by certificate; `seal` is signed, unsigned or forged."""
    sent = dict(fields)
    if seal != "unsigned":
        sent["signPubKeyCert"] = KEYS["sign_certificate_pem"].strip()
        text = "&".join(f"{name}={sent[name]}" for name in sorted(sent)) + ("" if seal == "signed" else " ")
        sent["signature"] = rsa(UNIONPAY_KEY, hashlib.sha256(text.encode(encoding)).hexdigest().encode())
    return urlencode(sent, encoding=encoding).encode()


def read(fields: Mapping[str, str]) -> Notification:
    return channel().read_notification({}, notification(fields))


def refused(body: bytes, sign_method: str = "01") -> str:
    with pytest.raises(NotificationRefused) as caught:
        channel(sign_method).read_notification({}, body)
    return caught.value.reason


def test_a_payment_is_told_with_its_facts() -> None:
    told = read(PAID)
    assert (told.order_no, told.refund_no, told.refund) == (ORDER_NO, None, None)
    assert told.trade is not None
    assert (told.trade.state, told.trade.amount_fen, told.trade.payer_paid_fen) == (TradeState.CAPTURED, 1280, 1080)
    assert told.trade.channel_trade_no == "702611221015301234568"
    assert told.trade.paid_at == datetime(2026, 11, 22, 2, 15, 45, tzinfo=UTC)
    assert told.trade.channel_code == "00"


@pytest.mark.parametrize("sub_kind", ["01", "06", "07"])
def test_every_way_to_pay_is_a_payment(sub_kind: str) -> None:
    told = read(PAID | {"txnSubType": sub_kind})
    assert told.trade is not None
    assert told.trade.state is TradeState.CAPTURED


@pytest.mark.parametrize("kind", ["04", "31"])
@pytest.mark.parametrize("number", [give_back_no(PAYMENT_ID, 3), refund_order_no(PAYMENT_ID, 3, 1_023)])
def test_a_refund_names_its_order_by_its_own_number(kind: str, number: str) -> None:
    told = read(GIVEN_BACK | {"txnType": kind, "orderId": number})
    assert (told.trade, told.refund_no, told.order_no) == (None, number, attempt_order_no(PAYMENT_ID, 3))
    assert attempt_of(told.order_no) == (PAYMENT_ID, 3)
    assert refund_of(number) is not None
    assert told.refund is not None
    assert (told.refund.state, told.refund.amount_fen) == (RefundState.SUCCEEDED, 280)
    assert told.refund.channel_refund_no == "702611221015301234568"


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("A6", RefundState.SUCCEEDED),
        ("05", RefundState.PENDING),
        ("34", RefundState.PENDING),
        ("36", RefundState.FAILED),
        ("45", RefundState.FAILED),
    ],
)
def test_a_refund_is_told_as_its_code_says(code: str, state: RefundState) -> None:
    told = read(GIVEN_BACK | {"respCode": code})
    assert told.refund is not None
    assert (told.refund.state, told.refund.channel_code) == (state, code)


@pytest.mark.parametrize(
    ("sub_kind", "code", "state", "failure"),
    [
        ("06", "64", TradeState.REFUSED, FailureCode.INSUFFICIENT_FUNDS),
        ("06", "05", TradeState.PENDING, None),
        ("07", "64", TradeState.PENDING, None),
        ("01", "64", TradeState.PENDING, None),
        ("07", "45", TradeState.PENDING, None),
        ("06", "34", TradeState.PENDING, None),
        ("07", "04", TradeState.PENDING, None),
    ],
)
def test_a_refused_try_ends_a_bar_code_and_no_code_on_display(
    sub_kind: str, code: str, state: TradeState, failure: FailureCode | None
) -> None:
    told = read(PAID | {"txnSubType": sub_kind, "respCode": code})
    assert told.trade is not None
    assert (told.trade.state, told.trade.failure, told.trade.channel_code) == (state, failure, code)


@pytest.mark.parametrize("fields", [PAID, PAID | {"txnSubType": "06"}, GIVEN_BACK, GIVEN_BACK | {"txnType": "31"}])
def test_the_signed_answer_to_a_request_is_no_notification(fields: Mapping[str, str]) -> None:
    """It says 00 too, and there it means accepted: nobody has paid, and nothing was given back."""
    answer = {name: value for name, value in fields.items() if name not in {"traceTime", "settleAmt"}}
    assert refused(notification(answer)) == "malformed"


def test_repetitions_have_one_id_and_different_messages_different_ones() -> None:
    again = PAID | {"respMsg": "重发", "reqReserved": "x"}
    assert read(PAID).id == read(again).id
    others = [
        {"respCode": "05"},
        {"txnTime": "20261122101531"},
        {"orderId": attempt_order_no(PAYMENT_ID, 2)},
        {"txnSubType": "06"},
        {"queryId": ""},
        {"txnType": "31", "txnSubType": "00"},
    ]
    ids = {read(PAID | other).id for other in others}
    assert len(ids | {read(PAID).id}) == len(others) + 1
    assert all(len(found) <= 128 for found in ids)


@pytest.mark.parametrize("vector", vectors("unionpay", "notification"), ids=lambda vector: vector["id"])
def test_the_golden_notifications_are_judged_as_the_official_sdk_judges_them(vector: dict[str, Any]) -> None:
    body = vector["input"]["body"].encode()
    if not vector["expected"]["accepted"]:
        assert refused(body) == "signature"
        return
    told = channel().read_notification({"content-type": "application/x-www-form-urlencoded"}, body)
    assert (told.order_no, told.trade is not None and told.trade.amount_fen) == ("MS20261122200001", 1280)


def test_a_notification_in_gbk_is_read_by_its_own_encoding() -> None:
    fields = PAID | {"encoding": "GBK", "reqReserved": "门店=海淀1号"}
    assert channel().read_notification({}, notification(fields, encoding="gbk")).order_no == ORDER_NO
    assert refused(notification(fields)) in {"malformed", "signature"}  # says GBK and is UTF-8


@pytest.mark.parametrize("seal", ["unsigned", "forged"])
def test_what_unionpay_did_not_sign_is_refused(seal: str) -> None:
    assert refused(notification(PAID, seal=seal)) == "signature"


def test_a_signature_for_another_amount_is_refused() -> None:
    fields = dict(parse_qsl(notification(PAID).decode())) | {"txnAmt": "1"}
    assert refused(urlencode(fields).encode()) == "signature"


async def _keyed(fields: Mapping[str, str]) -> bytes:
    return urlencode(await KeyedHashSigning(KEYS["secure_key"]).signed(fields)).encode()


async def test_with_a_secret_key_the_keyed_hash_counts() -> None:
    fields = PAID | {"signMethod": "11"}
    assert channel("11").read_notification({}, await _keyed(fields)).order_no == ORDER_NO
    assert refused(await _keyed(fields | {"signMethod": "01"}), "11") == "signature"


async def test_the_message_does_not_choose_how_it_is_verified() -> None:
    """Whoever knows the other method's key must not get in: the account says which one counts."""
    assert refused(await _keyed(PAID | {"signMethod": "11"}), "01") == "signature"
    assert refused(await _keyed(PAID), "01") == "signature"
    assert refused(notification(PAID), "11") == "signature"
    assert refused(notification(PAID | {"signMethod": "11"}), "11") == "signature"


def test_a_notification_for_another_merchant_is_refused() -> None:
    assert refused(notification(PAID | {"merId": "777290058110048"})) == "wrong_account"
    assert refused(notification({name: value for name, value in PAID.items() if name != "merId"})) == "wrong_account"


@pytest.mark.parametrize("kind", [("00", "00"), ("99", "01"), ("02", "05"), ("04", "01"), ("", ""), ("13", "08")])
def test_other_business_is_refused(kind: tuple[str, str]) -> None:
    assert refused(notification(PAID | {"txnType": kind[0], "txnSubType": kind[1]})) == "unknown_kind"


@pytest.mark.parametrize(
    "wrong",
    [
        {"orderId": ""},
        {"orderId": "MS1"},
        {"orderId": "MS20261122-00001"},
        {"orderId": "９" * 12},
        {"txnTime": "2026112210153"},
        {"txnTime": "20261340101530"},
        {"txnTime": "00000000000000"},
        {"queryId": "70 26"},
        {"queryId": "7" * 41},
        {"respCode": ""},
        {"respCode": "0"},
        {"respCode": "xx"},
        {"respCode": "²²"},
    ],
)
def test_a_signed_notification_that_names_no_order_or_code_is_malformed(wrong: dict[str, str]) -> None:
    assert refused(notification(PAID | wrong)) == "malformed"


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"a",
        b"a=%FF",
        b"a=%ZZ&encoding=EBCDIC",
        b"encoding=utf-16",
        b"encoding=UTF-8&encoding=GBK",
        b"a=1&a=1",
        b"&".join(b"f%d=1" % number for number in range(101)),
        b'{"respCode":"00"}',
        b"<xml/>",
    ],
)
def test_what_is_no_form_is_malformed(body: bytes) -> None:
    assert refused(body) == "malformed"


def test_an_empty_body_is_signed_by_nobody() -> None:
    assert refused(b"") == "signature"


def test_a_certificate_of_a_version_that_does_not_exist_is_refused() -> None:
    der = ssl.PEM_cert_to_DER_cert(KEYS["sign_certificate_pem"])
    twisted = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09", 1)  # version 3 becomes 10
    assert twisted != der
    bad = ssl.DER_cert_to_PEM_cert(twisted)
    body = urlencode(dict(parse_qsl(notification(PAID).decode())) | {"signPubKeyCert": bad}).encode()
    assert refused(body) == "signature"


def test_the_words_for_taken_in_and_not_taken_in() -> None:
    words = channel().acknowledgements
    assert words.accepted == Acknowledgement(200, "text/plain", b"ok")
    assert 400 <= words.refused.status < 500


NAMES = st.sampled_from([*PAID, "signature", "signPubKeyCert", "reqReserved"]) | st.text(max_size=6)
VALUES = (
    st.text(max_size=20)
    | st.sampled_from([*PAID.values(), "GBK", "11", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
    | st.just(KEYS["sign_certificate_pem"])
)
BODIES = (
    st.binary(max_size=300)
    | st.dictionaries(NAMES, VALUES, max_size=12).map(
        lambda fields: urlencode({k: v.encode(errors="replace") for k, v in fields.items()}).encode()
    )
    | st.text("&=%;+0aF", max_size=60).map(str.encode)
)


@settings(max_examples=300, deadline=None)
@given(BODIES, st.sampled_from(["01", "11"]))
def test_bytes_that_nobody_signed_are_refused_whatever_they_are(body: bytes, sign_method: str) -> None:
    assert refused(body, sign_method) in {"malformed", "signature"}


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(PAID)), VALUES, max_size=4),
    st.sets(st.sampled_from(sorted(PAID)), max_size=2),
    st.sampled_from(["utf-8", "gbk"]),
)
def test_a_twisted_notification_is_read_for_this_merchant_or_refused(
    changes: dict[str, str], gone: set[str], encoding: str
) -> None:
    """Signed by UnionPay, and still odd: nothing but a refusal is raised, and nothing odd gets through."""
    texts = {name: value.encode("utf-8", "replace").decode() for name, value in changes.items()}
    fields = {name: value for name, value in (PAID | texts).items() if name not in gone}
    try:
        body = notification(fields, encoding=encoding)
    except UnicodeEncodeError:  # what GBK has no bytes for cannot be sent in it
        return
    try:
        told = channel().read_notification({}, body)
    except NotificationRefused:
        return
    assert fields["merId"] == KEYS["mer_id"]
    assert (told.trade is None) is (told.refund is not None)
    assert fields["orderId"].startswith(told.order_no)
    assert len(told.id) <= 128


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 5_000), st.integers(1, 255))
@pytest.mark.filterwarnings("ignore::UserWarning")  # cryptography complains of odd certificates before it refuses them
def test_one_changed_byte_of_a_good_notification_is_refused(place: int, change: int) -> None:
    body = bytearray(vector_of("unionpay", "unionpay-ntf-ok")["input"]["body"].encode())
    original = dict(parse_qsl(body.decode(), keep_blank_values=True))
    body[place % len(body)] ^= change
    try:
        same = dict(parse_qsl(bytes(body).decode("ascii"), keep_blank_values=True)) == original
    except ValueError:
        same = False
    if not same:  # %2a and %2A are the same byte
        assert refused(bytes(body)) in {"malformed", "signature"}


def test_the_settings_of_a_test_environment_let_its_signer_in() -> None:
    trusting = build_channel(
        "unionpay", unionpay_settings() | {"allowed_signer": "00040000:SIGN"}, Canned(Exception("never asked"))
    )
    assert trusting.read_notification({}, notification(PAID)).order_no == ORDER_NO
