"""UnionPay orders that the customer pays later: codes on display and pages, from ordering to their end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from routing.simulators.provision import Provision
from routing.simulators.unionpay_payers import app_user_id
from routing.simulators.wallet import Action, WalletRefused, payer_named
from tests.unit.simulators.in_process import Bench, bench_of
from tests.unit.simulators.unionpay_till import UnionpayTill

TIMEOUT = "20261122100500"
"""Five minutes after the bench's start."""


@pytest.fixture(params=["unionpay_direct", "unionpay_keyed"])
async def bench(request: pytest.FixtureRequest, provisioned: Provision, tmp_path: Path) -> Iterator[Bench]:
    with bench_of(request.param, provisioned, tmp_path) as made:
        yield made


@pytest.fixture
def till(bench: Bench) -> UnionpayTill:
    assert isinstance(bench.till, UnionpayTill)
    return bench.till


def user_of(till: UnionpayTill, name: str = "alice") -> str:
    return app_user_id(till.settings["mer_id"], payer_named(name))


def why_refused(bench: Bench, handle: str) -> str:
    with pytest.raises(WalletRefused) as refused:
        bench.wallet.scan(handle, Action.PAY)
    return refused.value.reason


async def test_a_code_waits_until_somebody_pays_it(bench: Bench, till: UnionpayTill) -> None:
    number = till.order_no()
    shown = till.show(number, 1280, payTimeout=TIMEOUT, reqReserved="门店1")
    assert (shown.seal, shown.code, shown.fields["reqReserved"]) == ("good", "00", "门店1")
    assert shown.fields["qrCode"].startswith("https://qr.95516.com/")
    waiting = till.query(number)
    assert (waiting.seal, waiting.code, waiting.amount) == ("good", "05", 1280)
    assert "settleAmt" not in waiting.fields
    bench.pass_time(60)
    bench.wallet.scan(shown.fields["qrCode"], Action.SCAN)
    assert till.query(number).code == "05"
    bench.wallet.scan(shown.fields["qrCode"], Action.PAY, payer_named("alice"))
    paid = till.query(number)
    assert (paid.code, paid.amount, paid.fields["settleAmt"]) == ("00", 1280, "1280")
    assert (paid.fields["traceTime"], paid.fields["settleDate"]) == ("1122100100", "1122")
    assert paid.fields["queryId"] == waiting.fields["queryId"]
    assert why_refused(bench, shown.fields["qrCode"]) == "paid"


async def test_after_pay_timeout_nobody_pays_and_the_order_has_failed(bench: Bench, till: UnionpayTill) -> None:
    number = till.order_no()
    code = till.show(number, 1280, payTimeout=TIMEOUT).fields["qrCode"]
    bench.pass_time(299.9)
    assert till.query(number).code == "05"
    bench.pass_time(0.1)
    assert why_refused(bench, code) == "closed"
    failed = till.query(number)
    assert (failed.state, failed.code, failed.fields["origRespMsg"]) == (
        "refused", "01", "交易失败，订单已超时未支付[1000001]",
    )  # fmt: skip


async def test_nothing_else_ends_an_order_that_waits(bench: Bench, till: UnionpayTill) -> None:
    number = till.order_no()
    code = till.show(number, 1280, payTimeout=TIMEOUT).fields["qrCode"]
    assert till.reverse(number).code == "35"
    assert till.give_back("3100", number, till.order_no(), 1280).code == "35"
    assert till.refund(number, till.order_no(), 1280, 1280).code == "35"
    bench.wallet.scan(code, Action.PAY)
    assert till.query(number).state == "captured"


async def test_an_order_without_pay_timeout_is_open_for_two_hours(bench: Bench, till: UnionpayTill) -> None:
    number = till.order_no()
    till.show(number, 1280)
    bench.pass_time(7_199)
    assert till.query(number).code == "05"
    bench.pass_time(1)
    assert till.query(number).code == "01"


async def test_the_same_order_again_has_the_same_code_and_another_is_a_duplicate(
    bench: Bench, till: UnionpayTill
) -> None:
    number = till.order_no()
    code = till.show(number, 1280, payTimeout=TIMEOUT).fields["qrCode"]
    assert till.show(number, 1280, payTimeout=TIMEOUT).fields["qrCode"] == code
    assert till.show(number, 1281, payTimeout=TIMEOUT).code == "12"
    assert till.open_page(number, 1280, user_of(till)).code == "12"
    assert till.pay(number, 1280, till.code()).code == "12"
    bench.wallet.scan(code, Action.PAY)
    assert till.show(number, 1280, payTimeout=TIMEOUT).code == "12"


