"""Notifications over real HTTP: sent until acknowledged, through SIGKILL, as faults want it, and again by hand."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from routing.simulators.faults import FaultError, read_plan
from routing.simulators.provision import Provision
from routing.simulators.wallet import payer_named
from tests.unit.simulators.conftest import Simulator, free_port, http_wire, stage_of
from tests.unit.simulators.listener import Heard, Listener, listening
from tests.unit.simulators.till import Raw
from tests.unit.simulators.wechat_till import WechatTill


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as found:
        yield found


class Shop:
    """A merchant at WeChat: its till, its simulator, and the server that is told."""

    def __init__(self, till: WechatTill, simulator: Simulator, listener: Listener) -> None:
        self.till, self.simulator, self.listener = till, simulator, listener

    def code(self, **more: object) -> tuple[str, str]:
        """A code on display: its order's number, and its content."""
        number = self.till.order_no()
        shown = self.till.native(number, 100, notify_url=self.listener.url(), **more)
        return number, shown.fields["code_url"]

    def control(self, method: str, what: str, body: object = None) -> tuple[int, dict[str, Any]]:
        answer = self.simulator.client.request(method, f"{self.simulator.base_url}/_simulator/{what}", json=body)
        document: dict[str, Any] = answer.json()
        return answer.status_code, document

    def scan(self, code: str, **more: object) -> tuple[int, dict[str, Any]]:
        return self.control("POST", "scan", {"qr_code": code, **more})

    def paid(self) -> str:
        """The number of an order that was scanned and paid."""
        number, code = self.code()
        assert self.scan(code)[0] == 200
        return number

    def notifications(self, order_no: str) -> list[dict[str, Any]]:
        return list(self.control("GET", f"notifications?order_no={order_no}")[1]["notifications"])

    def once(self, order_no: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The order's one notification as soon as something holds of it."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = self.notifications(order_no)
            if found and holds(found[0]):
                return found[0]
            time.sleep(0.01)
        raise AssertionError(self.notifications(order_no))

    def acknowledged(self, order_no: str) -> dict[str, Any]:
        return self.once(order_no, lambda shown: shown["status"] == "acknowledged")

    def resend(self, order_no: str, **order: object) -> list[dict[str, Any]]:
        notification = self.notifications(order_no)[0]
        status, answer = self.control("POST", f"notifications/{notification['id']}/resend", order)
        assert status == 200, answer
        return list(answer["answers"])


@pytest.fixture
def shop(simulators: dict[str, Simulator], provisioned: Provision, listener: Listener) -> Shop:
    stage = stage_of("wechat_direct", simulators, provisioned)
    assert isinstance(stage.till, WechatTill)
    return Shop(stage.till, stage.simulator, listener)


@pytest.fixture
def mortal(provisioned: Provision, tmp_path: Path, listener: Listener) -> Iterator[Shop]:
    """A shop at a simulator of its own, to be killed."""
    address = f"http://127.0.0.1:{free_port()}"
    simulator = Simulator("wechat", provisioned.simulators["wechat"], tmp_path / "books.sqlite", address)
    simulator.start()
    settings = next(seed.settings for seed in provisioned.accounts if seed.id == "wechat_direct")
    yield Shop(WechatTill(settings, http_wire(simulator)), simulator, listener)
    simulator.stop()
    simulator.client.close()


def event_of(heard: Heard) -> str:
    return str(json.loads(heard.body)["event_type"])


def test_a_paid_code_is_told_to_its_address_and_listed(shop: Shop) -> None:
    number = shop.paid()
    [heard] = shop.listener.wait_for(1)
    assert (heard.path, event_of(heard)) == ("/callbacks/channel/account", "TRANSACTION.SUCCESS")
    shown = shop.acknowledged(number)
    assert shown | {"seq": 0, "id": "", "created_at": ""} == {
        "seq": 0, "id": "", "created_at": "", "order_no": number, "refund_no": None, "kind": "payment",
        "event": "TRANSACTION.SUCCESS", "url": shop.listener.url(), "tries": 1, "status": "acknowledged",
        "last_answer": "200 success", "next_at": None,
    }  # fmt: skip
    assert shop.control("GET", "health")[1]["notifications"] == {"waiting": 0, "due": 0}


def test_what_is_not_acknowledged_comes_again_and_then_is_given_up(shop: Shop) -> None:
    shop.control("PUT", "faults", {"notify_retry_s": [0.05, 0.2]})
    shop.listener.answer = (500, b"no")
    number = shop.paid()
    shown = shop.once(number, lambda shown: bool(shown["status"] == "given_up"))
    assert (shown["tries"], shown["last_answer"], shown["next_at"]) == (3, "500 no", None)
    first, second, third = shop.listener.heard
    assert second.at_s - first.at_s >= 0.05
    assert third.at_s - second.at_s >= 0.2


def test_what_waits_for_its_next_try_is_not_due(shop: Shop) -> None:
    shop.control("PUT", "faults", {"notify_retry_s": [600]})
    shop.listener.answer = (500, b"no")
    number = shop.paid()
    shop.once(number, lambda shown: shown["tries"] == 1 and shown["next_at"] is not None)
    assert shop.control("GET", "health")[1]["notifications"] == {"waiting": 1, "due": 0}


def test_a_redirect_a_refused_connection_and_an_endless_answer_are_failures(shop: Shop) -> None:
    shop.control("PUT", "faults", {"notify_retry_s": []})
    shop.listener.answers = [(302, b""), (500, b"x" * 100_000)]
    redirected, wordy = shop.paid(), shop.paid()
    for number in (redirected, wordy):
        shown = shop.once(number, lambda shown: bool(shown["tries"] == 1))
        assert (shown["status"], len(shown["last_answer"]) <= 204) == ("given_up", True)
    nowhere = shop.till.order_no()
    code = shop.till.native(nowhere, 100, notify_url=f"http://127.0.0.1:{free_port()}/x").fields["code_url"]
    shop.scan(code)
    assert shop.once(nowhere, lambda shown: bool(shown["tries"] == 1))["last_answer"] == "ConnectError"


def test_a_merchant_that_takes_longer_than_five_seconds_has_not_answered(
    provisioned: Provision, tmp_path: Path, listener: Listener
) -> None:
    config = json.loads(provisioned.simulators["wechat"].read_text("utf-8"))
    path = tmp_path / "wechat.json"
    path.write_text(json.dumps(config | {"settings": {"notify_timeout_s": 0.2, "notify_retry_s": []}}), "utf-8")
    simulator = Simulator("wechat", path, tmp_path / "books.sqlite", f"http://127.0.0.1:{free_port()}")
    simulator.start()
    try:
        settings = next(seed.settings for seed in provisioned.accounts if seed.id == "wechat_direct")
        shop = Shop(WechatTill(settings, http_wire(simulator)), simulator, listener)
        listener.answer_after_s = 1
        started = time.monotonic()
        number = shop.paid()
        assert shop.once(number, lambda shown: bool(shown["tries"] == 1))["last_answer"] == "timeout"
        assert time.monotonic() - started < 1
        assert shop.till.query(number).state == "captured"
    finally:
        simulator.stop()
        simulator.client.close()


def test_serving_goes_on_while_the_merchant_is_silent(shop: Shop) -> None:
    shop.listener.answer_after_s = 2
    for _ in range(5):
        shop.paid()
    started = time.monotonic()
    assert shop.till.pay(shop.till.order_no(), 100, shop.till.code()).state == "captured"
    assert time.monotonic() - started < 1


def test_a_killed_simulator_goes_on_telling(mortal: Shop) -> None:
    mortal.control("PUT", "faults", {"notify_retry_s": [600]})
    mortal.listener.answer = (503, b"")
    refused = mortal.paid()
    mortal.listener.wait_for(1)
    mortal.once(refused, lambda shown: bool(shown["tries"] == 1))
    later, code = mortal.code()
    mortal.scan(code, after_s=0.5)
    mortal.simulator.stop(signal.SIGKILL)
    mortal.listener.answer = (200, b"")
    time.sleep(0.5)
    mortal.simulator.start()
    assert mortal.acknowledged(later)["tries"] == 1
    [shown] = mortal.notifications(refused)
    assert (shown["status"], shown["tries"], shown["next_at"] is not None) == ("waiting", 1, True)
    assert mortal.resend(refused)[0]["acknowledged"]
    assert mortal.notifications(refused)[0]["status"] == "acknowledged"


def test_a_duplicate_comes_as_often_as_it_is_told_to_at_once(shop: Shop) -> None:
    shop.listener.answer_after_s = 0.5
    shop.simulator.set_faults({"kind": "notify", "effect": "duplicate", "copies": 20})
    number = shop.paid()
    heard = shop.listener.wait_for(20)
    assert heard[-1].at_s - heard[0].at_s < 0.5  # all before the first was answered
    assert len({json.loads(one.body)["id"] for one in heard}) == 1
    assert shop.acknowledged(number)["tries"] == 1


def test_a_dropped_one_comes_only_by_hand(shop: Shop) -> None:
    shop.simulator.set_faults({"kind": "notify", "effect": "drop"})
    number = shop.paid()
    shop.once(number, lambda shown: bool(shown["status"] == "dropped"))
    assert shop.listener.heard == []
    assert shop.resend(number) == [{"status": 200, "answer": "success", "acknowledged": True}]
    assert shop.notifications(number)[0]["status"] == "acknowledged"


def test_a_late_one_comes_later(shop: Shop) -> None:
    shop.simulator.set_faults({"kind": "notify", "effect": "delay", "after_s": 0.4, "of": ["payment"]})
    started = time.monotonic()
    shop.paid()
    [heard] = shop.listener.wait_for(1)
    assert heard.at_s - started >= 0.4


def test_a_forged_one_goes_ahead_of_the_true_one(shop: Shop) -> None:
    shop.simulator.set_faults({"kind": "notify", "effect": "forged"})
    number = shop.paid()
    forged, true = shop.listener.wait_for(2)
    assert shop.till.read(raw_of(forged)).seal == "bad"
    assert shop.till.read(raw_of(true)).seal == "good"
    assert shop.acknowledged(number)["tries"] == 1


def raw_of(heard: Heard) -> Raw:
    return Raw(200, heard.headers, heard.body)


def test_a_refund_can_be_told_before_its_payment(shop: Shop) -> None:
    shop.simulator.set_faults({"kind": "notify", "effect": "reorder", "of": ["payment"], "after_s": 30})
    number = shop.paid()
    shop.till.refund(number, f"{number}F01", 40, 100, notify_url=shop.listener.url())
    assert [event_of(heard) for heard in shop.listener.wait_for(2)] == ["REFUND.SUCCESS", "TRANSACTION.SUCCESS"]


def test_one_that_is_held_back_for_nothing_goes_after_a_while(shop: Shop) -> None:
    shop.simulator.set_faults({"kind": "notify", "effect": "reorder", "after_s": 0.3})
    number = shop.paid()
    assert shop.acknowledged(number)["tries"] == 1


def test_it_can_come_before_the_answer_of_the_call_that_caused_it(shop: Shop) -> None:
    number = shop.paid()
    shop.acknowledged(number)
    shop.simulator.set_faults({"kind": "notify", "effect": "before_answer", "order_nos": [number]})
    shop.listener.answer_after_s = 0.2
    answer = shop.till.refund(number, f"{number}F01", 40, 100, notify_url=shop.listener.url())
    assert [event_of(heard) for heard in shop.listener.heard] == ["TRANSACTION.SUCCESS", "REFUND.SUCCESS"]
    assert answer.state == "accepted"
    other, code = shop.code()
    shop.simulator.set_faults({"kind": "notify", "effect": "before_answer"})
    shop.scan(code)
    assert shop.notifications(other)[0]["status"] == "acknowledged"


def test_a_page_that_pays_can_be_answered_after_its_merchant_was_told(shop: Shop) -> None:
    number, openid = shop.till.order_no(), f"oSim{payer_named('alice')}"
    opened = shop.till.jsapi(number, 100, openid, notify_url=shop.listener.url())
    shop.simulator.set_faults({"kind": "notify", "effect": "before_answer"})
    shop.listener.answer_after_s = 0.2
    paid = shop.control("POST", "bridge/pay", shop.till.call_up(opened.fields["prepay_id"]))
    assert paid[1]["status"] == "captured"
    assert shop.notifications(number)[0]["status"] == "acknowledged"


def test_rules_name_orders_or_refunds_and_count_what_they_did(shop: Shop) -> None:
    first, code = shop.code()
    shop.simulator.set_faults({"kind": "notify", "effect": "drop", "order_nos": [first], "times": 1})
    second = shop.paid()
    shop.scan(code)
    shop.once(first, lambda shown: bool(shown["status"] == "dropped"))
    assert shop.acknowledged(second)["tries"] == 1
    [rule] = shop.control("GET", "faults")[1]["rules"]
    assert (rule["seen"], rule["struck"]) == (1, 1)


def test_it_is_sent_again_by_hand_as_often_and_as_wrong_as_wanted(shop: Shop) -> None:
    number = shop.paid()
    shop.acknowledged(number)
    assert len(shop.resend(number, times=30, at_once=True)) == 30
    assert len(shop.listener.wait_for(31)) == 31
    shop.listener.answer = (401, b"who are you")
    for order in ({"tamper": "signature"}, {"signtest": True}, {"age_s": 600}, {"tamper": "amount"}):
        [answer] = shop.resend(number, **order)
        assert answer == {"status": 401, "answer": "who are you", "acknowledged": False}
    shown = shop.notifications(number)[0]
    assert (shown["status"], shown["tries"]) == ("acknowledged", 2)


@pytest.mark.parametrize(
    "order",
    [
        {"times": 0},
        {"times": True},
        {"tamper": "all"},
        {"age_s": -1},
        {"at_once": 1},
        {"unknown": 1},
        [],
        {"age_s": "1"},
    ],
)
def test_a_resend_that_cannot_be_read_sends_nothing(shop: Shop, order: object) -> None:
    number = shop.paid()
    shop.acknowledged(number)
    notification = shop.notifications(number)[0]
    status, answer = shop.control("POST", f"notifications/{notification['id']}/resend", order)
    assert (status, "error" in answer) == (400, True)
    assert len(shop.listener.heard) == 1
    assert shop.control("POST", f"notifications/{'0' * 32}/resend", {})[0] == 404


def test_notifications_are_listed_page_by_page(shop: Shop) -> None:
    numbers = [shop.paid() for _ in range(3)]
    for number in numbers:
        shop.acknowledged(number)
    start = shop.notifications(numbers[0])[0]["seq"] - 1
    page = shop.control("GET", f"notifications?after={start}&limit=2")[1]
    assert [shown["order_no"] for shown in page["notifications"]] == numbers[:2]
    assert page["has_more"]
    rest = shop.control("GET", f"notifications?after={page['next']}&limit=2")[1]
    assert ([shown["order_no"] for shown in rest["notifications"]], rest["has_more"]) == (numbers[2:], False)


def test_a_scan_says_what_came_of_it(shop: Shop) -> None:
    number, code = shop.code()
    assert shop.scan(code, action="scan", payer="alice") == (200, {"order_no": number, "status": "open", "amount": 100})
    assert shop.scan(code, action="decline")[1]["status"] == "open"
    assert shop.scan(code, payer="bob") == (200, {"order_no": number, "status": "captured", "amount": 100})
    assert shop.scan(code) == (409, {"error": "paid", "detail": "paid"})
    assert shop.scan("weixin://wxpay/bizpayurl?pr=none")[0] == 404
    trade = shop.simulator.trade(number)
    assert (trade["method"], trade["status"], trade["notify_url"]) == ("code", "captured", shop.listener.url())


def test_an_unpaid_code_stands_in_the_books_for_whoever_audits_them(shop: Shop) -> None:
    number, _ = shop.code(time_expire="2036-11-22T11:00:00+08:00")
    trade = shop.simulator.trade(number)
    assert (trade["status"], trade["captured_at"], trade["amount"]) == ("open", None, 100)
    assert trade["pay_until"] == "2036-11-22T03:00:00.000Z"
    shop.till.close(number)
    assert shop.simulator.trade(number)["status"] == "closed"


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"qr_code": 1},
        {"qr_code": "x", "action": "steal"},
        {"qr_code": "x", "after_s": -1},
        {"qr_code": "x", "payer": 1},
    ],
)
def test_a_scan_that_cannot_be_read_is_refused(shop: Shop, order: object) -> None:
    assert shop.control("POST", "scan", order)[0] == 400


