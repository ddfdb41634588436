"""The adapter of the bar-code front: what it sends for refunds and voids, and what each answer means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest

from gateway.kernel.failures import FailureCode
from gateway.kernel.money import Money
from routing.channels.base import (
    ChannelRejected,
    ChannelUnknown,
    RefundRules,
)
from routing.channels.reports import RefundState
from tests.unit.channels.answering import LIMITS, ORDER, REFUND, qra, qra_answer
from tests.unit.channels.qra_words import DONE, MCH_ID, PAID, REFUND_TAKEN, REFUNDS, failed, turned_away


async def test_a_refund_is_sent_with_both_amounts_and_is_pending_until_it_is_asked_for() -> None:
    channel, sent = qra(qra_answer(REFUND_TAKEN))
    report = await channel.refund(REFUND, LIMITS)
    assert (report.state, report.amount_fen) == (RefundState.PENDING, 280)
    assert report.channel_refund_no == "702611221100001234569"
    fields = sent.xml
    assert (fields["service"], fields["out_trade_no"]) == ("unified.trade.refund", ORDER.order_no)
    assert (fields["out_refund_no"], fields["total_fee"], fields["refund_fee"]) == (REFUND.refund_no, "1280", "280")
    assert fields["op_user_id"] == MCH_ID


async def test_a_void_is_a_full_refund() -> None:
    channel, sent = qra(qra_answer(REFUND_TAKEN | {"refund_fee": "1280"}))
    report = await channel.void(replace(REFUND, amount=Money(1280)), LIMITS)
    assert (report.state, report.amount_fen) == (RefundState.PENDING, 1280)
    assert (sent.xml["service"], sent.xml["refund_fee"]) == ("unified.trade.refund", "1280")


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("NOTENOUGH", FailureCode.MERCHANT_BALANCE_INSUFFICIENT),
        ("USER_ACCOUNT_ABNORMAL", FailureCode.PAYER_CANNOT_RECEIVE),
        ("TRADE_OVERDUE", FailureCode.REFUND_TOO_LATE),
        ("REFUND_FEE_MISMATCH", FailureCode.REFUND_REFUSED),
        ("TRADE_ERROR", FailureCode.REFUND_REFUSED),
        ("PARAM_ERROR", FailureCode.REFUND_REFUSED),
        ("INVALID_REQUEST", FailureCode.REFUND_REFUSED),
        ("NOAUTH", FailureCode.CHANNEL_MISCONFIGURED),
    ],
)
async def test_a_refund_is_refused_by_a_code_of_the_table(code: str, failure: FailureCode) -> None:
    with pytest.raises(ChannelRejected) as caught:
        await qra(qra_answer(failed(code)))[0].refund(REFUND, LIMITS)
    assert caught.value.failure is failure


@pytest.mark.parametrize(
    ("answer", "seal"),
    [
        (failed("SYSTEMERROR"), "signed"),
        (failed("INVALID_REQUEST", "Y"), "signed"),
        (failed("NOTENOUGH", "Y"), "signed"),
        (failed("x", "N"), "signed"),
        (failed("NOTENOUGH"), "unsigned"),
        (failed("NOTENOUGH", out_refund_no="RF20261122000009"), "signed"),
        (REFUND_TAKEN, "forged"),
        (REFUND_TAKEN | {"out_refund_no": ""}, "signed"),
        (REFUND_TAKEN | {"out_refund_no": "RF20261122000009"}, "signed"),
        (REFUND_TAKEN | {"out_trade_no": "MS20261122000002"}, "signed"),
    ],
)
async def test_any_other_answer_to_a_refund_leaves_it_unknown(answer: Mapping[str, str], seal: str) -> None:
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(answer, seal=seal))[0].refund(REFUND, LIMITS)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("SUCCESS", RefundState.SUCCEEDED),
        ("PROCESSING", RefundState.PENDING),
        ("CHANGE", RefundState.PENDING),
        ("FAIL", RefundState.FAILED),
        ("REFUNDCLOSE", RefundState.FAILED),
    ],
)
async def test_our_refund_is_found_among_those_of_its_order(word: str, state: RefundState) -> None:
    channel, sent = qra(qra_answer(REFUNDS | {"refund_status_1": word}))
    report = await channel.query_refund(REFUND, LIMITS)
    assert (report.state, report.amount_fen, report.channel_code) == (state, 280, word)
    assert report.channel_refund_no == "702611221100001234569"
    assert report.abnormal is (word == "CHANGE")
    assert (sent.xml["service"], sent.xml["out_refund_no"]) == ("unified.trade.refundquery", REFUND.refund_no)


@pytest.mark.parametrize(
    ("answer", "seal"),
    [
        (REFUNDS | {"refund_status_1": "NOTSURE"}, "signed"),
        (REFUNDS | {"refund_status_1": ""}, "signed"),
        (REFUNDS | {"out_refund_no_1": "RF20261122000008"}, "signed"),
        (REFUNDS | {"out_refund_no_0": REFUND.refund_no}, "signed"),
        (REFUNDS | {"out_trade_no": "MS20261122000002"}, "signed"),
        (REFUNDS, "unsigned"),
        (DONE, "signed"),
        (failed("SYSTEMERROR"), "signed"),
        (failed("REFUNDNOTEXIST"), "forged"),
        (turned_away("Signature error"), "unsigned"),
    ],
)
async def test_a_refund_that_is_not_clearly_told_of_stays_unknown(answer: Mapping[str, str], seal: str) -> None:
    with pytest.raises(ChannelUnknown):
        await qra(qra_answer(answer, seal=seal))[0].query_refund(REFUND, LIMITS)


@pytest.mark.parametrize("code", ["REFUNDNOTEXIST", "REFUND_NOT_EXISTS"])
async def test_a_refund_that_is_not_there_is_reported_and_not_raised(code: str) -> None:
    assert (await qra(qra_answer(failed(code)))[0].query_refund(REFUND, LIMITS)).state is RefundState.NOT_FOUND


@pytest.mark.parametrize(("more", "days"), [({}, 30), ({"refund_window_days": 365}, 365)])
def test_refunds_are_bounded_as_at_the_strictest_wallet_behind(more: dict[str, int], days: int) -> None:
    assert qra(qra_answer(PAID), **more)[0].refund_rules == RefundRules(60.0, 50, days)


async def test_there_is_no_statement_that_could_be_read() -> None:
    channel, sent = qra(qra_answer(DONE))
    assert await channel.statement(date(2026, 11, 21), LIMITS) is None
    assert not sent.urls
