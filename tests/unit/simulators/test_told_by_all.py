"""Alipay, UnionPay and its front tell over real HTTP by themselves: also what settles later, and after SIGKILL."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from routing.simulators.provision import Provision
from tests.unit.simulators.alipay_till import AlipayTill
from tests.unit.simulators.conftest import Simulator, Stage, free_port, http_wire, stage_of
from tests.unit.simulators.listener import Listener, listening
from tests.unit.simulators.qra_till import QraTill
from tests.unit.simulators.till import Answer
from tests.unit.simulators.tills import TILLS
from tests.unit.simulators.unionpay_till import UnionpayTill

ACCOUNTS = ["alipay_direct", "unionpay_direct", "unionpay_keyed", "unionpay_front"]
Teller = AlipayTill | UnionpayTill | QraTill


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as found:
        yield found


@pytest.fixture(params=ACCOUNTS)
def told_stage(request: pytest.FixtureRequest, simulators: dict[str, Simulator], provisioned: Provision) -> Stage:
    return stage_of(request.param, simulators, provisioned)


def till_of(stage: Stage) -> Teller:
    assert isinstance(stage.till, Teller)
    return stage.till


def show(till: Teller, number: str, url: str) -> str:
    """The content of a code whose payment is told to that address."""
    if isinstance(till, AlipayTill):
        return str(till.precreate(number, 100, url).fields["qr_code"])
    if isinstance(till, QraTill):
        return str(till.show(number, 100, url).fields["code_url"])
    return till.show(number, 100, backUrl=url).fields["qrCode"]


def pay_bar_code(till: Teller, number: str, url: str, tail: str = "") -> Answer:
    if isinstance(till, AlipayTill):
        return till.call("alipay.trade.pay", till.sale(number, 100, till.code(tail)), notify_url=url)
    if isinstance(till, QraTill):
        return till.call("unified.trade.micropay", **till.sale(number, 100, till.code(tail)), notify_url=url)
    return till.consume(number, 100, till.code(tail), backUrl=url)


def scan(simulator: Simulator, code: str, after_s: float = 0.0) -> None:
    order = {"qr_code": code, "after_s": after_s}
    answer = simulator.client.post(f"{simulator.base_url}/_simulator/scan", json=order)
    assert answer.status_code == 200, answer.text


def number_in(till: Teller, body: bytes) -> str:
    """The order that a well signed notification tells of."""
    fields, seal = till.told(body)
    assert seal == "good"
    return fields["orderId" if isinstance(till, UnionpayTill) else "out_trade_no"]


def test_codes_and_bar_codes_are_told_when_they_are_paid(told_stage: Stage, listener: Listener) -> None:
    till = till_of(told_stage)
    at_once, later, shown = (till.order_no() for _ in range(3))
    scan(told_stage.simulator, show(till, shown, listener.url()))
    pay_bar_code(till, at_once, listener.url())
    pay_bar_code(till, later, listener.url(), "9003")
    heard = listener.wait_for(3)
    assert {number_in(till, one.body) for one in heard} == {at_once, later, shown}
    assert number_in(till, heard[2].body) == later


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_killed_simulator_tells_what_happened_meanwhile(
    account: str, provisioned: Provision, tmp_path: Path, listener: Listener
) -> None:
    seed = next(seed for seed in provisioned.accounts if seed.id == account)
    address = f"http://127.0.0.1:{free_port()}"
    books = tmp_path / "books.sqlite"
    simulator = Simulator(seed.channel, provisioned.simulators[seed.channel], books, address)
    simulator.start()
    till, number = TILLS[account](seed.settings, http_wire(simulator)), "T" + "0" * 12
    assert isinstance(till, Teller)
    scan(simulator, show(till, number, listener.url()), after_s=0.3)
    simulator.stop(signal.SIGKILL)
    time.sleep(0.3)
    assert listener.heard == []
    simulator.start()
    [heard] = listener.wait_for(1)
    assert number_in(till, heard.body) == number
    simulator.stop()
    simulator.client.close()


def test_unionpays_result_can_be_told_before_the_answer_that_accepts(
    simulators: dict[str, Simulator], provisioned: Provision, listener: Listener
) -> None:
    stage = stage_of("unionpay_direct", simulators, provisioned)
    till, number = till_of(stage), stage.till.order_no()
    stage.simulator.set_faults({"kind": "notify", "effect": "before_answer"})
    listener.answer_after_s = 0.2
    assert pay_bar_code(till, number, listener.url()).code == "00"
    [heard] = listener.heard
    assert number_in(till, heard.body) == number
