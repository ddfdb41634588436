"""WeChat Pay's trade bill of a day: asked for, downloaded, checked against its hash, read.  CHANNEL-PROTOCOLS 1.9."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from routing.channels.base import CallLimits, ChannelUnknown
from routing.channels.settings import WechatSettings
from routing.channels.statement_files import (
    PACKED_BYTES_MAX,
    fee_of_cell,
    fen_of_cell,
    gunzipped,
    may_download,
    moment_of_cell,
    text_lines,
)
from routing.channels.statements import Statement, StatementKind, StatementLine
from routing.channels.wechat_calls import WechatCalls
from routing.channels.wechat_codes import NO_STATEMENT
from routing.channels.wire import CODE_CHARACTERS_MAX, text_of

_SUMMARY: Final = "总交易单数"
_CELL: Final = "`"
_COLUMNS: Final = (
    "交易时间",
    "微信订单号",
    "商户订单号",
    "交易状态",
    "商户退款单号",
    "退款状态",
    "手续费",
    "订单金额",
    "申请退款金额",
)
_PAID: Final = "SUCCESS"
_GIVEN_BACK: Final = frozenset({"REFUND", "REVOKED"})
_REFUND_FAILED: Final = "FAIL"
_NO_NUMBER: Final = frozenset({"", "0"})


async def fetch_statement(
    calls: WechatCalls, settings: WechatSettings, day: date, limits: CallLimits
) -> Statement | None:
    """The bill, or None where WeChat Pay says that there is none.  Both calls together keep to the limits."""
    began = time.monotonic()
    target = f"/v3/bill/tradebill?bill_date={day.isoformat()}&bill_type=ALL&tar_type=GZIP"
    answer = await calls.send("GET", target, b"", limits)
    if not answer.is_success and answer.code == NO_STATEMENT:
        return None
    if not answer.is_success:
        raise answer.unknown()
    url = text_of(answer.fields, "download_url", CODE_CHARACTERS_MAX)
    hash_value = text_of(answer.fields, "hash_value")
    if url is None or hash_value is None or answer.fields.get("hash_type") != "SHA1":
        raise ChannelUnknown("answer_malformed")
    try:
        safe = may_download(url, settings.base_url)
    except ValueError:
        safe = False
    if not safe:
        raise ChannelUnknown("statement_address")
    left_s = max(0.0, limits.timeout_s - (time.monotonic() - began))
    packed = await calls.download(url, replace(limits, timeout_s=left_s, response_bytes_max=PACKED_BYTES_MAX))
    try:
        # Off the event loop: 200,000 lines took 1.4 s to read.
        content, lines = await asyncio.to_thread(_read, packed, hash_value)
    except ValueError:
        raise ChannelUnknown("statement_malformed") from None
    return Statement(f"wechat-{settings.mchid}-{day.isoformat()}.csv", content, lines)


def _read(packed: bytes, hash_value: str) -> tuple[bytes, tuple[StatementLine, ...]]:
    """Content and lines of a packed bill.  The hash is of the unpacked text.  Raises ValueError."""
    content = gunzipped(packed)
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != hash_value.lower():
        raise ValueError("not the file that the answer named")
    return content, tuple(read_lines(content))


def read_lines(content: bytes) -> Iterator[StatementLine]:
    """The payments and refunds of a bill.  Raises ValueError where it is none, or is not whole."""
    texts = text_lines(content.removeprefix(b"\xef\xbb\xbf"), "utf-8")
    header = [name.strip(f"{_CELL} ") for name in next(texts, "").split(",")]
    places = [header.index(name) for name in _COLUMNS]
    for text in texts:
        if not text.startswith(_CELL):
            if text.startswith(_SUMMARY):
                return
            raise ValueError("neither a row nor the summary")
        # A comma inside a cell is written as a backslash and a blank, so this parts nothing but cells.
        cells = text[1:].split(f",{_CELL}")
        if len(cells) != len(header):
            raise ValueError("a row with other columns than the header")
        line = _line([cells[place].strip() for place in places])
        if line is not None:
            yield line
    raise ValueError("the summary is missing")


def _line(cells: Sequence[str]) -> StatementLine | None:
    """A row; None for a refund that failed, which moved nothing.  A reversal is a refund without a number."""
    at, trade_no, order_no, state, refund_no, refund_state, fee, amount, refunded = cells
    if state == _PAID:
        kind, number, fen = StatementKind.PAYMENT, None, fen_of_cell(amount)
    elif state in _GIVEN_BACK:
        if refund_state == _REFUND_FAILED:
            return None
        kind, fen = StatementKind.REFUND, fen_of_cell(refunded)
        number = None if refund_no in _NO_NUMBER else refund_no
    else:
        raise ValueError("a row in an unknown state")
    return StatementLine(kind, order_no, number, trade_no, fen, fee_of_cell(fee), moment_of_cell(at))
