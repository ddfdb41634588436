"""The front simulator's codes on display, which several wallets can scan: native and close (CHANNEL-PROTOCOLS 3.6)."""

from __future__ import annotations

import re
import secrets
import string
from typing import Final

from routing.simulators.acts import Act
from routing.simulators.books import Method, Status, Trade, digest_of
from routing.simulators.qra_answers import DONE, failed
from routing.simulators.qra_calls import QraDesk, kept_of
from routing.simulators.qra_fields import Ask, BadField, Fields, fen, moment_ms, notify_address, order_number, text

SCAN_PATH: Final = "/scan"
_ALPHABET: Final = string.ascii_letters + string.digits
_TOKEN: Final = re.compile(r"https?://[^/?#]+/scan\?code=([0-9A-Za-z]{32})")
_OVER: Final = {Status.CAPTURED: "ORDERPAID", Status.REFUNDED: "ORDERPAID", Status.REVERSED: "ORDERREVERSED"}


def token_in(code_url: str) -> str:
    """What finds the order behind a code that was scanned, on whichever host it was; empty for other codes."""
    found = _TOKEN.fullmatch(code_url)
    return "" if found is None else found[1]


class QraOrders(QraDesk):
    """Orders on display; the same request again finds the same code while it can be paid."""

    def native(self, ask: Ask, act: Act) -> Fields:
        """A code for the customer to scan: the address of a page of ours."""
        trade = self._read_order(ask)
        known = self.books.find_underway(trade.merchant, trade.order_no)
        if known is None:
            trade.amount_fen = max(1, trade.amount_fen + act.amount_delta_fen)
            trade.seq = self.books.next_trade_seq()
            self.books.add(trade)
        elif known.fingerprint != trade.fingerprint:
            return failed("OUT_TRADE_NO_USED")
        elif known.status != Status.OPEN:
            return failed(_OVER.get(Status(known.status), "ORDERCLOSED"))
        else:
            trade = known
        code_url = f"http://{ask.host}{SCAN_PATH}?code={trade.handle}"
        return DONE | {"out_trade_no": act.shown_order_no(trade.order_no), "code_url": code_url}

    def _read_order(self, ask: Ask) -> Trade:
        """The order as it will stand in the books, `seq` still missing.  Raises BadField."""
        fields, now_ms = ask.fields, self.books.now_ms()
        text(fields, "body", 127)
        text(fields, "mch_create_ip", 64)
        moment_ms(fields, "time_start")
        until_ms = moment_ms(fields, "time_expire")
        if until_ms is None:
            until_ms = now_ms + round(self.account.settings.order_open_s * 1_000)
        elif until_ms <= now_ms:
            raise BadField("PARAM_ERROR", "time_expire早于当前时间")
        return Trade(
            seq=0,
            merchant=self.account.mch_id,
            order_no=order_number(fields),
            txn_time="",
            fingerprint=digest_of(ask.said),
            amount_fen=fen(fields, "total_fee"),
            status=Status.OPEN,
            created_ms=now_ms,
            code_key=0,
            code_tail="",
            payer="",
            details=kept_of(fields),
            method=Method.CODE,
            notify_url=notify_address(fields, required=True),
            handle="".join(secrets.choice(_ALPHABET) for _ in range(32)),
            pay_until_ms=until_ms,
            due_ms=until_ms,
            due_status=Status.CLOSED,
        )

    def close(self, ask: Ask, act: Act) -> Fields:
        """Close an unpaid order that is on display; a bar code order must be reversed."""
        trade = self.order(ask.fields)
        if trade is None:
            return failed("ORDERNOTEXIST")
        if trade.method == Method.BARCODE:
            return failed("INVALID_REQUEST", "付款码订单只能撤销，不可关单")
        if trade.status in (Status.CAPTURED, Status.REFUNDED):
            return failed("ORDERPAID")
        if trade.status == Status.OPEN:
            trade.become(Status.CLOSED, self.books.now_ms())
            self.books.save(trade)
        return DONE | {"out_trade_no": act.shown_order_no(trade.order_no)}
