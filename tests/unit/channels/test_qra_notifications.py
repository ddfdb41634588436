"""Notifications of the bar-code front: read where they are its own and ours, and believed where they say "paid"."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.channels.notifications import Notification, NotificationRefused
from routing.channels.reports import TradeState
from tests.unit.channels.answering import CHARGE, LIMITS, ORDER, qra, qra_answer, qra_body, qra_sign
from tests.unit.channels.qra_words import DONE, PAID, REFUND_TAKEN, failed
from tests.unit.channels.test_any_answer import QUIETLY


def read(fields: Mapping[str, str], *, seal: str = "signed") -> Notification:
    return qra(qra_answer(DONE))[0].read_notification({}, qra_body(fields, seal=seal))


def refused(body: bytes) -> str:
    with pytest.raises(NotificationRefused) as caught:
        qra(qra_answer(DONE))[0].read_notification({}, body)
    return caught.value.reason


def test_a_payment_is_told_with_its_facts() -> None:
    told = read(PAID)
    assert (told.order_no, told.refund_no, told.refund) == (ORDER.order_no, None, None)
    assert told.trade is not None
    assert (told.trade.state, told.trade.amount_fen) == (TradeState.CAPTURED, 1280)
    assert told.trade.channel_trade_no == "702611221015301234568"
    assert told.trade.paid_at == datetime(2026, 11, 22, 2, 15, 32, tzinfo=UTC)


def test_a_repetition_has_the_same_id_and_another_payment_has_not() -> None:
    assert read(PAID).id == read(PAID | {"nonce_str": "0" * 32}).id
    assert read(PAID).id != read(PAID | {"transaction_id": "702611221015301234569"}).id


@pytest.mark.parametrize("change", [{"pay_result": "1"}, {"pay_result": ""}, {"need_query": "Y"}, {"result_code": "1"}])
def test_what_is_not_clearly_paid_has_to_be_asked_for(change: dict[str, str]) -> None:
    told = read(PAID | change)
    assert told.trade is not None
    assert (told.trade.state, told.trade.failure) == (TradeState.PENDING, None)
    assert told.id != read(PAID).id


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (PAID | {"mch_id": "QRA581000000192"}, "wrong_account"),
        (PAID | {"mch_id": ""}, "wrong_account"),
        (PAID | {"out_trade_no": ""}, "malformed"),
        (PAID | {"out_trade_no": "MS-1"}, "malformed"),
        (PAID | {"out_trade_no": "x" * 33}, "malformed"),
        (PAID | {"transaction_id": ""}, "malformed"),
        (PAID | {"transaction_id": "x" * 300}, "malformed"),
        (PAID | {"status": "400"}, "unknown_kind"),
        (PAID | {"status": ""}, "unknown_kind"),
        (REFUND_TAKEN, "unknown_kind"),
        (failed("USERPAYING", "Y"), "unknown_kind"),
        (DONE, "unknown_kind"),
    ],
)
def test_what_is_signed_and_not_for_us_is_refused(fields: dict[str, str], reason: str) -> None:
    assert refused(qra_body(fields)) == reason


@pytest.mark.parametrize("seal", ["unsigned", "forged"])
def test_what_the_front_has_not_signed_is_refused(seal: str) -> None:
    assert refused(qra_body(PAID, seal=seal)) == "signature"


async def test_our_own_requests_sent_back_to_us_are_no_notifications() -> None:
    """Both sides sign with one key, so a request of ours bears a good signature."""
    channel, sent = qra(qra_answer(PAID))
    await channel.charge_barcode(CHARGE, LIMITS)
    assert refused(sent.bodies[0]) == "unknown_kind"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"success",
        b"<xml>",
        qra_body(PAID).replace(b"<xml>", b'<!DOCTYPE xml SYSTEM "file:///etc/passwd"><xml>'),
        qra_body(PAID).replace(b"</xml>", b"<status>0</status></xml>"),
        qra_body(PAID).decode().encode("gb18030"),
        b"<xml>" + b"<a>1</a>" * 20_000 + b"</xml>",
    ],
)
def test_what_is_no_document_of_the_front_is_malformed(body: bytes) -> None:
    body = body.replace(b"578c2922d9afe17e25ccebbe930be027", "付款".encode("gb18030")) if b"status" in body else body
    assert refused(body) == "malformed"


def test_an_attached_text_counts_in_the_signature_as_it_is() -> None:
    told = read(PAID | {"attach": '拿铁<&>"1" ]]> '})
    assert told.trade is not None
    changed = qra_body(PAID | {"attach": "x ", "sign": qra_sign(PAID | {"attach": "x"})}, seal="unsigned")
    assert refused(changed) == "signature"


def test_the_front_is_answered_in_its_own_words() -> None:
    words = qra(qra_answer(DONE))[0].acknowledgements
    assert (words.accepted.status, words.accepted.content_type, words.accepted.body) == (200, "text/plain", b"success")
    assert (words.refused.status, words.refused.body) == (400, b"fail")


@QUIETLY
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: f"<xml>{text}</xml>".encode(errors="replace")))
def test_any_bytes_are_refused_for_a_reason(body: bytes) -> None:
    assert refused(body) in {"malformed", "signature"}
