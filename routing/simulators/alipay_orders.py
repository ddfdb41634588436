"""Orders that an Alipay customer pays later: codes on display and pages.  CHANNEL-PROTOCOLS 2.4."""

from __future__ import annotations

import secrets
from typing import Final

import orjson

from routing.simulators.acts import Act
from routing.simulators.alipay_account import AlipayAccount
from routing.simulators.alipay_answers import SUCCESS, payer_behind
from routing.simulators.alipay_fields import Ask, Bad, Document, Order, invalid, pay_until_ms, read_order
from routing.simulators.books import Books, Method, Status, Trade, digest_of
from routing.simulators.numbers import trade_no

_CODE_PRODUCTS: Final = frozenset({"QR_CODE_OFFLINE", "FACE_TO_FACE_PAYMENT", "OFFLINE_PAYMENT"})
_PAGE_PRODUCTS: Final = frozenset({"JSAPI_PAY", "FACE_TO_FACE_PAYMENT"})


class AlipayOrders:
    """Carries out both for one application."""

    def __init__(self, account: AlipayAccount, books: Books) -> None:
        self._account = account
        self._books = books

    def precreate(self, ask: Ask, act: Act) -> Document:
        """A code, the same again for the same order; there is no trade before somebody scans it."""
        settings, now_ms = self._account.settings, self._books.now_ms()
        order = read_order(ask, self._account.seller_id, _CODE_PRODUCTS, "FACE_TO_FACE_PAYMENT")
        until_ms = pay_until_ms(ask.content, now_ms, settings.code_good_for_s)
        fingerprint = digest_of(Method.CODE, order.amount_fen, order.subject)
        trade = self._earlier(order, fingerprint)
        if trade is None:
            trade = self._new(order, act, until_ms)
            trade.fingerprint, trade.method = fingerprint, Method.CODE
            trade.handle = f"https://qr.alipay.com/bax0{secrets.token_hex(10)}"
            trade.handle_until_ms = now_ms + round(settings.code_good_for_s * 1_000)
            self._books.add(trade)
        return SUCCESS | {"out_trade_no": act.shown_order_no(trade.order_no), "qr_code": trade.handle}

    def create(self, ask: Ask, act: Act) -> Document:
        """A trade that one buyer pays in a page, which hands trade_no to the wallet."""
        order = read_order(ask, self._account.seller_id, _PAGE_PRODUCTS, "JSAPI_PAY")
        until_ms = pay_until_ms(ask.content, self._books.now_ms(), self._account.settings.pay_within_s)
        payer = payer_behind(ask.content)
        if payer is None:
            raise invalid("buyer_id")
        fingerprint = digest_of(Method.PAGE, order.amount_fen, order.subject, payer)
        trade = self._earlier(order, fingerprint)
        if trade is None:
            trade = self._new(order, act, until_ms)
            trade.fingerprint, trade.method, trade.payer = fingerprint, Method.PAGE, payer
            trade.handle = trade_no("alipay", trade)
            self._books.add(trade)
        return SUCCESS | {"out_trade_no": act.shown_order_no(trade.order_no), "trade_no": trade.handle}

    def _earlier(self, order: Order, fingerprint: int) -> Trade | None:
        """The open order with that number, None where the number is new.  Raises Bad where it is another's or over."""
        trade = self._books.find_underway(self._account.app_id, order.order_no)
        if trade is None:
            return None
        if trade.fingerprint != fingerprint:
            raise Bad("ACQ.CONTEXT_INCONSISTENT")
        if trade.status != Status.OPEN:
            raise Bad("ACQ.TRADE_HAS_SUCCESS" if trade.status == Status.CAPTURED else "ACQ.TRADE_HAS_CLOSE")
        return trade

    def _new(self, order: Order, act: Act, until_ms: int) -> Trade:
        return Trade(
            seq=self._books.next_trade_seq(),
            merchant=self._account.app_id,
            order_no=order.order_no,
            txn_time="",
            fingerprint=0,
            amount_fen=max(1, order.amount_fen + act.amount_delta_fen),
            status=Status.OPEN,
            created_ms=self._books.now_ms(),
            code_key=0,
            code_tail="",
            payer="",
            details=orjson.dumps(order.details).decode(),
            notify_url=order.notify_url,
            pay_until_ms=until_ms,
            due_ms=until_ms,
            due_status=Status.CLOSED,
        )
