"""Each kind of fault over real HTTP: what the till sees, and what the books say of it."""

from __future__ import annotations

import time

import httpx
import pytest

from routing.simulators.acts import CallKind
from routing.simulators.faults import KINDS, FaultError, read_plan
from tests.unit.simulators.conftest import Stage
from tests.unit.simulators.till import Answer

CHANNEL_CODES = {"wechat": "BANK_ERROR", "alipay": "ACQ.SYSTEM_ERROR", "unionpay": "03", "qra": "BANKERROR"}
DECLINES = {"wechat": "RULE_LIMIT", "alipay": "ACQ.BEYOND_PAY_RESTRICTION", "unionpay": "33", "qra": "RULELIMIT"}
RESETS = (httpx.ReadError, httpx.RemoteProtocolError, httpx.ConnectError, httpx.WriteError)


def pay_under(stage: Stage, kind: str, timeout_s: float = 2, **parameters: object) -> tuple[str, Answer | Exception]:
    """A payment that meets one fault: its order number, and the answer or what came instead."""
    stage.simulator.set_faults({"kind": kind, **parameters})
    number = stage.till.order_no()
    try:
        return number, stage.till.pay(number, 100, stage.till.code(), timeout_s=timeout_s)
    except httpx.TransportError as error:
        return number, error
    finally:
        stage.simulator.client.delete(f"{stage.simulator.base_url}/_simulator/faults")


def captured(stage: Stage, number: str) -> bool:
    return stage.till.settled(number).state == "captured" and stage.trade(number)["status"] == "captured"


def test_error_code_is_answered_and_nothing_charged(channel_stage: Stage) -> None:
    code = CHANNEL_CODES[channel_stage.till.wallet]
    number, answer = pay_under(channel_stage, "error_code", code=code)
    assert isinstance(answer, Answer)
    assert answer.code == code
    assert channel_stage.till.query(number).state == "not_found"


def test_decline_refuses_with_the_channels_code(channel_stage: Stage) -> None:
    code = DECLINES[channel_stage.till.wallet]
    number, answer = pay_under(channel_stage, "decline", code=code)
    assert isinstance(answer, Answer)
    assert code in {answer.code, channel_stage.till.settled(number).code}
    assert channel_stage.trade(number)["status"] == "refused"


@pytest.mark.parametrize(
    ("kind", "charged"),
    [
        ("timeout_after_charging", True),
        ("timeout_before_charging", False),
        ("reset_after_charging", True),
        ("reset_before_charging", False),
        ("reset_mid_answer", True),
        ("outage", False),
    ],
)
def test_a_lost_answer_says_nothing_of_the_charge(channel_stage: Stage, kind: str, *, charged: bool) -> None:
    parameters = {"hold_s": 0.2} if kind.startswith("timeout") else {}
    number, answer = pay_under(channel_stage, kind, **parameters)
    assert isinstance(answer, RESETS), answer
    assert captured(channel_stage, number) if charged else channel_stage.till.query(number).state == "not_found"


def test_an_answer_that_is_held_comes_never(channel_stage: Stage) -> None:
    number, answer = pay_under(channel_stage, "timeout_after_charging", 0.4, hold_s=30)
    assert isinstance(answer, httpx.ReadTimeout)
    assert captured(channel_stage, number)


@pytest.mark.parametrize(
    ("kind", "state", "seal"),
    [
        ("server_error_after_charging", "error", None),
        ("malformed_answer", "malformed", None),
        ("unsigned_answer", None, "missing"),
        ("badly_signed_answer", None, "bad"),
    ],
)
def test_an_answer_that_proves_nothing_after_charging(
    channel_stage: Stage, kind: str, state: str | None, seal: str | None
) -> None:
    number, answer = pay_under(channel_stage, kind)
    assert isinstance(answer, Answer)
    assert state in {None, answer.state}
    assert seal in {None, answer.seal}
    assert captured(channel_stage, number)


