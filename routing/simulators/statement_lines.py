"""What a channel's statement of some days lists: what was paid and what went back, in order, each with its fee."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from routing.simulators.acts import RefundOutcome
from routing.simulators.books import Books, Refund, Trade

USUAL_FEE_MILLIONTHS: Final = 3_800
"""0.38 %: the usual fee of the market (DOMAIN: money facts)."""

_PAID: Final = " WHERE merchant = ? AND captured_ms >= ? AND captured_ms < ? ORDER BY captured_ms, seq"
_GIVEN_BACK: Final = (
    " WHERE merchant = ? AND created_ms >= ? AND created_ms < ? AND outcome <> ? ORDER BY created_ms, seq"
)
_GIVEN_BACK_SO_FAR: Final = (
    "SELECT seq, sum(amount_fen) OVER (PARTITION BY trade_seq ORDER BY seq) FROM refunds WHERE outcome <> ? AND "
    "trade_seq IN (SELECT trade_seq FROM refunds WHERE merchant = ? AND created_ms >= ? AND created_ms < ?)"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A payment (`refund` is None) or money that went back; amounts in fen, both at least 0."""

    trade: Trade
    refund: Refund | None
    at_ms: int
    amount_fen: int
    fee_fen: int


def fee_of(amount_fen: int, fee_rate_millionths: int) -> int:
    """A fee in fen, rounded half up."""
    return (amount_fen * fee_rate_millionths + 500_000) // 1_000_000


def lines_between(books: Books, merchant: str, from_ms: int, until_ms: int, fee_rate_millionths: int) -> list[Line]:
    """The lines of a span of time.  Refunds give the fee back pro rata: what was given back so far, rounded down."""
    books.let_due_happen(" WHERE due_ms < ?", min(until_ms, books.now_ms() + 1))
    paid = [
        Line(trade, None, trade.captured_ms or 0, trade.amount_fen, fee_of(trade.amount_fen, fee_rate_millionths))
        for trade in books.trades_where(_PAID, merchant, from_ms, until_ms)
    ]
    closed = RefundOutcome.CLOSED
    so_far = dict(books.rows(_GIVEN_BACK_SO_FAR, (closed, merchant, from_ms, until_ms)))
    back = []
    for refund in books.refunds_where(_GIVEN_BACK, merchant, from_ms, until_ms, closed):
        trade = books.by_seq(refund.trade_seq)
        fee_fen = fee_of(trade.amount_fen, fee_rate_millionths)
        now_fen, before_fen = so_far[refund.seq], so_far[refund.seq] - refund.amount_fen
        returned_fen = fee_fen * now_fen // trade.amount_fen - fee_fen * before_fen // trade.amount_fen
        back.append(Line(trade, refund, refund.created_ms, refund.amount_fen, returned_fen))
    return sorted(paid + back, key=lambda line: line.at_ms)
