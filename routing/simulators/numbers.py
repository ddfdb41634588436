"""The channels' own trade and refund numbers, made of the day and the row's number in the books."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from gateway.kernel.clock import BEIJING
from routing.simulators.books import Refund, Trade

_DIGITS: Final = 10


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, BEIJING):%Y%m%d}"


def trade_no(channel: str, trade: Trade) -> str:
    """28 digits (UnionPay queryId: 21)."""
    return _number(channel, 0, trade.created_ms, trade.seq)


def refund_no(channel: str, refund: Refund) -> str:
    """The channel's number of a refund; UnionPay's are queryIds too, told apart by their second digit."""
    return _number(channel, 1, refund.created_ms, refund.seq)


def _number(channel: str, kind: int, at_ms: int, seq: int) -> str:
    day = _day(at_ms)
    match channel:
        case "wechat":
            return f"{('4200002026', '5030002026')[kind]}{day}{seq:010d}"
        case "alipay":
            return f"{day}{('22001', '22002')[kind]}{seq:015d}"
        case _:
            return f"{('70', '71')[kind]}{day[2:]}{seq:013d}"


def seq_of(number: str) -> int | None:
    """The row's number behind a trade number; None where it is none."""
    return int(number[-_DIGITS:]) if number.isascii() and number.isdigit() and len(number) > _DIGITS else None
