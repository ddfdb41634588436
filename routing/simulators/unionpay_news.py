"""What UnionPay tells of a payment, a refund or a void: the fields of its notifications.  CHANNEL-PROTOCOLS 3.2."""

from __future__ import annotations

from typing import Any, Final

import orjson

from routing.simulators.books import GivenBack, Method, Refund, Trade
from routing.simulators.numbers import refund_no, trade_no
from routing.simulators.unionpay_answers import ACCEPTED, Fields, paid_with, result, traces

SUB_TYPES: Final[dict[str, str]] = {Method.BARCODE: "06", Method.CODE: "07", Method.PAGE: "01"}
GIVE_BACK_TYPES: Final[dict[str, tuple[str, str]]] = {
    # kind                txnType txnSubType
    GivenBack.REFUND: ("04", "00"),
    GivenBack.VOID: ("31", "00"),
    GivenBack.REVERSAL: ("99", "01"),
}


def news_of_trade(trade: Trade) -> Fields:
    """The request as far as it is repeated, and how the payment ended."""
    return (
        _echo(trade.details, trade.merchant, "01", SUB_TYPES[trade.method])
        | {"orderId": trade.order_no, "txnTime": trade.txn_time, "txnAmt": str(trade.amount_fen), "currencyCode": "156"}
        | traces(trade_no("unionpay", trade), trade.captured_ms or 0)
        | paid_with(trade, trade.amount_fen)
        | result(ACCEPTED)
    )


def news_of_refund(trade: Trade, refund: Refund) -> Fields:
    """The same of a refund or a void, which is a transaction of its own."""
    amount = str(refund.amount_fen)
    return (
        _echo(refund.details, trade.merchant, *GIVE_BACK_TYPES[refund.kind])
        | {"orderId": refund.refund_no, "txnTime": refund.scope, "txnAmt": amount, "currencyCode": "156"}
        | {"origQryId": trade_no("unionpay", trade), "settleAmt": amount}
        | traces(refund_no("unionpay", refund), refund.created_ms)
        | result(ACCEPTED)
    )


def _echo(details: str, mer_id: str, kind: str, sub_kind: str) -> Fields:
    kept: dict[str, Any] = orjson.loads(details)
    named = {name: kept[name] for name in ("bizType", "accessType", "qrNo", "reqReserved") if name in kept}
    common = {"version": "5.1.0", "encoding": kept.get("encoding", "UTF-8"), "txnType": kind, "txnSubType": sub_kind}
    return common | named | {"merId": mer_id}