def test_wrong_amount_shows_in_the_answer_and_in_the_books(channel_stage: Stage) -> None:
    number, answer = pay_under(channel_stage, "wrong_amount", delta=-7)
    assert isinstance(answer, Answer)
    assert (answer.amount, answer.seal) == (93, "good")
    assert channel_stage.trade(number)["amount"] == 93


def test_wrong_amount_of_a_query_leaves_the_books_alone(channel_stage: Stage) -> None:
    till, number = channel_stage.till, channel_stage.till.order_no()
    till.pay(number, 100, till.code())
    till.settled(number)
    channel_stage.simulator.set_faults({"kind": "wrong_amount", "delta": 5, "calls": ["query"], "times": 1})
    assert [till.query(number).amount, till.query(number).amount] == [105, 100]
    assert channel_stage.trade(number)["amount"] == 100


def test_wrong_order_names_another_order(channel_stage: Stage) -> None:
    number, answer = pay_under(channel_stage, "wrong_order")
    assert isinstance(answer, Answer)
    shown = answer.fields.get("out_trade_no") or answer.fields.get("orderId")
    assert (shown != number, len(str(shown)), answer.seal) == (True, len(number), "good")
    assert captured(channel_stage, number)


def test_ask_pin_is_answered_when_and_as_the_rule_says(channel_stage: Stage) -> None:
    number, answer = pay_under(channel_stage, "ask_pin", answer_after_s=0.4)
    assert isinstance(answer, Answer)
    assert answer.state == "pending"
    assert captured(channel_stage, number)

    number, _ = pay_under(channel_stage, "ask_pin", answer_after_s=0.2, then="refused")
    assert channel_stage.till.settled(number).state in {"refused", "closed"}

    number, _ = pay_under(channel_stage, "ask_pin", never=True)
    assert channel_stage.till.query(number).state == "pending"


def test_a_late_order_is_not_found_until_it_appears_captured(channel_stage: Stage) -> None:
    number, answer = pay_under(channel_stage, "late_order", after_s=1, hold_s=0.1)
    assert isinstance(answer, RESETS)
    assert channel_stage.till.query(number).state == "not_found"
    assert channel_stage.till.reverse(number).state == "not_found"
    assert channel_stage.simulator.control("trades", order_no=number)["trades"] == []
    deadline = time.monotonic() + 5
    while channel_stage.till.query(number).state == "not_found" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert captured(channel_stage, number)


def test_rate_limit_refuses_without_charging(channel_stage: Stage) -> None:
    number, answer = pay_under(channel_stage, "rate_limit")
    assert isinstance(answer, Answer)
    assert answer.code in {"FREQUENCY_LIMITED", "isv.app-call-limited", "37"}
    assert answer.raw.status == (429 if channel_stage.till.wallet == "wechat" else 200)
    assert channel_stage.till.query(number).state == "not_found"


def test_slow_down_adds_to_the_latency(channel_stage: Stage) -> None:
    started = time.monotonic()
    number, answer = pay_under(channel_stage, "slow_down", latency_ms=300)
    assert time.monotonic() - started >= 0.3
    assert isinstance(answer, Answer)
    assert captured(channel_stage, number)


def test_latency_meets_payments_only_unless_told_otherwise(channel_stage: Stage) -> None:
    till, number = channel_stage.till, channel_stage.till.order_no()
    channel_stage.simulator.set_faults(latency_ms={"min": 250, "max": 300})
    started = time.monotonic()
    till.pay(number, 100, till.code())
    assert time.monotonic() - started >= 0.25
    channel_stage.simulator.set_faults(latency_ms={"mean": 200}, latency_calls=["query"])
    started = time.monotonic()
    till.query(number)
    assert time.monotonic() - started >= 0.2


