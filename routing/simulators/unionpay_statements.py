"""76/01: the file of a settlement date, which runs from 23:00 of the day before to 23:00.  CHANNEL-PROTOCOLS 3.5."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final

import orjson

from gateway.kernel.clock import BEIJING
from routing.simulators.acts import Act
from routing.simulators.books import Books, GivenBack, Trade
from routing.simulators.numbers import refund_no, trade_no
from routing.simulators.statement_lines import Line, lines_between
from routing.simulators.unionpay_account import UnionpaySettings
from routing.simulators.unionpay_answers import (
    ACCEPTED,
    BAD_FORMAT,
    NO_FILE,
    Fields,
    clearing_day,
    masked_account,
    result,
    traces,
)
from routing.simulators.unionpay_fields import Ask
from routing.simulators.unionpay_files import file_content, zm_line
from routing.simulators.unionpay_news import GIVE_BACK_TYPES, SUB_TYPES

_ACQUIRER: Final = {"acqInsCode": "01020000", "fwdInsCode": "01030000", "mcc": "5812", "termType": "08"}
_TRADE_CODES: Final = {"01": "S22", "04": "S30", "31": "S31", "99": "S99"}
"""交易代码; those of voids and reversals are not known from any document and are ours."""
_CUT: Final = time(23)


class UnionpayStatements:
    """The files of every merchant."""

    def __init__(self, settings: UnionpaySettings, books: Books) -> None:
        self._settings = settings
        self._books = books

    def download(self, ask: Ask, act: Act) -> Fields:  # noqa: ARG002  # a file is no order
        """fileName and fileContent; 98 where the date is not over, or nothing was settled on it."""
        today = clearing_day(self._books.now_ms())
        day = _latest(ask.fields["settleDate"], today)
        if day is None:
            return result(BAD_FORMAT)
        if day == today and not self._settings.statement_today:
            return result(NO_FILE)
        mer_id, from_ms, until_ms = ask.fields["merId"], _cut_ms(day - timedelta(days=1)), _cut_ms(day)
        lines = lines_between(self._books, mer_id, from_ms, until_ms, self._settings.fee_rate_millionths)
        if not lines:
            return result(NO_FILE)
        content = file_content(mer_id, f"{day:%y%m%d}", [zm_line(_row(line)) for line in lines])
        return result(ACCEPTED) | content


def _latest(month_day: str, today: date) -> date | None:
    """The last MMDD that has begun; None where no calendar has it."""
    for year in range(today.year, today.year - 9, -1):
        try:
            found = date(year, int(month_day[:2]), int(month_day[2:]))
        except ValueError:
            continue
        if found <= today:
            return found
    return None


def _cut_ms(day: date) -> int:
    return round(datetime.combine(day, _CUT, BEIJING).timestamp() * 1_000)


def _row(line: Line) -> Fields:
    """A line's fields by name.  Towards the merchant money is D, from the merchant C: so is the fee, the other way."""
    trade, refund = line.trade, line.refund
    query_id = trade_no("unionpay", trade) if refund is None else refund_no("unionpay", refund)
    kind, sub_kind = ("01", SUB_TYPES[trade.method]) if refund is None else GIVE_BACK_TYPES[refund.kind]
    to_merchant, from_merchant = ("D", "C") if refund is None else ("C", "D")
    traced = traces(query_id, line.at_ms)
    row = _ACQUIRER | {
        "tradeCode": _TRADE_CODES[kind],
        "traceNo": traced["traceNo"],
        "traceTime": traced["traceTime"],
        "accNo": masked_account(trade),
        "txnAmt": f"{line.amount_fen:012d}",
        "queryId": query_id,
        "orderId": trade.order_no if refund is None or refund.kind == GivenBack.REVERSAL else refund.refund_no,
        "payCardType": "01",
        "fee": f"{from_merchant}{line.fee_fen:012d}",
        "settleAmt": f"{to_merchant}{line.amount_fen:012d}",
        "payType": "0001",
        "txnType": kind,
        "txnSubType": sub_kind,
        "bizType": "000000",
        "merId": trade.merchant,
        "termId": orjson.loads(trade.details).get("termId", ""),
    }
    return row if refund is None else row | _original(trade)


def _original(trade: Trade) -> Fields:
    """How a line names the payment that it takes back."""
    query_id = trade_no("unionpay", trade)
    traced = traces(query_id, trade.captured_ms or trade.created_ms)
    return {
        "origTraceNo": traced["traceNo"],
        "origTraceTime": traced["traceTime"],
        "origQryId": query_id,
        "origOrderId": trade.order_no,
    }