def test_a_declined_customer_and_one_with_a_pin(shop: Shop) -> None:
    number, code = shop.code()
    shop.simulator.set_faults({"kind": "decline", "code": "RULE_LIMIT", "calls": ["scan"], "times": 1},
                              {"kind": "ask_pin", "answer_after_s": 0.2, "calls": ["scan"]})  # fmt: skip
    assert shop.scan(code) == (409, {"error": "declined", "detail": "RULE_LIMIT"})
    assert shop.scan(code)[1]["status"] == "open"
    assert shop.acknowledged(number)["tries"] == 1
    assert shop.till.query(number).state == "captured"


@pytest.mark.parametrize(
    "plan",
    [
        {"rules": [{"kind": "notify"}]},
        {"rules": [{"kind": "notify", "effect": "burn"}]},
        {"rules": [{"kind": "notify", "effect": "duplicate", "copies": 0}]},
        {"rules": [{"kind": "notify", "effect": "delay", "after_s": 601}]},
        {"rules": [{"kind": "notify", "effect": "drop", "of": ["nothing"]}]},
        {"rules": [{"kind": "notify", "effect": "drop", "of": []}]},
        {"rules": [{"kind": "notify", "effect": "forged", "tamper": "x"}]},
        {"rules": [{"kind": "notify", "effect": "drop", "calls": ["pay"]}]},
        {"rules": [{"kind": "refund_ends", "as": "lost"}]},
        {"rules": [{"kind": "refund_ends", "calls": ["pay"]}]},
        {"rules": [{"kind": "outage", "calls": ["scan"]}]},
        {"rules": [{"kind": "late_order", "calls": ["scan"]}]},
        {"notify_retry_s": 5},
        {"notify_retry_s": [-1]},
    ],
)
def test_a_plan_for_notifications_that_cannot_be_read_is_refused(plan: dict[str, object]) -> None:
    with pytest.raises(FaultError):
        read_plan(plan)
