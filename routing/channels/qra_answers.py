"""What the front's verified fields say of orders and refunds, answered or notified.  CHANNEL-PROTOCOLS 3.6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from routing.channels.base import ChannelUnknown
from routing.channels.qra_codes import ABNORMAL, PAYMENT_FAILED, REFUND_STATES, TRADE_STATES, spelled
from routing.channels.reports import RefundReport, TradeReport, TradeState
from routing.channels.wire import Authenticity, beijing_time, plain_code, text_of

TIME_LAYOUT: Final = "%Y%m%d%H%M%S"
SUCCEEDED: Final = "0"
"""`status`, `result_code` and `pay_result` of what went well."""
FAILED: Final = "1"
_FEN_DIGITS_MAX: Final = 12
_REFUNDS_MAX: Final = 60
"""A refund query lists the refunds of an order by numbers from 0; more than 50 there cannot be."""


class QraAnswer:
    """The fields of an answer and what its signature says."""

    __slots__ = ("authenticity", "code", "fields", "plain_code")

    def __init__(self, fields: Mapping[str, str], authenticity: Authenticity) -> None:
        self.fields = fields
        self.authenticity = authenticity
        word = fields.get("err_code", "") or ("" if self.is_read else fields.get("message", ""))
        self.code = spelled(word)
        """As the tables have it."""
        self.plain_code = plain_code(word.replace(" ", "_"), "result_code" if self.is_read else "status")
        """The code where it looks like one, fit for metrics and rows."""

    @property
    def is_read(self) -> bool:
        """Whether the front has looked at the request at all."""
        return self.fields.get("status") == SUCCEEDED

    @property
    def is_success(self) -> bool:
        """Whether the call was carried out or taken in."""
        return self.is_read and self.fields.get("result_code") == SUCCEEDED

    def unknown(self) -> ChannelUnknown:
        """The error for an answer that decides nothing."""
        return ChannelUnknown(self.plain_code)


def must_name(fields: Mapping[str, str], name: str, number: str, *, may_be_silent: bool = False) -> None:
    """Raises ChannelUnknown for an answer about another order or refund.

    Refusals, reversals and codes come without our number; whatever brings an outcome has to bear it.
    """
    named = fields.get(name, "")
    if named != number and not (not named and may_be_silent):
        raise ChannelUnknown("answer_of_another_order")


def paid_report(fields: Mapping[str, str]) -> TradeReport:
    """The report of an order that a bar code or a notification says is paid; PENDING where they do not clearly say so.

    `need_query` beside a success would say that it is not one.
    """
    is_paid = fields.get("pay_result") == SUCCEEDED and fields.get("need_query", "") in {"", "N"}
    return _report(fields, TradeState.CAPTURED if is_paid else TradeState.PENDING, fields.get("pay_result"))


def trade_report(fields: Mapping[str, str]) -> TradeReport:
    """The report of a queried order.  Raises ChannelUnknown for a state that is not of the table."""
    word = fields.get("trade_state", "")
    state = TRADE_STATES.get(word)
    if state is None:
        raise ChannelUnknown(plain_code(word, "trade_state"))
    return _report(fields, state, word)


def refund_report(fields: Mapping[str, str], refund_no: str) -> RefundReport:
    """The report of our refund among those of its order.  Raises ChannelUnknown where it is not clearly there."""
    places = [place for place in range(_REFUNDS_MAX) if fields.get(f"out_refund_no_{place}") == refund_no]
    if len(places) != 1:
        raise ChannelUnknown("answer_of_another_order")
    place = places[0]
    status = fields.get(f"refund_status_{place}", "")
    state = REFUND_STATES.get(status)
    if state is None:
        raise ChannelUnknown(plain_code(status, "refund_status"))
    return RefundReport(
        state=state,
        channel_refund_no=text_of(fields, f"refund_id_{place}"),
        amount_fen=fen(fields, f"refund_fee_{place}"),
        channel_code=status,
        abnormal=status == ABNORMAL,
    )


def fen(fields: Mapping[str, str], name: str) -> int | None:
    """An amount, or None where the field holds none."""
    text = fields.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _FEN_DIGITS_MAX else None


def _report(fields: Mapping[str, str], state: TradeState, word: str | None) -> TradeReport:
    captured = state is TradeState.CAPTURED
    return TradeReport(
        state=state,
        channel_trade_no=text_of(fields, "transaction_id"),
        amount_fen=fen(fields, "total_fee"),
        paid_at=beijing_time(text_of(fields, "time_end"), TIME_LAYOUT) if captured else None,
        channel_code=word,
        failure=PAYMENT_FAILED.failure if state is TradeState.REFUSED else None,
    )
