"""What the UnionPay simulator does with each verified transaction (CHANNEL-PROTOCOLS 3.2)."""

from __future__ import annotations

import re
from typing import Final

from routing.simulators.acts import Act
from routing.simulators.books import Books, GivenBack, Refund, Status, Trade, digest_of
from routing.simulators.numbers import refund_no, seq_of, trade_no
from routing.simulators.till import GiveBack, RefundRules, RefundVerdict, Sale, give_back, take, undo
from routing.simulators.unionpay_account import UnionpaySettings
from routing.simulators.unionpay_answers import (
    ACCEPTED,
    ALREADY_GIVEN_BACK,
    BAD_CODE,
    DUPLICATE,
    IN_PROCESS,
    NO_SUCH_TRANSACTION,
    ORIGINAL_MISMATCH,
    ORIGINAL_MISSING,
    Fields,
    consume_result,
    kept,
    refund_result,
    refusal_of,
    result,
    same_clearing_day,
)
from routing.simulators.unionpay_fields import Ask

_CODE: Final = re.compile(r"62[0-9]{17}")
_REFUND_LATEST_MS: Final = 330 * 86_400_000
_REFUND_FAILURES: Final = {
    RefundVerdict.DIFFERENT: DUPLICATE,
    RefundVerdict.NOT_PAID: ORIGINAL_MISMATCH,
    RefundVerdict.TOO_MUCH: ORIGINAL_MISMATCH,
    RefundVerdict.TOO_SOON: DUPLICATE,
    RefundVerdict.TOO_MANY: ORIGINAL_MISMATCH,
}


