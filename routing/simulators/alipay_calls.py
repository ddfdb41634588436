"""What the Alipay simulator does with each verified method (CHANNEL-PROTOCOLS 2.4)."""

from __future__ import annotations

import re
from typing import Final

import orjson

from routing.simulators.acts import Act
from routing.simulators.alipay_account import AlipayAccount
from routing.simulators.alipay_answers import (
    SUCCESS,
    WAITING,
    alipay_time,
    amounts,
    buyer,
    failure,
    fund_bills,
    identity,
    refusal_of,
    shown_details,
    trade_status,
    yuan,
)
from routing.simulators.alipay_fields import Ask, Bad, Document, amount, invalid, pay_until_ms, read_order, text
from routing.simulators.books import Books, GivenBack, Method, Status, Trade, digest_of
from routing.simulators.numbers import seq_of
from routing.simulators.till import GiveBack, RefundRules, RefundVerdict, Sale, give_back, take, undo

_AUTH_CODE: Final = re.compile(r"(?:2[5-9]|30)[0-9]{14,22}|fp[A-Za-z0-9]{33}")
_SCENES: Final = frozenset({"bar_code", "security_code", "wave_code"})
_PRODUCTS: Final = frozenset({"FACE_TO_FACE_PAYMENT", "OFFLINE_PAYMENT"})
_REFUND_LATEST_MS: Final = 365 * 86_400_000

_REFUND_FAILURES: Final = {
    RefundVerdict.DIFFERENT: "ACQ.DISCORDANT_REPEAT_REQUEST",
    RefundVerdict.NOT_PAID: "ACQ.TRADE_STATUS_ERROR",
    RefundVerdict.TOO_MUCH: "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
    RefundVerdict.TOO_SOON: "isv.method-call-limited",
    RefundVerdict.TOO_MANY: "ACQ.TRADE_NOT_ALLOW_REFUND",
}


