"""What the channels let happen with time: windows of reversal and refund, late orders, trades nobody pays."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing.simulators.provision import Provision
from tests.unit.simulators.in_process import Lost, bench_of
from tests.unit.simulators.unionpay_till import UnionpayTill

ACCOUNTS = ["wechat_direct", "alipay_direct", "unionpay_direct"]
DAY_S = 86_400


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_magic_code_9007_appears_captured_twenty_seconds_later(
    account: str, provisioned: Provision, tmp_path: Path
) -> None:
    with bench_of(account, provisioned, tmp_path) as bench:
        number = bench.till.order_no()
        with pytest.raises(Lost):
            bench.till.pay(number, 100, bench.till.code("9007"))
        bench.pass_time(19.9)
        assert bench.till.query(number).state == "not_found"
        assert bench.till.reverse(number).state == "not_found"
        assert list(bench.books.trades(0, 10)) == []
        bench.pass_time(0.2)
        assert [trade.status for trade in bench.books.trades(0, 10)] == ["captured"]
        assert bench.till.query(number).state == "captured"


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_magic_code_9015_never_appears(account: str, provisioned: Provision, tmp_path: Path) -> None:
    with bench_of(account, provisioned, tmp_path) as bench:
        number = bench.till.order_no()
        with pytest.raises(Lost):
            bench.till.pay(number, 100, bench.till.code("9015"))
        bench.pass_time(DAY_S)
        assert bench.till.query(number).state == "not_found"


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_late_order_that_is_sent_again_is_charged_once(
    account: str, provisioned: Provision, tmp_path: Path
) -> None:
    with bench_of(account, provisioned, tmp_path) as bench:
        number, code = bench.till.order_no(), bench.till.code("9007")
        with pytest.raises(Lost):
            bench.till.pay(number, 100, code)
        with pytest.raises(Lost):
            bench.till.pay(number, 100, code)
        bench.pass_time(60)
        assert [(trade.order_no, trade.status) for trade in bench.books.trades(0, 10)] == [(number, "captured")]


async def test_wechat_takes_one_refund_a_minute_and_fifty_in_all(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("wechat_direct", provisioned, tmp_path) as bench:
        number = bench.till.order_no()
        bench.till.pay(number, 1_000, bench.till.code())
        assert bench.till.refund(number, f"{number}R0", 1, 1_000).state == "accepted"
        bench.pass_time(59)
        assert bench.till.refund(number, f"{number}R1", 1, 1_000).code == "FREQUENCY_LIMITED"
        assert bench.till.refund(number, f"{number}R0", 1, 1_000).state in {"accepted", "succeeded"}
        for count in range(1, 50):
            bench.pass_time(61)
            assert bench.till.refund(number, f"{number}R{count}", 1, 1_000).state == "accepted"
        bench.pass_time(61)
        assert bench.till.refund(number, f"{number}R50", 1, 1_000).code == "RULE_LIMIT"
        assert [trade.refunded_fen for trade in bench.books.trades(0, 10)] == [50]


async def test_wechat_refunds_are_processing_first(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("wechat_direct", provisioned, tmp_path) as bench:
        number = bench.till.order_no()
        bench.till.pay(number, 1_000, bench.till.code())
        assert bench.till.refund(number, f"{number}R", 1, 1_000).fields["status"] == "PROCESSING"
        bench.pass_time(1)
        assert bench.till.query_refund(number, f"{number}R").fields["status"] == "SUCCESS"
        assert bench.till.query(number).fields["trade_state"] == "REFUND"


async def test_a_wechat_reversal_within_fifteen_seconds_is_flagged(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("wechat_direct", provisioned, tmp_path) as bench:
        early, late = bench.till.order_no(), bench.till.order_no()
        for number in (early, late):
            bench.till.pay(number, 100, bench.till.code())
        bench.pass_time(14)
        assert bench.till.reverse(early).state == "accepted"
        bench.pass_time(2)
        assert bench.till.reverse(late).state == "accepted"
        flags = {trade.order_no: trade.early_reversal for trade in bench.books.trades(0, 10)}
        assert flags == {early: 1, late: 0}


async def test_a_wechat_reversal_within_fifteen_seconds_can_be_refused(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("wechat_direct", provisioned, tmp_path, early_reversal="refuse") as bench:
        number = bench.till.order_no()
        bench.till.pay(number, 100, bench.till.code())
        bench.pass_time(14)
        assert bench.till.reverse(number).code == "INVALID_REQUEST"
        assert bench.till.query(number).state == "captured"
        bench.pass_time(2)
        assert bench.till.reverse(number).state == "accepted"


async def test_wechat_reverses_for_seven_days_and_never_after_a_refund(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("wechat_direct", provisioned, tmp_path) as bench:
        old, refunded = bench.till.order_no(), bench.till.order_no()
        for number in (old, refunded):
            bench.till.pay(number, 100, bench.till.code())
        bench.till.refund(refunded, f"{refunded}R", 10, 100)
        bench.pass_time(20)
        assert bench.till.reverse(refunded).code == "TRADE_ERROR"
        bench.pass_time(7 * DAY_S)
        assert bench.till.reverse(old).code == "TRADE_ERROR"


async def test_alipay_wants_three_seconds_between_refunds(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("alipay_direct", provisioned, tmp_path) as bench:
        number = bench.till.order_no()
        bench.till.pay(number, 100, bench.till.code())
        assert bench.till.refund(number, "R1", 10, 100).state == "accepted"
        bench.pass_time(2.5)
        assert bench.till.refund(number, "R2", 10, 100).code == "isv.method-call-limited"
        bench.pass_time(1)
        second = bench.till.refund(number, "R2", 10, 100)
        assert (second.fields["refund_fee"], second.fields["fund_change"]) == ("0.20", "Y")
        again = bench.till.refund(number, "R2", 10, 100)
        assert (again.fields["refund_fee"], again.fields["fund_change"]) == ("0.20", "N")


async def test_an_alipay_trade_that_nobody_pays_is_closed_and_cancels_only_for_a_day(
    provisioned: Provision, tmp_path: Path
) -> None:
    with bench_of("alipay_direct", provisioned, tmp_path) as bench:
        waiting, paid = bench.till.order_no(), bench.till.order_no()
        bench.till.pay(waiting, 100, bench.till.code("9004"))
        bench.till.pay(paid, 100, bench.till.code())
        bench.pass_time(10_799)
        assert bench.till.query(waiting).state == "pending"
        bench.pass_time(2)
        assert bench.till.query(waiting).state == "closed"
        bench.pass_time(DAY_S)
        assert bench.till.reverse(paid).code == "ACQ.TRADE_CANCEL_TIME_OUT"


async def test_unionpay_voids_and_reverses_on_the_same_clearing_day_only(
    provisioned: Provision, tmp_path: Path
) -> None:
    with bench_of("unionpay_direct", provisioned, tmp_path) as bench:
        till = bench.till
        assert isinstance(till, UnionpayTill)
        bench.pass_time(12.9 * 3_600)  # 22:54 in Beijing
        voided, reversed_, too_late = till.order_no(), till.order_no(), till.order_no()
        for number in (voided, reversed_, too_late):
            till.pay(number, 100, till.code())
        bench.pass_time(1)
        assert till.give_back("3100", voided, f"{voided}V", 99).code == "36"
        assert till.give_back("3100", voided, f"{voided}V", 100).state == "accepted"
        assert till.give_back("3100", voided, f"{voided}V", 100).state == "accepted"
        assert till.give_back("3100", voided, f"{voided}W", 100).code == "45"
        assert till.reverse(voided).code == "45"
        assert till.query(voided).state == "captured"  # a void is a transaction of its own
        assert till.reverse(reversed_).state == "accepted"
        assert till.query(reversed_).fields["origRespCode"] == "45"
        bench.pass_time(600)  # 23:04: the next clearing day
        assert till.give_back("3100", too_late, f"{too_late}V", 100).code == "36"
        assert till.reverse(too_late).code == "36"
        assert till.refund(too_late, f"{too_late}R", 100, 100).state == "accepted"
        found = {trade.order_no: (trade.status, trade.refunded_fen, trade.reason) for trade in bench.books.trades(0, 9)}
        assert found == {
            voided: ("reversed", 100, "void"),
            reversed_: ("reversed", 100, "reversal"),
            too_late: ("refunded", 100, None),
        }


async def test_unionpay_accepts_first_and_decides_a_moment_later(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("unionpay_direct", provisioned, tmp_path) as bench:
        number, poor = bench.till.order_no(), bench.till.order_no()
        assert bench.till.pay(number, 100, bench.till.code()).code == "00"
        assert bench.till.pay(poor, 100, bench.till.code("9001")).code == "00"
        assert bench.till.query(number).fields["origRespCode"] == "05"
        bench.pass_time(0.1)
        assert bench.till.query(number).fields["origRespCode"] == "00"
        assert bench.till.query(poor).fields["origRespCode"] == "64"
