"""WeChat Pay's daily bill: asked for, checked, and read to the fen."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.clock import BEIJING
from routing.channels.base import ChannelUnknown, TransportResponse
from routing.channels.statement_files import PACKED_BYTES_MAX
from routing.channels.statements import Statement, StatementKind, StatementLine
from routing.channels.wechat_statements import read_lines
from tests.unit.channels.answering import LIMITS, wechat_answer
from tests.unit.channels.shown import wechat_bill, wechat_shop
from tests.unit.channels.test_any_answer import QUIETLY

DAY = date(2026, 11, 22)
HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,"
    "代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,"
    "申请退款金额,费率备注"
)
SUMMARY = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
SUMS = "`3,`12.80,`2.80,`0.00,`0.06000,`12.80,`2.80"


def row(**changes: str) -> str:
    """A row as it stands in a bill; by default a payment."""
    cells = dict.fromkeys(HEADER.split(","), "")
    cells |= {
        "交易时间": "2026-11-22 10:15:30",
        "商户号": "1900009191",
        "特约商户号": "0",
        "微信订单号": "4200002026",
        "商户订单号": "MS20261122000001",
        "交易类型": "NATIVE",
        "交易状态": "SUCCESS",
        "货币种类": "CNY",
        "应结订单金额": "10.80",
        "代金券金额": "2.00",
        "退款金额": "0.00",
        "充值券退款金额": "0.00",
        "商品名称": "豆浆",
        "手续费": "0.07680",
        "费率": "0.60%",
        "订单金额": "12.80",
        "申请退款金额": "0.00",
    }
    return ",".join(f"`{text}" for text in (cells | changes).values())


def refund_row(**changes: str) -> str:
    return row(
        **{
            "交易状态": "REFUND",
            "应结订单金额": "0.00",
            "订单金额": "0.00",
            "微信退款单号": "5030000",
            "商户退款单号": "RF20261122000001",
            "退款金额": "2.30",
            "申请退款金额": "2.80",
            "退款状态": "SUCCESS",
            "手续费": "-0.01680",
        }
        | changes
    )


def bill(*rows: str, end: str = "\r\n", start: str = "\ufeff") -> str:
    return start + end.join([HEADER, *rows, SUMMARY, SUMS, ""])


PAYMENT = StatementLine(
    StatementKind.PAYMENT,
    "MS20261122000001",
    None,
    "4200002026",
    1280,
    8,
    datetime(2026, 11, 22, 2, 15, 30, tzinfo=UTC),
)
REFUND = replace(PAYMENT, kind=StatementKind.REFUND, refund_no="RF20261122000001", amount_fen=280, fee_fen=2)


def _lines(text: str) -> list[StatementLine]:
    return list(read_lines(text.encode()))


async def _fetched(text: str, **named: Any) -> Statement | None:
    answer, packed = wechat_bill(text)
    channel, _ = wechat_shop(wechat_answer(200, answer | named), TransportResponse(200, {}, packed))
    return await channel.statement(DAY, LIMITS)


async def test_a_bill_is_asked_for_downloaded_and_read() -> None:
    text = bill(row(), refund_row())
    answer, packed = wechat_bill(text)
    channel, sent = wechat_shop(wechat_answer(200, answer), TransportResponse(200, {}, packed))
    statement = await channel.statement(DAY, LIMITS)
    assert statement == Statement("wechat-1900009191-2026-11-22.csv", text.encode(), (PAYMENT, REFUND))
    assert sent.urls == [
        "GET https://wechat.invalid/v3/bill/tradebill?bill_date=2026-11-22&bill_type=ALL&tar_type=GZIP",
        "GET https://wechat.invalid/v3/billdownload/file?token=abc%2Fd",
    ]
    assert sent.headers[1]["Authorization"].startswith("WECHATPAY2-SHA256-RSA2048 ")
    assert sent.limits[0].response_bytes_max is None
    assert sent.limits[1].response_bytes_max == PACKED_BYTES_MAX
    assert sent.limits[1].timeout_s <= sent.limits[0].timeout_s == LIMITS.timeout_s


async def test_the_download_has_what_the_first_call_left_of_the_time() -> None:
    answer, packed = wechat_bill(bill())
    channel, sent = wechat_shop(wechat_answer(200, answer), TransportResponse(200, {}, packed))
    await channel.statement(DAY, replace(LIMITS, timeout_s=0.000001))
    assert sent.limits[1].timeout_s == 0.0


@pytest.mark.parametrize("seal", ["signed", "unsigned"])
@pytest.mark.parametrize("code", ["NO_STATEMENT_EXIST", "NOSTATEMENTEXIST"])
async def test_a_day_without_a_bill_has_none(code: str, seal: str) -> None:
    channel, sent = wechat_shop(wechat_answer(400, {"code": code}, seal=seal))
    assert await channel.statement(DAY, LIMITS) is None
    assert len(sent.urls) == 1


@pytest.mark.parametrize(
    "answer",
    [
        wechat_answer(400, {"code": "STATEMENT_CREATING"}),
        wechat_answer(400, {"code": "NO_STATEMENT_EXIST"}, seal="forged"),
        wechat_answer(200, {"code": "NO_STATEMENT_EXIST"}),
        wechat_answer(500, {"code": "SYSTEM_ERROR"}),
        wechat_answer(401, {"code": "SIGN_ERROR"}, seal="unsigned"),
        wechat_answer(200, wechat_bill(bill())[0], seal="unsigned"),
        wechat_answer(200, {}),
    ],
)
async def test_an_answer_that_names_no_bill_leaves_the_statement_unknown(answer: TransportResponse) -> None:
    channel, sent = wechat_shop(answer, TransportResponse(200, {}, wechat_bill(bill())[1]))
    with pytest.raises(ChannelUnknown):
        await channel.statement(DAY, LIMITS)
    assert len(sent.urls) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://wechat.invalid/file",
        "http://127.0.0.1/file",
        "ftp://wechat.invalid/file",
        "//wechat.invalid/file",
        "file:///etc/passwd",
        "https://[",
        "",
        5,
        None,
    ],
)
async def test_a_file_is_fetched_from_an_https_address_only(url: object) -> None:
    answer, packed = wechat_bill(bill())
    channel, sent = wechat_shop(wechat_answer(200, answer | {"download_url": url}), TransportResponse(200, {}, packed))
    with pytest.raises(ChannelUnknown):
        await channel.statement(DAY, LIMITS)
    assert len(sent.urls) == 1


async def test_an_account_without_https_downloads_from_its_own_host_only() -> None:
    answer, packed = wechat_bill(bill(row()))
    for url, is_taken in (("http://127.0.0.1:8101/f?t=1", True), ("http://127.0.0.1:8102/f", False)):
        named = wechat_answer(200, answer | {"download_url": url})
        channel, sent = wechat_shop(named, TransportResponse(200, {}, packed), base_url="http://127.0.0.1:8101")
        if is_taken:
            assert await channel.statement(DAY, LIMITS) is not None
        else:
            with pytest.raises(ChannelUnknown):
                await channel.statement(DAY, LIMITS)
        assert len(sent.urls) == 1 + is_taken


@pytest.mark.parametrize(
    "change",
    [
        {"hash_value": "0" * 40},
        {"hash_value": ""},
        {"hash_value": 5},
        {"hash_type": "MD5"},
        {"hash_type": None},
    ],
)
async def test_a_file_that_is_not_the_one_named_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ChannelUnknown):
        await _fetched(bill(row()), **change)


async def test_the_hash_is_of_the_unpacked_text_in_either_case() -> None:
    answer, _ = wechat_bill(bill(row()))
    assert await _fetched(bill(row()), hash_value=str(answer["hash_value"]).upper()) is not None


@pytest.mark.parametrize(
    "response",
    [
        TransportResponse(200, {}, b""),
        TransportResponse(200, {}, bill(row()).encode()),
        TransportResponse(200, {}, gzip.compress(bill(row()).encode())[:-9]),
        TransportResponse(200, {}, gzip.compress(b"")),
        TransportResponse(404, {}, b""),
        TransportResponse(302, {"location": "https://elsewhere"}, b""),
        TransportResponse(200, {}, json.dumps({"code": "PARAM_ERROR"}).encode()),
    ],
)
async def test_a_file_that_is_none_leaves_the_statement_unknown(response: TransportResponse) -> None:
    answer, _ = wechat_bill(bill(row()))
    with pytest.raises(ChannelUnknown):
        await wechat_shop(wechat_answer(200, answer), response)[0].statement(DAY, LIMITS)


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_and_the_mark_at_the_beginning_do_not_matter(start: str, end: str) -> None:
    assert _lines(bill(row(), refund_row(), start=start, end=end)) == [PAYMENT, REFUND]


def test_names_decide_the_columns_and_not_their_order() -> None:
    names = HEADER.split(",")
    order = sorted(range(len(names)), reverse=True)
    shuffled = [
        ",".join(["新列", *[names[place] for place in order]]),
        ",".join(["`x", *[f"`{row()[1:].split(',`')[place]}" for place in order]]),
    ]
    assert _lines("\n".join([*shuffled, SUMMARY, SUMS])) == [PAYMENT]


def test_times_are_beijings() -> None:
    assert _lines(bill(row()))[0].at == datetime(2026, 11, 22, 10, 15, 30, tzinfo=BEIJING)


@pytest.mark.parametrize(
    "name",
    [
        "拿铁\\ 大杯",
        '"quoted\\"',
        "two\\nlines",
        "a`b",
        "`",
        "\u2028\u0085\x0b\x0c",
        "表情😀",
        "总交易单数",
    ],
)
def test_any_name_of_goods_stays_one_cell(name: str) -> None:
    assert _lines(bill(row(商品名称=name), row(商品名称=name))) == [PAYMENT, PAYMENT]


def test_a_name_that_was_cut_in_the_middle_of_a_character_loses_nothing_else() -> None:
    content = bill(row(商品名称="豆浆")).encode().replace("浆".encode(), "浆".encode()[:2])
    assert list(read_lines(content)) == [PAYMENT]


def test_a_reversal_is_a_refund_without_a_number_of_ours() -> None:
    lines = _lines(bill(refund_row(交易状态="REVOKED", 微信退款单号="0", 商户退款单号="0", 申请退款金额="12.80")))
    assert lines == [replace(REFUND, refund_no=None, amount_fen=1280)]


@pytest.mark.parametrize(
    ("state", "counts"), [("SUCCESS", True), ("PROCESSING", True), ("CHANGE", True), ("FAIL", False)]
)
def test_a_refund_that_failed_moved_nothing(state: str, counts: bool) -> None:
    assert _lines(bill(refund_row(退款状态=state))) == ([REFUND] if counts else [])


@pytest.mark.parametrize(
    ("fee", "fen"),
    [("0.00000", 0), ("0.00", 0), ("0.00499", 0), ("0.00500", 1), ("0.07680", 8), ("-0.07680", 8), ("12.34000", 1234)],
)
def test_fees_are_rounded_half_up_to_the_fen(fee: str, fen: int) -> None:
    assert _lines(bill(row(手续费=fee)))[0].fee_fen == fen


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\ufeff",
        HEADER,
        bill().replace(SUMMARY, ""),
        f"{HEADER}\n{row()}\n",
        bill(row()).replace("订单金额,申请", "钱,申请"),
        bill(row() + ",`more"),
        bill(row().rpartition(",")[0]),
        bill(row(交易状态="NEW")),
        bill(row(交易时间="")),
        bill(row(交易时间="2026-11-22T10:15:30+00:00")),
        bill(row(订单金额="")),
        bill(row(订单金额="1.234")),
        bill(row(订单金额="1e3")),
        bill(row(订单金额="１２")),
        bill(row(手续费="")),
        bill(row(手续费="NaN")),
        bill(row(), "no row"),
        bill(row(), ""),
        '{"code":"PARAM_ERROR"}',
    ],
)
def test_a_bill_that_is_not_whole_or_not_clear_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (each has a complaint of its own)
        _lines(text)


async def test_a_bill_that_is_not_clear_leaves_the_statement_unknown() -> None:
    with pytest.raises(ChannelUnknown) as caught:
        await _fetched(bill(row(交易状态="NEW")))
    assert caught.value.code == "statement_malformed"


async def test_a_day_without_a_payment_has_an_empty_bill() -> None:
    statement = await _fetched(bill())
    assert statement is not None
    assert statement.lines == ()


@QUIETLY
@given(content=st.binary(max_size=400) | st.text().map(lambda text: f"{HEADER}\n{text}\n{SUMMARY}".encode()))
def test_anything_is_read_or_refused(content: bytes) -> None:
    with suppress(ValueError):
        assert all(line.amount_fen >= 0 for line in read_lines(content))
