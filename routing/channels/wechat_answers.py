"""What WeChat Pay's verified JSON says of orders and refunds, asked or unasked.  CHANNEL-PROTOCOLS 1.4, 1.5."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from routing.channels.base import ChannelUnknown
from routing.channels.reports import RefundReport, TradeReport, TradeState
from routing.channels.wechat_codes import ABNORMAL, PAYMENT_FAILED, REFUND_STATES, TRADE_STATES, spelled
from routing.channels.wire import Authenticity, fen_of, plain_code, text_of


class WechatAnswer:
    """One answer: its status, what its signature says, and its JSON object."""

    __slots__ = ("authenticity", "code", "fields", "status")

    def __init__(self, status: int, authenticity: Authenticity, fields: Mapping[str, Any]) -> None:
        self.status = status
        self.authenticity = authenticity
        self.fields = fields
        self.code = spelled(fields.get("code"))

    @property
    def is_success(self) -> bool:
        """Whether the call was carried out or taken in."""
        return 200 <= self.status < 300

    @property
    def is_verified(self) -> bool:
        """Whether WeChat Pay signed it."""
        return self.authenticity is Authenticity.VERIFIED

    @property
    def plain_code(self) -> str:
        """The code where it looks like one, fit for metrics and rows."""
        return plain_code(self.fields.get("code"), f"http_{self.status}")

    def unknown(self) -> ChannelUnknown:
        """The error for an answer that decides nothing."""
        return ChannelUnknown(self.plain_code)


def trade_report(fields: Mapping[str, Any]) -> TradeReport:
    """The report of an order.  Raises ChannelUnknown for a state that is not of the table."""
    state = fields.get("trade_state")
    known = TRADE_STATES.get(state) if isinstance(state, str) else None
    if known is None:
        raise ChannelUnknown(plain_code(state, "trade_state"))
    amount, payer = fields.get("amount"), fields.get("payer")
    return TradeReport(
        state=known,
        channel_trade_no=text_of(fields, "transaction_id"),
        amount_fen=fen_of(amount, "total"),
        payer_paid_fen=fen_of(amount, "payer_total"),
        paid_at=_moment(fields.get("success_time")),
        payer_id=text_of(payer, "openid") if isinstance(payer, dict) else None,
        channel_code=state,
        failure=PAYMENT_FAILED.failure if known is TradeState.REFUSED else None,
    )


def refund_report(fields: Mapping[str, Any], status: object) -> RefundReport:
    """The report of a refund in that status.  Raises ChannelUnknown for one that is not of the table."""
    state = REFUND_STATES.get(status) if isinstance(status, str) else None
    if state is None:
        raise ChannelUnknown(plain_code(status, "refund_status"))
    return RefundReport(
        state=state,
        channel_refund_no=text_of(fields, "refund_id"),
        amount_fen=fen_of(fields.get("amount"), "refund"),
        channel_code=str(status),
        abnormal=status == ABNORMAL,
    )


def _moment(text: object) -> datetime | None:
    """An RFC 3339 time with its zone, or None."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
