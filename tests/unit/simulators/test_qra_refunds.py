"""The front's refunds: partial, repeated, listed; and what ends otherwise than it should."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from routing.simulators.provision import Provision
from tests.unit.simulators.in_process import Bench, bench_of
from tests.unit.simulators.qra_till import QraTill

DAY_S = 86_400


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> AsyncGenerator[Bench]:
    with bench_of("unionpay_front", provisioned, tmp_path) as found:
        yield found


@pytest.fixture
def till(bench: Bench) -> QraTill:
    assert isinstance(bench.till, QraTill)
    return bench.till


def paid(till: QraTill, fen: int = 1_000) -> str:
    number = till.order_no()
    assert till.pay(number, fen, till.code()).state == "captured"
    return number


async def test_partial_refunds_add_up_and_are_listed_by_the_order(bench: Bench, till: QraTill) -> None:
    number = paid(till)
    numbers = [till.order_no() for _ in range(3)]
    answers = [
        till.refund(number, refund_no, fen, 1_000) for refund_no, fen in zip(numbers, (300, 300, 400), strict=True)
    ]
    assert [answer.state for answer in answers] == ["accepted"] * 3
    listed = till.call("unified.trade.refundquery", out_trade_no=number).fields
    assert listed["refund_count"] == "3"
    assert [listed[f"out_refund_no_{place}"] for place in range(3)] == numbers
    assert [listed[f"refund_fee_{place}"] for place in range(3)] == ["300", "300", "400"]
    assert {listed[f"refund_status_{place}"] for place in range(3)} == {"PROCESSING"}
    bench.pass_time(0.5)
    assert till.query_refund(number, numbers[1]).state == "succeeded"
    by_id = till.call("unified.trade.refundquery", refund_id=answers[2].fields["refund_id"]).fields
    assert (by_id["refund_count"], by_id["out_refund_no_0"]) == ("1", numbers[2])
    assert bench.books.counts() == {"refunded": 1}


async def test_an_order_is_refund_from_its_first_refund_on(till: QraTill) -> None:
    number = paid(till)
    assert till.query(number).fields["trade_state"] == "SUCCESS"
    till.refund(number, till.order_no(), 1, 1_000)
    assert till.query(number).fields["trade_state"] == "REFUND"


async def test_a_refund_number_is_good_for_one_refund(till: QraTill) -> None:
    number, refund_no = paid(till), till.order_no()
    first = till.refund(number, refund_no, 300, 1_000)
    again = till.refund(number, refund_no, 300, 1_000)
    assert again.fields["refund_id"] == first.fields["refund_id"]
    assert till.refund(number, refund_no, 301, 1_000).code == "REFUND_FEE_MISMATCH"
    assert till.refund(paid(till), refund_no, 300, 1_000).code == "REFUND_FEE_MISMATCH"
    assert till.query(number).fields["total_fee"] == "1000"


async def test_what_cannot_be_given_back_is_refused(bench: Bench, till: QraTill) -> None:
    number = paid(till)
    assert till.refund(number, till.order_no(), 1_001, 1_000).code == "INVALID_REQUEST"
    assert till.refund(number, till.order_no(), 100, 999).code == "REFUND_FEE_MISMATCH"
    assert till.refund(till.order_no(), till.order_no(), 100, 1_000).code == "ORDERNOTEXIST"
    assert till.refund(number, "", 100, 1_000).code == "LACK_PARAMS"
    till.reverse(number)
    assert till.refund(number, till.order_no(), 100, 1_000).code == "TRADE_ERROR"
    late = paid(till)
    bench.pass_time(366 * DAY_S)
    assert till.refund(late, till.order_no(), 100, 1_000).code == "TRADE_OVERDUE"
    assert till.query_refund(number, till.order_no()).code == "REFUNDNOTEXIST"


async def test_a_reversal_is_no_refund_that_could_be_asked_for(till: QraTill) -> None:
    number = paid(till)
    till.reverse(number)
    assert till.call("unified.trade.refundquery", out_trade_no=number).code == "REFUNDNOTEXIST"
    assert till.query(number).fields["trade_state"] == "REVOKED"


@pytest.mark.parametrize(("as_", "state", "given_back"), [("abnormal", "abnormal", 400), ("closed", "closed", 0)])
async def test_a_refund_can_end_otherwise(bench: Bench, till: QraTill, as_: str, state: str, given_back: int) -> None:
    number, refund_no = paid(till), till.order_no()
    bench.holder.set({"kind": "refund_ends", "as": as_})
    assert till.refund(number, refund_no, 400, 1_000).state == "accepted"
    assert till.query_refund(number, refund_no).state == "pending"
    bench.pass_time(1)
    assert till.query_refund(number, refund_no).state == state
    trade = bench.books.find(till.settings["mch_id"], number)
    assert trade is not None
    assert trade.refunded_fen == given_back