class AlipayDesk:
    """Carries out verified methods for one application."""

    def __init__(self, account: AlipayAccount, books: Books) -> None:
        self._account = account
        self._books = books
        settings = account.settings
        self._refund_rules = RefundRules(settings.refund_interval_s, settings.refund_count_max, 0)

    def _read_sale(self, ask: Ask) -> Sale:
        order = read_order(ask, self._account.seller_id, _PRODUCTS, "FACE_TO_FACE_PAYMENT")
        if ask.content.get("scene") not in _SCENES:
            raise invalid("scene")
        code = text(ask.content, "auth_code", 64)
        if not _AUTH_CODE.fullmatch(code):
            raise Bad("ACQ.PAYMENT_AUTH_CODE_INVALID")
        return Sale(
            merchant=self._account.app_id,
            order_no=order.order_no,
            amount_fen=order.amount_fen,
            auth_code=code,
            fingerprint=digest_of(order.amount_fen, order.subject, code),
            details=orjson.dumps(order.details).decode(),
            notify_url=order.notify_url,
        )

    def pay(self, ask: Ask, act: Act) -> Document:
        """Take a bar code payment, or answer again for one that was taken."""
        sale = self._read_sale(ask)
        until_ms = pay_until_ms(ask.content, self._books.now_ms(), self._account.settings.pay_within_s)
        taken = take(self._books, sale, act)
        trade = taken.trade
        if not taken.same:
            raise Bad("ACQ.CONTEXT_INCONSISTENT")
        shown = identity(trade, act.shown_order_no(trade.order_no))
        match trade.status:
            case Status.PENDING:
                self._close_when_unpaid(trade, until_ms)
                return WAITING | shown | buyer(trade) | amounts(trade, trade.amount_fen)
            case Status.REFUSED:
                return failure(refusal_of(trade)) | amounts(trade, 0)
            case Status.CLOSED | Status.REVERSED | Status.REFUNDED:
                raise Bad("ACQ.TRADE_HAS_CLOSE")
        paid = {"gmt_payment": alipay_time(trade.captured_ms or 0), "fund_bill_list": fund_bills(trade.amount_fen)}
        return SUCCESS | shown | buyer(trade) | amounts(trade, trade.amount_fen) | paid

    def _close_when_unpaid(self, trade: Trade, until_ms: int) -> None:
        """A customer who never answers loses the trade when its time is over."""
        if trade.due_ms is None:
            trade.due_ms, trade.due_status = until_ms, Status.CLOSED
            self._books.save(trade)

    def _find(self, content: Document) -> Trade | None:
        """The trade; trade_no wins when both numbers are given.  A code that nobody scanned has none yet."""
        number = content.get("trade_no")
        if isinstance(number, str) and number:
            seq = seq_of(number)
            trade = None if seq is None else self._books.find_by_seq(self._account.app_id, seq)
        else:
            trade = self._books.find(self._account.app_id, text(content, "out_trade_no", 64))
        return None if trade is None or (trade.method == Method.CODE and trade.scanned_ms is None) else trade

    def _must_find(self, content: Document) -> Trade:
        trade = self._find(content)
        if trade is None:
            raise Bad("ACQ.TRADE_NOT_EXIST")
        return trade

    def query(self, ask: Ask, act: Act) -> Document:
        """Where a trade stands; send_pay_date is there for every trade that was paid."""
        trade = self._must_find(ask.content)
        shown_fen = trade.amount_fen + act.amount_delta_fen
        node = SUCCESS | identity(trade, act.shown_order_no(trade.order_no)) | buyer(trade)
        node |= {"trade_status": trade_status(trade)} | amounts(trade, shown_fen) | shown_details(trade)
        if trade.captured_ms is not None:
            node |= {"send_pay_date": alipay_time(trade.captured_ms), "fund_bill_list": fund_bills(shown_fen)}
        return node

    def cancel(self, ask: Ask, act: Act) -> Document:
        """Shut a trade: an unpaid one is closed, a paid one refunded; `action` is left out where there is none."""
        trade = self._find(ask.content)
        if trade is None:
            return SUCCESS | {"out_trade_no": str(ask.content.get("out_trade_no", "")), "retry_flag": "N"}
        if self._books.now_ms() - trade.created_ms > self._account.settings.cancel_within_s * 1_000:
            raise Bad("ACQ.TRADE_CANCEL_TIME_OUT")
        undo(self._books, trade, GivenBack.REVERSAL, f"REV{trade.order_no}", trade.order_no)
        action = "close" if trade.captured_ms is None else "refund"
        shown = identity(trade, act.shown_order_no(trade.order_no))
        return SUCCESS | shown | {"retry_flag": "N", "action": action}

    def close(self, ask: Ask, act: Act) -> Document:
        """Close a trade that waits for its buyer."""
        trade = self._must_find(ask.content)
        if trade.status not in (Status.PENDING, Status.OPEN):
            raise Bad("ACQ.TRADE_STATUS_ERROR" if trade.captured_ms is None else "ACQ.REASON_TRADE_STATUS_INVALID")
        trade.become(Status.CLOSED, self._books.now_ms())
        self._books.save(trade)
        return SUCCESS | identity(trade, act.shown_order_no(trade.order_no))

    def refund(self, ask: Ask, act: Act) -> Document:
        """Give money back; refund_fee is the sum given back so far, fund_change whether this call moved any."""
        wanted_fen = amount(ask.content, "refund_amount")
        trade = self._must_find(ask.content)
        request_no = ask.content.get("out_request_no")
        if request_no is None and wanted_fen != trade.amount_fen:
            raise Bad("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
        if request_no is not None:
            text(ask.content, "out_request_no", 64)
        if self._books.now_ms() - trade.created_ms > _REFUND_LATEST_MS:
            raise Bad("ACQ.TRADE_HAS_FINISHED")
        number = _refund_key(trade, request_no)
        wanted = GiveBack(number, wanted_fen, scope=trade.order_no, notify_url=trade.notify_url)
        verdict, refund = give_back(self._books, trade, wanted, self._refund_rules)
        if refund is None and trade.status in (Status.REVERSED, Status.CLOSED, Status.REFUNDED):
            raise Bad("ACQ.TRADE_HAS_CLOSE")
        if refund is None or verdict is RefundVerdict.DIFFERENT:
            raise Bad(_REFUND_FAILURES[verdict])
        node = SUCCESS | identity(trade, act.shown_order_no(trade.order_no)) | buyer(trade)
        return node | {
            "refund_fee": yuan(trade.refunded_fen),
            "fund_change": "Y" if verdict is RefundVerdict.ACCEPTED else "N",
            "gmt_refund_pay": alipay_time(refund.created_ms),
        }

    def query_refund(self, ask: Ask, act: Act) -> Document:
        """Where a refund stands; without refund_status it never happened."""
        request_no = text(ask.content, "out_request_no", 64)
        trade = self._must_find(ask.content)
        refund = self._books.find_refund(trade.merchant, _refund_key(trade, request_no), trade.order_no)
        if refund is None:
            return dict(SUCCESS)
        return (
            SUCCESS
            | identity(trade, act.shown_order_no(trade.order_no))
            | {
                "out_request_no": request_no,
                "refund_amount": yuan(refund.amount_fen),
                "total_amount": yuan(trade.amount_fen),
                "refund_status": "REFUND_SUCCESS",
                "gmt_refund_pay": alipay_time(refund.created_ms),
            }
        )


def _refund_key(trade: Trade, request_no: object) -> str:
    """The refund's number: the order's own for a full refund that came without one."""
    return str(request_no) if request_no is not None else trade.order_no
