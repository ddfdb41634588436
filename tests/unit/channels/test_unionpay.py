"""The UnionPay adapter: what it sends, and what each answer means."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.kernel.failures import FailureCode
from routing.channels.base import BarcodeCharge, ChannelRejected, ChannelUnknown, ChannelUnsent, TransportResponse
from routing.channels.reports import RefundState, ReversalState, TradeState
from routing.channels.unionpay_signing import KeyedHashSigning
from tests.unit.channels.answering import CHARGE, LIMITS, ORDER, REFUND, unionpay, unionpay_answer
from tests.unit.channels.vectors import keys

KEYS = keys("unionpay")


def _answer(kind: str, sub_kind: str, code: str, **more: str) -> dict[str, str]:
    return {
        "version": "5.1.0",
        "encoding": "UTF-8",
        "signMethod": "01",
        "txnType": kind,
        "txnSubType": sub_kind,
        "merId": KEYS["mer_id"],
        "orderId": ORDER.order_no,
        "txnTime": "20261122101530",
        "respCode": code,
        "respMsg": "成功[0000000]",
    } | more


def _consumed(code: str, **more: str) -> dict[str, str]:
    return _answer("01", "06", code, **more)


def _queried(orig: str, code: str = "00", **more: str) -> dict[str, str]:
    return _answer("00", "00", code, **({"origRespCode": orig} if orig else {}), **more)


def _given_back(kind: str, code: str, **more: str) -> dict[str, str]:
    about = {"orderId": REFUND.refund_no, "txnTime": "20261122110000"}
    return _answer(kind, "00", code, **(about | more))


# Rows of CHANNEL-PROTOCOLS 3.4.
CONFIGURATION = ["10", "11", "13", "14", "30", "31", "32"]
REFUSALS = [
    ("01", FailureCode.CHANNEL_REFUSED),
    ("02", FailureCode.CHANNEL_UNAVAILABLE),
    *[(code, FailureCode.CHANNEL_MISCONFIGURED) for code in CONFIGURATION],
    ("33", FailureCode.LIMIT_EXCEEDED),
    *[(code, FailureCode.CHANNEL_REFUSED) for code in ("35", "36", "39", "40", "41", "45", "99")],
    ("38", FailureCode.CHANNEL_RISK_DECLINED),
    ("64", FailureCode.INSUFFICIENT_FUNDS),
    ("69", FailureCode.CUSTOMER_CANCELLED),
    ("80", FailureCode.AUTH_CODE_EXPIRED),
    *[
        (str(code), FailureCode.CARD_DECLINED)
        for code in (60, 61, 62, 63, 65, 66, 67, 68, 70, 71, 72, 73, 76, 77, 78, 79)
    ],
]
UNDECIDED = ["03", "04", "42", "74", "75"]


async def test_a_charge_is_sent_as_the_document_says() -> None:
    channel, sent = unionpay(unionpay_answer(_consumed("00")))
    await channel.charge_barcode(CHARGE, LIMITS)
    assert sent.urls == ["POST https://unionpay.invalid/gateway/api/backTransReq.do"]
    form = sent.form
    assert form.pop("signature")
    assert form == {
        "version": "5.1.0",
        "encoding": "UTF-8",
        "signMethod": "01",
        "certId": KEYS["merchant_cert_id"],
        "txnType": "01",
        "txnSubType": "06",
        "bizType": "000000",
        "channelType": "08",
        "accessType": "0",
        "merId": KEYS["mer_id"],
        "orderId": ORDER.order_no,
        "txnTime": "20261122101530",  # Beijing time of 02:15:30 UTC
        "txnAmt": "1280",
        "currencyCode": "156",
        "qrNo": CHARGE.auth_code,
        "termId": "T0000001",
        "backUrl": "http://www.specialUrl.com",  # send no notification
    }


async def test_with_a_secret_key_both_sides_sign_by_keyed_hash() -> None:
    signing = KeyedHashSigning(KEYS["secure_key"])
    signed = await signing.signed(_consumed("00", signMethod="11"))
    body = "&".join(f"{name}={value}" for name, value in signed.items()).encode()
    channel, sent = unionpay(TransportResponse(200, {}, body), "11")
    assert (await channel.charge_barcode(CHARGE, LIMITS)).state is TradeState.PENDING
    form = sent.form
    assert (form["signMethod"], "certId" in form) == ("11", False)
    assert form == await signing.signed({name: value for name, value in form.items() if name != "signature"})


@pytest.mark.parametrize("terminal_id", [None, "T1", "终端"])
async def test_a_terminal_that_does_not_fit_is_left_out(terminal_id: str | None) -> None:
    channel, sent = unionpay(unionpay_answer(_consumed("00")))
    await channel.charge_barcode(BarcodeCharge(ORDER, CHARGE.auth_code, "x", terminal_id=terminal_id), LIMITS)
    assert "termId" not in sent.form


@pytest.mark.parametrize("code", ["00", "A6", "00A6", "05"])
async def test_an_accepted_charge_is_pending_and_never_captured(code: str) -> None:
    answer = unionpay_answer(_consumed(code, queryId="702611221015301234568", txnAmt="1280"))
    report = await unionpay(answer)[0].charge_barcode(CHARGE, LIMITS)
    assert (report.state, report.channel_trade_no) == (TradeState.PENDING, "702611221015301234568")


@pytest.mark.parametrize(("code", "failure"), REFUSALS)
async def test_a_code_of_the_table_is_a_refusal(code: str, failure: FailureCode) -> None:
    with pytest.raises(ChannelRejected) as caught:
        await unionpay(unionpay_answer(_consumed(code)))[0].charge_barcode(CHARGE, LIMITS)
    assert (caught.value.code, caught.value.failure) == (code, failure)
    assert caught.value.may_fail_over is (code in {"11", "31", "32"})


@pytest.mark.parametrize("code", CONFIGURATION)
async def test_a_refusal_of_our_form_is_believed_without_a_signature_but_never_fails_over(code: str) -> None:
    answer = unionpay_answer({"respCode": code, "respMsg": "x"}, seal="unsigned")
    with pytest.raises(ChannelRejected) as caught:
        await unionpay(answer)[0].charge_barcode(CHARGE, LIMITS)
    assert (caught.value.failure, caught.value.may_fail_over) == (FailureCode.CHANNEL_MISCONFIGURED, False)


@pytest.mark.parametrize("code", [*UNDECIDED, "12", "34", "37", "43", "98", "", "0", "00 ", "000"])
async def test_any_other_code_leaves_the_charge_unknown(code: str) -> None:
    with pytest.raises(ChannelUnknown):
        await unionpay(unionpay_answer(_consumed(code)))[0].charge_barcode(CHARGE, LIMITS)


@pytest.mark.parametrize(
    "answer",
    [
        unionpay_answer(_consumed("00"), seal="unsigned"),
        unionpay_answer(_consumed("00"), seal="forged"),
        unionpay_answer(_consumed("64"), seal="unsigned"),
        unionpay_answer(_consumed("11"), seal="forged"),
        unionpay_answer(_consumed("64", orderId="MS20261122000002")),
        unionpay_answer(_consumed("00", txnTime="20261122101531")),
        unionpay_answer(_consumed("00", merId="777290058110048")),
        unionpay_answer(_answer("31", "00", "00")),
        unionpay_answer(_consumed("00", signMethod="11")),
        unionpay_answer({name: value for name, value in _consumed("64").items() if name != "orderId"}),
        TransportResponse(500, {}, b"respCode=00"),
        TransportResponse(200, {}, b""),
        TransportResponse(200, {}, b"<html></html>"),
        TransportResponse(200, {}, b"\xff"),
        TransportResponse(200, {}, b"=1"),
        TransportResponse(200, {}, b"respCode=01&respCode=00"),
    ],
)
async def test_an_answer_that_proves_nothing_leaves_the_charge_unknown(answer: Any) -> None:
    with pytest.raises(ChannelUnknown):
        await unionpay(answer)[0].charge_barcode(CHARGE, LIMITS)


async def test_a_query_finds_a_captured_order_with_its_facts() -> None:
    found = _queried("00", txnAmt="1280", settleAmt="1080", queryId="702611221015301234568", traceTime="1122101532")
    channel, sent = unionpay(unionpay_answer(found))
    report = await channel.query(ORDER, LIMITS)
    assert (report.state, report.amount_fen, report.payer_paid_fen) == (TradeState.CAPTURED, 1280, 1080)
    assert report.channel_trade_no == "702611221015301234568"
    assert report.paid_at == datetime(2026, 11, 22, 2, 15, 32, tzinfo=UTC)
    assert sent.urls == ["POST https://unionpay.invalid/gateway/api/queryTrans.do"]
    form = sent.form
    assert (form["txnType"], form["txnSubType"], form["orderId"]) == ("00", "00", ORDER.order_no)
    assert form["txnTime"] == "20261122101530"


async def test_a_payment_after_new_year_is_of_the_new_year() -> None:
    order = replace(ORDER, created_at=datetime(2026, 12, 31, 15, 59, 58, tzinfo=UTC))
    answer = unionpay_answer(_queried("00", txnTime="20261231235958", traceTime="0101000003"))
    report = await unionpay(answer)[0].query(order, LIMITS)
    assert report.paid_at == datetime(2026, 12, 31, 16, 0, 3, tzinfo=UTC)


@pytest.mark.parametrize("code", [*UNDECIDED, "05"])
async def test_an_undecided_order_is_pending(code: str) -> None:
    assert (await unionpay(unionpay_answer(_queried(code)))[0].query(ORDER, LIMITS)).state is TradeState.PENDING


@pytest.mark.parametrize(("code", "failure"), [row for row in REFUSALS if row[0] != "45"])
async def test_a_failed_order_is_refused_for_its_own_reason(code: str, failure: FailureCode) -> None:
    report = await unionpay(unionpay_answer(_queried(code)))[0].query(ORDER, LIMITS)
    assert (report.state, report.failure, report.channel_code) == (TradeState.REFUSED, failure, code)


async def test_a_failure_outside_the_table_is_a_refusal_and_an_order_taken_back_is_closed() -> None:
    failed = await unionpay(unionpay_answer(_queried("43")))[0].query(ORDER, LIMITS)
    assert (failed.state, failed.failure) == (TradeState.REFUSED, FailureCode.CHANNEL_REFUSED)
    reversed_ = await unionpay(unionpay_answer(_queried("45")))[0].query(ORDER, LIMITS)
    assert (reversed_.state, reversed_.failure) == (TradeState.CLOSED, None)


@pytest.mark.parametrize("fields", [_queried("", "34"), _queried("34")])
async def test_an_order_that_is_not_there_is_reported(fields: dict[str, str]) -> None:
    report = await unionpay(unionpay_answer(fields))[0].query(ORDER, LIMITS)
    assert (report.state, report.failure) == (TradeState.NOT_FOUND, None)


@pytest.mark.parametrize(
    "answer",
    [
        unionpay_answer(_queried("")),
        unionpay_answer(_queried("0")),
        unionpay_answer(_queried("xx")),
        unionpay_answer(_queried("00", "37")),
        unionpay_answer(_queried("00", "03")),
        unionpay_answer(_queried("00", "11")),
        unionpay_answer(_queried("00"), seal="unsigned"),
        unionpay_answer(_queried("", "34"), seal="unsigned"),
        unionpay_answer({"respCode": "11"}, seal="unsigned"),
        unionpay_answer(_queried("00", orderId="MS20261122000002")),
    ],
)
async def test_a_query_without_a_proven_answer_is_unknown_and_never_a_refusal(answer: Any) -> None:
    with pytest.raises(ChannelUnknown):
        await unionpay(answer)[0].query(ORDER, LIMITS)


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("00", ReversalState.ACCEPTED),
        ("05", ReversalState.ACCEPTED),
        ("34", ReversalState.NOT_FOUND),
        ("35", ReversalState.NOT_FOUND),
        ("36", ReversalState.REFUSED),
        ("39", ReversalState.REFUSED),
        ("45", ReversalState.REFUSED),
    ],
)
async def test_a_reversal_repeats_number_and_time_of_the_order(code: str, state: ReversalState) -> None:
    channel, sent = unionpay(unionpay_answer(_answer("99", "01", code)))
    assert (await channel.reverse(ORDER, LIMITS)).state is state
    form = sent.form
    assert (form["txnType"], form["txnSubType"]) == ("99", "01")
    assert (form["orderId"], form["txnTime"]) == (ORDER.order_no, "20261122101530")


@pytest.mark.parametrize("code", [*UNDECIDED, "01", "02", "11", "12", "37", "99"])
async def test_a_reversal_without_a_proven_answer_is_unknown(code: str) -> None:
    with pytest.raises(ChannelUnknown):
        await unionpay(unionpay_answer(_answer("99", "01", code)))[0].reverse(ORDER, LIMITS)


@pytest.mark.parametrize("code", ["00", "05", "12"])
async def test_void_and_refund_are_taken_in_under_their_own_number_and_time(code: str) -> None:
    """12 says that the number is known: the same refund was taken in before."""
    for kind in ("31", "04"):
        channel, sent = unionpay(unionpay_answer(_given_back(kind, code)))
        report = await (channel.void if kind == "31" else channel.refund)(REFUND, LIMITS)
        assert report.state is RefundState.PENDING
        form = sent.form
        assert (form["txnType"], form["txnSubType"], form["origQryId"]) == (kind, "00", ORDER.channel_trade_no)
        assert (form["orderId"], form["txnTime"]) == (REFUND.refund_no, "20261122110000")
        assert form["txnAmt"] == "280"


async def test_money_is_given_back_only_of_an_order_whose_query_id_is_known() -> None:
    channel, sent = unionpay(unionpay_answer(_given_back("04", "00")))
    with pytest.raises(ChannelUnsent):
        await channel.refund(replace(REFUND, order=replace(ORDER, channel_trade_no=None)), LIMITS)
    assert not sent.urls


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        *[(code, FailureCode.REFUND_REFUSED) for code in ("01", "33", "35", "36", "45", "60", "99")],
        ("31", FailureCode.CHANNEL_MISCONFIGURED),
        ("64", FailureCode.MERCHANT_BALANCE_INSUFFICIENT),
    ],
)
async def test_a_refund_can_be_refused(code: str, failure: FailureCode) -> None:
    with pytest.raises(ChannelRejected) as caught:
        await unionpay(unionpay_answer(_given_back("04", code)))[0].refund(REFUND, LIMITS)
    assert caught.value.failure is failure


@pytest.mark.parametrize("code", [*UNDECIDED, "02", "34", "37", "43"])
async def test_a_refund_without_a_proven_answer_is_unknown(code: str) -> None:
    with pytest.raises(ChannelUnknown):
        await unionpay(unionpay_answer(_given_back("04", code)))[0].refund(REFUND, LIMITS)


@pytest.mark.parametrize(
    ("orig", "code", "state"),
    [
        ("00", "00", RefundState.SUCCEEDED),
        ("05", "00", RefundState.PENDING),
        ("36", "00", RefundState.FAILED),
        ("", "34", RefundState.NOT_FOUND),
    ],
)
async def test_a_refund_query_asks_by_number_and_time_of_the_refund(orig: str, code: str, state: RefundState) -> None:
    fields = _queried(orig, code, orderId=REFUND.refund_no, txnTime="20261122110000", txnAmt="280")
    channel, sent = unionpay(unionpay_answer(fields))
    report = await channel.query_refund(REFUND, LIMITS)
    assert report.state is state
    assert (sent.form["orderId"], sent.form["txnTime"]) == (REFUND.refund_no, "20261122110000")


async def test_text_that_is_no_unicode_is_never_sent() -> None:
    channel, sent = unionpay(unionpay_answer(_consumed("00")))
    with pytest.raises(ChannelUnsent):
        await channel.charge_barcode(BarcodeCharge(ORDER, "62\ud800", "x"), LIMITS)
    assert not sent.urls
