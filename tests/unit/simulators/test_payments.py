"""Payments, queries, reversals and refunds over real HTTP, the same for every wallet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.unit.simulators.conftest import Stage


def test_a_payment_is_captured_signed_and_in_the_books(stage: Stage) -> None:
    number = stage.till.order_no()
    answer = stage.till.pay(number, 2_599, stage.till.code())
    assert (answer.state, answer.seal) in {("captured", "good"), ("accepted", "good")}
    assert answer.amount == 2_599

    found = stage.till.settled(number)
    assert (found.state, found.seal, found.amount) == ("captured", "good", 2_599)

    trade = stage.trade(number)
    assert (trade["status"], trade["amount"], trade["refunded"]) == ("captured", 2_599, 0)
    assert trade["captured_at"] is not None


def test_the_same_request_again_is_answered_alike_and_charged_once(stage: Stage) -> None:
    number, code = stage.till.order_no(), stage.till.code()
    first = stage.till.pay(number, 100, code)
    again = stage.till.pay(number, 100, code)
    assert (again.state, again.seal) == (first.state, "good")
    assert stage.trade(number)["amount"] == 100


def test_an_order_number_with_other_parameters_is_refused_and_changes_nothing(stage: Stage) -> None:
    number, code = stage.till.order_no(), stage.till.code()
    stage.till.pay(number, 100, code)
    refused = stage.till.pay(number, 101, code)
    assert refused.state == "refused"
    assert refused.code in {"OUT_TRADE_NO_USED", "ACQ.CONTEXT_INCONSISTENT", "12"}
    assert stage.trade(number)["amount"] == 100


def test_a_payment_code_works_once(stage: Stage) -> None:
    code = stage.till.code()
    stage.till.pay(stage.till.order_no(), 100, code)
    number = stage.till.order_no()
    refused = stage.till.pay(number, 100, code)
    assert refused.state == "refused"
    assert refused.code in {"AUTH_CODE_ERROR", "ACQ.PAYMENT_AUTH_CODE_INVALID", "80"}
    assert stage.trade(number)["captured_at"] is None


def test_the_same_order_twice_at_once_is_charged_once(channel_stage: Stage) -> None:
    number, code = channel_stage.till.order_no(), channel_stage.till.code()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: channel_stage.till.pay(number, 700, code), range(8)))
    assert {answer.state for answer in answers} <= {"captured", "accepted"}
    assert channel_stage.trade(number)["amount"] == 700


def test_an_unknown_order_is_not_found_by_query_and_reversal(stage: Stage) -> None:
    number = stage.till.order_no()
    assert stage.till.query(number).state == "not_found"
    assert stage.till.reverse(number).state == "not_found"
    assert stage.simulator.control("trades", order_no=number)["trades"] == []


def test_reversing_a_paid_order_gives_everything_back_with_a_record(stage: Stage) -> None:
    number = stage.till.order_no()
    stage.till.pay(number, 4_000, stage.till.code())
    assert stage.till.settled(number).state == "captured"
    reversed_ = stage.till.reverse(number)
    assert (reversed_.state, reversed_.seal) == ("accepted", "good")
    assert stage.till.reverse(number).state == "accepted"
    assert stage.till.query(number).state in {"reversed", "refunded"}

    trade = stage.trade(number)
    assert (trade["status"], trade["refunded"]) == ("reversed", 4_000)
    assert trade["captured_at"] is not None
    refunds = stage.simulator.control("refunds", order_no=number)["refunds"]
    assert isinstance(refunds, list)
    assert [(refund["amount"], refund["kind"]) for refund in refunds] == [(4_000, "reversal")]


def test_reversing_an_unpaid_order_shuts_it_for_good(channel_stage: Stage) -> None:
    number = channel_stage.till.order_no()
    assert channel_stage.till.pay(number, 100, channel_stage.till.code("9004")).state == "pending"
    assert channel_stage.till.reverse(number).state == "accepted"
    assert channel_stage.till.query(number).state in {"reversed", "closed"}
    trade = channel_stage.trade(number)
    assert (trade["status"], trade["captured_at"], trade["refunded"]) == ("reversed", None, 0)


def test_refunds_are_counted_once_each_and_never_exceed_the_payment(stage: Stage) -> None:
    number = stage.till.order_no()
    stage.till.pay(number, 1_000, stage.till.code())
    stage.till.settled(number)
    refund_no = stage.till.order_no()
    first = stage.till.refund(number, refund_no, 300, 1_000)
    assert (first.state, first.seal, first.amount) == ("accepted", "good", 300)
    assert stage.till.refund(number, refund_no, 300, 1_000).state == "accepted"
    assert stage.till.refund(number, refund_no, 301, 1_000).state == "refused"
    assert stage.till.refund(number, stage.till.order_no(), 701, 1_000).state == "refused"

    trade = stage.trade(number)
    assert (trade["status"], trade["refunded"]) == ("captured", 300)
    assert stage.till.query_refund(number, stage.till.order_no()).state == "not_found"


def test_a_refund_reaches_the_payer_and_a_full_one_ends_the_order(stage: Stage) -> None:
    number, refund_no = stage.till.order_no(), stage.till.order_no()
    stage.till.pay(number, 1_000, stage.till.code())
    stage.till.settled(number)
    stage.till.refund(number, refund_no, 1_000, 1_000)
    answer = stage.till.query_refund(number, refund_no)
    while answer.state in {"accepted", "pending"}:
        answer = stage.till.query_refund(number, refund_no)
    assert (answer.state, answer.amount, answer.seal) == ("succeeded", 1_000, "good")
    trade = stage.trade(number)
    assert (trade["status"], trade["refunded"]) == ("refunded", 1_000)
    assert stage.till.refund(number, stage.till.order_no(), 1, 1_000).state == "refused"


def test_an_order_that_was_never_paid_cannot_be_refunded(channel_stage: Stage) -> None:
    number = channel_stage.till.order_no()
    channel_stage.till.pay(number, 100, channel_stage.till.code("9004"))
    assert channel_stage.till.refund(number, channel_stage.till.order_no(), 50, 100).state in {"refused", "not_found"}
    assert channel_stage.trade(number)["refunded"] == 0