def test_rules_can_name_orders_calls_and_a_number_of_times_and_count_what_they_did(channel_stage: Stage) -> None:
    till, simulator = channel_stage.till, channel_stage.simulator
    aimed, other = till.order_no(), till.order_no()
    code = CHANNEL_CODES[till.wallet]
    simulator.set_faults({"kind": "error_code", "code": code, "order_nos": [aimed], "times": 1})
    assert till.pay(other, 100, till.code()).code != code
    assert till.pay(aimed, 100, till.code()).code == code
    assert till.pay(aimed, 100, till.code()).code != code
    rules = simulator.control("faults")["rules"]
    assert isinstance(rules, list)
    assert (rules[0]["seen"], rules[0]["struck"]) == (1, 1)


def test_reversals_refunds_and_their_queries_can_fail_too(channel_stage: Stage) -> None:
    till, number = channel_stage.till, channel_stage.till.order_no()
    till.pay(number, 100, till.code())
    till.settled(number)
    channel_stage.simulator.set_faults({"kind": "reset_after_charging", "calls": ["refund"], "times": 1})
    refund_no = till.order_no()
    with pytest.raises(RESETS):
        till.refund(number, refund_no, 40, 100)
    assert channel_stage.trade(number)["refunded"] == 40
    assert till.refund(number, refund_no, 40, 100).state == "accepted"
    channel_stage.simulator.set_faults({"kind": "unsigned_answer", "calls": ["refund_query"]})
    assert till.query_refund(number, refund_no).seal == "missing"
    channel_stage.simulator.set_faults({"kind": "reset_before_charging", "calls": ["reverse"]})
    with pytest.raises(RESETS):
        till.reverse(number)
    assert channel_stage.trade(number)["refunded"] == 40


def test_a_fault_overrides_a_magic_code_and_a_slow_down_keeps_it(channel_stage: Stage) -> None:
    till, number, slow = channel_stage.till, channel_stage.till.order_no(), channel_stage.till.order_no()
    channel_stage.simulator.set_faults({"kind": "slow_down", "latency_ms": 100, "order_nos": [slow]})
    started = time.monotonic()
    till.pay(slow, 100, till.code("9010"))
    assert time.monotonic() - started >= 0.1
    assert channel_stage.trade(slow)["amount"] == 101
    channel_stage.simulator.set_faults({"kind": "outage"})
    with pytest.raises(RESETS):
        till.pay(number, 100, till.code("9010"))
    assert channel_stage.simulator.control("trades", order_no=number)["trades"] == []


def test_one_seed_draws_the_same_faults_again() -> None:
    plan = {"seed": 7, "rules": [{"kind": "outage", "probability": 0.3}]}

    def struck() -> list[bool]:
        faults = read_plan(plan)
        return [not faults.act_for(CallKind.PAY, str(number)).processed for number in range(200)]

    first = struck()
    assert first == struck()
    assert 30 < sum(first) < 90


@pytest.mark.parametrize(
    "plan",
    [
        [],
        {"rule": []},
        {"rules": [{"kind": "nonsense"}]},
        {"rules": [{"kind": "error_code"}]},
        {"rules": [{"kind": "outage", "probability": 2}]},
        {"rules": [{"kind": "outage", "calls": ["dance"]}]},
        {"rules": [{"kind": "outage", "times": 0}]},
        {"rules": [{"kind": "ask_pin", "calls": ["query"]}]},
        {"rules": [{"kind": "wrong_amount", "delta": 0}]},
        {"latency_ms": {"min": 5, "max": 1}},
        {"latency_ms": 80},
        {"seed": "x"},
    ],
)
def test_a_plan_that_cannot_be_read_is_refused(plan: object) -> None:
    with pytest.raises(FaultError):
        read_plan(plan)


def test_this_file_tries_every_kind() -> None:
    tried = {
        "error_code", "decline", "timeout_after_charging", "timeout_before_charging", "reset_after_charging",
        "reset_before_charging", "reset_mid_answer", "server_error_after_charging", "malformed_answer",
        "unsigned_answer", "badly_signed_answer", "wrong_amount", "wrong_order", "ask_pin", "late_order", "outage",
        "slow_down", "rate_limit",
    }  # fmt: skip
    in_tests_of_their_own = {"notify", "refund_ends", "brown_out"}
    assert tried | in_tests_of_their_own == KINDS
