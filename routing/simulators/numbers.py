"""The channels' own trade and refund numbers, made of the day and the row's number in the books."""

from __future__ import annotations

from typing import Final

from routing.simulators.books import Refund, Trade
from routing.simulators.moments import beijing_text

_DIGITS: Final = 10
_BEHIND_THE_FRONT: Final = 5_000_000_000
"""Where a wallet's numbers for the front's trades begin, so that they are none of its direct simulator's."""


def trade_no(channel: str, trade: Trade) -> str:
    """28 digits (UnionPay's queryId and its front's transaction_id: 21)."""
    return _number(channel, 0, trade.created_ms, trade.seq)


def wallet_no(trade: Trade) -> str:
    """The wallet's own number of a trade that the front took."""
    return _number(trade.wallet, 0, trade.created_ms, _BEHIND_THE_FRONT + trade.seq)


def refund_no(channel: str, refund: Refund) -> str:
    """The channel's number of a refund; UnionPay's are queryIds too, told apart by their second digit."""
    return _number(channel, 1, refund.created_ms, refund.seq)


def _number(channel: str, kind: int, at_ms: int, seq: int) -> str:
    day = beijing_text(at_ms // 1_000, "%Y%m%d")
    match channel:
        case "wechat":
            return f"{('4200002026', '5030002026')[kind]}{day}{seq:010d}"
        case "alipay":
            return f"{day}{('22001', '22002')[kind]}{seq:015d}"
        case "qra":
            return f"{('72', '73')[kind]}{day[2:]}{seq:013d}"
        case _:
            return f"{('70', '71')[kind]}{day[2:]}{seq:013d}"


def seq_of(number: str) -> int | None:
    """The row's number behind a trade number; None where it is none."""
    return int(number[-_DIGITS:]) if number.isascii() and number.isdigit() and len(number) > _DIGITS else None
