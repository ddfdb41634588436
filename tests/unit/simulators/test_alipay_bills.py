"""Alipay's bills: the link, the ZIP with its GBK names, and every line in it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from routing.simulators.provision import Provision
from routing.simulators.wallet import Action
from tests.unit.simulators.alipay_till import AlipayTill
from tests.unit.simulators.in_process import Bench, bench_of
from tests.unit.simulators.till import Answer, Raw

DAY_S = 86_400
DAY = "2026-11-22"


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> Iterator[Bench]:
    with bench_of("alipay_direct", provisioned, tmp_path) as made:
        yield made


def till_of(bench: Bench) -> AlipayTill:
    assert isinstance(bench.till, AlipayTill)
    return bench.till


def ask(bench: Bench, day: object = DAY, kind: object = "trade") -> Answer:
    content = {"bill_type": kind, "bill_date": day}
    return till_of(bench).call("alipay.data.dataservice.bill.downloadurl.query", content)


def fetch(bench: Bench, answer: Answer) -> Raw:
    assert (answer.seal, answer.fields["code"]) == ("good", "10000")
    place = urlsplit(answer.fields["bill_download_url"])
    return bench.till.wire("GET", f"{place.path}?{place.query}", {}, b"", 5)


def files(raw: Raw) -> dict[str, list[str]]:
    """The lines of each file by name."""
    with zipfile.ZipFile(io.BytesIO(raw.body), metadata_encoding="gbk") as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode("gbk").split("\r\n") for name in archive.namelist()}


def table(lines: list[str]) -> list[dict[str, str]]:
    """The rows below the header on the fifth line, by column; padded with tabs as they are."""
    assert all(line.startswith("#") for line in lines[:4])
    names = lines[4].split(",")
    rows = []
    for line in lines[5:]:
        if line.startswith("#"):
            break
        cells = line.split(",")
        assert len(cells) == len(names)
        assert all(cell.endswith("\t") for cell in cells)
        rows.append(dict(zip(names, [cell.strip() for cell in cells], strict=True)))
    return rows


def a_day_of_business(bench: Bench) -> dict[str, str]:
    """A paid and partly refunded bar code, a paid code that is cancelled, and what leaves no line; the numbers."""
    till = till_of(bench)
    numbers = {name: till.order_no() for name in ("refunded", "cancelled", "poor", "unpaid")}
    till.pay(numbers["refunded"], 10_000, till.code(), description="豆浆,油条\t大份")
    bench.pass_time(60)
    cancelled = till.precreate(numbers["cancelled"], 1280, store_id="s-2", operator_id="o-1", terminal_id="t-1")
    bench.wallet.scan(cancelled.fields["qr_code"], Action.PAY)
    till.pay(numbers["poor"], 500, till.code("9001"))
    till.precreate(numbers["unpaid"], 700)
    bench.pass_time(60)
    for request_no in ("R1", "R2"):
        till.refund(numbers["refunded"], request_no, 3_333, 10_000)
        bench.pass_time(60)
    till.reverse(numbers["cancelled"])
    return numbers


async def test_a_day_lists_what_was_paid_and_what_went_back(bench: Bench) -> None:
    numbers = a_day_of_business(bench)
    bench.pass_time(DAY_S)
    raw = fetch(bench, ask(bench))
    seller = bench.till.settings["seller_id"]
    found = files(raw)
    assert list(found) == [f"{seller}_20261122_业务明细.csv", f"{seller}_20261122_业务明细(汇总).csv"]
    details, _ = found.values()
    assert details[1] == f"#账号：[{seller}0156]"
    rows = table(details)
    assert len(rows[0]) == 25
    kinds = ("业务类型", "商户订单号", "退款批次号/请求号", "订单金额（元）", "商家实收（元）", "服务费（元）")
    assert [tuple(row[name] for name in kinds) for row in rows] == [
        ("交易", numbers["refunded"], "", "100.00", "100.00", "-0.38"),
        ("交易", numbers["cancelled"], "", "12.80", "12.80", "-0.05"),
        ("退款", numbers["refunded"], "R1", "-33.33", "-33.33", "0.12"),
        ("退款", numbers["refunded"], "R2", "-33.33", "-33.33", "0.13"),
        ("退款", numbers["cancelled"], numbers["cancelled"], "-12.80", "-12.80", "0.05"),
    ]
    assert rows[0]["商品名称"] == "豆浆，油条 大份"
    assert (rows[1]["门店编号"], rows[1]["操作员"], rows[1]["终端号"]) == ("s-2", "o-1", "t-1")
    assert (rows[1]["完成时间"], rows[4]["创建时间"]) == ("2026-11-22 10:01:00", "2026-11-22 10:04:00")
    assert rows[0]["支付宝交易号"] == till_of(bench).query(numbers["refunded"]).fields["trade_no"]
    assert any("业务明细列表结束" in line for line in details)
    assert any(line.startswith("#交易合计：2笔，商家实收共112.80元") for line in details)


async def test_the_summary_adds_up_by_store(bench: Bench) -> None:
    a_day_of_business(bench)
    bench.pass_time(DAY_S)
    _, summary = files(fetch(bench, ask(bench))).values()
    rows = table(summary)
    names = ("门店编号", "交易订单总笔数", "退款订单总笔数", "订单金额（元）", "服务费（元）", "实收净额（元）")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("s-1", "1", "2", "33.34", "-0.13", "33.21"),
        ("s-2", "1", "1", "0.00", "0.00", "0.00"),
        ("合计", "2", "3", "33.34", "-0.13", "33.21"),
    ]
    assert len(rows[0]) == 12


async def test_the_account_has_fees_on_lines_of_their_own(bench: Bench) -> None:
    a_day_of_business(bench)
    bench.pass_time(DAY_S)
    [(name, lines)] = files(fetch(bench, ask(bench, kind="signcustomer"))).items()
    assert name == f"{bench.till.settings['seller_id']}_20261122_账务明细.csv"
    rows = table(lines)
    names = ("业务类型", "收入金额（+元）", "支出金额（-元）", "账户余额（元）")
    shown = [tuple(row[name] for name in names) for row in rows]
    assert shown[:4] == [
        ("在线支付", "100.00", "0.00", "100.00"),
        ("收费", "0.00", "-0.38", "99.62"),
        ("在线支付", "12.80", "0.00", "112.42"),
        ("收费", "0.00", "-0.05", "112.37"),
    ]
    assert shown[-1] == ("退费", "0.05", "0.00", "33.21")
    assert len({row["账务流水号"] for row in rows}) == len(rows) == 10


async def test_a_refund_stands_in_the_bill_of_its_own_day(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    till.pay(number, 10_000, till.code())
    till.refund(number, "R1", 3_333, 10_000)
    bench.pass_time(DAY_S)
    till.refund(number, "R2", 3_333, 10_000)
    bench.pass_time(DAY_S)
    details, _ = files(fetch(bench, ask(bench, "2026-11-23"))).values()
    assert [(row["业务类型"], row["退款批次号/请求号"], row["服务费（元）"]) for row in table(details)] == [
        ("退款", "R2", "0.13"),
    ]  # fmt: skip


async def test_days_begin_and_end_at_midnight_in_beijing(bench: Bench) -> None:
    till = till_of(bench)
    numbers = [till.order_no() for _ in range(2)]
    bench.pass_time(14 * 3_600 - 1)
    till.pay(numbers[0], 100, till.code())
    bench.pass_time(1)
    till.pay(numbers[1], 100, till.code())
    bench.pass_time(2 * DAY_S)
    for day, number in ((DAY, numbers[0]), ("2026-11-23", numbers[1])):
        details, _ = files(fetch(bench, ask(bench, day))).values()
        assert [row["商户订单号"] for row in table(details)] == [number]


async def test_a_month_is_one_bill(bench: Bench) -> None:
    a_day_of_business(bench)
    assert ask(bench, "2026-11").code == "BILL_NOT_EXIST"
    bench.pass_time(9 * DAY_S)  # the first of December
    details, _ = files(fetch(bench, ask(bench, "2026-11"))).values()
    assert details[2] == "#起始日期：[2026年11月01日 00:00:00]   终止日期：[2026年12月01日 00:00:00]"
    assert len(table(details)) == 5


async def test_a_day_without_business_or_not_over_has_no_bill(bench: Bench) -> None:
    a_day_of_business(bench)
    for day in (DAY, "2026-11-21", "2026-12-24"):
        answer = ask(bench, day)
        assert (answer.code, answer.fields["code"], answer.seal) == ("BILL_NOT_EXIST", "40004", "good")


async def test_the_bill_of_a_day_is_there_from_nine_the_next_morning(bench: Bench) -> None:
    till_of(bench).pay(bench.till.order_no(), 100, till_of(bench).code())
    bench.pass_time(23 * 3_600 - 1)
    assert ask(bench).code == "BILL_NOT_EXIST"
    bench.pass_time(1)
    assert ask(bench).fields["code"] == "10000"


async def test_a_switch_makes_the_bill_of_a_day_that_is_not_over(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("alipay_direct", provisioned, tmp_path, statement_today=True) as bench:
        a_day_of_business(bench)
        details, _ = files(fetch(bench, ask(bench))).values()
        assert len(table(details)) == 5


@pytest.mark.parametrize(
    ("day", "kind", "code"),
    [
        ("20261122", "trade", "INVAILID_ARGUMENTS"),
        ("2026-11-31", "trade", "INVAILID_ARGUMENTS"),
        ("2026-13", "trade", "INVAILID_ARGUMENTS"),
        (None, "trade", "INVAILID_ARGUMENTS"),
        (DAY, "zft_acc", "TYPE_NOT_SUPPORTED"),
        (DAY, ["trade"], "TYPE_NOT_SUPPORTED"),
    ],
)
async def test_a_bill_is_asked_for_by_the_rules(bench: Bench, day: object, kind: object, code: str) -> None:
    assert ask(bench, day, kind).code == code


async def test_a_link_is_good_for_thirty_seconds(bench: Bench) -> None:
    a_day_of_business(bench)
    bench.pass_time(DAY_S)
    answer = ask(bench)
    query = dict(parse_qsl(urlsplit(answer.fields["bill_download_url"]).query))
    assert (query["bizType"], query["bizDates"], query["fileType"]) == ("trade", "20261122", "csv.zip")
    bench.pass_time(29)
    assert fetch(bench, answer).status == 200
    bench.pass_time(2)
    assert fetch(bench, answer).status == 404
    assert bench.till.wire("GET", "/downloadBillFile.resource?token=nothing", {}, b"", 5).status == 404
