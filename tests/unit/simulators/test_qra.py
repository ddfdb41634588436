"""UnionPay's bar-code front: whose codes it takes, what its two levels of result say, whom it does not believe."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from routing.simulators.channel import HttpRequest
from routing.simulators.provision import FRONT_WALLETS, Provision
from routing.simulators.qra import QraCall
from routing.simulators.qra_signing import read_xml
from tests.unit.simulators.in_process import Bench, bench_of
from tests.unit.simulators.qra_till import QraTill, as_xml, from_xml

FRONT = "unionpay_front"
CODES = {
    "wechat": ("13", 18, "pay.weixin.micropay"),
    "alipay": ("28", 18, "pay.alipay.micropay"),
    "unionpay": ("62", 19, "pay.unionpay.proxy.micropay"),
    "digital_rmb": ("01", 19, "pay.ecny.micropay"),
    "jd": ("18", 18, "pay.jdpay.micropay"),
    "best_pay": ("51", 18, "pay.bestpay.micropay"),
    "qq": ("91", 18, "pay.qq.micropay"),
}
DAY_S = 86_400


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> AsyncGenerator[Bench]:
    with bench_of(FRONT, provisioned, tmp_path) as found:
        yield found


@pytest.fixture
def till(bench: Bench) -> QraTill:
    assert isinstance(bench.till, QraTill)
    return bench.till


def code_of(till: QraTill, wallet: str, tail: str = "") -> str:
    till.code_head, till.code_digits, _ = CODES[wallet]
    return till.code(tail)


@pytest.mark.parametrize("wallet", CODES)
async def test_every_wallets_codes_are_taken_and_named(bench: Bench, till: QraTill, wallet: str) -> None:
    number = till.order_no()
    paid = till.pay(number, 1_280, code_of(till, wallet))
    assert (paid.state, paid.seal, paid.amount) == ("captured", "good", 1_280)
    assert paid.fields["trade_type"] == CODES[wallet][2]
    assert paid.fields["device_info"] == "t-1"
    asked = till.query(number)
    told = ("trade_type", "transaction_id", "out_transaction_id", "time_end", "openid", "total_fee", "fee_type")
    assert [asked.fields[name] for name in told] == [paid.fields[name] for name in told]
    trade = bench.books.find(till.settings["mch_id"], number)
    assert trade is not None
    assert trade.wallet == wallet


def test_the_front_takes_the_codes_that_its_account_is_made_for() -> None:
    assert set(CODES) == set(FRONT_WALLETS)


@pytest.mark.parametrize(
    "code", ["17" + "0" * 16, "13" + "0" * 15, "62" + "0" * 16, "02" + "0" * 17, "x" * 18, "24" * 9]
)
async def test_a_code_of_no_wallet_is_surely_not_paid_and_in_no_book(bench: Bench, till: QraTill, code: str) -> None:
    number = till.order_no()
    refused = till.pay(number, 100, code)
    assert (refused.code, refused.fields["need_query"], refused.seal) == ("AUTH_CODE_INVALID", "N", "good")
    assert till.query(number).code == "ORDERNOTEXIST"


@pytest.mark.parametrize(
    ("tail", "need_query", "state"),
    [("9001", "N", "PAYERROR"), ("9003", "Y", "USERPAYING"), ("9011", "N", "PAYERROR"), ("9013", "N", "PAYERROR")],
)
async def test_need_query_says_whether_a_failed_payment_may_still_be_made(
    till: QraTill, tail: str, need_query: str, state: str
) -> None:
    number = till.order_no()
    answer = till.pay(number, 100, till.code(tail))
    assert (answer.fields["status"], answer.fields["result_code"]) == ("0", "1")
    assert answer.fields["need_query"] == need_query
    assert till.query(number).fields["trade_state"] == state


async def test_a_fault_with_a_code_of_the_banks_must_be_asked_for_and_others_need_not(bench: Bench) -> None:
    call = bench.channel.read(request_of(bench))
    assert isinstance(call, QraCall)
    for code, need_query in (("BANKERROR", "Y"), ("SYSTEMERROR", "Y"), ("RULELIMIT", "N"), ("NOAUTH", "N")):
        assert call.fail(code).fields["need_query"] == need_query


def request_of(bench: Bench) -> HttpRequest:
    """The request of a payment, as the channel reads it."""
    till = bench.till
    assert isinstance(till, QraTill)
    body = as_xml(till.fields("unified.trade.micropay", **till.sale(till.order_no(), 100, till.code())))
    return HttpRequest("POST", "/pay/gateway", "/pay/gateway", "", {}, body)


async def test_an_answer_to_anything_but_a_payment_has_no_need_query(till: QraTill) -> None:
    assert "need_query" not in till.query(till.order_no()).fields
    assert "need_query" not in till.reverse(till.order_no()).fields


async def test_orders_are_found_by_the_fronts_number_too(till: QraTill) -> None:
    number = till.order_no()
    paid = till.pay(number, 100, till.code())
    by_id = till.call("unified.trade.query", transaction_id=paid.fields["transaction_id"])
    assert (by_id.state, by_id.fields["out_trade_no"]) == ("captured", number)
    assert till.call("unified.trade.query", transaction_id="1" * 21).code == "ORDERNOTEXIST"
    assert till.call("unified.trade.query").code == "LACK_PARAMS"


async def test_a_reversal_has_its_time_and_its_orders(bench: Bench, till: QraTill) -> None:
    late, refunded, shown = till.order_no(), till.order_no(), till.order_no()
    till.pay(late, 100, till.code())
    bench.pass_time(7 * DAY_S + 1)
    assert till.reverse(late).code == "TRADE_ERROR"
    till.pay(refunded, 100, till.code())
    till.refund(refunded, till.order_no(), 40, 100)
    assert till.reverse(refunded).code == "TRADE_ERROR"
    till.show(shown, 100)
    assert till.reverse(shown).code == "INVALID_REQUEST"
    assert bench.books.counts() == {"captured": 2, "open": 1}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"out_trade_no": ""}, "LACK_PARAMS"),
        ({"out_trade_no": "T" * 33}, "PARAM_ERROR"),
        ({"out_trade_no": "T 1"}, "PARAM_ERROR"),
        ({"body": ""}, "LACK_PARAMS"),
        ({"total_fee": "0"}, "PARAM_ERROR"),
        ({"total_fee": "1.00"}, "PARAM_ERROR"),
        ({"mch_create_ip": ""}, "LACK_PARAMS"),
        ({"auth_code": ""}, "LACK_PARAMS"),
        ({"time_expire": "2026-11-22"}, "PARAM_ERROR"),
        ({"notify_url": "ftp://example.com"}, "PARAM_ERROR"),
    ],
)
async def test_what_a_payment_lacks_or_misstates_is_refused_by_name(
    bench: Bench, till: QraTill, changes: dict[str, str], code: str
) -> None:
    sale = till.sale(till.order_no(), 100, till.code()) | changes
    refused = till.call("unified.trade.micropay", **sale)
    assert (refused.code, refused.fields["need_query"], refused.seal) == (code, "N", "good")
    assert bench.books.counts() == {}


@pytest.mark.parametrize(
    "service", ["pay.weixin.jspay", "pay.bill.merchant", "unified.tools.authcodetoopenid", "nonsense"]
)
async def test_services_that_are_not_simulated_are_not_permitted(till: QraTill, service: str) -> None:
    refused = till.call(service, out_trade_no=till.order_no())
    assert (refused.code, refused.seal) == ("NOAUTH", "good")


@pytest.mark.parametrize(
    "changes",
    [
        {"sign": "0" * 32},
        {"sign": ""},
        {"mch_id": "QRA000000000000"},
        {"nonce_str": ""},
        {"version": "1.0"},
        {"charset": "GBK"},
        {"sign_type": "RSA_1_256"},
        {"total_fee": "1"},
    ],
)
async def test_a_request_that_proves_nothing_gets_a_status_and_no_signature(
    bench: Bench, till: QraTill, changes: dict[str, str]
) -> None:
    signed = till.fields("unified.trade.micropay", **till.sale(till.order_no(), 100, till.code()))
    answer = till.send(as_xml(signed | changes))
    assert (answer.fields["status"], answer.seal, answer.raw.status) == ("400", "missing", 200)
    assert "result_code" not in answer.fields
    assert bench.books.counts() == {}


async def test_the_right_sign_in_lower_case_is_not_believed(till: QraTill) -> None:
    signed = till.fields("unified.trade.query", out_trade_no=till.order_no())
    answer = till.send(as_xml(signed | {"sign": signed["sign"].lower()}))
    assert answer.fields["status"] == "400"


async def test_requests_under_the_next_key_are_answered_under_it(provisioned: Provision, bench: Bench) -> None:
    [seed] = [seed for seed in provisioned.rotated if seed.id == FRONT]
    rotated = QraTill(seed.settings, bench.till.wire, bench.till.now_s)
    number = rotated.order_no()
    assert rotated.settings["key"] != bench.till.settings["key"]
    assert rotated.pay(number, 100, rotated.code()).seal == "good"
    assert bench.till.query(number).seal == "good"


async def test_only_posts_to_the_gateway_are_calls(bench: Bench) -> None:
    for method, path, status in (("GET", "/pay/gateway", 405), ("POST", "/pay/other", 404), ("PUT", "/scan", 405)):
        assert bench.till.wire(method, path, {}, b"", 1).status == status


BOMB = b'<!DOCTYPE xml [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><xml><service>&b;</service></xml>'
OUTSIDE = b'<!DOCTYPE xml SYSTEM "file:///etc/passwd"><xml><service>x</service></xml>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<xml><service>x</service>",
        b"<xml><service>x</service></xml><xml/>",
        b"<root><service>x</service></root>",
        b"<xml><a><b>x</b></a></xml>",
        b"<xml><a>x</a><a>y</a></xml>",
        b'<xml><a b="c">x</a></xml>',
        b"<xml>text<a>x</a></xml>",
        b"<xml><a>\xff</a></xml>",
        b"<xml><a>&unknown;</a></xml>",
        b"<xml>" + b"".join(b"<f%d>x</f%d>" % (number, number) for number in range(101)) + b"</xml>",
        BOMB,
        OUTSIDE,
    ],
)
async def test_what_is_no_flat_message_is_refused(till: QraTill, body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whichever text: none of it reaches anybody
        read_xml(body)
    answer = till.send(body)
    assert (answer.fields["status"], answer.fields["message"]) == ("400", "XML格式错误")


async def test_texts_survive_the_markup_both_ways(till: QraTill) -> None:
    odd = "拿铁<&>\"'1]]>2 "
    paid = till.call("unified.trade.micropay", **till.sale(till.order_no(), 100, till.code()), attach=odd)
    assert (paid.fields["attach"], paid.seal) == (odd, "good")
    assert from_xml(paid.raw.body) == read_xml(paid.raw.body)
