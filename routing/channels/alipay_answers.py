"""What Alipay's verified nodes and notifications say of trades.  CHANNEL-PROTOCOLS 2.2–2.5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.kernel.money import fen_of_yuan
from routing.channels.alipay_codes import BUSINESS_FAILED, GATEWAY_REFUSALS, NOT_FOUND, row_of
from routing.channels.base import ChannelOrder, ChannelUnknown
from routing.channels.reports import TradeReport, TradeState
from routing.channels.wire import Authenticity, Refusal, beijing_time, plain_code, text_of

TIME_LAYOUT: Final = "%Y-%m-%d %H:%M:%S"


class AlipayAnswer:
    """The node of an answer, verified or an unsigned error of the gateway."""

    __slots__ = ("authenticity", "code", "node", "sub_code")

    def __init__(self, node: Mapping[str, Any], authenticity: Authenticity) -> None:
        self.node = node
        self.authenticity = authenticity
        self.code = text_of(node, "code") or ""
        self.sub_code = text_of(node, "sub_code")

    @property
    def plain_code(self) -> str:
        """The sub code or code where it looks like one, fit for metrics and rows."""
        return plain_code(self.sub_code, self.code if self.code.isdigit() and len(self.code) == 5 else "answer_code")

    def unknown(self) -> ChannelUnknown:
        """The error for an answer that decides nothing."""
        return ChannelUnknown(self.plain_code)

    def refusal(self, by_sub_code: Mapping[str, Refusal]) -> Refusal | None:
        """The row of a table, or of the errors of the gateway in front of the business."""
        if self.code == BUSINESS_FAILED:
            return row_of(self.sub_code, by_sub_code)
        return GATEWAY_REFUSALS.get(self.code)

    def is_not_found(self) -> bool:
        """Whether it says that there is no such trade."""
        return self.code == BUSINESS_FAILED and NOT_FOUND in (self.sub_code or "")


def must_be_ours(answer: AlipayAnswer, order: ChannelOrder, *, may_be_silent: bool = False) -> None:
    """An answer about another order says nothing about ours."""
    named = answer.node.get("out_trade_no")
    if named != order.order_no and not (named is None and may_be_silent):
        raise ChannelUnknown("answer_of_another_order")


def trade_report(node: Mapping[str, Any], state: TradeState, code: str, paid_at_field: str) -> TradeReport:
    """The report of a trade in that state; `code` stands in where the node names no `trade_status`."""
    payer_id = text_of(node, "buyer_open_id") or text_of(node, "buyer_user_id") or text_of(node, "buyer_id")
    return TradeReport(
        state=state,
        channel_trade_no=text_of(node, "trade_no"),
        amount_fen=fen_in(node, "total_amount"),
        payer_paid_fen=fen_in(node, "buyer_pay_amount"),
        paid_at=beijing_time(text_of(node, paid_at_field), TIME_LAYOUT),
        payer_id=payer_id,
        channel_code=text_of(node, "trade_status") or code,
    )


def fen_in(node: Mapping[str, Any], name: str) -> int | None:
    """An amount, or None where the field holds none."""
    text = text_of(node, name)
    try:
        return None if text is None else fen_of_yuan(text)
    except ValueError:
        return None
