"""WeChat's orders on display and in pages: made again, expired, paid, closed, refunded, and what each state answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.kernel.clock import BEIJING
from routing.simulators.provision import Provision
from routing.simulators.wallet import Action, WalletRefused, payer_named
from tests.unit.simulators.in_process import Bench, bench_of
from tests.unit.simulators.till import Answer
from tests.unit.simulators.wechat_till import WechatTill

HOUR_S = 3_600
OPENID = "oSim" + payer_named("alice")


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> AsyncIterator[Bench]:
    with bench_of("wechat_direct", provisioned, tmp_path) as found:
        yield found


def till_of(bench: Bench) -> WechatTill:
    assert isinstance(bench.till, WechatTill)
    return bench.till


def moment(bench: Bench, seconds: float) -> str:
    at = datetime.fromtimestamp(bench.now_ms / 1_000, BEIJING) + timedelta(seconds=seconds)
    return at.isoformat(timespec="seconds")


def code_of(answer: Answer) -> str:
    assert (answer.raw.status, answer.seal) == (200, "good"), answer
    url = answer.fields["code_url"]
    assert url.startswith("weixin://wxpay/bizpayurl?pr=")
    return str(url)


async def test_a_code_is_unpaid_until_it_is_scanned_and_then_names_its_payer(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    code = code_of(till.native(number, 2_599, attach="table 7"))
    unpaid = till.query(number)
    assert (unpaid.fields["trade_state"], unpaid.fields["trade_type"], unpaid.amount) == ("NOTPAY", "NATIVE", 2_599)
    assert not unpaid.fields.keys() & {"transaction_id", "payer", "success_time"}

    trade = bench.wallet.scan(code, Action.PAY, payer_named("alice"))
    assert (trade.order_no, trade.status) == (number, "captured")
    paid = till.query(number)
    assert (paid.state, paid.fields["payer"]["openid"], paid.fields["attach"]) == ("captured", OPENID, "table 7")
    target = f"/v3/pay/transactions/id/{paid.fields['transaction_id']}?mchid={till.settings['mchid']}"
    assert till.call("GET", target).fields["out_trade_no"] == number


async def test_the_same_order_again_gives_a_fresh_code_and_the_old_one_is_nothing(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    first, second = code_of(till.native(number, 100)), code_of(till.native(number, 100))
    assert first != second
    with pytest.raises(WalletRefused) as refused:
        bench.wallet.open(first)
    assert refused.value.reason == "unknown"
    assert bench.wallet.open(second).order_no == number
    assert len(list(bench.books.trades(0, 10))) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"amount": {"total": 101, "currency": "CNY"}},
        {"description": "茶"},
        {"attach": "x"},
        {"notify_url": "http://127.0.0.1:9/other"},
        {"time_expire": "2026-11-22T11:00:00+08:00"},
    ],
)
async def test_the_same_number_with_other_parameters_is_refused(bench: Bench, change: dict[str, Any]) -> None:
    till, number = till_of(bench), bench.till.order_no()
    code = code_of(till.native(number, 100))
    again = till.native(number, 100, **change)
    assert (again.raw.status, again.code) == (403, "OUT_TRADE_NO_USED")
    assert again.raw.headers["request-id"].endswith("-268498688")
    assert bench.wallet.open(code).amount_fen == 100


async def test_a_number_of_another_kind_of_order_is_used_up(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    till.pay(number, 100, till.code())
    assert till.native(number, 100).code == "OUT_TRADE_NO_USED"
    assert till.jsapi(number, 100, OPENID).code == "OUT_TRADE_NO_USED"
    shown = till.order_no()
    till.native(shown, 100)
    assert till.jsapi(shown, 100, OPENID).code == "OUT_TRADE_NO_USED"
    assert till.pay(shown, 100, till.code()).code == "OUT_TRADE_NO_USED"


async def test_what_is_paid_or_closed_is_not_made_again(bench: Bench) -> None:
    till, paid, closed = till_of(bench), bench.till.order_no(), bench.till.order_no()
    bench.wallet.scan(code_of(till.native(paid, 100)), Action.PAY)
    code_of(till.native(closed, 100))
    till.close(closed)
    assert (till.native(paid, 100).code, till.native(closed, 100).code) == ("ORDER_PAID", "ORDER_CLOSED")


async def test_after_time_expire_it_stays_unpaid_and_nobody_can_pay_it(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    expire = moment(bench, 300)
    code = code_of(till.native(number, 100, time_expire=expire))
    bench.pass_time(299)
    assert bench.wallet.open(code).order_no == number
    bench.pass_time(1)
    with pytest.raises(WalletRefused) as refused:
        bench.wallet.scan(code, Action.PAY)
    assert (refused.value.reason, till.query(number).state) == ("expired", "open")
    again = till.native(number, 100, time_expire=expire)
    assert again.code in {"ORDER_CLOSED", "PARAM_ERROR"}
    assert till.close(number).raw.status == 204
    assert till.query(number).state == "closed"


async def test_less_than_a_minute_is_raised_to_a_minute_and_the_past_refused(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    code = code_of(till.native(number, 100, time_expire=moment(bench, 5)))
    bench.pass_time(59)
    assert bench.wallet.open(code).order_no == number
    bench.pass_time(1)
    with pytest.raises(WalletRefused):
        bench.wallet.open(code)
    past = till.native(till.order_no(), 100, time_expire=moment(bench, -5))
    assert (past.code, past.fields["detail"]["field"]) == ("PARAM_ERROR", "/time_expire")


async def test_a_code_is_good_for_two_hours_and_an_order_for_seven_days(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    code = code_of(till.native(number, 100))
    bench.pass_time(2 * HOUR_S)
    with pytest.raises(WalletRefused) as refused:
        bench.wallet.open(code)
    assert refused.value.reason == "expired"
    assert bench.wallet.open(code_of(till.native(number, 100))).order_no == number
    bench.pass_time(7 * 24 * HOUR_S)
    assert till.query(number).state == "closed"
    assert [trade.status for trade in bench.books.trades(0, 10)] == ["closed"]


async def test_closing_is_an_empty_signed_204_and_repeatable(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    code = code_of(till.native(number, 100))
    for _ in range(2):
        closed = till.close(number)
        assert (closed.raw.status, closed.raw.body, closed.seal) == (204, b"", "good")
    with pytest.raises(WalletRefused) as refused:
        bench.wallet.scan(code, Action.PAY)
    assert (refused.value.reason, till.query(number).state) == ("closed", "closed")


async def test_what_was_paid_is_not_closed_and_what_is_not_a_bar_code_is_not_reversed(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    bench.wallet.scan(code_of(till.native(number, 100)), Action.PAY)
    closed = till.close(number)
    assert (closed.raw.status, closed.code) == (400, "ORDER_PAID")
    assert (till.reverse(number).code, till.query(number).state) == ("INVALID_REQUEST", "captured")


async def test_a_close_overtakes_a_customer_who_is_still_typing(bench: Bench) -> None:
    till, closed, paid = till_of(bench), bench.till.order_no(), bench.till.order_no()
    for number in (closed, paid):
        bench.wallet.scan(code_of(till.native(number, 100)), Action.PAY, after_s=20)
    assert till.query(closed).state == "open"
    assert till.close(closed).raw.status == 204
    bench.pass_time(20)
    assert (till.query(closed).state, till.query(paid).state) == ("closed", "captured")


async def test_a_page_order_is_its_payers_alone(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    opened = till.jsapi(number, 100, OPENID)
    prepay_id = opened.fields["prepay_id"]
    assert (opened.seal, prepay_id[:2], len(prepay_id)) == ("good", "wx", 36)
    bench.wallet.scan(prepay_id, Action.PAY, payer_named("mallory"))
    paid = till.query(number)
    assert (paid.fields["trade_type"], paid.fields["payer"]["openid"]) == ("JSAPI", OPENID)
    stranger = till.jsapi(till.order_no(), 100, "oReal0000")
    assert (stranger.code, stranger.fields["detail"]["field"]) == ("PARAM_ERROR", "/payer/openid")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mchid", "1"),
        ("description", None),
        ("out_trade_no", "short"),
        ("notify_url", None),
        ("notify_url", "http://127.0.0.1/x?y=1"),
        ("notify_url", "ftp://127.0.0.1/x"),
        ("notify_url", "http://127.0.0.1/" + "x" * 250),
        ("time_expire", "tomorrow"),
        ("time_expire", "2026-11-22T11:00:00"),
        ("attach", "长" * 129),
        ("amount", {"total": 0}),
    ],
)
async def test_a_field_that_breaks_the_rules_is_named(bench: Bench, name: str, value: object) -> None:
    till, number = till_of(bench), bench.till.order_no()
    refused = till.call("POST", "/v3/pay/transactions/native", till.order(number, 100) | {name: value})
    assert (refused.raw.status, refused.code) == (400, "PARAM_ERROR")
    assert refused.fields["detail"]["field"].startswith(f"/{name}")
    assert till.query(number).state == "not_found"


async def test_a_magic_amount_declines_the_scan_and_leaves_the_order_open(bench: Bench) -> None:
    till, poor, slow = till_of(bench), bench.till.order_no(), bench.till.order_no()
    with pytest.raises(WalletRefused) as refused:
        bench.wallet.scan(code_of(till.native(poor, 9_999_001)), Action.PAY)
    assert (refused.value.reason, str(refused.value)) == ("declined", "insufficient_funds")
    assert till.query(poor).state == "open"
    bench.wallet.scan(code_of(till.native(slow, 9_999_003)), Action.PAY)
    assert till.query(slow).state == "open"
    bench.pass_time(3)
    assert till.query(slow).state == "captured"


async def test_more_can_be_taken_than_was_asked_for_where_a_fault_wants_it(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    bench.holder.set({"kind": "wrong_amount", "delta": 3, "calls": ["scan"]})
    bench.wallet.scan(code_of(till.native(number, 100)), Action.PAY)
    assert till.query(number).amount == 103


async def test_an_order_that_was_scanned_is_refunded_like_any_other(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    bench.wallet.scan(code_of(till.native(number, 100)), Action.PAY)
    assert till.refund(number, f"{number}F01", 40, 100).state == "accepted"
    assert till.query(number).fields["trade_state"] == "REFUND"
