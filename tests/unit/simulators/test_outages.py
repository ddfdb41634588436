"""Each way in which a channel can be out, and brown-outs, over real HTTP: at every simulator, for tests of routing."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import httpx
import pytest

from routing.simulators.faults import FaultError, read_plan
from tests.unit.simulators.conftest import Stage
from tests.unit.simulators.test_faults import RESETS, pay_under
from tests.unit.simulators.till import Answer, Raw

PROOF_OF_NOTHING = {"wechat": "NO_AUTH", "alipay": "ACQ.ACCESS_FORBIDDEN", "unionpay": "32", "qra": "NOAUTH"}
DOES_NOT_KNOW = {"wechat": "SYSTEM_ERROR", "alipay": "isp.unknow-error", "unionpay": "04", "qra": "SYSTEMERROR"}


def in_no_book(stage: Stage, number: str) -> bool:
    return stage.simulator.control("trades", order_no=number)["trades"] == []


def refused_connection(stage: Stage) -> bool:
    """Whether nobody listens, seen over a connection of its own."""
    try:
        httpx.get(f"{stage.simulator.base_url}/_simulator/health", timeout=1, trust_env=False)
    except httpx.TransportError as error:  # the last one to be let in is reset
        return isinstance(error, httpx.ConnectError)
    return False


def test_connections_are_refused_for_so_long_and_then_taken_again(channel_stage: Stage) -> None:
    till, simulator = channel_stage.till, channel_stage.simulator
    before, during, after = till.order_no(), till.order_no(), till.order_no()
    till.pay(before, 100, till.code())
    started = time.monotonic()
    simulator.set_faults({"kind": "outage", "as": "refuse", "for_s": 1.0})
    while not refused_connection(channel_stage):
        assert time.monotonic() - started < 60
    with pytest.raises(RESETS):
        till.pay(during, 100, till.code())
    while refused_connection(channel_stage):
        assert time.monotonic() - started < 60
        time.sleep(0.02)
    assert time.monotonic() - started >= 1.0
    till.pay(after, 100, till.code())
    assert till.settled(after).state == "captured"
    assert in_no_book(channel_stage, during)
    assert channel_stage.trade(before)["amount"] == 100


def test_a_simulator_whose_address_was_taken_meanwhile_listens_again_once_it_is_free(channel_stage: Stage) -> None:
    address = ("127.0.0.1", httpx.URL(channel_stage.simulator.base_url).port)
    started = time.monotonic()
    channel_stage.simulator.set_faults({"kind": "outage", "as": "refuse", "for_s": 0.5})
    while not refused_connection(channel_stage):
        assert time.monotonic() - started < 60
    with socket.create_server(address):
        time.sleep(1.0 - (time.monotonic() - started))
    while refused_connection(channel_stage):
        assert time.monotonic() - started < 60
        time.sleep(0.02)
    assert channel_stage.simulator.control("health")["status"] == "ok"


def test_a_connection_that_stands_when_nobody_listens_any_more_is_reset(channel_stage: Stage) -> None:
    till, simulator = channel_stage.till, channel_stage.simulator
    with httpx.Client(base_url=simulator.base_url, trust_env=False) as kept_alive:
        kept_alive.get("/_simulator/health")
        simulator.set_faults({"kind": "outage", "as": "refuse", "for_s": 0.5})
        time.sleep(0.2)
        with pytest.raises(RESETS):
            kept_alive.get("/_simulator/health")
    while refused_connection(channel_stage):
        time.sleep(0.02)
    till.query(till.order_no())


def what_came(ask: Callable[[], Answer]) -> str:
    """A channel's own code, or what came instead of an answer that can be read."""
    try:
        answer = ask()
    except httpx.ReadTimeout:
        return "hang"
    except RESETS:
        return "reset"
    except (ValueError, KeyError):
        return "bad_gateway"
    return "bad_gateway" if answer.raw.status == 502 else answer.code


