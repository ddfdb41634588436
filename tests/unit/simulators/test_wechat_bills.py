"""WeChat's bills: which days there are, what stands in them, and how the file is fetched and checked."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from routing.simulators.provision import Provision
from routing.simulators.wallet import Action
from routing.simulators.wechat_bill_text import COLUMNS, BillType
from tests.unit.simulators.in_process import Bench, bench_of
from tests.unit.simulators.till import Answer, Raw
from tests.unit.simulators.wechat_till import WechatTill

DAY = "2026-11-22"
DAY_S = 86_400
BASE = "http://simulator"


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> AsyncIterator[Bench]:
    with bench_of("wechat_direct", provisioned, tmp_path) as found:
        yield found


def till_of(bench: Bench) -> WechatTill:
    assert isinstance(bench.till, WechatTill)
    return bench.till


def asked(bench: Bench, path: str = "tradebill", **query: str) -> Answer:
    till = till_of(bench)
    target = f"/v3/bill/{path}?" + "&".join(f"{name}={value}" for name, value in query.items())
    raw = till.wire("GET", target, till.headers("GET", target, b"") | {"host": "simulator"}, b"", 5)
    return till.read(raw)


def fetched(bench: Bench, answer: Answer) -> Raw:
    till = till_of(bench)
    assert answer.seal == "good", answer
    target = answer.fields["download_url"].removeprefix(BASE)
    return till.wire("GET", target, till.headers("GET", target, b""), b"", 5)


def rows_of(text: bytes) -> tuple[list[dict[str, str]], dict[str, str]]:
    """The rows by the names of their columns, and the totals; every cell without its backtick."""
    assert text.startswith(b"\xef\xbb\xbf")
    lines = text.decode("utf-8-sig").split("\r\n")
    assert lines[-1] == ""
    header, *rows, totals, sums = [line.split(",") for line in lines[:-1]]
    for row in (*rows, sums):
        assert all(cell.startswith("`") for cell in row)
    plain = [[cell[1:] for cell in row] for row in rows]
    assert all(len(row) == len(header) for row in plain)
    return [dict(zip(header, row, strict=True)) for row in plain], dict(
        zip(totals, [cell[1:] for cell in sums], strict=True)
    )


def a_day(bench: Bench) -> dict[str, str]:
    """Three payments of 22 November, one of them partly refunded in two parts, one reversed: numbers by name."""
    till = till_of(bench)
    numbers = {name: till.order_no() for name in ("code", "refunded", "reversed", "unpaid")}
    code = till.native(numbers["code"], 1_050, attach='a,"b"\nc').fields["code_url"]
    bench.wallet.scan(code, Action.PAY)
    till.pay(numbers["refunded"], 10_000, till.code())
    till.pay(numbers["reversed"], 333, till.code())
    till.native(numbers["unpaid"], 77)
    bench.pass_time(61)
    till.reverse(numbers["reversed"])
    for part, fen in (("F01", 3_333), ("F02", 1)):
        till.refund(numbers["refunded"], numbers["refunded"] + part, fen, 10_000)
        bench.pass_time(61)
    return numbers


def fee(row: dict[str, str]) -> Decimal:
    return Decimal(row["手续费"])


async def test_a_day_is_listed_the_day_after_from_nine_on(bench: Bench) -> None:
    a_day(bench)
    refused = asked(bench, bill_date=DAY)
    assert (refused.raw.status, refused.code) == (400, "INVALID_REQUEST")
    bench.pass_time(22 * 3_600)  # 08:03 on the 23rd
    assert asked(bench, bill_date=DAY).code == "STATEMENT_CREATING"
    bench.pass_time(3_600)
    answer = asked(bench, bill_date=DAY)
    assert answer.fields["hash_type"] == "SHA1"
    file = fetched(bench, answer)
    assert (file.status, file.headers["content-type"]) == (200, "text/plain;charset=UTF-8")
    assert not [name for name in file.headers if name.startswith("wechatpay-")]
    assert hashlib.sha1(file.body, usedforsecurity=False).hexdigest() == answer.fields["hash_value"]


async def test_all_lists_payments_refunds_and_reversals_in_27_columns(bench: Bench) -> None:
    numbers = a_day(bench)
    bench.pass_time(DAY_S)
    rows, totals = rows_of(fetched(bench, asked(bench, bill_date=DAY)).body)
    assert tuple(rows[0]) == COLUMNS[BillType.ALL]
    assert len(rows[0]) == 27
    told = [(row["商户订单号"], row["交易状态"], row["订单金额"], row["申请退款金额"]) for row in rows]
    assert told == [
        (numbers["code"], "SUCCESS", "10.50", "0.00"),
        (numbers["refunded"], "SUCCESS", "100.00", "0.00"),
        (numbers["reversed"], "SUCCESS", "3.33", "0.00"),
        (numbers["reversed"], "REVOKED", "0.00", "3.33"),
        (numbers["refunded"], "REFUND", "0.00", "33.33"),
        (numbers["refunded"], "REFUND", "0.00", "0.01"),
    ]
    code, first, second = rows[0], rows[4], rows[5]
    assert (code["交易时间"], code["交易类型"], code["特约商户号"]) == ("2026-11-22 10:00:00", "NATIVE", "0")
    assert code["商户数据包"] == 'a\\ \\"b\\"\\nc'
    assert (first["商户退款单号"], first["退款状态"], first["退款类型"]) == (
        f"{numbers['refunded']}F01", "SUCCESS", "ORIGINAL",
    )  # fmt: skip
    assert (fee(code), code["费率"]) == (Decimal("0.04"), "0.38%")
    assert code["手续费"] == "0.04000"
    assert (fee(first), fee(second)) == (Decimal("-0.12"), Decimal("0.00"))
    assert totals == {
        "总交易单数": "6",
        "应结订单总金额": "113.83",
        "退款总金额": "36.67",
        "充值券退款总金额": "0.00",
        "手续费总金额": f"{sum(fee(row) for row in rows):.5f}",
        "订单总金额": "113.83",
        "申请退款总金额": "36.67",
    }


async def test_the_fee_comes_back_to_the_last_fen_when_all_is_refunded(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    till.pay(number, 1_000, till.code())
    for count, fen in enumerate((333, 333, 334)):
        bench.pass_time(61)
        assert till.refund(number, f"{number}F0{count}", fen, 1_000).state == "accepted"
    bench.pass_time(DAY_S)
    rows, _ = rows_of(fetched(bench, asked(bench, bill_date=DAY)).body)
    assert [fee(row) for row in rows] == [Decimal(text) for text in ("0.04", "-0.01", "-0.01", "-0.02")]


async def test_success_and_refund_bills_have_their_own_columns(bench: Bench) -> None:
    a_day(bench)
    bench.pass_time(DAY_S)
    paid, totals = rows_of(fetched(bench, asked(bench, bill_date=DAY, bill_type="SUCCESS")).body)
    assert (len(paid), tuple(paid[0]), len(paid[0])) == (3, COLUMNS[BillType.SUCCESS], 20)
    assert list(totals) == ["总交易单数", "应结订单总金额", "手续费总金额", "订单总金额"]
    back, totals = rows_of(fetched(bench, asked(bench, bill_date=DAY, bill_type="REFUND")).body)
    assert (len(back), tuple(back[0]), len(back[0])) == (3, COLUMNS[BillType.REFUND], 29)
    assert (back[1]["退款申请时间"], back[1]["退款成功时间"]) == ("2026-11-22 10:01:01", "2026-11-22 10:01:01")
    assert totals["申请退款总金额"] == "36.67"


async def test_the_fund_bill_moves_the_balance_from_day_to_day(bench: Bench) -> None:
    a_day(bench)
    bench.pass_time(DAY_S)
    till = till_of(bench)
    till.pay(till.order_no(), 500, till.code())
    bench.pass_time(DAY_S)
    first, totals = rows_of(fetched(bench, asked(bench, "fundflowbill", bill_date=DAY)).body)
    second, _ = rows_of(fetched(bench, asked(bench, "fundflowbill", bill_date="2026-11-23")).body)
    balance = Decimal(0)
    for row in (*first, *second):
        amount = Decimal(row["收支金额(元)"])
        balance += amount if row["收支类型"] == "收入" else -amount
        assert Decimal(row["账户结余(元)"]) == balance
    assert balance == Decimal("113.83") - Decimal("36.67") + 5 - Decimal("0.30") - Decimal("0.02")
    assert (totals["资金流水总笔数"], totals["收入笔数"]) == (str(len(first)), "5")
    assert {row["业务名称"] for row in first} == {"交易", "退款", "扣除交易手续费", "退还交易手续费"}
    for account in ("OPERATION", "FEES"):
        assert asked(bench, "fundflowbill", bill_date=DAY, account_type=account).code == "NO_STATEMENT_EXIST"


async def test_gzip_compresses_the_file_and_the_hash_is_of_the_text(bench: Bench) -> None:
    a_day(bench)
    bench.pass_time(DAY_S)
    answer = asked(bench, bill_date=DAY, tar_type="GZIP")
    text = gzip.decompress(fetched(bench, answer).body)
    assert hashlib.sha1(text, usedforsecurity=False).hexdigest() == answer.fields["hash_value"]
    assert text == fetched(bench, asked(bench, bill_date=DAY)).body


async def test_an_address_is_good_for_five_minutes_and_wants_a_signature(bench: Bench) -> None:
    a_day(bench)
    bench.pass_time(DAY_S)
    answer, till = asked(bench, bill_date=DAY), till_of(bench)
    target = answer.fields["download_url"].removeprefix(BASE)
    assert till.wire("GET", target, till.headers("GET", "/elsewhere", b""), b"", 5).status == 401
    bench.pass_time(299)
    assert fetched(bench, answer).status == 200
    bench.pass_time(1)
    assert fetched(bench, answer).status == 400


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"bill_date": "20261122"}, "PARAM_ERROR"),
        ({"bill_type": "ALL"}, "PARAM_ERROR"),
        ({"bill_date": DAY, "bill_type": "X"}, "PARAM_ERROR"),
        ({"bill_date": DAY, "tar_type": "ZIP"}, "PARAM_ERROR"),
        ({"bill_date": "2026-11-24"}, "INVALID_REQUEST"),
        ({"bill_date": "2026-08-01"}, "INVALID_REQUEST"),
        ({"bill_date": "2026-11-21"}, "NO_STATEMENT_EXIST"),
    ],
)
async def test_a_day_without_a_bill_is_refused(bench: Bench, query: dict[str, str], code: str) -> None:
    a_day(bench)
    bench.pass_time(DAY_S)
    answer = asked(bench, **query)
    assert (answer.raw.status, answer.code) == (400, code)


async def test_today_is_listed_where_a_switch_says_so(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("wechat_direct", provisioned, tmp_path, statement_today=True) as bench:
        numbers = a_day(bench)
        rows, _ = rows_of(fetched(bench, asked(bench, bill_date=DAY)).body)
        assert rows[0]["商户订单号"] == numbers["code"]
