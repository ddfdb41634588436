"""What the holder of a code is told of its payment, and what he is asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.codes.price import Price
from gateway.codes.standing import Standing, paid_at, standing_of
from gateway.kernel.clock import utc_now
from gateway.kernel.errors import ApiError
from gateway.kernel.money import Money
from gateway.payments.states import Status
from tests.unit.codes.targets import of_code, of_payment, opened, paid, payment


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        ({}, Standing.OPEN),
        ({"status": Status.SUCCEEDED}, Standing.PAID),
        ({"status": Status.SUCCEEDED, "reversal": "failed"}, Standing.PAID),
        ({"status": Status.SUCCEEDED, "review": "refund_abnormal"}, Standing.PAID),
        ({"status": Status.SUCCEEDED, "reversal": "pending"}, Standing.OVER),
        ({"status": Status.REVERSED, "reversal": "succeeded"}, Standing.OVER),
        ({"status": Status.CLOSED}, Standing.OVER),
        ({"status": Status.FAILED}, Standing.OVER),
        ({"reversal": "pending"}, Standing.OVER),
        ({"review": "amount_mismatch"}, Standing.CHECKING),
        ({"review": "amount_mismatch", "reversal": "failed"}, Standing.CHECKING),
    ],
)
def test_a_payment_is_open_paid_over_or_being_checked(changes: dict[str, Any], standing: Standing) -> None:
    assert standing_of(payment(**changes)) is standing


def test_a_code_whose_time_is_over_is_over_unless_somebody_is_paying() -> None:
    gone = utc_now() - timedelta(seconds=1)
    assert standing_of(payment(expires_at=gone)) is Standing.OVER
    assert standing_of(opened(expires_at=gone)) is Standing.OPEN
    assert standing_of(opened(expires_at=gone, pay_until=None)) is Standing.OVER


def test_the_price_is_the_payments_and_before_there_is_one_the_codes() -> None:
    assert of_payment(payment(payable=Money(2_099))).price == Price(2_599, 2_099)
    assert Price(2_599, 2_099).discount_fen == 500
    assert of_code(amount_fen=700).price == Price(700, 700)
    assert of_code(payment(amount=Money(900), payable=Money(900)), amount_fen=700).price == Price(900, 900)
    assert of_code().price is None


def test_a_static_code_is_open_until_its_sale_is_not() -> None:
    assert of_code().standing is Standing.OPEN
    assert of_code(paid()).standing is Standing.PAID


def test_the_time_of_payment_is_the_shops() -> None:
    assert paid_at(paid(), "Asia/Shanghai") == "2026-11-22 12:05:06"
    assert paid_at(paid(), "Asia/Urumqi") == "2026-11-22 10:05:06"
    assert paid_at(payment(), "Asia/Shanghai") is None


def test_the_code_of_a_suspended_merchant_is_refused_like_one_that_never_was() -> None:
    of_code().require_open_shop()
    with pytest.raises(ApiError) as refused:
        of_code(is_active=False).require_open_shop()
    assert (refused.value.code, refused.value.http_status) == ("not_found", 404)