async def test_a_number_that_a_refund_has_opens_no_order(bench: Bench, till: UnionpayTill) -> None:
    number, refund = till.order_no(), till.order_no()
    bench.wallet.scan(till.show(number, 1280).fields["qrCode"], Action.PAY)
    assert till.refund(number, refund, 100, 1280).code == "00"
    assert till.show(refund, 100).code == "12"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"payTimeout": "20261122095959"}, "10"),
        ({"payTimeout": "20261122100000"}, "10"),
        ({"payTimeout": "20261399000000"}, "10"),
        ({"payTimeout": "soon"}, "10"),
        ({"txnTime": "20261122095400"}, "10"),
        ({"txnAmt": "0"}, "10"),
        ({"backUrl": "pay.example.com"}, "10"),
        ({"currencyCode": ""}, "13"),
        ({"channelType": ""}, "13"),
    ],
)
async def test_an_order_that_breaks_the_rules_is_refused(
    till: UnionpayTill, changes: dict[str, str], code: str
) -> None:
    number = till.order_no()
    business = {"orderId": number, "txnTime": till.time_of(number), "txnAmt": "100", "currencyCode": "156"}
    answer = till.send(till.fields("0107", business | changes), "backTransReq.do")
    assert (answer.seal, answer.code) == ("good", code)
    assert till.query(number).state == "not_found"


async def test_a_page_order_is_for_one_user_of_the_merchant(bench: Bench, till: UnionpayTill) -> None:
    number = till.order_no()
    opened = till.open_page(number, 1280, user_of(till), payTimeout=TIMEOUT)
    assert (opened.seal, opened.code, len(opened.fields["tn"])) == ("good", "00", 21)
    assert opened.fields["payUrl"].endswith(f"/qrcGtwWeb-web/front/pay?tn={opened.fields['tn']}")
    assert till.open_page(number, 1280, user_of(till), payTimeout=TIMEOUT).fields["tn"] == opened.fields["tn"]
    assert till.open_page(number, 1280, user_of(till, "bob"), payTimeout=TIMEOUT).code == "12"
    bench.wallet.scan(opened.fields["tn"], Action.PAY)
    assert till.query(number).state == "captured"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"appUserId": "nobody"}, "36"),
        ({"appUserId": "A" * 64}, "36"),
        ({"tradeType": "app"}, "10"),
        ({"frontUrl": "/q/abc"}, "10"),
        ({"frontUrl": ""}, "13"),
    ],
)
async def test_a_page_order_that_breaks_the_rules_is_refused(
    till: UnionpayTill, changes: dict[str, str], code: str
) -> None:
    page = {"appUserId": user_of(till), "tradeType": "mobileWeb", "frontUrl": "https://pay.example.com/"} | changes
    given = {name: text for name, text in page.items() if text}
    number = till.order_no()
    assert till.order("0101", "newAppTransReq.do", number, 100, **given).code == code
    assert till.query(number).state == "not_found"


async def test_pages_are_ordered_at_either_address_and_nowhere_else(till: UnionpayTill) -> None:
    for path, code in (("newAppTransReq.do", "00"), ("order.do", "00"), ("backTransReq.do", "32")):
        assert till.open_page(till.order_no(), 100, user_of(till), path=path).code == code
    assert till.order("0107", "newAppTransReq.do", till.order_no(), 100).code == "32"


async def test_a_paid_code_is_voided_on_its_clearing_day_and_refunded_later(bench: Bench, till: UnionpayTill) -> None:
    voided, refunded = till.order_no(), till.order_no()
    for number in (voided, refunded):
        bench.wallet.scan(till.show(number, 1280).fields["qrCode"], Action.PAY)
    assert till.give_back("3100", voided, till.order_no(), 1280).code == "00"
    bench.pass_time(86_400)
    assert till.give_back("3100", refunded, till.order_no(), 1280).code == "36"
    assert till.refund(refunded, till.order_no(), 280, 1280).code == "00"
    assert [trade.refunded_fen for trade in bench.books.trades(0, 10)] == [1280, 280]


async def test_a_refund_that_ends_badly_says_so_in_a_query(bench: Bench, till: UnionpayTill) -> None:
    number = till.order_no()
    bench.wallet.scan(till.show(number, 1280).fields["qrCode"], Action.PAY)
    for ending, code in (("closed", "01"), ("abnormal", "04")):
        bench.holder.set({"kind": "refund_ends", "as": ending})
        refund = till.order_no()
        assert till.refund(number, refund, 100, 1280).code == "00"
        assert till.query(refund).code == "05"
        bench.pass_time(1)
        assert till.query(refund).code == code
    [trade] = bench.books.trades(0, 10)
    assert trade.refunded_fen == 100


async def test_requests_under_the_next_credentials_are_answered_by_them(
    request: pytest.FixtureRequest, provisioned: Provision, bench: Bench, till: UnionpayTill
) -> None:
    account = request.node.callspec.params["bench"]
    seed = next(seed for seed in provisioned.rotated if seed.id == account)
    rotated = UnionpayTill(seed.settings, till.wire, till.now_s)
    number = rotated.order_no()
    assert (rotated.show(number, 100).seal, rotated.show(number, 100).code) == ("good", "00")
    assert till.show(till.order_no(), 100).seal == "good"
    mixed = rotated.fields("0000", {"orderId": number, "txnTime": rotated.time_of(number)})
    assert till.send(mixed | {"signature": "AAAA"}, "queryTrans.do").code == "11"
