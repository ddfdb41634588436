"""The books survive: SIGKILL in mid-load, restarts, and what was due while the simulator was down."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from routing.simulators.provision import Provision
from tests.unit.simulators.conftest import Simulator, Stage, free_port, http_wire
from tests.unit.simulators.tills import TILLS


@pytest.fixture(params=["wechat_direct", "alipay_direct", "unionpay_keyed"])
def mortal(request: pytest.FixtureRequest, provisioned: Provision, tmp_path: Path) -> Iterator[Stage]:
    """A simulator of the test's own, to be killed."""
    seed = next(seed for seed in provisioned.accounts if seed.id == request.param)
    simulator = Simulator(
        seed.channel, provisioned.simulators[seed.channel], tmp_path / "books.sqlite", f"http://127.0.0.1:{free_port()}"
    )
    simulator.start()
    yield Stage(TILLS[request.param](seed.settings, http_wire(simulator)), simulator)
    simulator.stop()
    simulator.client.close()


def pay_until_it_dies(stage: Stage, acknowledged: list[str], dead: threading.Event) -> None:
    while not dead.is_set():
        number = stage.till.order_no()
        try:
            answer = stage.till.pay(number, 100, stage.till.code())
        except httpx.TransportError:
            return
        assert answer.state in {"captured", "accepted"}
        acknowledged.append(number)


def test_every_acknowledged_payment_survives_sigkill_under_load(mortal: Stage) -> None:
    acknowledged: list[str] = []
    dead = threading.Event()
    threads = [threading.Thread(target=pay_until_it_dies, args=(mortal, acknowledged, dead)) for _ in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while len(acknowledged) < 60 and time.monotonic() < deadline:
        time.sleep(0.01)
    mortal.simulator.stop(signal.SIGKILL)
    dead.set()
    for thread in threads:
        thread.join(10)
    assert len(acknowledged) >= 60

    mortal.simulator.start()
    trades = mortal.simulator.control("trades")["trades"]
    assert isinstance(trades, list)
    in_books = {trade["order_no"]: trade for trade in trades}
    assert set(acknowledged) <= set(in_books)
    assert all(in_books[number]["amount"] == 100 for number in acknowledged)
    assert len(in_books) == len(trades)
    assert all(mortal.till.settled(number).state == "captured" for number in acknowledged[:5])


def test_refunds_reversals_and_used_codes_survive_sigkill(mortal: Stage) -> None:
    till, refunded, reversed_, code = mortal.till, mortal.till.order_no(), mortal.till.order_no(), mortal.till.code()
    till.pay(refunded, 100, code)
    till.pay(reversed_, 100, till.code())
    assert till.settled(refunded).state == till.settled(reversed_).state == "captured"
    refund_no = till.order_no()
    assert till.refund(refunded, refund_no, 30, 100).state == "accepted"
    assert till.reverse(reversed_).state == "accepted"
    mortal.simulator.stop(signal.SIGKILL)
    mortal.simulator.start()

    assert (mortal.trade(refunded)["refunded"], mortal.trade(reversed_)["status"]) == (30, "reversed")
    assert till.refund(refunded, refund_no, 30, 100).state in {"accepted", "succeeded"}
    assert mortal.trade(refunded)["refunded"] == 30
    again = till.order_no()
    till.pay(again, 100, code)
    assert mortal.trade(again)["reason"] == "code_used"


def test_what_fell_due_while_the_simulator_was_down_has_happened(mortal: Stage) -> None:
    till, pin, late = mortal.till, mortal.till.order_no(), mortal.till.order_no()
    mortal.simulator.set_faults({"kind": "ask_pin", "answer_after_s": 0.3, "order_nos": [pin]},
                                {"kind": "late_order", "after_s": 0.3, "hold_s": 0, "order_nos": [late]})  # fmt: skip
    assert till.pay(pin, 100, till.code()).state == "pending"
    with pytest.raises(httpx.TransportError):
        till.pay(late, 100, till.code())
    mortal.simulator.stop(signal.SIGKILL)
    time.sleep(0.3)
    mortal.simulator.start()
    assert (mortal.trade(pin)["status"], mortal.trade(late)["status"]) == ("captured", "captured")


def test_sigterm_ends_it_cleanly_even_while_an_answer_is_held(mortal: Stage) -> None:
    number = mortal.till.order_no()
    with pytest.raises(httpx.ReadTimeout):
        mortal.till.pay(number, 100, mortal.till.code("9005"), timeout_s=0.3)
    mortal.simulator.stop()
    assert mortal.simulator.process is not None
    assert mortal.simulator.process.returncode in {0, -signal.SIGTERM}
    mortal.simulator.start()
    assert mortal.trade(number)["status"] == "captured"
