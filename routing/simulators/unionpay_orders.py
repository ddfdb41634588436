"""Orders that a UnionPay customer pays later: codes on display (01/07) and pages (01/01).  CHANNEL-PROTOCOLS 3.2."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from routing.simulators.acts import Act
from routing.simulators.books import Books, Method, Status, Trade, digest_of
from routing.simulators.moments import beijing_text, read_beijing, within
from routing.simulators.unionpay_account import UnionpaySettings
from routing.simulators.unionpay_answers import (
    ACCEPTED,
    BAD_FORMAT,
    DUPLICATE,
    ORIGINAL_MISMATCH,
    Fields,
    kept,
    result,
)
from routing.simulators.unionpay_fields import Ask
from routing.simulators.unionpay_payers import payer_behind

PAY_PATH: Final = "/qrcGtwWeb-web/front/pay"
_TIME_LAYOUT: Final = "%Y%m%d%H%M%S"
_CODE: Final = "https://qr.95516.com/00010000/"


@dataclass(frozen=True, slots=True)
class _Plan:
    """An order to be opened, if its number is new."""

    method: Method
    handle: str
    fingerprint: int
    payer: str = ""


class UnionpayOrders:
    """Opens orders; the same request again finds the same order while it is open."""

    def __init__(self, settings: UnionpaySettings, books: Books) -> None:
        self._settings = settings
        self._books = books

    def code(self, ask: Ask, act: Act) -> Fields:
        """01/07: a code that any UnionPay app scans."""
        fingerprint = digest_of(Method.CODE, ask.fields["txnAmt"])
        opened = self._open(ask, act, _Plan(Method.CODE, f"{_CODE}01{secrets.randbelow(10**28):028d}", fingerprint))
        if not isinstance(opened, Trade):
            return opened
        return result(ACCEPTED) | {"orderId": act.shown_order_no(opened.order_no), "qrCode": opened.handle or ""}

    def page(self, ask: Ask, act: Act) -> Fields:
        """01/01 mobileWeb: a page of ours on which the identified user pays."""
        payer = payer_behind(ask.fields["merId"], ask.fields["appUserId"])
        if payer is None:
            return result(ORIGINAL_MISMATCH)
        fingerprint = digest_of(Method.PAGE, ask.fields["txnAmt"], payer, ask.fields["frontUrl"])
        number = f"{beijing_text(self._books.now_ms() // 1_000, _TIME_LAYOUT)}{secrets.randbelow(10**7):07d}"
        opened = self._open(ask, act, _Plan(Method.PAGE, number, fingerprint, payer))
        if not isinstance(opened, Trade):
            return opened
        pay_url = f"http://{ask.host}{PAY_PATH}?tn={opened.handle}"
        shown = {"orderId": act.shown_order_no(opened.order_no), "tn": opened.handle or "", "payUrl": pay_url}
        return result(ACCEPTED) | shown

    def _open(self, ask: Ask, act: Act, plan: _Plan) -> Trade | Fields:
        """The open order, or the refusal."""
        request, now_ms = ask.fields, self._books.now_ms()
        trade = self._books.find_underway(request["merId"], request["orderId"], request["txnTime"])
        if trade is not None:
            same = trade.fingerprint == plan.fingerprint and trade.status == Status.OPEN
            return trade if same else result(DUPLICATE)
        until_ms = self._pay_until_ms(request, now_ms)
        fresh = within(request["txnTime"], _TIME_LAYOUT, of_s=now_ms / 1_000, seconds=self._settings.consume_skew_s)
        if until_ms is None or not fresh:
            return result(BAD_FORMAT)
        if self._books.find_refund(request["merId"], request["orderId"], request["txnTime"]) is not None:
            return result(DUPLICATE)
        trade = Trade(
            seq=self._books.next_trade_seq(),
            merchant=request["merId"],
            order_no=request["orderId"],
            txn_time=request["txnTime"],
            fingerprint=plan.fingerprint,
            amount_fen=max(1, int(request["txnAmt"]) + act.amount_delta_fen),
            status=Status.OPEN,
            created_ms=now_ms,
            code_key=0,
            code_tail="",
            payer=plan.payer,
            details=kept(request),
            method=plan.method,
            notify_url=ask.notify_url,
            handle=plan.handle,
            pay_until_ms=until_ms,
            due_ms=until_ms,
            due_status=Status.CLOSED,
        )
        self._books.add(trade)
        return trade

    def _pay_until_ms(self, request: Fields, now_ms: int) -> int | None:
        """payTimeout, or what is usual; None where it is over already or no time."""
        if not request.get("payTimeout"):
            return now_ms + round(self._settings.order_open_s * 1_000)
        at_s = read_beijing(request["payTimeout"], _TIME_LAYOUT)
        return None if at_s is None or at_s * 1_000 <= now_ms else round(at_s * 1_000)
