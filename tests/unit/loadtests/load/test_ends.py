"""Declines, PINs and customers who leave are ends that were meant; anything else is an error by name."""

from typing import Any

import pytest

from loadtests.load.ends import end_of
from loadtests.load.mix import Ending
from loadtests.load.tally import End


def _payment(status: str, code: str | None = None, reversal: str | None = None) -> dict[str, Any]:
    return {"status": status, "failure": None if code is None else {"code": code}, "reversal": reversal}


@pytest.mark.parametrize(
    ("ending", "payment", "end"),
    [
        (Ending.PAID, _payment("succeeded"), End.PAID),
        (Ending.PIN, _payment("succeeded"), End.PAID),
        (Ending.NO_BALANCE, _payment("failed", "insufficient_funds"), End.DECLINED),
        (Ending.RISK, _payment("failed", "channel_risk_declined"), End.DECLINED),
        (Ending.RISK, _payment("failed", "channel_refused"), End.DECLINED),
        (Ending.PIN_REFUSED, _payment("failed", "channel_refused"), End.DECLINED),
        (Ending.PIN_REFUSED, _payment("closed"), End.CANCELLED),
        (Ending.PAID, _payment("failed", "risk_declined"), End.DECLINED),
        (Ending.PAID, _payment("failed", "price_changed"), End.DECLINED),
        (Ending.PIN_LEFT, _payment("reversed"), End.CANCELLED),
        (Ending.PIN_LEFT, _payment("processing", reversal="pending"), End.CANCELLED),
        (Ending.CODE_LEFT, _payment("closed"), End.CANCELLED),
    ],
)
def test_an_end_that_was_meant_is_no_error(ending: Ending, payment: dict[str, Any], end: End) -> None:
    assert end_of(ending, payment) == (end, None)


@pytest.mark.parametrize(
    ("ending", "payment", "wrong"),
    [
        (Ending.PAID, _payment("failed", "channel_unavailable"), "paid: ended failed (channel_unavailable)"),
        (Ending.PAID, _payment("failed", "insufficient_funds"), "paid: ended failed (insufficient_funds)"),
        (Ending.PAID, _payment("failed", "channel_refused"), "paid: ended failed (channel_refused)"),
        (Ending.NO_BALANCE, _payment("failed", "channel_refused"), "no balance: ended failed (channel_refused)"),
        (Ending.PAID, _payment("reversed"), "paid: ended reversed"),
        (Ending.PAID, _payment("processing"), "paid: ended processing"),
        (Ending.NO_BALANCE, _payment("succeeded"), "no balance: ended succeeded"),
        (Ending.CODE_LEFT, _payment("succeeded"), "code, left: ended succeeded"),
        (Ending.PIN_LEFT, _payment("processing"), "PIN, left: ended processing"),
    ],
)
def test_any_other_end_is_an_error_by_name(ending: Ending, payment: dict[str, Any], wrong: str) -> None:
    assert end_of(ending, payment) == (End.FAILED, wrong)
