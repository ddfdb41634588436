"""Alipay orders that the customer pays later: codes on display and pages, from ordering to their end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from routing.simulators.provision import Provision
from routing.simulators.wallet import Action, WalletRefused, payer_named
from tests.unit.simulators.alipay_till import AlipayTill
from tests.unit.simulators.in_process import Bench, bench_of

BUYER = "2088102169481075"
HOUR_S = 3_600


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> Iterator[Bench]:
    with bench_of("alipay_direct", provisioned, tmp_path) as made:
        yield made


@pytest.fixture
def till(bench: Bench) -> AlipayTill:
    assert isinstance(bench.till, AlipayTill)
    return bench.till


def code_for(till: AlipayTill, number: str, **more: str) -> str:
    answer = till.precreate(number, 1280, **more)
    assert (answer.seal, answer.fields["code"], answer.fields["out_trade_no"]) == ("good", "10000", number)
    return str(answer.fields["qr_code"])


def why_refused(bench: Bench, handle: str, action: Action = Action.PAY) -> str:
    with pytest.raises(WalletRefused) as refused:
        bench.wallet.scan(handle, action)
    return refused.value.reason


async def test_there_is_no_trade_before_somebody_scans_the_code(bench: Bench, till: AlipayTill) -> None:
    number = till.order_no()
    code = code_for(till, number)
    assert code.startswith("https://qr.alipay.com/")
    assert till.query(number).state == "not_found"
    assert till.call("alipay.trade.close", {"out_trade_no": number}).state == "not_found"
    assert till.refund(number, "R1", 1280, 1280).state == "not_found"
    cancelled = till.reverse(number)
    assert (cancelled.state, cancelled.fields["retry_flag"], "action" in cancelled.fields) == ("not_found", "N", False)
    bench.wallet.scan(code, Action.SCAN)
    found = till.query(number)
    assert (found.state, found.amount, "send_pay_date" in found.fields) == ("pending", 1280, False)


async def test_a_scanned_code_is_paid_by_whoever_scans_it(bench: Bench, till: AlipayTill) -> None:
    number = till.order_no()
    code = code_for(till, number, store_id="s-1")
    bench.wallet.scan(code, Action.PAY, payer_named("alice"))
    found = till.query(number)
    assert (found.state, found.amount, found.fields["store_id"]) == ("captured", 1280, "s-1")
    assert "subject" not in found.fields
    other = till.order_no()
    bench.wallet.scan(code_for(till, other), Action.PAY, payer_named("alice"))
    for name in ("buyer_user_id", "buyer_open_id", "buyer_logon_id"):
        assert till.query(other).fields[name] == found.fields[name]
    assert why_refused(bench, code) == "paid"


async def test_the_same_order_again_has_the_same_code_and_another_is_inconsistent(till: AlipayTill) -> None:
    number = till.order_no()
    code = code_for(till, number)
    assert code_for(till, number) == code
    for content in (till.order(number, 1281), till.order(number, 1280) | {"subject": "拿铁"}):
        assert till.call("alipay.trade.precreate", content).code == "ACQ.CONTEXT_INCONSISTENT"
    assert till.create(number, 1280, BUYER).code == "ACQ.CONTEXT_INCONSISTENT"
    assert till.pay(number, 1280, till.code(), description="豆浆油条").code == "ACQ.CONTEXT_INCONSISTENT"
    paid_by_bar_code = till.order_no()
    till.pay(paid_by_bar_code, 1280, till.code(), description="豆浆油条")
    assert till.precreate(paid_by_bar_code, 1280).code == "ACQ.CONTEXT_INCONSISTENT"


async def test_an_order_that_is_over_has_no_code_any_more(bench: Bench, till: AlipayTill) -> None:
    paid, closed = till.order_no(), till.order_no()
    bench.wallet.scan(code_for(till, paid), Action.PAY)
    code = code_for(till, closed)
    bench.wallet.scan(code, Action.SCAN)
    assert till.call("alipay.trade.close", {"out_trade_no": closed}).fields["trade_no"]
    assert till.precreate(paid, 1280).code == "ACQ.TRADE_HAS_SUCCESS"
    assert till.precreate(closed, 1280).code == "ACQ.TRADE_HAS_CLOSE"
    assert why_refused(bench, code) == "closed"


async def test_nobody_pays_after_time_expire(bench: Bench, till: AlipayTill) -> None:
    scanned, unscanned = till.order_no(), till.order_no()
    limits = {"time_expire": "2026-11-22 10:05:00", "timeout_express": "90m"}
    codes = [code_for(till, number, **limits) for number in (scanned, unscanned)]
    bench.wallet.scan(codes[0], Action.SCAN)
    bench.pass_time(299)
    assert till.query(scanned).state == "pending"
    bench.pass_time(1)
    assert [why_refused(bench, code) for code in codes] == ["closed", "closed"]
    found = till.query(scanned)
    assert (found.state, found.fields["trade_status"]) == ("closed", "TRADE_CLOSED")
    assert till.query(unscanned).state == "not_found"


async def test_timeout_express_counts_from_the_order(bench: Bench, till: AlipayTill) -> None:
    code = code_for(till, till.order_no(), timeout_express="5m")
    bench.pass_time(299)
    bench.wallet.scan(code, Action.SCAN)
    bench.pass_time(1)
    assert why_refused(bench, code) == "closed"


async def test_a_code_is_good_for_two_hours_at_most(bench: Bench, till: AlipayTill) -> None:
    code = code_for(till, till.order_no(), time_expire="2026-11-22 18:00:00")
    bench.pass_time(2 * HOUR_S - 1)
    bench.wallet.scan(code, Action.SCAN)
    bench.pass_time(1)
    assert why_refused(bench, code) == "expired"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time_expire", "2026-11-22 09:59:59"),
        ("time_expire", "2026-11-22T10:30:00"),
        ("time_expire", 5),
        ("timeout_express", "soon"),
        ("product_code", "QUICK_MSECURITY_PAY"),
        ("out_trade_no", "has-a-dash"),
        ("total_amount", "0.00"),
        ("subject", "a=b"),
        ("seller_id", "2088000000000000"),
    ],
)
async def test_an_order_that_breaks_the_rules_is_refused(till: AlipayTill, name: str, value: object) -> None:
    for method, more in (("precreate", {}), ("create", {"buyer_id": BUYER})):
        content = till.order(till.order_no(), 1280) | more | {name: value}
        answer = till.call(f"alipay.trade.{method}", content)
        assert (answer.code, answer.seal) == ("ACQ.INVALID_PARAMETER", "good")


async def test_an_address_for_notifications_has_an_end(till: AlipayTill) -> None:
    assert till.precreate(till.order_no(), 100, f"http://127.0.0.1/{'x' * 240}").code == "ACQ.INVALID_PARAMETER"


async def test_a_page_order_waits_for_its_buyer_from_the_start(bench: Bench, till: AlipayTill) -> None:
    number = till.order_no()
    created = till.create(number, 1280, BUYER)
    assert (created.seal, len(created.fields["trade_no"])) == ("good", 28)
    waiting = till.query(number)
    assert (waiting.state, waiting.fields["buyer_user_id"], waiting.amount) == ("pending", BUYER, 1280)
    assert till.create(number, 1280, BUYER).fields["trade_no"] == created.fields["trade_no"]
    assert till.create(number, 1280, "2088102169481076").code == "ACQ.CONTEXT_INCONSISTENT"
    assert till.create(number, 1281, BUYER).code == "ACQ.CONTEXT_INCONSISTENT"
    bench.wallet.scan(created.fields["trade_no"], Action.PAY, payer_named("somebody else"))
    paid = till.query(number)
    assert (paid.state, paid.fields["buyer_user_id"], paid.fields["trade_no"]) == (
        "captured", BUYER, created.fields["trade_no"],
    )  # fmt: skip
    assert till.create(number, 1280, BUYER).code == "ACQ.TRADE_HAS_SUCCESS"


async def test_a_buyer_is_named_by_either_id(till: AlipayTill) -> None:
    number = till.order_no()
    till.create(number, 1280, BUYER)
    open_id = till.query(number).fields["buyer_open_id"]
    again = till.call("alipay.trade.create", till.order(number, 1280, buyer_open_id=open_id))
    assert again.fields["out_trade_no"] == number
    for nobody in ({}, {"buyer_id": "alice"}, {"buyer_id": BUYER[:-1]}, {"buyer_open_id": BUYER}, {"buyer_id": 2088}):
        refused = till.call("alipay.trade.create", till.order(till.order_no(), 1280) | nobody)
        assert refused.code == "ACQ.INVALID_PARAMETER"


async def test_an_unpaid_page_order_is_closed_by_its_time(bench: Bench, till: AlipayTill) -> None:
    number = till.order_no()
    trade_no = till.create(number, 1280, BUYER, timeout_express="1m").fields["trade_no"]
    bench.pass_time(60)
    assert till.query(number).state == "closed"
    assert why_refused(bench, trade_no) == "closed"
    assert till.create(number, 1280, BUYER).code == "ACQ.TRADE_HAS_CLOSE"


async def test_cancelling_closes_what_is_unpaid_and_gives_back_what_was_paid(bench: Bench, till: AlipayTill) -> None:
    scanned, paid = till.order_no(), till.order_no()
    codes = [code_for(till, number) for number in (scanned, paid)]
    bench.wallet.scan(codes[0], Action.SCAN)
    bench.wallet.scan(codes[1], Action.PAY)
    assert [till.reverse(number).fields["action"] for number in (scanned, paid)] == ["close", "refund"]
    assert [why_refused(bench, code) for code in codes] == ["closed", "closed"]
    assert [till.query(number).fields["trade_status"] for number in (scanned, paid)] == ["TRADE_CLOSED"] * 2
    assert [trade.refunded_fen for trade in bench.books.trades(0, 10)] == [0, 1280]


async def test_a_payment_that_was_under_way_is_stopped_by_closing(bench: Bench, till: AlipayTill) -> None:
    number = till.order_no()
    code = code_for(till, number)
    bench.wallet.scan(code, Action.PAY, after_s=10)
    assert till.query(number).state == "pending"
    assert till.call("alipay.trade.close", {"out_trade_no": number}).fields["code"] == "10000"
    bench.pass_time(20)
    assert till.query(number).state == "closed"


async def test_partial_refunds_leave_a_success_and_the_last_one_closes(bench: Bench, till: AlipayTill) -> None:
    number = till.order_no()
    bench.wallet.scan(code_for(till, number), Action.PAY)
    assert till.refund(number, "R1", 1000, 1280).fields["refund_fee"] == "10.00"
    assert till.query(number).fields["trade_status"] == "TRADE_SUCCESS"
    bench.pass_time(4)
    assert till.refund(number, "R2", 280, 1280).fields["refund_fee"] == "12.80"
    assert till.query(number).fields["trade_status"] == "TRADE_CLOSED"
    assert till.call("alipay.trade.close", {"out_trade_no": number}).code == "ACQ.REASON_TRADE_STATUS_INVALID"


async def test_requests_under_the_next_keys_are_answered_with_them(provisioned: Provision, bench: Bench) -> None:
    seed = next(seed for seed in provisioned.rotated if seed.id == "alipay_direct")
    rotated = AlipayTill(seed.settings, bench.till.wire, bench.till.now_s)
    number = rotated.order_no()
    assert (rotated.precreate(number, 100).seal, bench.till.query(number).seal) == ("good", "good")
    mixed = AlipayTill(
        seed.settings | {"alipay_public_key_pem": bench.till.settings["alipay_public_key_pem"]},
        bench.till.wire,
        bench.till.now_s,
    )
    assert mixed.query(number).seal == "bad"
