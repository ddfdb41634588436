"""Alipay's daily bill: asked for, unpacked, and read to the fen."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.channels.alipay_statements import read_lines
from routing.channels.base import Channel, ChannelUnknown, TransportResponse
from routing.channels.statement_files import PACKED_BYTES_MAX
from routing.channels.statements import Statement, StatementKind, StatementLine
from tests.unit.channels.answering import LIMITS, alipay_answer
from tests.unit.channels.shown import Scripted, alipay_shop, zipped
from tests.unit.channels.test_alipay import _failed
from tests.unit.channels.test_any_answer import QUIETLY

DAY = date(2026, 11, 22)
METHOD = "alipay.data.dataservice.bill.downloadurl.query"
URL = "https://dwbillcenter.alipay.com/downloadBillFile.resource?bizType=trade&fileType=csv.zip&token=a%2Fb"
NAMED = {"code": "10000", "msg": "Success", "bill_download_url": URL}
DETAILS, SUMS = "20881021759530340156_20261122_业务明细.csv", "20881021759530340156_20261122_业务明细(汇总).csv"
COLUMNS = [
    *("支付宝交易号", "商户订单号", "业务类型", "商品名称", "创建时间", "完成时间", "门店编号", "门店名称", "操作员"),
    *("终端号", "对方账户", "订单金额（元）", "商家实收（元）", "支付宝红包（元）", "集分宝（元）"),
    *("支付宝优惠（元）", "商家优惠（元）", "券核销金额（元）", "券名称", "商家红包消费金额（元）", "卡消费金额（元）"),
    *("退款批次号/请求号", "服务费（元）", "分润（元）", "备注"),
]
HEAD = [
    "#支付宝业务明细查询",
    "#账号：[20881021759530340156]",
    "#起始日期：[2026年11月22日 00:00:00]   终止日期：[2026年11月23日 00:00:00]",
    "#-----------------------------------------业务明细列表----------------------------------------",
]
FOOT = [
    "#-----------------------------------------业务明细列表结束------------------------------------",
    "#交易合计：1笔，商家实收共12.80元，商家优惠共0.00元",
    "#导出时间：[2026年11月23日 06:27:10]",
    "",
]
_MONEY = dict.fromkeys((name for name in COLUMNS if name.endswith("（元）")), "0.00")


def row(*, pad: str = "\t", **changes: str) -> str:
    """A row as it stands in a bill; by default a payment."""
    cells = dict.fromkeys(COLUMNS, "") | _MONEY
    cells |= {
        "支付宝交易号": "2026112222001400000000019191",
        "商户订单号": "MS20261122000001",
        "业务类型": "交易",
        "商品名称": "豆浆油条套餐",
        "创建时间": "2026-11-22 10:15:00",
        "完成时间": "2026-11-22 10:15:30",
        "对方账户": "*小明(158****0001)",
        "订单金额（元）": "12.80",
        "商家实收（元）": "12.80",
        "服务费（元）": "-0.08",
    }
    return ",".join(f"{text}{pad}" for text in (cells | changes).values())


def refund_row(**changes: str) -> str:
    given_back = {
        "业务类型": "退款",
        "订单金额（元）": "-2.80",
        "退款批次号/请求号": "RF20261122000001",
        "服务费（元）": "0.02",
    }
    return row(**given_back | changes)


def page(*rows: str, end: str = "\r\n") -> str:
    return end.join([*HEAD, ",".join(COLUMNS), *rows, *FOOT])


PAYMENT = StatementLine(
    StatementKind.PAYMENT,
    "MS20261122000001",
    None,
    "2026112222001400000000019191",
    1280,
    8,
    datetime(2026, 11, 22, 2, 15, 30, tzinfo=UTC),
)
REFUND = replace(PAYMENT, kind=StatementKind.REFUND, refund_no="RF20261122000001", amount_fen=280, fee_fen=2)


def _lines(text: str) -> list[StatementLine]:
    return list(read_lines(text.encode("gbk")))


def _shop(packed: bytes, *, status: int = 200, **settings: str) -> tuple[Channel, Scripted]:
    return alipay_shop(alipay_answer(METHOD, NAMED), TransportResponse(status, {}, packed), **settings)


async def test_a_bill_is_asked_for_downloaded_and_read() -> None:
    content = page(row(), refund_row()).encode("gbk")
    channel, sent = _shop(zipped({SUMS: b"sums", DETAILS: content}))
    assert await channel.statement(DAY, LIMITS) == Statement(DETAILS, content, (PAYMENT, REFUND))
    assert sent.urls[1] == f"GET {URL}"
    assert sent.limits[0].response_bytes_max is None
    assert sent.limits[1].response_bytes_max == PACKED_BYTES_MAX
    assert sent.limits[1].timeout_s <= sent.limits[0].timeout_s == LIMITS.timeout_s


async def test_the_day_of_a_trade_bill_is_asked_for_with_a_safe_address() -> None:
    channel, sent = alipay_shop(alipay_answer(METHOD, _failed("40004", "NO_BILL_DATA")))
    await channel.statement(DAY, LIMITS)
    assert sent.form["method"] == METHOD
    assert json.loads(sent.form["biz_content"]) == {
        "bill_type": "trade",
        "bill_date": "2026-11-22",
        "secure": "true",
    }


@pytest.mark.parametrize(
    "sub_code",
    ["NO_BILL_DATA", "BILL_NOT_EXIST", "isp.bill_not_exist", "ACQ.BILL_NOT_EXIST", "BILL_DATE_BEFORE_REGISTRATION"],
)
async def test_a_day_without_a_bill_has_none(sub_code: str) -> None:
    channel, sent = alipay_shop(alipay_answer(METHOD, _failed("40004", sub_code)))
    assert await channel.statement(DAY, LIMITS) is None
    assert len(sent.urls) == 1


@pytest.mark.parametrize(
    "answer",
    [
        alipay_answer(METHOD, _failed("40004", "BILL_NOT_EXIST"), seal="unsigned"),
        alipay_answer(METHOD, _failed("40004", "SYSTEM_RATE_LIMIT")),
        alipay_answer(METHOD, _failed("40004", "INVAILID_ARGUMENTS")),
        alipay_answer(METHOD, _failed("20000", "BILL_NOT_EXIST")),
        alipay_answer(METHOD, NAMED, seal="unsigned"),
        alipay_answer(METHOD, {"code": "10000"}),
        alipay_answer(METHOD, NAMED | {"bill_download_url": "http://dwbillcenter.alipay.com/x"}),
        alipay_answer(METHOD, NAMED | {"bill_download_url": "http://127.0.0.1/x"}),
        alipay_answer(METHOD, NAMED | {"bill_download_url": "file:///etc/passwd"}),
        alipay_answer(METHOD, NAMED | {"bill_download_url": "https://["}),
        alipay_answer(METHOD, NAMED | {"bill_download_url": ["x"]}),
    ],
)
async def test_an_answer_that_names_no_file_leaves_the_statement_unknown(answer: TransportResponse) -> None:
    channel, sent = alipay_shop(answer, TransportResponse(200, {}, zipped({DETAILS: page().encode("gbk")})))
    with pytest.raises(ChannelUnknown):
        await channel.statement(DAY, LIMITS)
    assert len(sent.urls) == 1


async def test_an_account_without_https_downloads_from_its_own_host() -> None:
    named = alipay_answer(METHOD, NAMED | {"bill_download_url": "http://127.0.0.1:8102/bill?token=1"})
    packed = TransportResponse(200, {}, zipped({DETAILS: page(row()).encode("gbk")}))
    channel, _ = alipay_shop(named, packed, gateway_url="http://127.0.0.1:8102/gateway.do")
    statement = await channel.statement(DAY, LIMITS)
    assert statement is not None
    assert statement.lines == (PAYMENT,)


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"PK\3\4",
        b"not a zip",
        zipped({}),
        zipped({SUMS: page().encode("gbk")}),
        zipped({"other.csv": page().encode("gbk")}),
        zipped({DETAILS: b""}),
        zipped({DETAILS: page().encode("gbk")})[:-30],
        zipped({DETAILS: page(row(业务类型="转账")).encode("gbk")}),
    ],
)
async def test_a_file_that_is_none_leaves_the_statement_unknown(packed: bytes) -> None:
    with pytest.raises(ChannelUnknown) as caught:
        await _shop(packed)[0].statement(DAY, LIMITS)
    assert caught.value.code == "statement_malformed"


async def test_a_file_that_changed_on_its_way_is_refused() -> None:
    packed = bytearray(zipped({DETAILS: page(row()).encode("gbk")}))
    packed[len(packed) // 2] ^= 1
    with pytest.raises(ChannelUnknown):
        await _shop(bytes(packed))[0].statement(DAY, LIMITS)


@pytest.mark.parametrize("status", [302, 403, 404, 500])
async def test_an_address_that_is_too_old_leaves_the_statement_unknown(status: int) -> None:
    with pytest.raises(ChannelUnknown) as caught:
        await _shop(b"", status=status)[0].statement(DAY, LIMITS)
    assert caught.value.code == f"http_{status}"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("pad", ["\t", "", "    \t"])
def test_padding_and_line_ends_do_not_matter(pad: str, end: str) -> None:
    assert _lines(page(row(pad=pad), refund_row(), end=end)) == [PAYMENT, REFUND]


def test_names_decide_the_columns_and_not_their_order() -> None:
    cells = row().split(",")
    order = sorted(range(len(cells)), reverse=True)
    turned = [",".join([*[texts[place] for place in order], "x"]) for texts in (COLUMNS, cells)]
    assert _lines("\n".join([*HEAD, *turned, *FOOT])) == [PAYMENT]


def test_brackets_of_either_width_name_the_same_column() -> None:
    narrow = page(row()).replace("（元）", "(元)")
    assert _lines(narrow) == [PAYMENT]


@pytest.mark.parametrize("name", ["商品名称", "券名称", "备注"])
@pytest.mark.parametrize(
    "text",
    ["拿铁, 大杯", "a,b,,c,", ",", "第1.00,2.00", "2026-11-22 10:00:00,x", "2026-11-22 10:00:00,2026-11-22 10:00:00,x"],
)
@pytest.mark.parametrize("pad", ["\t", ""])
def test_commas_inside_what_merchants_write_part_no_cell(name: str, text: str, pad: str) -> None:
    assert _lines(page(row(pad=pad, **{name: text}), refund_row())) == [PAYMENT, REFUND]


def test_many_commas_in_every_name_of_a_row_part_no_cell() -> None:
    assert _lines(page(row(商品名称="," * 250, 券名称="," * 250, 备注="," * 250))) == [PAYMENT]


@pytest.mark.parametrize("name", ["门店名称", "对方账户", "订单金额（元）", "服务费（元）"])
def test_a_comma_anywhere_else_is_never_guessed_at(name: str) -> None:
    for text in ("1,280.00", "x,12.80", ","):
        with pytest.raises(ValueError, match="columns"):
            _lines(page(row(**{name: text})))


def test_a_name_that_was_cut_in_the_middle_of_a_character_loses_nothing_else() -> None:
    content = page(row(), refund_row()).encode("gbk").replace("套餐".encode("gbk"), "套餐".encode("gbk")[:3])
    assert list(read_lines(content)) == [PAYMENT, REFUND]


def test_a_name_beyond_gbk_is_read() -> None:
    assert list(read_lines(page(row(商品名称="😀𠮷")).encode("gb18030"))) == [PAYMENT]


@pytest.mark.parametrize("request_no", ["", "MS20261122000001"])
def test_a_cancellation_is_a_refund_without_a_number_of_ours(request_no: str) -> None:
    lines = _lines(page(refund_row(**{"退款批次号/请求号": request_no})))
    assert lines == [replace(REFUND, refund_no=None)]


def test_a_row_without_an_end_is_dated_by_its_beginning() -> None:
    assert _lines(page(row(完成时间="")))[0].at == datetime(2026, 11, 22, 2, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#only comments",
        ",".join(COLUMNS),
        "\n".join([*HEAD, ",".join(COLUMNS), row(), ""]),
        page(row()).replace("业务明细列表结束", "别的"),
        page(row()).replace("订单金额（元）", "钱（元）"),
        page(row() + ",x,x,x").replace("备注", "列"),
        page(row(商品名称="a,b").replace("12.80", "x")),
        page(row().rpartition(",")[0].rpartition(",")[0]),
        page(row(业务类型="")),
        page(row(业务类型="转账")),
        page(row(**{"订单金额（元）": ""})),
        page(row(**{"订单金额（元）": "12.801"})),
        page(row(**{"订单金额（元）": "1,280.00"})),
        page(row(**{"服务费（元）": "x"})),
        page(row(完成时间="", 创建时间="")),
        page(row(完成时间="yesterday")),
        page(row(), ""),
        page(row(商品名称="," * 5_000)),
    ],
)
def test_a_bill_that_is_not_whole_or_not_clear_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (each has a complaint of its own)
        _lines(text)


async def test_a_day_without_a_payment_has_an_empty_bill() -> None:
    statement = await _shop(zipped({DETAILS: page().encode("gbk")}))[0].statement(DAY, LIMITS)
    assert statement is not None
    assert statement.lines == ()


@QUIETLY
@given(content=st.binary(max_size=400) | st.text().map(lambda text: page(text).encode("gb18030", "replace")))
def test_anything_is_read_or_refused(content: bytes) -> None:
    with suppress(ValueError):
        assert all(line.amount_fen >= 0 for line in read_lines(content))


@QUIETLY
@given(flips=st.dictionaries(st.integers(0, 400), st.integers(0, 255), min_size=1, max_size=4))
async def test_any_archive_is_read_or_leaves_the_statement_unknown(flips: dict[int, int]) -> None:
    packed = bytearray(zipped({DETAILS: page(row()).encode("gbk"), SUMS: b"sums"}))
    for place, value in flips.items():
        packed[place % len(packed)] = value
    with suppress(ChannelUnknown):
        assert await _shop(bytes(packed))[0].statement(DAY, LIMITS) is not None