@pytest.mark.parametrize("way", ["reset", "hang", "error", "bad_gateway"])
def test_an_outage_meets_every_call_and_does_nothing(channel_stage: Stage, way: str) -> None:
    till = channel_stage.till
    number, paid = till.order_no(), till.order_no()
    till.pay(paid, 100, till.code())
    till.settled(paid)
    channel_stage.simulator.set_faults({"kind": "outage", "as": way})
    expected = DOES_NOT_KNOW[till.wallet] if way == "error" else way
    assert what_came(lambda: till.pay(number, 100, till.code(), timeout_s=0.4)) == expected
    channel_stage.simulator.set_faults({"kind": "outage", "as": way, "hold_s": 0.1})
    assert what_came(lambda: till.reverse(paid)) == ("reset" if way == "hang" else expected)
    assert in_no_book(channel_stage, number)
    assert channel_stage.trade(paid)["status"] == "captured"


def test_a_bad_gateway_is_nothing_of_the_channels(channel_stage: Stage) -> None:
    channel_stage.simulator.set_faults({"kind": "outage", "as": "bad_gateway"})
    number, answered = pay_under_bad_gateway(channel_stage)
    assert answered == (502, b"<html><body><h1>502 Bad Gateway</h1></body></html>")
    assert in_no_book(channel_stage, number)


@pytest.mark.parametrize(("way", "codes"), [("refused", PROOF_OF_NOTHING), ("unknown", DOES_NOT_KNOW)])
def test_a_brown_out_fails_a_share_of_payments_and_nothing_else(
    channel_stage: Stage, way: str, codes: dict[str, str]
) -> None:
    till = channel_stage.till
    channel_stage.simulator.set_faults({"kind": "brown_out", "share": 0.3, "as": way}, seed=11)
    numbers = [till.order_no() for _ in range(60)]
    failed = {number for number in numbers if till.pay(number, 100, till.code()).code == codes[till.wallet]}
    assert 8 <= len(failed) <= 30
    assert all(in_no_book(channel_stage, number) == (number in failed) for number in numbers)
    assert till.query(next(iter(failed))).state == "not_found"


def test_a_brown_out_of_everything_charges_nothing(channel_stage: Stage) -> None:
    number, answer = pay_under(channel_stage, "brown_out", share=1)
    assert not isinstance(answer, Exception)
    assert answer.code == PROOF_OF_NOTHING[channel_stage.till.wallet]
    assert in_no_book(channel_stage, number)


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "outage", "as": "nonsense"},
        {"kind": "outage", "as": "refuse"},
        {"kind": "outage", "as": "refuse", "for_s": 0},
        {"kind": "outage", "as": "refuse", "for_s": 601},
        {"kind": "outage", "as": "refuse", "for_s": 1, "probability": 0.5},
        {"kind": "outage", "as": "refuse", "for_s": 1, "calls": ["pay"]},
        {"kind": "brown_out"},
        {"kind": "brown_out", "share": 1.1},
        {"kind": "brown_out", "share": 0.5, "probability": 0.5},
        {"kind": "brown_out", "share": 0.5, "as": "nonsense"},
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(FaultError):
        read_plan({"rules": [rule]})


def pay_under_bad_gateway(stage: Stage) -> tuple[str, tuple[int, bytes]]:
    """A payment of which only the raw answer is kept: nothing in it can be read."""
    seen: list[tuple[int, bytes]] = []
    number, wire = stage.till.order_no(), stage.till.wire

    def keeping(method: str, target: str, headers: dict[str, str], body: bytes, timeout_s: float) -> Raw:
        raw = wire(method, target, headers, body, timeout_s)
        seen.append((raw.status, raw.body))
        return raw

    stage.till.wire = keeping
    assert what_came(lambda: stage.till.pay(number, 100, stage.till.code())) in {"bad_gateway", ""}
    stage.till.wire = wire
    return number, seen[-1]