class UnionpayDesk:
    """Carries out verified transactions; the answers' own fields come back, the front adds the echo."""

    def __init__(self, settings: UnionpaySettings, books: Books) -> None:
        self._settings = settings
        self._books = books
        self._refund_rules = RefundRules(
            settings.refund_interval_s, settings.refund_count_max, settings.refund_settles_after_s
        )

    def consume(self, ask: Ask, act: Act) -> Fields:
        """Accept a bar code payment; issuers decide a moment later, codes are judged at once."""
        request, notify_url = ask.fields, ask.notify_url
        code, amount_fen = request["qrNo"], int(request["txnAmt"])
        if not _CODE.fullmatch(code):
            return result(BAD_CODE)
        sale = Sale(
            merchant=request["merId"],
            order_no=request["orderId"],
            amount_fen=amount_fen,
            auth_code=code,
            fingerprint=digest_of(amount_fen, code),
            details=kept(request) if notify_url else "{}",
            txn_time=request["txnTime"],
            notify_url=notify_url,
        )
        taken = take(self._books, sale, act, self._settings.settles_after_s)
        trade = taken.trade
        if not taken.same or trade.status in (Status.REVERSED, Status.CLOSED):
            return result(DUPLICATE)
        if trade.status == Status.REFUSED:
            return result(refusal_of(trade))
        answer = result(IN_PROCESS if act.pin_answered_after_s is not None else ACCEPTED)
        answer |= {"orderId": act.shown_order_no(trade.order_no), "txnAmt": str(trade.amount_fen)}
        return answer | {"queryId": trade_no("unionpay", trade)}

    def _trade(self, request: Fields) -> Trade | None:
        if request.get("orderId"):
            return self._books.find(request["merId"], request["orderId"], request["txnTime"])
        seq = seq_of(request.get("queryId", ""))
        return None if seq is None else self._books.find_by_seq(request["merId"], seq)

    def query(self, ask: Ask, act: Act) -> Fields:
        """respCode tells of the query, origRespCode of the transaction: a consume, a refund or a void."""
        request = ask.fields
        trade = self._trade(request)
        if trade is not None:
            answer = result(ACCEPTED) | consume_result(trade, trade.amount_fen + act.amount_delta_fen)
            return answer | {"orderId": act.shown_order_no(trade.order_no), "txnTime": trade.txn_time}
        refund = self._books.find_refund(request["merId"], request.get("orderId", ""), request.get("txnTime", ""))
        if refund is None:
            return result(NO_SUCH_TRANSACTION)
        answer = result(ACCEPTED) | refund_result(refund, self._books.now_ms())
        return answer | {"orderId": act.shown_order_no(refund.refund_no)}

    def knows_refund(self, merchant: str, order_no: str, txn_time: str) -> bool:
        """Whether that transaction is a refund or a void."""
        return self._books.find_refund(merchant, order_no, txn_time) is not None

    def reverse(self, ask: Ask, act: Act) -> Fields:
        """99/01: undo the consume with the same orderId and txnTime, on its clearing day.

        An order that waits for its customer is no consume yet: it ends by its payTimeout and by nothing else.
        """
        trade = self._trade(ask.fields)
        if trade is None or trade.status == Status.OPEN:
            return result(ORIGINAL_MISSING)
        if trade.refunded_fen and trade.reason != GivenBack.REVERSAL:
            return result(ALREADY_GIVEN_BACK)
        if not same_clearing_day(trade.created_ms, self._books.now_ms()):
            return result(ORIGINAL_MISMATCH)
        undo(self._books, trade, GivenBack.REVERSAL, f"REV{trade.order_no}", trade.txn_time)
        answer = result(ACCEPTED) | {"orderId": act.shown_order_no(trade.order_no)}
        return answer | {"queryId": trade_no("unionpay", trade)}

    def void(self, ask: Ask, act: Act) -> Fields:
        """31/00: take back a whole capture on its clearing day, under an orderId of its own."""
        request = ask.fields
        trade = self._original(request)
        if trade is None:
            return result(ORIGINAL_MISSING)
        if int(request["txnAmt"]) != trade.amount_fen:
            return result(ORIGINAL_MISMATCH)
        repeated = self._books.find_refund(trade.merchant, request["orderId"], request["txnTime"]) is not None
        if not repeated and trade.refunded_fen:
            return result(ALREADY_GIVEN_BACK)
        if not repeated and not same_clearing_day(trade.captured_ms or 0, self._books.now_ms()):
            return result(ORIGINAL_MISMATCH)
        return self._give_back(ask, trade, GivenBack.VOID, act)

    def refund(self, ask: Ask, act: Act) -> Fields:
        """04/00: give back some of a capture, under an orderId of its own."""
        trade = self._original(ask.fields)
        if trade is None:
            return result(ORIGINAL_MISSING)
        if self._books.now_ms() - trade.created_ms > _REFUND_LATEST_MS:
            return result(ORIGINAL_MISMATCH)
        return self._give_back(ask, trade, GivenBack.REFUND, act)

    def _original(self, request: Fields) -> Trade | None:
        """The paid consume that origQryId names."""
        seq = seq_of(request["origQryId"])
        trade = None if seq is None else self._books.find_by_seq(request["merId"], seq)
        return trade if trade is not None and trade.captured_ms is not None else None

    def _give_back(self, ask: Ask, trade: Trade, kind: GivenBack, act: Act) -> Fields:
        request, notify_url = ask.fields, ask.notify_url
        order_no, txn_time = request["orderId"], request["txnTime"]
        if self._books.find_underway(trade.merchant, order_no, txn_time) is not None:
            return result(DUPLICATE)
        details = kept(request) if notify_url else "{}"
        amount_fen, outcome = int(request["txnAmt"]), act.refund_outcome
        wanted = GiveBack(order_no, amount_fen, kind, txn_time, outcome, notify_url, details)
        verdict, refund = give_back(self._books, trade, wanted, self._refund_rules)
        if refund is None or verdict is RefundVerdict.DIFFERENT:
            given_back = verdict is RefundVerdict.NOT_PAID or not trade.left_fen
            return result(ALREADY_GIVEN_BACK if refund is None and given_back else _REFUND_FAILURES[verdict])
        return _accepted(refund, act)


def _accepted(refund: Refund, act: Act) -> Fields:
    answer = result(ACCEPTED) | {"orderId": act.shown_order_no(refund.refund_no)}
    return answer | {"queryId": refund_no("unionpay", refund)}
