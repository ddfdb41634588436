"""The front simulator's bar code payments of every wallet, queries and reversals (CHANNEL-PROTOCOLS 3.6)."""

from __future__ import annotations

from typing import Final

import orjson

from routing.simulators.acts import Act
from routing.simulators.books import Books, GivenBack, Method, Status, Trade, digest_of
from routing.simulators.numbers import seq_of
from routing.simulators.qra_account import QraAccount
from routing.simulators.qra_answers import DONE, failed, paid_fields, refusal_of, trade_fields
from routing.simulators.qra_fields import Ask, BadField, Fields, fen, moment_ms, notify_address, order_number, text
from routing.simulators.qra_wallets import issuer_of
from routing.simulators.till import Sale, take, undo

_KEPT: Final = ("attach", "device_info")


def kept_of(fields: Fields) -> str:
    """What is kept of a request for later answers, as JSON."""
    return orjson.dumps({name: fields[name] for name in _KEPT if fields.get(name)}).decode()


class QraDesk:
    """Carries out what is asked of bar code orders, and queries of all."""

    def __init__(self, account: QraAccount, books: Books) -> None:
        self.account = account
        self.books = books

    def order(self, fields: Fields) -> Trade | None:
        """The order that out_trade_no or, before it, transaction_id names.  Raises BadField."""
        number = text(fields, "transaction_id", 32, required=False)
        if number:
            seq = seq_of(number)
            return None if seq is None else self.books.find_by_seq(self.account.mch_id, seq)
        return self.books.find(self.account.mch_id, order_number(fields))

    def _read_sale(self, ask: Ask) -> Sale:
        """The sale that a request describes.  Raises BadField."""
        fields = ask.fields
        order_no, amount_fen = order_number(fields), fen(fields, "total_fee")
        text(fields, "body", 127)
        text(fields, "mch_create_ip", 64)
        moment_ms(fields, "time_start"), moment_ms(fields, "time_expire")
        auth_code = text(fields, "auth_code", 128)
        wallet = issuer_of(auth_code)
        if wallet is None:
            raise BadField("AUTH_CODE_INVALID", "付款码无效，请重新扫码")
        return Sale(
            merchant=self.account.mch_id,
            order_no=order_no,
            amount_fen=amount_fen,
            auth_code=auth_code,
            fingerprint=digest_of(ask.said),
            details=kept_of(fields),
            notify_url=notify_address(fields, required=False),
            wallet=wallet,
        )

    def pay(self, ask: Ask, act: Act) -> Fields:
        """Take a bar code payment by whichever wallet issued the code, or answer again for one that was taken."""
        taken = take(self.books, self._read_sale(ask), act)
        trade = taken.trade
        if not taken.same:
            return failed("OUT_TRADE_NO_USED")
        match trade.status:
            case Status.REFUSED:
                return failed(*refusal_of(trade))
            case Status.REVERSED:
                return failed("ORDERREVERSED")
            case Status.CLOSED:
                return failed("ORDERCLOSED")
            case Status.PENDING:
                return failed("USERPAYING") | {"out_trade_no": act.shown_order_no(trade.order_no)}
            case _:
                shown = {"out_trade_no": act.shown_order_no(trade.order_no), "pay_result": "0"}
                return DONE | paid_fields(trade, trade.amount_fen) | shown

    def query(self, ask: Ask, act: Act) -> Fields:
        """Where an order stands, by the merchant's number or the front's."""
        trade = self.order(ask.fields)
        if trade is None:
            return failed("ORDERNOTEXIST")
        shown = {"out_trade_no": act.shown_order_no(trade.order_no)}
        return DONE | trade_fields(trade, trade.amount_fen + act.amount_delta_fen) | shown

    def reverse(self, ask: Ask, act: Act) -> Fields:
        """Shut a bar code order: an unpaid one is revoked, a paid one given back in full."""
        trade = self.order(ask.fields)
        if trade is None:
            return failed("ORDERNOTEXIST")
        problem = self._irreversible(trade)
        if problem is not None:
            return failed(*problem)
        undo(self.books, trade, GivenBack.REVERSAL, f"REV{trade.order_no}")
        return DONE | {"out_trade_no": act.shown_order_no(trade.order_no)}

    def _irreversible(self, trade: Trade) -> tuple[str, str] | None:
        age_s = (self.books.now_ms() - trade.created_ms) / 1_000
        if trade.method != Method.BARCODE:
            return "INVALID_REQUEST", "非付款码订单，请关单或退款"
        if age_s > self.account.settings.reverse_within_s:
            return "TRADE_ERROR", "订单已超过可撤销期限，请退款"
        if trade.status == Status.REFUNDED or (trade.status == Status.CAPTURED and trade.refunded_fen):
            return "TRADE_ERROR", "订单已发生退款，不可撤销"
        return None
