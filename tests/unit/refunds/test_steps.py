"""What the channels' answers mean for a refund, and when it is looked at again."""

from __future__ import annotations

import pytest

from gateway.kernel.failures import FailureCode
from gateway.refunds.steps import (
    ABNORMAL,
    AMOUNT_MISMATCH,
    End,
    Verdict,
    contradicts,
    is_believed,
    refused,
    verdict,
    wait_s,
)
from routing.channels.base import ChannelRejected, ChannelUnknown, ChannelUnsent, Rhythm
from routing.channels.reports import RefundReport, RefundState
from routing.channels.settings import ALIPAY_RHYTHM, UNIONPAY_RHYTHM, WECHAT_RHYTHM
from tests.unit.refunds.refunds import ago, refund

UNKNOWN = ChannelUnknown("timeout")
PENDING = RefundReport(RefundState.PENDING)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (RefundReport(RefundState.SUCCEEDED, "50"), Verdict(End.SUCCEEDED, "50")),
        (RefundReport(RefundState.SUCCEEDED, "50", amount_fen=1_000), Verdict(End.SUCCEEDED, "50")),
        (RefundReport(RefundState.SUCCEEDED, "50", amount_fen=999), Verdict(End.OPEN, "50", review=AMOUNT_MISMATCH)),
        (RefundReport(RefundState.PENDING, "50"), Verdict(End.OPEN, "50")),
        (RefundReport(RefundState.PENDING, "50", abnormal=True), Verdict(End.OPEN, "50", review=ABNORMAL)),
        (RefundReport(RefundState.NOT_FOUND), Verdict(End.OPEN)),
        (
            RefundReport(RefundState.FAILED, channel_code="CLOSED"),
            Verdict(End.FAILED, None, FailureCode.REFUND_REFUSED, "CLOSED"),
        ),
    ],
)
def test_a_report_decides_only_what_is_final_and_of_our_amount(report: RefundReport, expected: Verdict) -> None:
    assert verdict(refund(), report) == expected


def test_a_refusal_keeps_the_channels_own_word() -> None:
    error = ChannelRejected("NOT_ENOUGH", FailureCode.MERCHANT_BALANCE_INSUFFICIENT)
    expected = Verdict(End.FAILED, None, FailureCode.MERCHANT_BALANCE_INSUFFICIENT, "NOT_ENOUGH")
    assert refused(error) == expected


@pytest.mark.parametrize(("asked_ago_s", "believed"), [(None, True), (0, False), (119, False), (120, True)])
def test_a_refusal_is_believed_where_nothing_older_can_still_arrive(
    asked_ago_s: float | None, *, believed: bool
) -> None:
    last = None if asked_ago_s is None else ago(asked_ago_s)
    assert is_believed(refund(last_asked_at=last), 120.0) is believed


@pytest.mark.parametrize(
    ("status", "state", "expected"),
    [
        ("succeeded", RefundState.SUCCEEDED, False),
        ("succeeded", RefundState.FAILED, True),
        ("failed", RefundState.SUCCEEDED, True),
        ("failed", RefundState.FAILED, False),
        ("failed", RefundState.PENDING, False),
        ("succeeded", RefundState.NOT_FOUND, False),
    ],
)
def test_only_another_end_contradicts_the_one_that_was_booked(
    status: str, state: RefundState, *, expected: bool
) -> None:
    assert contradicts(refund(status=status), RefundReport(state)) is expected


@pytest.mark.parametrize("rhythm", [WECHAT_RHYTHM, ALIPAY_RHYTHM, UNIONPAY_RHYTHM])
@pytest.mark.parametrize("answer", [UNKNOWN, ChannelUnsent("connect_failed")])
def test_an_unknown_outcome_is_asked_for_after_ten_seconds_and_then_within_a_minute(
    rhythm: Rhythm, answer: ChannelUnknown | ChannelUnsent
) -> None:
    waits = [wait_s(refund(tries=tries), answer, rhythm) for tries in (0, 1, 2, 3, 1_000)]
    assert waits == [10.0, 20.0, 40.0, 60.0, 60.0]


@pytest.mark.parametrize(
    ("age_s", "seconds"), [(0, 0.5), (3, 1.5), (60, 30.0), (1_000, 120.0), (86_000, 120.0), (90_000, 3_600.0)]
)
def test_what_the_channel_has_taken_in_is_asked_for_at_half_its_age_and_after_a_day_hourly(
    age_s: float, seconds: float
) -> None:
    assert wait_s(refund(asked_at=ago(age_s)), PENDING, WECHAT_RHYTHM) == seconds


@pytest.mark.parametrize("answer", [PENDING, UNKNOWN])
def test_what_waits_for_a_person_is_asked_about_daily(answer: RefundReport | ChannelUnknown) -> None:
    assert wait_s(refund(review=ABNORMAL, asked_at=ago(5)), answer, WECHAT_RHYTHM) == 86_400
