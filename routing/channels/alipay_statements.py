"""Alipay's trade bill of a day (业务明细): asked for, downloaded, unpacked, read.  CHANNEL-PROTOCOLS 2.7."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from routing.channels.alipay_calls import AlipayCalls
from routing.channels.alipay_codes import BUSINESS_FAILED, SUCCEEDED, says_no_statement
from routing.channels.base import CallLimits, ChannelUnknown
from routing.channels.settings import AlipaySettings
from routing.channels.statement_files import (
    PACKED_BYTES_MAX,
    fee_of_cell,
    fen_of_cell,
    may_download,
    moment_of_cell,
    text_lines,
    unzipped,
)
from routing.channels.statements import Statement, StatementKind, StatementLine
from routing.channels.wire import text_of

ADDRESS_CHARACTERS_MAX: Final = 2_048
_NAMES: Final = "gbk"
_ENCODING: Final = "gb18030"
"""GBK and what goods are called beyond it."""
_COLUMNS: Final = (
    "支付宝交易号",
    "商户订单号",
    "业务类型",
    "创建时间",
    "完成时间",
    "订单金额（元）",
    "退款批次号/请求号",
    "服务费（元）",
)
_KINDS: Final = {"交易": StatementKind.PAYMENT, "退款": StatementKind.REFUND}
_FREE_TEXT: Final = frozenset({"商品名称", "券名称", "备注"})
"""What merchants write.  Times and amounts stand around each, so that a comma in one is told from the end of a cell."""
_TIME: Final = r"(\s*\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s*)"
_AMOUNT: Final = r"(\s*-?\d+\.\d\d\s*)"
_TEXT: Final = r"((?!\s*-?\d+\.\d\d\s*(?:,|$)).*?)"
"""Not beginning with an amount, for then the amounts may stand one cell further than they seem to."""
_END: Final = "业务明细列表结束"
_ODD_ROW_CHARACTERS_MAX: Final = 4_096


async def fetch_statement(
    calls: AlipayCalls, settings: AlipaySettings, day: date, limits: CallLimits
) -> Statement | None:
    """The bill, or None where Alipay says that there is none.  Both calls together keep to the limits."""
    began = time.monotonic()
    # Without a signature or a hash of the file only TLS vouches for it: `secure` asks for an https address.
    content = {"bill_type": "trade", "bill_date": day.isoformat(), "secure": "true"}
    answer = await calls.send("alipay.data.dataservice.bill.downloadurl.query", content, limits)
    if answer.code == BUSINESS_FAILED and says_no_statement(answer.sub_code):
        return None
    if answer.code != SUCCEEDED:
        raise answer.unknown()
    url = text_of(answer.node, "bill_download_url", ADDRESS_CHARACTERS_MAX)
    try:
        safe = url is not None and may_download(url, settings.gateway_url)
    except ValueError:
        safe = False
    if url is None or not safe:
        raise ChannelUnknown("statement_address")
    left_s = max(0.0, limits.timeout_s - (time.monotonic() - began))
    packed = await calls.download(url, replace(limits, timeout_s=left_s, response_bytes_max=PACKED_BYTES_MAX))
    try:
        # Off the event loop: 200,000 lines took 1.8 s to read.
        return await asyncio.to_thread(_read, packed)
    except ValueError:
        raise ChannelUnknown("statement_malformed") from None


def _read(packed: bytes) -> Statement:
    """The details in a packed bill, which holds their sums as well.  Raises ValueError."""
    name, content = unzipped(packed, _NAMES, lambda name: "业务明细" in name and "汇总" not in name)
    return Statement(name, content, tuple(read_lines(content)))


def read_lines(content: bytes) -> Iterator[StatementLine]:
    """The payments and refunds of a bill.  Raises ValueError where it is none, or is not whole."""
    texts = text_lines(content, _ENCODING)
    first = next((text for text in texts if not text.startswith("#")), "")
    header = [name.strip().replace("(", "（").replace(")", "）") for name in first.split(",")]
    places = [header.index(name) for name in _COLUMNS]
    odd_row = _odd_row(header)
    for text in texts:
        if text.startswith("#"):
            if _END in text:
                return
            raise ValueError("neither a row nor the end")
        cells: Sequence[str] = text.split(",")
        if len(cells) != len(header):
            found = odd_row.fullmatch(text) if len(text) <= _ODD_ROW_CHARACTERS_MAX else None
            if found is None:
                raise ValueError("a row with other columns than the header")
            cells = found.groups()
        yield _line([cells[place].strip() for place in places])
    raise ValueError("the end is missing")


def _odd_row(header: Sequence[str]) -> re.Pattern[str]:
    """A row with commas inside what merchants write, which nothing escapes."""

    def cell(name: str) -> str:
        if name in _FREE_TEXT:
            return _TEXT
        if name.endswith("时间"):
            return _TIME
        return _AMOUNT if name.endswith("（元）") else "([^,]*)"

    return re.compile(",".join([cell(name) for name in header]), re.ASCII)


def _line(cells: Sequence[str]) -> StatementLine:
    """A row.  What a cancellation gave back has the order's own number for a request number, so it has none of ours."""
    trade_no, order_no, kind_name, begun_at, ended_at, amount, request_no, fee = cells
    kind = _KINDS.get(kind_name)
    if kind is None:
        raise ValueError("a row of an unknown kind")
    is_refund = kind is StatementKind.REFUND and request_no not in {"", order_no}
    return StatementLine(
        kind=kind,
        order_no=order_no,
        refund_no=request_no if is_refund else None,
        channel_trade_no=trade_no,
        amount_fen=fen_of_cell(amount),
        fee_fen=fee_of_cell(fee),
        at=moment_of_cell(ended_at or begun_at),
    )
