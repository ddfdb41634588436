"""Each magic payment code over real HTTP, with the same meaning at every wallet (docs/simulators.md)."""

from __future__ import annotations

import httpx
import pytest

from routing.simulators.magic import MAGIC, magic_act
from tests.unit.simulators.conftest import Stage

REFUSALS = {
    "9001": {"NOT_ENOUGH", "NOTENOUGH", "ACQ.BUYER_BALANCE_NOT_ENOUGH", "64"},
    "9002": {"AUTH_CODE_EXPIRE", "AUTHCODEEXPIRE", "ACQ.PAYMENT_AUTH_CODE_INVALID", "80"},
    "9011": {"TRADE_ERROR", "ACQ.PAYMENT_REQUEST_HAS_RISK", "38"},
    "9013": {"AUTH_CODE_ERROR", "ACQ.PAYMENT_AUTH_CODE_INVALID", "80"},
}


@pytest.mark.parametrize("tail", REFUSALS)
def test_a_refused_payment_charges_nothing_and_says_why(channel_stage: Stage, tail: str) -> None:
    till, number = channel_stage.till, channel_stage.till.order_no()
    answer = till.pay(number, 100, till.code(tail))
    if answer.state == "accepted":  # UnionPay's issuers decide after it has accepted
        answer = till.settled(number)
    assert (answer.state, answer.code in REFUSALS[tail]) == ("refused", True), answer
    assert till.query(number).state in {"refused", "closed"}
    trade = channel_stage.trade(number)
    assert (trade["status"], trade["captured_at"], trade["refunded"]) == ("refused", None, 0)


@pytest.mark.slow
def test_a_pin_is_answered_after_three_seconds_or_refused_or_never(channel_stage: Stage) -> None:
    till = channel_stage.till
    paid, cancelled, never = till.order_no(), till.order_no(), till.order_no()
    for number, tail in ((paid, "9003"), (cancelled, "9014"), (never, "9004")):
        answer = till.pay(number, 100, till.code(tail))
        assert (answer.state, answer.seal) == ("pending", "good")
        assert till.query(number).state == "pending"
    assert till.settled(paid).state == "captured"
    assert till.settled(cancelled).state in {"refused", "closed"}
    assert till.query(never).state == "pending"

    statuses = [channel_stage.trade(number)["status"] for number in (paid, cancelled, never)]
    assert statuses == ["captured", "refused", "pending"]


def test_charged_and_the_answer_never_comes(channel_stage: Stage) -> None:
    till, number = channel_stage.till, channel_stage.till.order_no()
    with pytest.raises(httpx.ReadTimeout):
        till.pay(number, 100, till.code("9005"), timeout_s=0.4)
    assert till.settled(number).state == "captured"
    assert channel_stage.trade(number)["status"] == "captured"


def test_charged_and_the_connection_is_reset_in_mid_answer(channel_stage: Stage) -> None:
    till, number = channel_stage.till, channel_stage.till.order_no()
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        till.pay(number, 100, till.code("9006"))
    assert till.settled(number).state == "captured"


def test_lost_on_the_way_and_in_no_book_while_it_is(channel_stage: Stage) -> None:
    till, late, lost = channel_stage.till, channel_stage.till.order_no(), channel_stage.till.order_no()
    for number, tail in ((late, "9007"), (lost, "9015")):
        with pytest.raises(httpx.ReadTimeout):
            till.pay(number, 100, till.code(tail), timeout_s=0.3)
        assert till.query(number).state == "not_found"
        assert till.reverse(number).state == "not_found"
        assert channel_stage.simulator.control("trades", order_no=number)["trades"] == []


def test_charged_and_the_channel_says_it_does_not_know(channel_stage: Stage) -> None:
    till, number = channel_stage.till, channel_stage.till.order_no()
    answer = till.pay(number, 100, till.code("9008"))
    assert answer.state == "error"
    assert answer.code in {"SYSTEM_ERROR", "isp.unknow-error", "04", "SYSTEMERROR"}
    assert till.settled(number).state == "captured"


def test_charged_and_the_answer_is_unsigned(channel_stage: Stage) -> None:
    till, number = channel_stage.till, channel_stage.till.order_no()
    answer = till.pay(number, 100, till.code("9009"))
    assert (answer.state in {"captured", "accepted"}, answer.seal) == (True, "missing")
    assert till.settled(number).seal == "good"


def test_charged_one_fen_more_in_the_answer_in_the_query_and_in_the_books(channel_stage: Stage) -> None:
    till, number = channel_stage.till, channel_stage.till.order_no()
    assert till.pay(number, 100, till.code("9010")).amount == 101
    assert till.settled(number).amount == 101
    assert channel_stage.trade(number)["amount"] == 101


def test_charged_and_the_answer_cannot_be_read(channel_stage: Stage) -> None:
    till, number = channel_stage.till, channel_stage.till.order_no()
    assert till.pay(number, 100, till.code("9012")).state == "malformed"
    assert till.settled(number).state == "captured"


def test_a_magic_amount_means_what_the_code_of_its_digits_means(channel_stage: Stage) -> None:
    till, number = channel_stage.till, channel_stage.till.order_no()
    till.pay(number, 9_999_001, till.code())
    assert till.settled(number).state in {"refused", "closed"}
    assert channel_stage.trade(number)["reason"] == "insufficient_funds"


def test_every_magic_code_has_an_amount_and_other_payments_have_none() -> None:
    assert list(MAGIC) == [f"90{number:02d}" for number in range(1, 16)]
    for tail, act in MAGIC.items():
        assert magic_act("13" + "0" * 12 + "1234", 9_990_000 + int(tail)) == act
    assert magic_act("134567890123456789", 9_001) is None
    assert magic_act("134567890123456789", 9_989_001) is None
