"""A channel's daily statement, as the finance people of every channel know it: one line per payment and refund."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class StatementKind(StrEnum):
    """What a line of a channel's statement is about."""

    PAYMENT = "payment"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of a channel's daily statement.  Amounts in fen, positive; `at` as the statement dates it."""

    kind: StatementKind
    order_no: str
    refund_no: str | None
    channel_trade_no: str
    amount_fen: int
    fee_fen: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Statement:
    """A channel's statement of one day: the file as it came (unpacked), and its lines."""

    file_name: str
    content: bytes = field(repr=False)
    lines: tuple[StatementLine, ...] = field(repr=False)
