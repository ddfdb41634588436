"""What UnionPay's verified fields say of an order or a refund, answered or notified.  CHANNEL-PROTOCOLS 3.2, 3.4."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from gateway.kernel.clock import BEIJING
from routing.channels.base import ChannelUnknown
from routing.channels.reports import RefundReport, RefundState, TradeReport, TradeState
from routing.channels.unionpay_codes import (
    NO_SUCH_TRANSACTION,
    OTHER_FAILURE,
    REFUSALS,
    SUCCEEDED,
    TAKEN_BACK,
    UNDECIDED,
)
from routing.channels.wire import Authenticity, text_of

TIME_LAYOUT: Final = "%Y%m%d%H%M%S"
_FEN_DIGITS_MAX: Final = 12
_REFUND_STATES: Final = {
    TradeState.CAPTURED: RefundState.SUCCEEDED,
    TradeState.REFUSED: RefundState.FAILED,
    TradeState.CLOSED: RefundState.FAILED,
    TradeState.NOT_FOUND: RefundState.NOT_FOUND,
}


class UnionpayAnswer:
    """The fields of an answer and what its signature says."""

    __slots__ = ("authenticity", "code", "fields")

    def __init__(self, fields: Mapping[str, str], authenticity: Authenticity) -> None:
        self.fields = fields
        self.authenticity = authenticity
        self.code = fields.get("respCode", "")

    @property
    def plain_code(self) -> str:
        """The code where it looks like one, fit for metrics and rows."""
        return plain_code(self.code, "respCode")

    def unknown(self) -> ChannelUnknown:
        """The error for an answer that decides nothing."""
        return ChannelUnknown(self.plain_code)


def plain_code(code: str, otherwise: str) -> str:
    """A respCode as it is: two to four letters and digits."""
    return code if 2 <= len(code) <= 4 and code.isascii() and code.isalnum() else otherwise


def state_of(code: str) -> TradeState | None:
    """What the code of a transaction says of it; None where it is no respCode."""
    if code in SUCCEEDED:
        return TradeState.CAPTURED
    if code in UNDECIDED:
        return TradeState.PENDING
    if code == NO_SUCH_TRANSACTION:
        return TradeState.NOT_FOUND
    if code == TAKEN_BACK:
        return TradeState.CLOSED
    return TradeState.REFUSED if len(code) == 2 and code.isascii() and code.isdigit() else None


def queried_state(answer: UnionpayAnswer) -> tuple[TradeState, str]:
    """State and code of the transaction that was asked for.  Raises ChannelUnknown where the query did not work."""
    if answer.code == NO_SUCH_TRANSACTION:
        return TradeState.NOT_FOUND, answer.code
    if answer.code not in SUCCEEDED:
        raise answer.unknown()
    code = answer.fields.get("origRespCode", "")
    state = state_of(code)
    if state is None:
        raise ChannelUnknown("origRespCode")
    return state, code


def trade_report(fields: Mapping[str, str], state: TradeState, code: str, ordered_at: datetime) -> TradeReport:
    """The report of an order in that state."""
    if state is TradeState.NOT_FOUND:
        return TradeReport(state, channel_code=code)
    refusal = REFUSALS.get(code, OTHER_FAILURE) if state is TradeState.REFUSED else None
    return TradeReport(
        state=state,
        channel_trade_no=text_of(fields, "queryId"),
        amount_fen=fen(fields, "txnAmt"),
        payer_paid_fen=fen(fields, "settleAmt"),
        paid_at=moment_near(fields.get("traceTime", ""), ordered_at) if state is TradeState.CAPTURED else None,
        channel_code=code,
        failure=refusal.failure if refusal else None,
    )


def refund_report(fields: Mapping[str, str], state: TradeState, code: str) -> RefundReport:
    """The report of a refund or void that is a transaction in that state."""
    given_back = _REFUND_STATES.get(state, RefundState.PENDING)
    if given_back is RefundState.NOT_FOUND:
        return RefundReport(given_back, channel_code=code)
    return RefundReport(
        state=given_back,
        channel_refund_no=text_of(fields, "queryId"),
        amount_fen=fen(fields, "txnAmt"),
        channel_code=code,
    )


def fen(fields: Mapping[str, str], name: str) -> int | None:
    """An amount, or None where the field holds none."""
    text = fields.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _FEN_DIGITS_MAX else None


def moment_near(text: str, near: datetime) -> datetime | None:
    """A time without a year (MMDDhhmmss, Beijing) in the year that brings it nearest; None where it is no time."""
    middle = near.astimezone(BEIJING)
    found = [_moment(year, text) for year in (middle.year - 1, middle.year, middle.year + 1)]
    moments = [moment for moment in found if moment is not None]
    return min(moments, key=lambda moment: abs(moment - middle), default=None)


def _moment(year: int, text: str) -> datetime | None:
    try:
        return datetime.strptime(f"{year:04d}{text}", TIME_LAYOUT).replace(tzinfo=BEIJING)
    except ValueError:
        return None
