"""Which refunds a payment and its channel take, and when the next one may go out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.kernel.errors import Conflict
from gateway.kernel.money import Currency
from gateway.payments.states import Status
from gateway.refunds.refund import RefundStatus
from gateway.refunds.rules import Original, due_at, free_at, must_be_refundable
from routing.channels.base import RefundRules
from tests.unit.refunds.refunds import NOW, ago, refund

ORIGINAL = Original(
    id="pay_1",
    merchant_id="mer_1",
    status=Status.SUCCEEDED,
    reversal=None,
    review=None,
    amount=2_599,
    payable=2_599,
    currency=Currency.CNY,
    wallet="wechat",
    account_id="wechat_direct",
    attempt_seq=1,
    refund_held=600,
    refund_count=2,
    completed_at=ago(60),
    now=NOW,
)
RULES = RefundRules(interval_s=60.0, count_max=3, window_days=365)
NO_PAUSE = replace(RULES, interval_s=0.0)


@pytest.mark.parametrize("goods", [1, 1_999])
@pytest.mark.parametrize("reversal", [None, "failed"])
def test_a_payment_that_stands_takes_refunds_up_to_what_is_left(goods: int, reversal: str | None) -> None:
    must_be_refundable(replace(ORIGINAL, reversal=reversal), goods)


@pytest.mark.parametrize(
    ("changes", "goods", "code", "param"),
    [
        *[({"status": status}, 1, "not_refundable", "payment_id") for status in Status if status != "succeeded"],
        ({"reversal": "pending"}, 1, "not_refundable", "payment_id"),
        ({"reversal": "succeeded"}, 1, "not_refundable", "payment_id"),
        ({"review": "amount_mismatch"}, 1, "not_refundable", "payment_id"),
        ({}, 2_000, "refund_exceeds_payment", "amount"),
        ({"refund_held": 2_599}, 1, "refund_exceeds_payment", "amount"),
        ({"refund_count": 1_023}, 1, "refund_limit_reached", "payment_id"),
    ],
)
def test_any_other_is_refused_by_the_field_that_is_wrong(
    changes: dict[str, Any], goods: int, code: str, param: str
) -> None:
    with pytest.raises(Conflict) as caught:
        must_be_refundable(replace(ORIGINAL, **changes), goods)
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize(
    ("others", "wait_s"),
    [
        ([], 0),
        ([refund(asked_at=ago(100), last_asked_at=ago(45))], 15),
        ([refund(asked_at=ago(100), last_asked_at=ago(45), status=RefundStatus.FAILED)], 15),
        ([refund(asked_at=ago(100), last_asked_at=ago(90))], 0),
        ([refund(asked_at=ago(0), last_asked_at=NOW + timedelta(seconds=10))], 60),
        ([refund(last_asked_at=ago(20), asked_at=ago(20)), refund(next_at=NOW + timedelta(seconds=40))], 100),
        ([refund(next_at=ago(30))], 30),
        ([refund(next_at=NOW, status=RefundStatus.FAILED)], 0),
    ],
)
def test_a_refund_goes_out_behind_what_was_sent_and_what_waits(others: list[Any], wait_s: float) -> None:
    assert due_at(ORIGINAL, others, RULES) == NOW + timedelta(seconds=wait_s)
    assert due_at(ORIGINAL, others, NO_PAUSE) == NOW


def test_refunds_that_failed_or_gave_the_customer_nothing_do_not_count() -> None:
    free = [refund(status=RefundStatus.FAILED), refund(returned_to_customer=0, status=RefundStatus.SUCCEEDED)]
    counted = [refund(), refund(status=RefundStatus.SUCCEEDED)]
    due_at(ORIGINAL, [*free, *counted], NO_PAUSE)
    with pytest.raises(Conflict, match="at most 3") as caught:
        due_at(ORIGINAL, [*counted, refund()], NO_PAUSE)
    assert caught.value.code == "refund_limit_reached"


@pytest.mark.parametrize(("age_s", "taken"), [(365 * 86_400 - 1, True), (365 * 86_400, False)])
def test_the_window_ends_to_the_second(age_s: float, *, taken: bool) -> None:
    original = replace(ORIGINAL, completed_at=ago(age_s))
    if taken:
        assert due_at(original, [], RULES) == NOW
        return
    with pytest.raises(Conflict, match="365 days") as caught:
        due_at(original, [], RULES)
    assert caught.value.code == "refund_window_closed"


def test_a_turn_after_the_window_is_none() -> None:
    with pytest.raises(Conflict, match="365 days"):
        due_at(replace(ORIGINAL, completed_at=ago(365 * 86_400 - 30)), [refund(next_at=NOW)], RULES)


def test_the_rate_counts_from_the_last_moment_at_which_a_request_can_have_been_taken_in() -> None:
    assert free_at([], RULES) is None
    assert free_at([refund()], RULES) is None
    asked = [refund(last_asked_at=ago(50)), refund(last_asked_at=NOW + timedelta(seconds=10)), refund()]
    assert free_at(asked, RULES) == NOW + timedelta(seconds=70)
    assert free_at(asked, NO_PAUSE) is None
